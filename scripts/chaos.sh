#!/usr/bin/env bash
# Chaos test of a cluster: faults of all kinds at once, from a seed, and checks of the invariants. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
usage: scripts/chaos.sh [--seed N] [--minutes M] [--logs FOLDER]

Runs three real replicas with a real etcd of three members against the simulated laboratory and its mail server. From the seed (default: a
random one) it stops, kills, freezes and cuts off replicas, kills and freezes members of etcd and compacts their history, while experiments
break and are mended, the mail server is busy, and acknowledgements and silences come to any replica. After M minutes (default 10) all is
mended, and it checks:

  - each write to book came from the replica that led then, by etcd's election keys, and no earlier leader wrote after a later one;
  - all replicas, book and the last mails agree with how the laboratory is;
  - no acknowledgement and no silence that was accepted is lost, and none that was ended is back;
  - nothing was mailed twice, but with the same Message-ID and the same text;
  - no process ended by itself.

It prints what it does, and the numbers. Exit code 1: what is VIOLATED was printed; with --logs all logs of the replicas are there.
It needs protobuf-compiler, libprotobuf-dev, etcd-server and etcd-client (scripts/test.sh installs them).
HELP
}

seed=$((RANDOM * 32768 + RANDOM)) minutes=10 logs=
while [ $# -gt 0 ]; do
    case "$1" in
        --seed) seed="${2:?--seed needs a number}"; shift 2 ;;
        --minutes) minutes="${2:?--minutes needs a number}"; shift 2 ;;
        --logs) logs="${2:?--logs needs a folder}"; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
if ! [[ "$seed" =~ ^[0-9]+$ && "$minutes" =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
    echo "chaos.sh: --seed takes a whole number, --minutes a number" >&2
    exit 2
fi
for program in protoc etcd etcdctl; do
    if ! command -v "$program" >/dev/null; then
        echo "chaos.sh: $program is missing: apt-get install protobuf-compiler libprotobuf-dev etcd-server etcd-client" >&2
        exit 2
    fi
done
[ -z "$logs" ] || export CHAOS_LOGS="$(realpath -m "$logs")"
export CHAOS_SEED="$seed" CHAOS_MINUTES="$minutes"
cargo test --locked --features etcd --test cluster --no-run
cargo test --quiet --locked --features etcd --test cluster -- --ignored --exact --nocapture chaos::chaos_from_a_seed_breaks_no_promise || exit 1
