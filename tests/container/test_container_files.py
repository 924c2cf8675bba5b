"""What goes into the image, before it is built: lint, pins and locks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONTAINER = REPOSITORY / "container"
TOOLS = Path(sys.executable).parent
REQUIREMENTS = sorted([*CONTAINER.rglob("requirements.txt"), *REPOSITORY.glob("scripts/*.txt")], key=str)


def test_dockerfile_is_hadolint_clean() -> None:
    """Every exception carries its reason in the file."""
    done = subprocess.run([TOOLS / "hadolint", CONTAINER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_shell_scripts_are_shellcheck_clean() -> None:
    """Those in the image and those around it."""
    scripts = [CONTAINER / "healthcheck", *(REPOSITORY / "scripts").glob("*.sh")]
    scripts += [*CONTAINER.glob("*/*.sh"), *CONTAINER.glob("nginx/module/*.sh"), *REPOSITORY.glob("tests/fuzz/*/*.sh")]
    done = subprocess.run([TOOLS / "shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_requirements_are_what_the_lock_says() -> None:
    """The image runs what the tests ran."""
    script = REPOSITORY / "scripts" / "export_requirements.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_requirements_are_pinned_by_hash_and_name_no_index(path: Path) -> None:
    """A package whose hash is not listed is refused; where it comes from is the machine's business."""
    text = path.read_text()
    assert not re.search(r"https?:|^-", text, re.MULTILINE)
    packages = re.findall(r"^[a-z][\w.-]*==.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+$", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[a-z]", text, re.MULTILINE)) > 0


def test_pip_alone_installs_nothing_without_hashes() -> None:
    """What pipenv does not install: pipenv itself, the image's packages, CI's audit."""
    files = [CONTAINER / "Dockerfile", *REPOSITORY.glob("scripts/*.sh"), *REPOSITORY.glob(".github/workflows/*.yml")]
    commands = [
        command
        for file in files
        for command in re.findall(r"pip install [^&\n]*", file.read_text().replace("\\\n", " "))
    ]
    assert len(commands) > 2
    assert [command for command in commands if "--require-hashes" not in command] == []


def test_player_lock_names_no_registry_and_pins_everything() -> None:
    """scripts/tidy_locks.py was run."""
    packages = json.loads((CONTAINER / "player" / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    wanted = json.loads((CONTAINER / "player" / "package.json").read_text())["devDependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_every_debian_package_is_pinned_and_follows_security_revisions() -> None:
    """An exact Debian revision leaves the mirrors with the next fix, and the build breaks on that day."""
    text = (CONTAINER / "Dockerfile").read_text().replace("\\\n", " ")
    packages = [
        word
        for words in re.findall(r"apt-get install -qq --no-install-recommends ([^>]*)", text)
        for word in words.split()
    ]
    assert len(packages) > 10
    assert [package for package in packages if not re.fullmatch(r"[a-z0-9.+-]+=\S*\*", package)] == []
