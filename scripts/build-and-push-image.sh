#!/usr/bin/env bash
# Build the RTMP image and push it to ECR: scripts/build-and-push-image.sh <env> <region>; --help says more.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/build-and-push-image.sh <env> <region> [options]

Builds container/ and pushes it to the ECR repository live-commerce-rtmp-<env> of the account that the AWS CLI is
signed in to, then prints the digest to put into environments/<env>.toml.

The tag is the version and the last commit that changed container/. ECR's tags are immutable, so an image that is already there is not
built again: its digest is printed.

  --part               push what is built for one platform as <tag>-arm64 or <tag>-amd64, to be joined
  --join               make <tag> of the two parts, which are in ECR: one image for both processors (docker with buildx)
  --platform PLATFORM  linux/arm64 or linux/amd64; without it, what task.architecture in environments/<env>.toml says
  --engine ENGINE      docker (with buildx) or podman; without it, the first of the two that is installed
  --base IMAGE         what it is built on, a tag or NAME@sha256:<64 hex digits>; without it, debian:bookworm-slim. A tag is
                       resolved once: all stages come from that digest, and the image's labels say which
  --rebuild            build again what is there already, without caches, so that Debian's fixes since then are in it;
                       the tag gets the suffix -<time>
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

dry_run=no allow_dirty=no rebuild=no part=no join=no platform='' engine='' base=debian:bookworm-slim positional=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --dry-run) dry_run=yes ;;
    --allow-dirty) allow_dirty=yes ;;
    --rebuild) rebuild=yes ;;
    --part) part=yes ;;
    --join) join=yes ;;
    --platform | --engine | --base)
      [ $# -ge 2 ] || fail 2 "$1 needs a value"
      printf -v "${1#--}" %s "$2"
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

# What KEY of TABLE says in the environment file; nothing if it is not there.
configured() {
  awk -F'"' -v table="[$1]" -v key="^$2 *=" \
    '/^\[/ { here = index($0, table) == 1 } here && $0 ~ key { print $2 }' "$environment_file"
}

# What NAME is, in the environment or in .env.
setting() {
  local value=${!1:-}
  if [ -z "$value" ] && [ -f .env ]; then
    value=$(sed -nE "s/^(export +)?$1=[\"']?([A-Za-z0-9-]+).*/\2/p" .env | tail -n 1)
  fi
  echo "$value"
}

expected_region=$(configured aws region)
[ -n "$expected_region" ] || expected_region=$(setting CDK_DEFAULT_REGION)
[ -z "$expected_region" ] || [ "$region" = "$expected_region" ] ||
  fail 2 "$environment is in $expected_region ($environment_file, or CDK_DEFAULT_REGION), got $region"

if [ -z "$platform" ]; then
  architecture=$(configured task architecture)
  case $architecture in
    ARM64) platform=linux/arm64 ;;
    X86_64) platform=linux/amd64 ;;
    *) fail 2 "task.architecture in $environment_file must be ARM64 or X86_64, got '$architecture'" ;;
  esac
fi
[ "$join" = no ] || [ "$part$rebuild$allow_dirty" = nonono ] ||
  fail 2 "--join joins what is there: without --part, --rebuild and --allow-dirty"
[ "$part" = no ] || [ "$rebuild$allow_dirty" = nono ] ||
  fail 2 "--part is of a commit, so that the other part has the same tag: without --rebuild and --allow-dirty"
case $platform in linux/arm64 | linux/amd64) ;; *) fail 2 "platform must be linux/arm64 or linux/amd64, got '$platform'" ;; esac

