#!/usr/bin/env bash
# Makes the folder of a small bootable Debian, for tests, and prints its path. As root, with debootstrap. An existing one is
# reused; an incomplete one is made again.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
# Beside systemd, what the package asks for, and what Ansible runs with, so that both go without a network.
packages=systemd,systemd-sysv,dbus,ca-certificates,tzdata,python3,python3-apt
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

target=${CARGO_TARGET_DIR:-target}/debian-root
root=$target/$suite
mkdir -p "$target"
# Two tests at the same time make it once.
exec 9>"$target/lock"
flock 9
if [ "$(cat "$target/made" 2>/dev/null)" != "$suite $packages" ]; then
    rm -rf "$root" "$target/made"
    if ! debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" >"$target/log" 2>&1; then
        tail -n 5 "$target/log" >&2
        echo "debian-root.sh: $suite cannot be made from $mirror; all of it is in $target/log" >&2
        exit 1
    fi
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    echo "$suite $packages" >"$target/made"
fi
realpath "$root"
