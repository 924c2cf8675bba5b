"""The RTMP module with our patches, for this machine's nginx: built once, by the script that the image uses."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

_RECIPE = Path(__file__).parent / "nginx" / "module"
_CACHE = Path(__file__).parents[1] / ".cache" / "rtmp-module"
_NEEDS = "build-essential libpcre2-dev libssl-dev nginx-light zlib1g-dev"
_BUILD_SECONDS = 1800  # half a minute, and more where both cores are busy


class BuildError(Exception):
    """The module cannot be built here; its text says why."""


def build() -> Path:
    """The module's path; it is built if its recipe, its patches or nginx changed since the last time."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    target = _CACHE / _fingerprint() / "ngx_rtmp_module.so"
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers share one build
        if not target.exists():
            sys.stderr.write("building the RTMP module, once ...\n")
            _build_into(target)
    return target


def _fingerprint() -> str:
    try:
        nginx = subprocess.run(["nginx", "-V"], capture_output=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        raise BuildError(f"nginx is missing: apt-get install {_NEEDS}") from None
    digest = hashlib.sha256(nginx)
    for file in sorted(_RECIPE.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(_RECIPE)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _build_into(target: Path) -> None:
    done = subprocess.run(
        [_RECIPE / "build.sh", target], capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1000:]
        raise BuildError(f"the RTMP module was not built (it needs {_NEEDS}): {said}")
