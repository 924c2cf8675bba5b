#!/usr/bin/env bash
# Comment on the pull request whose plans another run left in its artifact, a stranger's maybe: by RUN, OWNER, BRANCH, SHA
# and URL, which GitHub says. A pull request that moved on, or was closed, gets no comment.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${RUN:?}" "${OWNER:?}" "${BRANCH:?}" "${SHA:?}" "${URL:?}"
python=.venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/plans"
if ! "$python" -m ops.github artifact --run "$RUN" --name plans --folder "$work/plans"; then
  echo "comment-on-plans: nothing to comment on: that run planned with credentials, or did not plan" >&2
  exit 0
fi
number=$("$python" -m ops.github pull-request --owner "$OWNER" --branch "$BRANCH" --sha "$SHA")
env -u GITHUB_TOKEN scripts/review-plans.sh "$work/plans" "$work/review"
"$python" -m ops.github comment --pull-request "$number" --file "$work/review/comment.md"
"$python" -m ops.github check --sha "$SHA" --file "$work/review/review.json" --url "$URL"
