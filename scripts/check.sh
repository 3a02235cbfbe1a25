#!/usr/bin/env bash
# All checks before a change is merged: format, lints, tests, documentation, dependencies.
# With --no-tests: all but the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi

case "${1:-}" in
    "") tests=yes ;;
    --no-tests) tests=no ;;
    *) echo "usage: scripts/check.sh [--no-tests]" >&2; exit 2 ;;
esac

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step cargo fmt --check
# With the cluster, where its build dependencies are installed.
features=()
if command -v protoc >/dev/null; then
    features=(--features etcd)
fi
step cargo clippy --locked "${features[@]}" --all-targets -- -D warnings
# Without it, and without the simulated laboratory of `labwatch demo`.
step cargo clippy --locked --no-default-features --lib --bins -- -D warnings
if [ "$tests" = yes ]; then
    step scripts/test.sh
fi
RUSTDOCFLAGS="-D warnings" step cargo doc --locked "${features[@]}" --no-deps --document-private-items
# scripts/test.sh installs one too.
PATH="$PATH:$(realpath -m "${CARGO_TARGET_DIR:-target}/test-tools/bin")"
if command -v cargo-deny >/dev/null; then
    step cargo deny --locked check --hide-inclusion-graph bans licenses sources
else
    printf '\n== NOT CHECKED: licences and sources of the dependencies, for want of cargo-deny (cargo install cargo-deny --locked)\n'
fi
printf '\nall checks passed\n'
