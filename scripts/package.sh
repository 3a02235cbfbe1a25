#!/usr/bin/env bash
# Builds what is installed on a laboratory's host, without the simulated laboratory of `labwatch demo`. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
usage: scripts/package.sh [--program FILE] [OUT]

Writes to OUT (target/package):
  labwatch_VERSION_ARCH.deb            for Debian 12 and later, and Ubuntu 24.04 and later
  labwatch-VERSION-ARCH-linux.tar.gz   the same content for other systems
  labwatch-VERSION.cdx.json            what is in the program: a bill of materials (CycloneDX)
  SHA256SUMS

Two builds of one commit by the same compiler give the same bytes. --program packs a program that is built already.
HELP
}

program=
out=target/package
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage; exit 0 ;;
        --program) program=$2; shift 2 ;;
        -*) usage >&2; exit 2 ;;
        *) out=$1; shift ;;
    esac
done

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
command -v cargo >/dev/null || { echo "package.sh: cargo is missing: https://rustup.rs" >&2; exit 1; }

# A tool of its own version, so that all packages are made alike.
deb_version=3.8.0
tools=target/tools
if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "cargo-deb $deb_version" ]; then
    cargo install cargo-deb --locked --debug --version "$deb_version" --root "$tools"
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
features=
if grep -q '^etcd = ' Cargo.toml; then
    features=etcd
fi

# The time of the commit stands in for the time of the build, and no path of this machine is in the program.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
if [ -z "$program" ]; then
    if [ -n "$features" ] && ! command -v protoc >/dev/null; then
        echo "package.sh: protoc is missing, which the feature etcd is built with (on Debian: protobuf-compiler libprotobuf-dev)" >&2
        exit 1
    fi
    home=${CARGO_HOME:-$HOME/.cargo}
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=. --remap-path-prefix=$home=/cargo"
    export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$PWD=. -ffile-prefix-map=$home=/cargo"
    # A folder of its own: other flags than those of a plain build would have everything built anew each time.
    CARGO_TARGET_DIR=target/package-build cargo build --profile dist --locked --no-default-features --features "$features" --bin labwatch
    program=target/package-build/dist/labwatch
fi

# What is installed, as it lies in the tarball; cargo-deb takes it from here too.
stage=target/package-stage
rm -rf "$stage"
mkdir -p "$out"
rm -f "$out"/labwatch_*.deb "$out"/labwatch-*.tar.gz "$out"/labwatch-*.cdx.json
mkdir -p "$stage"/{bin,systemd,etc,share/completions,share/doc}
install -m 0755 "$program" "$stage/bin/labwatch"
"$program" man --dir "$stage/share/man" >/dev/null
gzip -9n "$stage"/share/man/man1/*.1
for shell in bash zsh fish; do
    "$program" completions "$shell" >"$stage/share/completions/labwatch.$shell"
done
install -m 0644 -t "$stage/systemd" systemd/labwatch.service systemd/labwatch@.service
install -m 0644 systemd/labwatch.env "$stage/etc/labwatch.env"
install -m 0644 -t "$stage/share/doc" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
cp -r docs contrib "$stage/share/doc/"
rm -r "$stage/share/doc/contrib/debian"
# shellcheck disable=SC2086  # a list of names
scripts/dependencies.py licences $features >"$stage/share/doc/licences-of-dependencies.txt"
# shellcheck disable=SC2086
scripts/dependencies.py sbom $features >"$stage/share/doc/labwatch.cdx.json"
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

name=labwatch-$version-$(uname -m)-linux
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    --transform "s,^\.,$name," -C "$stage" -c . | gzip -9n >"$out/$name.tar.gz"
cp "$stage/share/doc/labwatch.cdx.json" "$out/labwatch-$version.cdx.json"

# The package has its program and pages below /usr, and its units where packages have theirs.
sed -i 's#/usr/local/bin/labwatch#/usr/bin/labwatch#g; s#/etc/systemd/system/#/usr/lib/systemd/system/#g' "$stage"/systemd/*.service
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
"$tools/bin/cargo-deb" --no-build --no-strip --locked --output "$out/"

(cd "$out" && sha256sum ./*.deb ./*.tar.gz ./*.cdx.json >SHA256SUMS && cat SHA256SUMS)
