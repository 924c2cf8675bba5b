#!/usr/bin/env bash
# Plan every environment, for a review: scripts/plan-every-environment.sh --offline BASE FOLDER | --aws FOLDER
# FOLDER gets the plans as JSON, and offline the new findings, findings-<environment>.json. With --aws the environment's
# role is in PLAN_ROLES (docs/ci.md); what is not planned fails after the others were.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  echo "usage: scripts/plan-every-environment.sh --offline BASE FOLDER | --aws FOLDER" >&2
  exit 2
}

python=.venv/bin/python
mode=${1:-}
case $mode in
  --offline) [ $# -eq 3 ] || usage; base=$2 folder=$3 ;;
  --aws) [ $# -eq 2 ] || usage; folder=$2 ;;
  *) usage ;;
esac
mkdir -p "$folder"
failed=()
for file in environments/*.toml; do
  environment=$(basename "$file" .toml)
  echo "== $environment ==" >&2
  if [ "$mode" = --offline ]; then
    code=0
    "$python" -m ops plan-review --offline "$environment" --base "$base" --write-plans "$folder" || code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || failed+=("$environment")
  else
    "$python" -m ops.github sign-in --environment "$environment" --roles "${PLAN_ROLES:-}" \
      --region "${CDK_DEFAULT_REGION:-us-east-1}" &&
      "$python" -m ops plan "$environment" --json "$folder/$environment.json" || failed+=("$environment")
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "plan-every-environment: not planned: ${failed[*]}" >&2
  exit 1
fi
