#!/usr/bin/env bash
# Make the virtual environment .venv with pip in it; $PYTHON is the interpreter (python3 unless set).
set -euo pipefail

here=$(dirname "$0")
python=${PYTHON:-python3}
"$here/system-packages.sh" "$python=python3"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "Warren needs Python 3.11 or newer, and $python is $("$python" -V); name another: make run PYTHON=python3.12" >&2
  exit 1
fi
# Debian keeps the part that puts pip into an environment in a package of its own.
"$python" -c 'import ensurepip, venv' 2>/dev/null || "$here/system-packages.sh" python3-venv
# A half-made one of an interrupted run is made anew.
rm -rf .venv
"$python" -m venv .venv
