#!/usr/bin/env bash
# Makes pictures of the main pages at 360, 1280 and 1920 pixels, light and dark, from the demonstration's laboratory while things break in it.
# Needs chromium. Takes about five minutes, as long as the demonstration's story. Usage: scripts/screenshots.sh [FOLDER, default target/screenshots]
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    echo "screenshots.sh: chromium is missing. Install it (on Debian: apt-get install chromium) and run this again." >&2
    exit 1
fi

into=${1:-target/screenshots}
mkdir -p "$into"
scratch=$(mktemp -d)
demo=
finish() {
    if [ -n "$demo" ]; then
        kill "$demo" 2>/dev/null || true
        wait "$demo" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT

cargo build --locked --quiet
"${CARGO_TARGET_DIR:-target}/debug/labwatch" demo --experiments 36 --set "data_dir=$scratch/data" >"$scratch/story" &
demo=$!

# Waits, at most five minutes, until a command succeeds.
await() {
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.5
    done
    echo "screenshots.sh: in vain waited for: $*" >&2
    exit 1
}
started() { grep -q 'curl http://' "$scratch/story"; }
says() { curl --silent --fail "$address$1" | grep -q -- "$2"; }

# One picture: name, path, width, height, theme (0 dark, 1 light).
picture() {
    local theme=light
    if [ "$5" = 0 ]; then theme=dark; fi
    local profile
    profile=$(mktemp -d "$scratch/chrome-XXXXXX")
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync \
        --no-first-run --hide-scrollbars --force-device-scale-factor=1 "--blink-settings=preferredColorScheme=$5" "--user-data-dir=$profile" \
        --virtual-time-budget=1000 "--window-size=$3,$4" "--screenshot=$into/$1-$3-$theme.png" "$address$2" >/dev/null 2>&1 || echo "screenshots.sh: no picture of $2" >&2
    rm -rf "$profile" || true # the browser may still write into it
}
# Pictures of a page in all widths and both themes: name, path. Three at a time, so that the story does not run away.
pictures() {
    for theme in 1 0; do
        picture "$1" "$2" 360 1400 "$theme" &
        local first=$!
        picture "$1" "$2" 1280 900 "$theme" &
        local second=$!
        picture "$1" "$2" 1920 1080 "$theme" &
        wait "$first" "$second" $!
    done
}

await started
address=$(sed -n 's|.*curl \(http://[^/]*\)/.*|\1|p' "$scratch/story" | head -n 1)
pictures start /
await says '/?state=ok' 'data-row'
pictures well /
pictures pools /pools
pictures lab /lab
pictures lab-pool /lab/pend
pictures lost /nothing/here
await says '/?state=degraded' 'data-row'
await says '/?state=down' 'power\|login'
pictures problems /
pictures experiment /experiments/trus00
pictures wall '/?wall'
await says '/holds' 'maintenance'
pictures holds /holds
pictures outbox /outbox
await says / 'relay</strong> is down'
pictures relay-down /
pictures sources /sources
echo "screenshots.sh: $(find "$into" -name '*.png' | wc -l) pictures in $into"
