#!/usr/bin/env bash
# Builds labwatch and shows it at work: a simulated laboratory in which things break and are repaired, the monitor, and a mail catcher.
# Needs no network but the package registry for the build. Stop with Ctrl-C. Arguments are passed on, see `labwatch demo --help`.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
if ! command -v cargo >/dev/null; then
    echo "demo.sh: cargo is missing. Install Rust 1.89 or later from https://rustup.rs and run this again." >&2
    exit 1
fi
if ! command -v cc >/dev/null; then
    echo "demo.sh: a C compiler is missing. Install one (on Debian: apt-get install gcc libc6-dev) and run this again." >&2
    exit 1
fi

exec cargo run --locked -- demo "$@"
