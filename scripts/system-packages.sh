#!/usr/bin/env bash
# Install Debian packages whose command is missing: system-packages.sh COMMAND=PACKAGE... (or just PACKAGE)
# Quiet and quick where nothing is missing; where it may not install, one sentence says what to do.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
missing=()
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n env)
else
  as_root=()
fi
if [ ${#as_root[@]} -eq 0 ] || ! command -v apt-get >/dev/null; then
  echo "Please install ${missing[*]} and call make again; on Debian: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]} with apt-get …"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get "$@" >>"$log" 2>&1; }
# Lists that cannot be renewed may still do.
apt update || echo "apt-get update failed; going on with the lists that are there." >&2
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  tail -n 15 "$log" >&2
  echo "apt-get could not install ${missing[*]}; mend that and call make again." >&2
  exit 1
fi
