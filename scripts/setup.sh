#!/usr/bin/env bash
# Bring a locked Python environment up to date: scripts/setup.sh synth|all|cdktn
# In .venv, "synth" is the little that synthesis needs; "all" adds what the checks, the tests and the origin need.
# "cdktn" is the one in cdk_terrain/.venv, where the successor of cdktf takes its place.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  synth) categories="packages" ;;
  all) categories="packages dev-packages origin" ;;
  cdktn) categories="packages" PIPENV_PIPFILE=$PWD/cdk_terrain/Pipfile && export PIPENV_PIPFILE ;;
  *) echo "usage: scripts/setup.sh synth|all|cdktn" >&2; exit 2 ;;
esac

python=$(command -v python3.11 || command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  echo "setup: Python 3.11 is needed (Debian 12: apt-get install python3), found ${python:-none}" >&2
  exit 2
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "setup: installing python3-venv ..."
  scripts/apt-install.sh python3-venv
fi

# The copy says what is installed: written last, so that a run that was cut off begins anew.
if ! cmp --silent scripts/pipenv.txt .venv-pipenv/installed.txt; then
  echo "setup: installing pipenv ..."
  rm -rf .venv-pipenv
  "$python" -m venv .venv-pipenv
  .venv-pipenv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement scripts/pipenv.txt
  cp scripts/pipenv.txt .venv-pipenv/installed.txt
fi

echo "setup: installing the locked environment ($1; a minute or two the first time) ..."
export PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_NOSPIN=1 PIPENV_VERBOSITY=-1 PIPENV_YES=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! .venv-pipenv/bin/pipenv sync --python "$python" --categories "$categories" >"$log" 2>&1; then
  cat "$log" >&2
  echo "setup: pipenv sync failed (its output is above)" >&2
  exit 1
fi
