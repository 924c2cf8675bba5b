"""scripts/build-and-push-image.sh with stand-ins for aws, docker and podman on PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build-and-push-image.sh"
ACCOUNT = "210987654321"
REGISTRY = f"{ACCOUNT}.dkr.ecr.ap-northeast-2.amazonaws.com"
DIGEST = "sha256:" + "ab" * 32
BASE_DIGEST = "sha256:" + "ba" * 32
BASE = f"debian:bookworm-slim@{BASE_DIGEST}"

# Each stand-in writes down how it was called; the state is files: `pushed` holds the tag that ECR has.
AWS = """#!/bin/bash
echo "aws $*" >>calls
case "$1 $2" in
  "sts get-caller-identity") [ ! -e signed-out ] || exit 253; echo ACCOUNT ;;
  "ecr get-login-password") echo secret ;;
  "ecr describe-images")
    [ ! -e no-repository ] || { echo "An error occurred (RepositoryNotFoundException)" >&2; exit 254; }
    [ ! -e ecr-down ] || { echo "An error occurred (ServerException)" >&2; exit 255; }
    all="$*"; tag=${all#*imageTag=}; grep -qxs "${tag%% *}" pushed || { echo "(ImageNotFoundException)" >&2; exit 254; }
    echo DIGEST ;;
esac
""".replace("ACCOUNT", ACCOUNT).replace("DIGEST", DIGEST)
ENGINE = """#!/bin/bash
echo "$(basename "$0") $*" >>calls
[[ "$1" != login ]] || cat >password
[[ "$1 $2" != "buildx version" ]] || [ ! -e no-buildx ] || exit 1
[[ "$1 $2" != "buildx build" ]] || [ ! -e broken-build ] || exit 17
case "$1 $2${3:+ $3}" in
  "buildx inspect"*) if [ -e own-builder ]; then echo "Driver:  docker"; else echo "Driver: docker-container"; fi ;;
  "info --format"*) if [ -e containerd-store ]; then echo "[[driver-type io.containerd.snapshotter.v1]]"; fi ;;
  "buildx imagetools inspect" | "image inspect"*)
    [ ! -e no-base ] || exit 1
    if [ -e odd-base ]; then echo latest; else echo BASE_DIGEST; fi ;;
esac
for argument in "$@"; do
  [[ $argument != *:* || $argument != *dkr.ecr* ]] || image=$argument
