#!/usr/bin/env bash
# Builds the packages for a laboratory's host, without the simulated laboratory of `labwatch demo`. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'HELP'
usage: scripts/package.sh [--program FILE] [OUT]
       scripts/package.sh --build
       scripts/package.sh --check

Writes to OUT (target/package):
  labwatch_VERSION_ARCH.deb            for Debian 12 and later, and Ubuntu 24.04 and later
  labwatch-VERSION-ARCH-linux.tar.gz   the same content for other systems
  labwatch-VERSION.cdx.json            what is in the program: a bill of materials (CycloneDX)
  SHA256SUMS

--program packs a program that is built already; --build only builds it and says where it is.

Two builds of one commit by the same compiler give the same bytes. --check shows it: it builds and packs the commit here and in a folder
elsewhere, compares all files, and looks that the program is at most 14 MB and names no folder of this machine. That builds everything
twice, which is too slow for CI.
HELP
}

# The largest allowed program, in bytes.
max_bytes=14000000

program=
mode=pack
out=target/package
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage; exit 0 ;;
        --program) program=$2; shift 2 ;;
        --build) mode=build; shift ;;
        --check) mode=check; shift ;;
        -*) usage >&2; exit 2 ;;
        *) out=$1; shift ;;
    esac
done

if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
    . "$HOME/.cargo/env"
fi
command -v cargo >/dev/null || { echo "package.sh: cargo is missing: https://rustup.rs" >&2; exit 1; }

# Builds and packs the commit here and elsewhere, and compares.
check() {
    if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
        echo "package.sh: there are changes that are not committed: what is compared are two builds of one commit" >&2
        exit 1
    fi
    elsewhere=$(mktemp -d)
    trap 'rm -rf "$elsewhere"' EXIT
    git clone --quiet --no-local . "$elsewhere/a-folder-of-another-name"
    scripts/package.sh target/package-check
    (
        cd "$elsewhere/a-folder-of-another-name"
        # The packer is no part of what is compared.
        mkdir -p target && cp -r "$OLDPWD/target/tools" target/tools
        scripts/package.sh target/package-check
    )
    diff -r target/package-check "$elsewhere/a-folder-of-another-name/target/package-check"
    built=target/package-build/dist/labwatch
    for folder in "$PWD" "$elsewhere" "$HOME" "$(rustc --print sysroot)"; do
        if [ "$folder" != / ] && grep -aqF "$folder" "$built"; then
            echo "package.sh: the program names $folder" >&2
            exit 1
        fi
    done
    bytes=$(stat -c %s "$built")
    echo "the same bytes twice; the program has $bytes"
    if [ "$bytes" -gt "$max_bytes" ]; then
        echo "package.sh: more than $max_bytes" >&2
        exit 1
    fi
}

if [ "$mode" = check ]; then
    check
    exit 0
fi

# The time of the commit stands in for the time of the build, where there is one, and no path of this machine is in the program.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

features=
if grep -q '^etcd = ' Cargo.toml; then
    features=etcd
fi

if [ -z "$program" ]; then
    if [ -n "$features" ] && ! command -v protoc >/dev/null; then
        echo "package.sh: protoc is missing, which the feature etcd is built with (on Debian: protobuf-compiler libprotobuf-dev)" >&2
        exit 1
    fi
    home=${CARGO_HOME:-$HOME/.cargo}
    # Where the sources of the standard library are installed, their place would be in its messages.
    sysroot=$(rustc --print sysroot)
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=. --remap-path-prefix=$home=/cargo --remap-path-prefix=$sysroot=/rust"
    # Addresses that are put right at the start take an eighth of the room. glibc 2.36 reads them so, which Debian 12 has.
    RUSTFLAGS="$RUSTFLAGS -C link-arg=-Wl,-z,pack-relative-relocs"
    # SQLite's full-text search, R-tree and page statistics are not used here.
    export LIBSQLITE3_FLAGS="-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE -USQLITE_ENABLE_DBSTAT_VTAB"
    # A panic never goes through C, which therefore needs no tables for unwinding.
    export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$PWD=. -ffile-prefix-map=$home=/cargo -fno-asynchronous-unwind-tables -fno-unwind-tables"
    # A folder of its own: other flags than those of a plain build would cause a full rebuild each time.
    CARGO_TARGET_DIR=target/package-build cargo build --profile dist --locked --no-default-features --features "$features" --bin labwatch
    program=target/package-build/dist/labwatch
fi
if [ "$mode" = build ]; then
    echo "$program"
    exit 0
fi

# A pinned version of the tool, so that all packages are made alike.
deb_version=3.8.0
tools=target/tools
if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "cargo-deb $deb_version" ]; then
    RUSTFLAGS='' cargo install cargo-deb --locked --debug --version "$deb_version" --root "$tools"
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# The installed files, as in the tarball; cargo-deb takes them from here too.
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
