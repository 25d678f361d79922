#!/bin/bash
# Installs the real programs that the peer tests compare Katman with (Debian packages, root only).
# Starts nothing and leaves nothing running. Safe to run again; quick when all is present.
set -euo pipefail

# One line each: the program that shows the package is there, then the package.
peers=(
  '/usr/sbin/dockerd docker.io'
  '/usr/bin/containerd containerd'
  '/usr/bin/docker docker.io'
  '/usr/bin/docker-registry docker-registry'
  '/usr/bin/skopeo skopeo'
  '/usr/bin/umoci umoci'
  '/usr/bin/htpasswd apache2-utils'
  '/usr/bin/xz xz-utils'
  '/usr/bin/zstd zstd'
  '/usr/bin/bzip2 bzip2'
  '/usr/bin/strace strace'
  '/usr/sbin/mkfs.ext4 e2fsprogs'
)

missing=()
for line in "${peers[@]}"; do
  read -r program package <<<"$line"
  [ -x "$program" ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo 'install-peers: all peers are present'
  exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if [ "$(id -u)" -ne 0 ]; then
  echo "install-peers: missing: ${missing[*]}; run this script as root, or install them yourself" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "install-peers: missing: ${missing[*]}; there is no apt-get here, install them yourself" >&2
  exit 1
fi

# A package's post-install script asks policy-rc.d before it starts a service: 101 means "do not".
policy=/usr/sbin/policy-rc.d
made_policy=0
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  made_policy=1
fi
cleanup() {
  if [ "$made_policy" -eq 1 ]; then rm -f "$policy"; fi
}
trap cleanup EXIT

export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 \
    "${missing[@]}" </dev/null
}

log=$(mktemp)
echo "install-peers: installing ${missing[*]}"
# The package lists may be old or absent: refresh them first, they cost a few seconds.
if ! { apt-get update -qq && install; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "install-peers: apt-get failed (its output is above)" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"

for line in "${peers[@]}"; do
  read -r program package <<<"$line"
  if [ ! -x "$program" ]; then
    echo "install-peers: $package is installed but $program is not there" >&2
    exit 1
  fi
done
echo 'install-peers: done'
