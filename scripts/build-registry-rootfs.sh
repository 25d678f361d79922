#!/bin/sh
# Writes the file tree of a container image that serves a registry: the release (npm run build), this machine's Node and the
# libraries that it loads. Usage: sh scripts/build-registry-rootfs.sh rootfs.tar
set -eu
target=${1:?usage: build-registry-rootfs.sh rootfs.tar}
cd "$(dirname "$0")/.."
[ -d dist/katman ] || { echo 'first: npm run build' >&2; exit 1; }
node=$(node -p process.execPath)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root/usr/bin" "$root/opt" "$root/etc" "$root/tmp" "$root/var/lib/katman"
cp "$node" "$root/usr/bin/node"
cp -R dist/katman "$root/opt/katman"
# Names of libraries stand before an arrow or alone; all that is a path is copied to the same place.
ldd "$node" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
echo 'katman:x:65532:65532::/var/lib/katman:/sbin/nologin' > "$root/etc/passwd"
echo 'katman:x:65532:' > "$root/etc/group"
chmod 1777 "$root/tmp"
chown -R 0:0 "$root"
chown 65532:65532 "$root/var/lib/katman"
tar --sort=name --mtime=@0 --numeric-owner -C "$root" -cf "$target" .
