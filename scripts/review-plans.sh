#!/usr/bin/env bash
# Review the plans of a folder: scripts/review-plans.sh PLANS REVIEW. REVIEW gets comment.md and review.json; the job's
# summary gets the comment. Succeeds whatever the verdict is, which is the check's to say; fails when nobody understands.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -ne 2 ] || [ ! -d "$1" ]; then
  echo "usage: scripts/review-plans.sh PLANS REVIEW (two folders)" >&2
  exit 2
fi
plans=() findings=()
for file in "$1"/*.json; do
  case $(basename "$file") in
    findings-*) findings+=(--findings "$file") ;;
    *) plans+=("$file") ;;
  esac
done
if [ ${#plans[@]} -eq 0 ] || [ ! -f "${plans[0]}" ]; then
  echo "review-plans: $1 holds no plan" >&2
  exit 1
fi
mkdir -p "$2"
review() {
  code=0
  .venv/bin/python -m ops plan-review "${plans[@]}" ${findings[@]+"${findings[@]}"} --format "$1" >"$2" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || exit "$code"
}
review markdown "$2/comment.md"
review json "$2/review.json"
cat "$2/comment.md" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
