#!/usr/bin/env bash
# Makes screenshots of the main pages, in light, dark, on a phone and on a wall, from a simulated laboratory while things break in it. Takes a minute.
# Look at them after a change of the page. Needs chromium. Usage: scripts/screenshots.sh [FOLDER, default target/screenshots]
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
if ! command -v chromium >/dev/null; then
    echo "screenshots.sh: chromium is missing. Install it (on Debian: apt-get install chromium) and run this again." >&2
    exit 1
fi

into=$(realpath --canonicalize-missing "${1:-target/screenshots}")
mkdir -p "$into"
LABWATCH_PICTURES="$into" cargo test --quiet --locked --test browser screenshots_of_the_main_pages -- --ignored
echo "screenshots.sh: $(find "$into" -name '*.png' | wc -l) screenshots in $into"
