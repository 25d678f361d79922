#!/bin/bash
# Installs the real programs that the peer tests compare Katman with: Debian packages, and tools that are
# built with Go where Go is there. Root only. Starts nothing and leaves nothing running. Safe to run again;
# quick when all is present. Building the Go tools takes some 9 minutes on 2 cores; nothing else does.
set -euo pipefail

# One line each: the program that shows the package is there, then the package.
peers=(
  '/usr/sbin/dockerd docker.io'
  '/usr/bin/containerd containerd'
  '/usr/bin/docker docker.io'
  '/usr/bin/docker-registry docker-registry'
  '/usr/bin/skopeo skopeo'
  '/usr/bin/umoci umoci'
  '/usr/bin/podman podman'
  '/usr/bin/htpasswd apache2-utils'
  '/usr/bin/xz xz-utils'
  '/usr/bin/zstd zstd'
  '/usr/bin/bzip2 bzip2'
  '/usr/bin/strace strace'
  '/usr/sbin/mkfs.ext4 e2fsprogs'
  '/usr/bin/gpg gnupg'
  '/usr/bin/pass pass'
  '/usr/lib/postgresql/15/bin/postgres postgresql-15'
  '/usr/bin/wrk wrk'
)

# One line each: the program, its module and the command in it, and the version. They go to /usr/local/bin.
go_folder=/usr/local/bin
# Not in PATH: docker makes a credential helper that it finds there its store, unasked.
helper_folder=/usr/local/lib/katman-peers
go_tools=(
  'crane github.com/google/go-containerregistry /cmd/crane v0.22.1'
  'regctl github.com/regclient/regclient /cmd/regctl v0.11.7'
  'oras oras.land/oras /cmd/oras v1.3.6'
  'cosign github.com/sigstore/cosign/v3 /cmd/cosign v3.1.3'
  'oci-conformance github.com/opencontainers/distribution-spec/conformance / v0.0.0-20260831232431-97274622c111'
  'versitygw github.com/versity/versitygw /cmd/versitygw v1.8.0'
  'minio github.com/minio/minio / v0.0.0-20260212201848-7aac2a2c5b7c'
  'helm helm.sh/helm/v3 /cmd/helm v3.22.0'
  'buildx github.com/docker/buildx /cmd/buildx v0.38.2'
  'docker-credential-pass github.com/docker/docker-credential-helpers /pass/cmd v0.9.13'
)

main() {
  install_packages
  install_go_tools
  echo 'install-peers: all peers are present'
}

need_root() { # WHAT
  if [ "$(id -u)" -ne 0 ]; then
    echo "install-peers: missing: $1; run this script as root, or install them yourself" >&2
    exit 1
  fi
}

install_packages() {
  local line program package
  missing=()
  for line in "${peers[@]}"; do
    read -r program package <<<"$line"
    [ -x "$program" ] || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

  need_root "${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "install-peers: missing: ${missing[*]}; there is no apt-get here, install them yourself" >&2
    exit 1
  fi

  # A package's post-install script asks policy-rc.d before it starts a service: 101 means "do not".
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=1
  fi

  local log="$work/apt.log"
  echo "install-peers: installing ${missing[*]}"
  # The package lists may be old or absent: refresh them first, they cost a few seconds.
  if ! { apt-get update -qq && apt_install; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "install-peers: apt-get failed (its output is above)" >&2
    exit 1
  fi

  for line in "${peers[@]}"; do
    read -r program package <<<"$line"
    if [ ! -x "$program" ]; then
      echo "install-peers: $package is installed but $program is not there" >&2
      exit 1
    fi
  done
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 \
    "${missing[@]}" </dev/null
}

install_go_tools() {
  local go built line name module command version package target
  go=$(command -v go || true)
  if [ -z "$go" ] && [ -x /usr/local/go/bin/go ]; then go=/usr/local/go/bin/go; fi
  if [ -z "$go" ]; then
    echo 'install-peers: no Go here: the tests with tools that it builds (crane, regctl, oras, cosign, helm, …) are skipped'
    return
  fi
  for line in "${go_tools[@]}"; do
    read -r name module command version <<<"$line"
    # A module that is a command itself.
    if [ "$command" = / ]; then command=; fi
    target=$go_folder/$name
    case $name in docker-credential-*) target=$helper_folder/$name ;; esac
    # A tool of this version that is there already is taken as it is.
    built=$("$go" version -m "$target" 2>/dev/null || true)
    if grep -qE "^[[:space:]]+mod[[:space:]]+$module[[:space:]]+$version([[:space:]]|\$)" <<<"$built"; then
      continue
    fi
    need_root "$name $version"
    echo "install-peers: building $name $version ($SECONDS s so far)"
    if ! build "$go" "$module$command@$version"; then
      tail -n 40 "$work/go.log" >&2
      echo "install-peers: building $name failed (its output is above)" >&2
      exit 1
    fi
    # A command is built under the name of its folder.
    package=$module$command
    install -D -m 755 "$work/bin/${package##*/}" "$target"
  done
  install_policy_verdict "$go"
}

# containers/image as a program of our own: Debian's skopeo and podman cannot check sigstore signatures.
install_policy_verdict() { # GO
  local source target="$go_folder/policy-verdict"
  source=$(cd "$(dirname "$0")/../test/peers/policy-verdict" && pwd)
  if [ -x "$target" ] && [ "$target" -nt "$source/main.go" ] && [ "$target" -nt "$source/go.mod" ]; then return; fi
  need_root policy-verdict
  echo "install-peers: building policy-verdict ($SECONDS s so far)"
  if ! (cd "$source" && CGO_ENABLED=0 HOME="${HOME:-$work}" timeout 1200 "$1" build -trimpath -buildvcs=false \
    -ldflags='-s -w' -tags containers_image_openpgp -o "$work/policy-verdict" .) </dev/null >"$work/go.log" 2>&1; then
    tail -n 40 "$work/go.log" >&2
    echo 'install-peers: building policy-verdict failed (its output is above)' >&2
    exit 1
  fi
  install -m 755 "$work/policy-verdict" "$target"
}

build() { # GO PACKAGE@VERSION: a second try for a download that was cut
  local try
  for try in 1 2; do
    if GOBIN="$work/bin" GOFLAGS=-mod=mod CGO_ENABLED=0 HOME="${HOME:-$work}" \
      timeout 1200 "$1" install -trimpath -ldflags='-s -w' "$2" </dev/null >"$work/go.log" 2>&1; then
      return 0
    fi
    echo "install-peers: try $try of $2 failed" >&2
  done
  return 1
}

missing=()
policy=/usr/sbin/policy-rc.d
made_policy=0
work=$(mktemp -d)
cleanup() {
  if [ "$made_policy" -eq 1 ]; then rm -f "$policy"; fi
  rm -rf "$work"
}
trap cleanup EXIT

main
