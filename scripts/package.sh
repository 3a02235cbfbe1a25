#!/usr/bin/env bash
# Builds what is installed on a laboratory's host: target/package/labwatch_VERSION_ARCH.deb and a tarball with the same content for
# other systems, both without the simulated laboratory. Two builds of one commit give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/lib.sh
need_cargo
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
out=target/package
rm -rf "$out"
mkdir -p "$out/man" "$out/completions"

# The time of the commit stands in for the time of the build, and no path of this machine is in the program.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
features=$(package_features)
cargo build --release --locked --no-default-features --features "$features"

program=target/release/labwatch
"$program" man >"$out/man/labwatch.1"
gzip -9n "$out/man/labwatch.1"
for shell in bash zsh fish; do
    "$program" completions "$shell" >"$out/completions/labwatch.$shell"
done
sed 's#/usr/local/bin/labwatch#/usr/bin/labwatch#g' systemd/labwatch.service >"$out/labwatch.service"
scripts/licences.py >"$out/licences.txt"

if ! command -v cargo-deb >/dev/null; then
    cargo install cargo-deb --locked --version 3.8.0
fi
cargo deb --no-build --no-strip --locked --output "$out/"

# The tarball: the same files below one folder, in a fixed order, with fixed times and owners.
name=labwatch-$version-$(uname -m)-linux
tree=$out/$name
install -D -m 0755 "$program" "$tree/bin/labwatch"
install -D -m 0644 systemd/labwatch.service "$tree/systemd/labwatch.service"
install -D -m 0644 systemd/labwatch.env "$tree/etc/labwatch.env"
install -D -m 0644 "$out/man/labwatch.1.gz" "$tree/share/man/man1/labwatch.1.gz"
cp -r "$out/completions" "$tree/share/completions"
install -D -m 0644 -t "$tree/share/doc" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$out/licences.txt"
cp -r docs contrib "$tree/share/doc/"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$out" -c "$name" | gzip -9n >"$out/$name.tar.gz"
rm -r "$tree"
(cd "$out" && sha256sum ./*.deb ./*.tar.gz >SHA256SUMS && cat SHA256SUMS)
