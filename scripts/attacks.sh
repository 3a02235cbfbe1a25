#!/usr/bin/env bash
# Attacks the packaged program, at full size. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    "") program=$(scripts/package.sh --build | tail -n 1) ;;
    --program) program=$2 ;;
    *)
        cat <<'HELP'
usage: scripts/attacks.sh [--program FILE]

Attacks the program that packages hold, or FILE, as clients without a token and holders of one token would, and says what it measured:
  strangers     20,000 sign-outs without a session, then 10,010 sign-ins and sign-outs with one token, which is revoked in the end
  credentials   10,000 tokens that are none and as many cookies of another time, beside a token and a session that are good
  connections   512 connections that ask nothing or never end asking, beside /liveness
  readers       60 readers of the answers of 10,000 experiments that do not read

It takes ten minutes and needs a machine with little else to do, so it is not part of CI; the same attacks scaled down are
(tests/exposure/attacks.rs).
HELP
        [ "$1" = --help ] || [ "$1" = -h ] || exit 2
        exit 0
        ;;
esac

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
LABWATCH_PROGRAM=$(realpath "$program")
export LABWATCH_PROGRAM
"$LABWATCH_PROGRAM" --version
cargo test --locked --test exposure -- --ignored --nocapture --test-threads 1 at_full_size
