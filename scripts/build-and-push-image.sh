#!/usr/bin/env bash
# Build the RTMP image and push it to ECR: scripts/build-and-push-image.sh <env> <region>; --help says more.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/build-and-push-image.sh <env> <region> [options]

Builds container/ and pushes it to the ECR repository live-commerce-rtmp-<env> of the account that the AWS CLI is
signed in to, then prints the digest to put into environments/<env>.toml.

The tag is the last commit that changed container/. ECR's tags are immutable, so an image that is already there is not
built again: its digest is printed.

  --platform PLATFORM  linux/arm64 or linux/amd64; without it, what task.architecture in environments/<env>.toml says
  --engine ENGINE      docker (with buildx) or podman; without it, the first of the two that is installed
  --allow-dirty        push uncommitted changes in container/ too; the tag gets the suffix -dirty-<time>
  --dry-run            print the commands and run none of them; the account is CDK_DEFAULT_ACCOUNT or 123456789012
  --help               this text

exit codes: 0 done, 1 a command failed, 2 wrong usage, 3 not ready (the text says what is missing)
TEXT
}

fail() {
  local code=$1
  shift
  echo "build-and-push-image: $*" >&2
  exit "$code"
}

# What is run with --dry-run is printed instead, quoted so that it can be pasted.
run() {
  if [ "$dry_run" = yes ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

dry_run=no allow_dirty=no platform='' engine='' positional=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --dry-run) dry_run=yes ;;
    --allow-dirty) allow_dirty=yes ;;
    --platform | --engine)
      [ $# -ge 2 ] || fail 2 "$1 needs a value"
      if [ "$1" = --platform ]; then platform=$2; else engine=$2; fi
      shift
      ;;
    -*) fail 2 "unknown option $1 (--help lists them)" ;;
    *) positional+=("$1") ;;
  esac
  shift
done
[ ${#positional[@]} -eq 2 ] || fail 2 "expected <env> <region>, got ${#positional[@]} arguments (--help says more)"
environment=${positional[0]} region=${positional[1]}
[[ $region =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || fail 2 "region must be like ap-northeast-2, got '$region'"

environment_file=environments/$environment.toml
known=$(cd environments 2>/dev/null && printf '%s ' *.toml | sed 's/\.toml//g') || known=''
[[ $environment =~ ^[a-z][a-z0-9-]*$ && -f $environment_file ]] ||
  fail 2 "no environments/$environment.toml; environments: ${known:-none}"
if [ -z "$platform" ]; then
  architecture=$(awk -F'"' '/^\[/ { in_task = /^\[task\]/ } in_task && /^architecture *=/ { print $2 }' "$environment_file")
  case $architecture in
    ARM64) platform=linux/arm64 ;;
    X86_64) platform=linux/amd64 ;;
    *) fail 2 "task.architecture in $environment_file must be ARM64 or X86_64, got '$architecture'" ;;
  esac
fi
case $platform in linux/arm64 | linux/amd64) ;; *) fail 2 "platform must be linux/arm64 or linux/amd64, got '$platform'" ;; esac

if [ -z "$engine" ]; then
  engine=$(basename "$(command -v docker || command -v podman || true)")
  [ -n "$engine" ] || fail 3 "neither docker nor podman is installed"
fi
case $engine in docker | podman) ;; *) fail 2 "engine must be docker or podman, got '$engine'" ;; esac
if [ "$dry_run" = no ]; then
  for tool in git aws "$engine"; do
    command -v "$tool" >/dev/null || fail 3 "$tool is not installed"
  done
  if [ "$engine" = docker ] && ! docker buildx version >/dev/null 2>&1; then
    fail 3 "docker has no buildx plugin, which building for $platform needs"
  fi
fi

tag=$(git log -1 --format=%h --abbrev=12 -- container)
[ -n "$tag" ] || fail 3 "container/ is in no commit yet"
revision=$(git log -1 --format=%H -- container)
if [ -n "$(git status --porcelain -- container)" ]; then
  [ "$allow_dirty" = yes ] ||
    fail 3 "container/ has uncommitted changes, so a commit would not say what is in the image: commit, or --allow-dirty"
  tag="$tag-dirty-$(date -u +%Y%m%dT%H%M%SZ)"
  revision="$revision-dirty"
fi

expected_account=${CDK_DEFAULT_ACCOUNT:-}
if [ -z "$expected_account" ] && [ -f .env ]; then
  expected_account=$(sed -nE 's/^(export +)?CDK_DEFAULT_ACCOUNT=["'\'']?([0-9]+).*/\2/p' .env | tail -n 1)
fi
if [ "$dry_run" = yes ]; then
  account=${expected_account:-123456789012}
else
  account=$(aws sts get-caller-identity --query Account --output text) || fail 3 "the AWS CLI is not signed in"
  [ -z "$expected_account" ] || [ "$account" = "$expected_account" ] ||
    fail 3 "the AWS CLI is signed in to account $account, and CDK_DEFAULT_ACCOUNT is $expected_account"
fi

repository=live-commerce-rtmp-$environment
domain=amazonaws.com
[[ $region != cn-* ]] || domain=amazonaws.com.cn
registry=$account.dkr.ecr.$region.$domain
image=$registry/$repository:$tag

# The digest of the tag in ECR; empty when there is no such image yet.
digest_in_ecr() {
  local answer
  if answer=$(aws ecr describe-images --region "$region" --repository-name "$repository" \
    --image-ids "imageTag=$tag" --query 'imageDetails[0].imageDigest' --output text 2>&1); then
    echo "$answer"
    return
  fi
  case $answer in
    *ImageNotFoundException*) ;;
    *RepositoryNotFoundException*)
      fail 3 "no repository $repository in $account/$region: deploy LiveCommerceBootstrapStack-$environment first"
      ;;
    *) fail 1 "ECR does not answer: $answer" ;;
  esac
}

log_in() {
  if [ "$dry_run" = yes ]; then
    echo "aws ecr get-login-password --region $region | $engine login --username AWS --password-stdin $registry"
  else
    aws ecr get-login-password --region "$region" |
      "$engine" login --username AWS --password-stdin "$registry" >/dev/null || fail 1 "$engine cannot log in to $registry"
  fi
}

build_and_push() {
  local arguments=(--platform "$platform" --target rtmp --build-arg "VERSION=$tag" --build-arg "REVISION=$revision")
  if [ "$engine" = docker ]; then
    # Without provenance: the digest is then that of the image, not of an index round it.
    run docker buildx build "${arguments[@]}" --provenance=false --tag "$image" --push container ||
      fail 1 "build or push failed"
  else
    # Only the docker format has a HEALTHCHECK.
    run podman build "${arguments[@]}" --format docker --tag "$image" container || fail 1 "build failed"
    run podman push "$image" || fail 1 "push failed"
  fi
}

digest=''
[ "$dry_run" = yes ] || digest=$(digest_in_ecr)
if [ -n "$digest" ]; then
  echo "build-and-push-image: $image is there already" >&2
else
  log_in
  build_and_push
  [ "$dry_run" = no ] || exit 0
  digest=$(digest_in_ecr)
  [ -n "$digest" ] || fail 1 "$image was pushed, but ECR does not know it"
  echo "build-and-push-image: pushed $image" >&2
fi
echo "build-and-push-image: put this into [task] of $environment_file, in place of image_tag:" >&2
echo "image_digest = \"$digest\""
