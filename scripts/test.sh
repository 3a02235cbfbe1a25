#!/usr/bin/env bash
# Runs all tests, those of real system programs too. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
usage: scripts/test.sh [ARGUMENTS OF cargo test] [-- ARGUMENTS OF THE TESTS]

Runs all tests. `cargo test` alone runs those that need nothing but cargo and a C compiler; the others are marked
`#[ignore = "needs ..."]`, and this script runs them too. What they need and is missing is installed with apt-get, without
questions: as root, or with `sudo -n`. Where that is not possible it says what is missing, and the tests that need it fail.

  all                     scripts/test.sh
  one test                cargo test -p labwatch-engine a_twin          (any part of its name)
  one file of tests       cargo test --test store_crash
  one end-to-end test     cargo test --test e2e wrong_secrets_are_named
  the cluster             scripts/test.sh --test cluster
  one system test         scripts/test.sh --test browser every_page     (installs what it needs)
  one scenario            SCENARIO=flapping cargo test --test scenarios
  scenarios and goldens   UPDATE=1 cargo test --test scenarios          (writes what comes out; read the difference)
  more random cases       PROPTEST_CASES=2500 PROPTEST_RNG_SEED=2 cargo test --test properties
  what it costs to run    cargo test --release --test e2e -- --ignored --nocapture measure
HELP
}

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
esac

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
if ! command -v cargo >/dev/null; then
    echo "test.sh: cargo is missing. Install Rust 1.89 or later from https://rustup.rs and run this again." >&2
    exit 1
fi

# Installs packages; fails where there is no apt-get, or no right to use it.
root=()
install() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq)
    "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"
}

# Says what is missing: `missing PROGRAM PACKAGE WHAT`.
missing() {
    echo "test.sh: $1 is missing and cannot be installed from here (on Debian: $2). $3 fails." >&2
}

# A C compiler builds the cryptography. It is required.
if ! command -v cc >/dev/null && ! install gcc libc6-dev; then
    echo "test.sh: a C compiler is missing and cannot be installed from here. Install one (on Debian: gcc libc6-dev) and run this again." >&2
    exit 1
fi

if ! command -v systemd-analyze >/dev/null && ! install systemd; then
    missing systemd-analyze systemd "The test of the unit file"
fi

if ! { command -v debootstrap && command -v systemd-nspawn; } >/dev/null && ! install debootstrap systemd-container; then
    echo "test.sh: the tests under a real systemd are left out: debootstrap or systemd-nspawn is missing and cannot be installed from here" >&2
fi

# What starts the container. Docker is used where its daemon runs.
if ! { docker info || command -v podman; } >/dev/null 2>&1 && ! install podman runc; then
    echo "test.sh: the container is not started: podman is missing and cannot be installed from here, and there is no daemon of Docker" >&2
fi

if ! command -v chromium >/dev/null && ! install chromium; then
    missing chromium chromium "Every test of the page in a browser"
fi

# exim is the real mail server of the end-to-end tests. Nothing is removed for it, so it is not installed beside another mail server; and
# where it is installed now it is stopped again, for the tests start their own.
if ! [ -x /usr/sbin/exim4 ]; then
    if install --no-remove exim4-daemon-light; then
        if [ -d /run/systemd/system ]; then
            "${root[@]}" systemctl disable --now exim4 >/dev/null 2>&1 || true
        fi
    else
        missing exim4 exim4-daemon-light "Every test that sends real mail"
    fi
fi

if ! { command -v prometheus && command -v promtool && command -v carbon-cache; } >/dev/null &&
    ! install prometheus graphite-carbon; then
    missing "prometheus, promtool or carbon-cache" "prometheus graphite-carbon" "Every test of metrics with a real reader"
fi

# A real Alertmanager, for the routes that lead to one. The tests start their own.
if ! command -v prometheus-alertmanager >/dev/null; then
    if install prometheus-alertmanager; then
        if [ -d /run/systemd/system ]; then
            "${root[@]}" systemctl disable --now prometheus-alertmanager >/dev/null 2>&1 || true
        fi
    else
        missing prometheus-alertmanager prometheus-alertmanager "The test of routes to a real Alertmanager"
    fi
fi

# The build dependencies of the cluster, and the etcd of its tests.
features=()
if { command -v protoc && [ -e /usr/include/google/protobuf/empty.proto ]; } >/dev/null ||
    install protobuf-compiler libprotobuf-dev; then
    features=(--features etcd)
else
    echo "test.sh: protoc or its includes are missing and cannot be installed from here (on Debian: protobuf-compiler libprotobuf-dev). The cluster is not tested." >&2
fi
# Debian starts the etcd that it installs; where that is now, it is stopped again, for the tests start their own.
if ! { command -v etcd && command -v etcdctl; } >/dev/null; then
    if install etcd-server etcd-client; then
        if [ -d /run/systemd/system ]; then
            "${root[@]}" systemctl disable --now etcd >/dev/null 2>&1 || true
        fi
    else
        missing "etcd or etcdctl" "etcd-server etcd-client" "Every test of a cluster"
    fi
fi

# The tools of tests/tools/requirements.txt, and of alone.txt without what they ask for, in one virtual environment. The copy beside them says
# that all of them are there.
tools="${CARGO_TARGET_DIR:-target}/test-tools"
wanted=tests/tools/requirements.txt
alone=tests/tools/alone.txt
make_tools() {
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        install python3 python3-venv || return 1
    fi
    rm -rf "$tools"
    python3 -m venv "$tools" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$alone" &&
        cat "$wanted" "$alone" >"$tools/requirements.txt"
}
if ! cat "$wanted" "$alone" | cmp --silent - "$tools/requirements.txt" && ! make_tools; then
    missing "one of the Python tools of $wanted and $alone" "python3-venv; and pip needs a package index" "Every test that uses them"
fi

# The same commit gets the same answer: properties are tried on the same random cases every time, unless another seed is given.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"

# Most of the tests that take long wait for the laboratory rather than for a processor.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}"

# What stands before `--` is cargo's; measurements and screenshots stay out, for they compare nothing, and so does what another test starts.
of_cargo=()
while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then
        shift
        break
    fi
    of_cargo+=("$1")
    shift
done
exec cargo test --locked "${features[@]}" "${of_cargo[@]}" -- --include-ignored --skip measure --skip at_full_size --skip screenshots_of_the_main_pages \
    --skip a_page_is_checked_through_a_proxy "$@"