done
[[ "$*" != *"imagetools create --tag"* ]] || image=$5
[[ "$*" != *push* && "$*" != *"imagetools create"* ]] || echo "${image##*:}" >>pushed
""".replace("BASE_DIGEST", BASE_DIGEST)


@dataclass
class Checkout:
    """A clone as an operator has it, with the stand-ins in front of everything on PATH."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "scripts" / SCRIPT.name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def state(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    def calls(self) -> list[str]:
        """What was called, in order; asking docker what it is able to do is no news."""
        calls = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [call for call in calls if not re.match("docker (buildx (version|inspect)|info)", call)]

    def tag(self) -> str:
        return "1.2.3-" + self.git("log", "-1", "--format=%h", "--abbrev=12", "--", "container")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in ("scripts", "environments", "container", "bin"):
        (tmp_path / name).mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    for name, architecture in (("dev", "ARM64"), ("prod", "X86_64")):
        (tmp_path / "environments" / f"{name}.toml").write_text(
            f'[other]\narchitecture = "6502"\n[task]\ncpu = 2048\narchitecture = "{architecture}"  # cheap\n[tags]\n'
        )
    (tmp_path / "container" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "container" / "origin").mkdir()
    (tmp_path / "container" / "origin" / "version.py").write_text('"""Words."""\n\nVERSION = "1.2.3"\n')
    for name, text in (("aws", AWS), ("docker", ENGINE), ("podman", ENGINE)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    checkout = Checkout(tmp_path, environment)
    checkout.git("init", "--quiet")
    checkout.git("add", "scripts", "environments", "container")
    checkout.git("commit", "--quiet", "--message=first")
    return checkout


def test_builds_pushes_and_says_what_to_write_down(checkout: Checkout) -> None:
    """The repository of the original, the tag of the commit, and the digest on standard output."""
    done = checkout.run("dev", "ap-northeast-2")
    image = f"{REGISTRY}/live-commerce-rtmp-dev:{checkout.tag()}"
    revision = checkout.git("rev-parse", "HEAD")
    assert (done.returncode, done.stdout) == (0, f'image_digest = "{DIGEST}"\n'), done.stderr
    assert "environments/dev.toml" in done.stderr
    calls = checkout.calls()
    assert [call.split()[:2] for call in calls] == [
        ["aws", "sts"],
        ["aws", "ecr"],  # is the tag there?
        *sorted([["aws", "ecr"], ["docker", "login"]], key=lambda call: call != calls_at(calls, 2)),
        ["docker", "buildx"],  # which digest has the base?
        ["docker", "buildx"],
        ["aws", "ecr"],  # which digest has it?
    ]
    assert calls[4] == "docker buildx imagetools inspect --format {{.Manifest.Digest}} debian:bookworm-slim"
    assert calls[5] == (
        f"docker buildx build --platform linux/arm64 --target rtmp --build-arg VERSION={checkout.tag()} "
        f"--build-arg REVISION={revision} --build-arg BASE={BASE} --build-arg BASE_NAME=debian:bookworm-slim "
        f"--build-arg BASE_DIGEST={BASE_DIGEST} --sbom=true --provenance=mode=max --tag {image} --push container"
    )
    assert f"built on {BASE}\n" in done.stderr
    assert f"python -m ops vulnerabilities dev --digest {DIGEST}\n" in done.stderr
    assert f"docker login --username AWS --password-stdin {REGISTRY}" in calls
    assert (checkout.folder / "password").read_text() == "secret\n"


def calls_at(calls: list[str], index: int) -> list[str]:
    """Both sides of a pipe start together: either may be written down first."""
    return calls[index].split()[:2]


def test_builds_for_the_architecture_of_the_environment(checkout: Checkout) -> None:
    """What Fargate is told to run is what is built."""
    checkout.run("prod", "ap-northeast-2")
    assert "--platform linux/amd64" in "\n".join(checkout.calls())


def test_an_option_beats_the_architecture_of_the_environment(checkout: Checkout) -> None:
    """For a trial on the operator's own machine."""
    checkout.run("prod", "ap-northeast-2", "--platform", "linux/arm64")
    assert "--platform linux/arm64" in "\n".join(checkout.calls())


def test_does_not_build_what_is_there(checkout: Checkout) -> None:
    """Tags are immutable, so the second run only looks."""
    first = checkout.run("dev", "ap-northeast-2")
    (checkout.folder / "calls").unlink()
    second = checkout.run("dev", "ap-northeast-2")
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert {call.split()[0] for call in checkout.calls()} == {"aws"}


def test_a_commit_elsewhere_makes_no_new_image(checkout: Checkout) -> None:
    """Writing the digest into the environment file and committing it must not ask for the next image."""
    checkout.run("dev", "ap-northeast-2")
    tag = checkout.tag()
    (checkout.folder / "environments" / "dev.toml").write_text('[task]\narchitecture = "ARM64"\nimage_digest = "x"\n')
    checkout.git("commit", "--quiet", "--all", "--message=second")
    (checkout.folder / "calls").unlink()
    assert checkout.run("dev", "ap-northeast-2").returncode == 0
    assert checkout.tag() == tag
    assert "docker" not in "\n".join(checkout.calls())


def test_podman_builds_an_image_with_a_health_check(checkout: Checkout) -> None:
    """Podman's own format has none."""
    (checkout.folder / "bin" / "docker").unlink()
    done = checkout.run("dev", "ap-northeast-2")
    image = f"{REGISTRY}/live-commerce-rtmp-dev:{checkout.tag()}"
    assert done.returncode == 0, done.stderr
    calls = [call for call in checkout.calls() if call.startswith("podman") and "login" not in call]
    assert calls[:2] == [
        "podman pull --quiet --platform linux/arm64 debian:bookworm-slim",
        "podman image inspect --format {{.Digest}} debian:bookworm-slim",
    ]
    assert re.fullmatch(
        rf"podman build --platform linux/arm64 .* --build-arg BASE={BASE} .* --format docker --tag {image} container",
        calls[2],
    )
    assert calls[3:] == [f"podman push {image}"]
    assert "podman pushes no SBOM" in done.stderr


@pytest.mark.parametrize(
    "name", ["debian:bookworm-slim", "mirror.example:5000/debian", "debian:bookworm-20261019-slim"]
)
def test_a_base_with_its_digest_is_taken_as_it_is(checkout: Checkout, name: str) -> None:
    """Nothing is looked up: the same image again, or one of the operator's own."""
    done = checkout.run("dev", "ap-northeast-2", "--base", f"{name}@{BASE_DIGEST}")
    assert done.returncode == 0, done.stderr
    calls = "\n".join(checkout.calls())
    assert f"--build-arg BASE={name}@{BASE_DIGEST} --build-arg BASE_NAME={name} " in calls
    assert "imagetools" not in calls


def test_another_tag_as_base_is_resolved(checkout: Checkout) -> None:
    """Never built from as a tag."""
    checkout.run("dev", "ap-northeast-2", "--base", "debian:12-slim")
    calls = "\n".join(checkout.calls())
    assert "imagetools inspect --format {{.Manifest.Digest}} debian:12-slim\n" in calls
    assert f"--build-arg BASE=debian:12-slim@{BASE_DIGEST}" in calls


def test_rebuild_takes_in_what_debian_fixed_since(checkout: Checkout) -> None:
    """The commit's tag is taken and cannot move, so it is a tag of its own; and no cache keeps old packages."""
    checkout.run("dev", "ap-northeast-2")
    (checkout.folder / "calls").unlink()
    done = checkout.run("dev", "ap-northeast-2", "--rebuild")
    assert (done.returncode, done.stdout) == (0, f'image_digest = "{DIGEST}"\n'), done.stderr
    assert re.fullmatch(checkout.tag() + r"-\d{8}T\d{6}Z", (checkout.folder / "pushed").read_text().split()[-1])
    assert "--no-cache" in "\n".join(checkout.calls())


def test_dockers_own_builder_will_do_with_the_containerd_store(checkout: Checkout) -> None:
    """What new installations of Docker have; it can attest."""
    checkout.state("own-builder")
    checkout.state("containerd-store")
    assert checkout.run("dev", "ap-northeast-2").returncode == 0


def test_dry_run_runs_nothing(checkout: Checkout) -> None:
    """Each command can be pasted; without .env the account is the documented placeholder."""
    (checkout.folder / "bin" / "aws").unlink()
    done = checkout.run("dev", "ap-northeast-2", "--dry-run")
    assert done.returncode == 0, done.stderr
    registry = REGISTRY.replace(ACCOUNT, "123456789012")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("aws ecr get-login-password --region ap-northeast-2 | docker login")
    assert lines[1].startswith("docker buildx imagetools inspect")
    assert lines[2].startswith("docker buildx build")
    assert f"{registry}/live-commerce-rtmp-dev:{checkout.tag()}" in lines[2]
    assert checkout.calls() == []


def test_two_parts_become_one_image(checkout: Checkout) -> None:
    """Each built where nothing is emulated, under a tag of its own; joined, the commit's tag is for both processors."""
    image = f"{REGISTRY}/live-commerce-rtmp-dev:{checkout.tag()}"
    for platform in ("linux/arm64", "linux/amd64"):
        part = checkout.run("dev", "ap-northeast-2", "--part", "--platform", platform)
        assert (part.returncode, part.stdout) == (0, ""), part.stderr
        assert "build-and-push-image.sh dev ap-northeast-2 --join" in part.stderr
    (checkout.folder / "calls").unlink()

    joined = checkout.run("dev", "ap-northeast-2", "--join")

    assert (joined.returncode, joined.stdout) == (0, f'image_digest = "{DIGEST}"\n'), joined.stderr
    assert (checkout.folder / "pushed").read_text().split() == [
        f"{checkout.tag()}-arm64",
        f"{checkout.tag()}-amd64",
        checkout.tag(),
    ]
    last = [call for call in checkout.calls() if call.startswith("docker buildx")]
    assert last == [f"docker buildx imagetools create --tag {image} {image}-arm64 {image}-amd64"]


def test_fails_when_a_part_is_not_there(checkout: Checkout) -> None:
    """With what builds it; nothing is joined."""
    checkout.run("dev", "ap-northeast-2", "--part", "--platform", "linux/arm64")

    joined = checkout.run("dev", "ap-northeast-2", "--join")

    assert (joined.returncode, joined.stdout) == (3, "")
    assert "-amd64: build it first, with --part --platform linux/amd64" in joined.stderr
    assert "imagetools create" not in "\n".join(checkout.calls())


@pytest.mark.parametrize("source", ["environment file", "environment", ".env"])
def test_fails_when_the_region_is_not_the_environments(checkout: Checkout, source: str) -> None:
    """No task would ever look there."""
    if source == "environment file":
        file = checkout.folder / "environments" / "dev.toml"
        file.write_text(f'[aws]\nregion = "us-east-1" # here\n{file.read_text()}')
        checkout.environment["CDK_DEFAULT_REGION"] = "ap-northeast-2"  # the file beats it
    elif source == ".env":
        checkout.state(".env", "export CDK_DEFAULT_REGION='us-east-1'\n")
    else:
        checkout.environment["CDK_DEFAULT_REGION"] = "us-east-1"

    done = checkout.run("dev", "ap-northeast-2")

    assert done.returncode == 2
    assert "dev is in us-east-1 (environments/dev.toml, or CDK_DEFAULT_REGION), got ap-northeast-2" in done.stderr
    assert checkout.calls() == []


def test_allow_dirty_marks_the_tag(checkout: Checkout) -> None:
    """Nobody can take it for the commit."""
    (checkout.folder / "container" / "Dockerfile").write_text("FROM scratch AS other\n")
    done = checkout.run("dev", "ap-northeast-2", "--allow-dirty")
    assert done.returncode == 0, done.stderr
    pushed = (checkout.folder / "pushed").read_text().strip()
    assert re.fullmatch(checkout.tag() + r"-dirty-\d{8}T\d{6}Z", pushed)
    assert f"REVISION={checkout.git('rev-parse', 'HEAD')}-dirty" in "\n".join(checkout.calls())


def test_fails_when_the_tree_is_dirty(checkout: Checkout) -> None:
    """A new file counts as well as a changed one."""
    (checkout.folder / "container" / "new").write_text("")
    done = checkout.run("dev", "ap-northeast-2")
    assert done.returncode == 3
    assert "uncommitted changes" in done.stderr
    assert checkout.calls() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "expected <env> <region>, got 0 arguments"),
        (["dev"], "expected <env> <region>, got 1 arguments"),
        (["staging", "ap-northeast-2"], "no environments/staging.toml; environments: dev prod"),
        (["../dev", "ap-northeast-2"], "no environments/../dev.toml"),
        (["dev", "seoul"], "region must be like ap-northeast-2, got 'seoul'"),
        (["dev", "ap-northeast-2", "--fast"], "unknown option --fast"),
        (["dev", "ap-northeast-2", "--platform"], "--platform needs a value"),
        (["dev", "ap-northeast-2", "--platform", "linux/riscv64"], "got 'linux/riscv64'"),
        (["dev", "ap-northeast-2", "--engine", "lxc"], "engine must be docker or podman, got 'lxc'"),
        (["dev", "ap-northeast-2", "--part", "--rebuild"], "--part is of a commit"),
        (["dev", "ap-northeast-2", "--join", "--part"], "--join joins what is there"),
        (["dev", "ap-northeast-2", "--base"], "--base needs a value"),
        (["dev", "ap-northeast-2", "--base", ""], "base must be NAME:TAG or NAME@sha256:<64 hex digits>, got ''"),
        (["dev", "ap-northeast-2", "--base", "debian@latest"], "got 'debian@latest'"),
        (["dev", "ap-northeast-2", "--base", "debian@sha256:abc"], "got 'debian@sha256:abc'"),
        (["dev", "ap-northeast-2", "--base", f"@{BASE_DIGEST}"], f"got '@{BASE_DIGEST}'"),
        (["dev", "ap-northeast-2", "--base", f"debian@{BASE_DIGEST}0"], f"got 'debian@{BASE_DIGEST}0'"),
    ],
)
def test_fails_when_it_is_called_wrongly(checkout: Checkout, arguments: list[str], text: str) -> None:
    """Exit code 2, what was wrong and what is right, and nothing touched."""
    done = checkout.run(*arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert checkout.calls() == []


def test_fails_when_the_architecture_is_unknown(checkout: Checkout) -> None:
    """The environment file is the operator's: say which key."""
    (checkout.folder / "environments" / "dev.toml").write_text('[task]\narchitecture = "arm"\n')
    done = checkout.run("dev", "ap-northeast-2")
    assert done.returncode == 2
    assert "task.architecture in environments/dev.toml must be ARM64 or X86_64, got 'arm'" in done.stderr


@pytest.mark.parametrize(
    ("state", "code", "text"),
    [
        ("signed-out", 3, "not signed in"),
        ("no-repository", 3, "make bootstrap ENV=dev makes it"),
        ("ecr-down", 1, "ECR does not answer"),
        (
            "no-buildx",
            3,
            "no buildx plugin, which building for linux/arm64 needs: apt-get install docker-",
        ),
        ("broken-build", 1, "build or push failed"),
        ("no-base", 1, "docker cannot look debian:bookworm-slim up"),
        ("odd-base", 1, "what docker says of debian:bookworm-slim is no digest: 'latest'"),
        ("own-builder", 3, "docker buildx create --use --driver docker-container"),
    ],
)
def test_fails_when_the_surroundings_do(checkout: Checkout, state: str, code: int, text: str) -> None:
    """What is missing, and no digest on standard output."""
    checkout.state(state)
    done = checkout.run("dev", "ap-northeast-2")
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_fails_when_the_engine_cannot_join(checkout: Checkout) -> None:
    (checkout.folder / "bin" / "docker").unlink()
    done = checkout.run("dev", "ap-northeast-2", "--join")
    assert done.returncode == 3
    assert "--join needs docker with buildx, and the engine is podman" in done.stderr


def test_fails_when_no_engine_is_installed(checkout: Checkout) -> None:
    """Both are named."""
    for name in ("docker", "podman"):
        (checkout.folder / "bin" / name).unlink()
    if any(shutil.which(name, path="/usr/bin:/bin") for name in ("docker", "podman")):
        (checkout.folder / "tools").mkdir()
        for tool in ("bash", "git", "awk", "sed", "basename", "dirname", "date", "env"):
            (checkout.folder / "tools" / tool).symlink_to(shutil.which(tool) or tool)
        checkout.environment["PATH"] = f"{checkout.folder / 'bin'}:{checkout.folder / 'tools'}"
    done = checkout.run("dev", "ap-northeast-2")
    assert done.returncode == 3
    assert "neither docker nor podman is installed: apt-get install podman" in done.stderr


@pytest.mark.parametrize("source", [".env", "environment"])
def test_fails_when_signed_in_to_another_account(checkout: Checkout, source: str) -> None:
    """Pushing prod's image to dev's account is the mistake that two profiles invite."""
    if source == ".env":
        checkout.state(".env", 'CDK_DEFAULT_ACCOUNT="111111111111"\n')
    else:
        checkout.environment["CDK_DEFAULT_ACCOUNT"] = "111111111111"
    done = checkout.run("dev", "ap-northeast-2")
    assert done.returncode == 3
    assert f"account {ACCOUNT}, and CDK_DEFAULT_ACCOUNT is 111111111111" in done.stderr
    assert {call.split()[1] for call in checkout.calls()} == {"sts"}


def test_help_names_every_option(checkout: Checkout) -> None:
    """On standard output, exit code 0."""
    done = checkout.run("--help")
    assert done.returncode == 0
    cases = re.findall(r"^ +(--[a-z-]+(?: \| --?[a-z-]+)*)\)", SCRIPT.read_text(), re.MULTILINE)
    options = {option for case in cases for option in re.findall(r"--[a-z-]+", case)}
    assert len(options) == 9
    assert options <= set(re.findall(r"--[a-z-]+", done.stdout))
    assert os.access(SCRIPT, os.X_OK)