DIGEST='^sha256:[0-9a-f]{64}$'
[[ ${base%%@*} =~ ^[a-z0-9][a-zA-Z0-9._/:-]*$ && ($base != *@* || ${base#*@} =~ $DIGEST) ]] ||
  fail 2 "base must be NAME:TAG or NAME@sha256:<64 hex digits>, got '$base'"

if [ -z "$engine" ]; then
  engine=$(basename "$(command -v docker || command -v podman || true)")
  [ -n "$engine" ] || fail 3 "neither docker nor podman is installed: apt-get install podman, or Docker's packages"
fi
case $engine in docker | podman) ;; *) fail 2 "engine must be docker or podman, got '$engine'" ;; esac
[ "$join" = no ] || [ "$engine" = docker ] || fail 3 "--join needs docker with buildx, and the engine is $engine"
if [ "$dry_run" = no ]; then
  for tool in git aws "$engine"; do
    command -v "$tool" >/dev/null || fail 3 "$tool is not installed"
  done
  if [ "$engine" = docker ] && ! docker buildx version >/dev/null 2>&1; then
    fail 3 "docker has no buildx plugin, which building for $platform needs: apt-get install docker-buildx-plugin (Docker's" \
      "packages) or docker-buildx (Debian's), or build with --engine podman"
  fi
  # Attestations need a builder of its own, or Docker's containerd image store (BuildKit, "Attestation storage").
  if [ "$engine" = docker ] && docker buildx inspect 2>/dev/null | grep -E '^Driver: +docker$' >/dev/null &&
    ! docker info --format '{{.DriverStatus}}' 2>/dev/null | grep containerd >/dev/null; then
    fail 3 "docker's own builder makes no SBOM; make another: docker buildx create --use --driver docker-container"
  fi
fi

commit=$(git log -1 --format=%h --abbrev=12 -- container)
[ -n "$commit" ] || fail 3 "container/ is in no commit yet"
version=$(sed -nE 's/^VERSION = "([0-9]+\.[0-9]+\.[0-9]+)"$/\1/p' container/origin/version.py)
[ -n "$version" ] || fail 3 'container/origin/version.py has no line VERSION = "<number>.<number>.<number>"'
tag=$version-$commit
revision=$(git log -1 --format=%H -- container)
now=$(date -u +%Y%m%dT%H%M%SZ)
if [ -n "$(git status --porcelain -- container)" ]; then
  [ "$allow_dirty" = yes ] ||
    fail 3 "container/ has uncommitted changes, so a commit would not say what is in the image: commit, or --allow-dirty"
  tag="$tag-dirty-$now"
  revision="$revision-dirty"
elif [ "$rebuild" = yes ]; then
  tag="$tag-$now"
elif [ "$part" = yes ]; then
  tag="$tag-${platform#linux/}"
fi

expected_account=$(setting CDK_DEFAULT_ACCOUNT)
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

# The digest in ECR of a tag, ours if none is given; empty when there is no such image yet.
digest_in_ecr() {
  local answer
  if answer=$(aws ecr describe-images --region "$region" --repository-name "$repository" \
    --image-ids "imageTag=${1:-$tag}" --query 'imageDetails[0].imageDigest' --output text 2>&1); then
    echo "$answer"
    return
  fi
  case $answer in
    *ImageNotFoundException*) ;;
    *RepositoryNotFoundException*)
      fail 3 "no repository $repository in $account/$region: make bootstrap ENV=$environment makes it"
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

# What the tag of the base image means now: sets base_digest.
resolve_base() {
  if [[ $base == *@* ]]; then
    base_digest=${base#*@}
    return
  fi
  local resolve=(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$base")
  if [ "$engine" = podman ]; then
    run podman pull --quiet --platform "$platform" "$base" >&2 || fail 1 "podman cannot pull $base"
    resolve=(podman image inspect --format '{{.Digest}}' "$base")
  fi
  if [ "$dry_run" = yes ]; then
    run "${resolve[@]}"
    base_digest=sha256:AS_PRINTED_BY_THAT
    return
  fi
  base_digest=$("${resolve[@]}") || fail 1 "$engine cannot look $base up (--base NAME@sha256:... needs no look)"
  [[ $base_digest =~ $DIGEST ]] || fail 1 "what $engine says of $base is no digest: '$base_digest'"
}

build_and_push() {
  resolve_base
  local name=${base%%@*}
  echo "build-and-push-image: built on $name@$base_digest" >&2
  local arguments=(
    --platform "$platform" --target rtmp --build-arg "VERSION=$tag" --build-arg "REVISION=$revision"
    --build-arg "BASE=$name@$base_digest" --build-arg "BASE_NAME=$name" --build-arg "BASE_DIGEST=$base_digest"
  )
  [ "$rebuild" = no ] || arguments+=(--no-cache)
  if [ "$engine" = docker ]; then
    # What is pushed is an index: the image, and beside it what it was made of and how. The digest is the index's.
    run docker buildx build "${arguments[@]}" --sbom=true --provenance=mode=max --tag "$image" --push container ||
      fail 1 "build or push failed"
  else
    # Only the docker format has a HEALTHCHECK. Podman attests nothing.
    run podman build "${arguments[@]}" --format docker --tag "$image" container || fail 1 "build failed"
    run podman push "$image" || fail 1 "push failed"
    echo "build-and-push-image: podman pushes no SBOM and no provenance; docker with buildx does" >&2
  fi
}

# An index of both parts' images and attestations; no layer is sent again.
join_parts() {
  local parts=() name part_digest
  for name in arm64 amd64; do
    if [ "$dry_run" = no ]; then
      part_digest=$(digest_in_ecr "$tag-$name")
      [ -n "$part_digest" ] || fail 3 "no $image-$name: build it first, with --part --platform linux/$name"
    fi
    parts+=("$image-$name")
  done
  log_in
  run docker buildx imagetools create --tag "$image" "${parts[@]}" || fail 1 "docker cannot join ${parts[*]}"
}

digest=''
[ "$dry_run" = yes ] || digest=$(digest_in_ecr)
if [ -n "$digest" ]; then
  echo "build-and-push-image: $image is there already" >&2
else
  if [ "$join" = yes ]; then
    join_parts
  else
    log_in
    build_and_push
  fi
  [ "$dry_run" = no ] || exit 0
  digest=$(digest_in_ecr)
  [ -n "$digest" ] || fail 1 "$image was pushed, but ECR does not know it"
  echo "build-and-push-image: pushed $image" >&2
fi
if [ "$part" = yes ]; then
  echo "build-and-push-image: when both parts are there: scripts/build-and-push-image.sh $environment $region --join" >&2
  exit 0
fi
echo "build-and-push-image: put this into [task] of $environment_file, in place of image_tag:" >&2
echo "image_digest = \"$digest\""
echo "build-and-push-image: its known vulnerabilities: python -m ops vulnerabilities $environment --digest $digest" >&2
