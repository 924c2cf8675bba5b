"""nginx and the libFuzzer targets with sanitizers, built once for each state of the module and of the harness."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
MODULE = ROOT / "container" / "nginx" / "module"
CACHE = ROOT / ".cache" / "rtmp-module-fuzz"
TARGETS = ("amf_fuzzer", "session_fuzzer")
_BUILD_SECONDS = 3600  # two minutes, and more where both cores are busy


def build() -> Path:
    """The folder with `nginx` and TARGETS."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / _fingerprint()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers share one build
        if not (folder / TARGETS[-1]).exists():
            sys.stderr.write("building nginx with sanitizers, once ...\n")
            subprocess.run([HERE / "build.sh", folder], check=True, timeout=_BUILD_SECONDS)
    return folder


def _fingerprint() -> str:
    digest = hashlib.sha256()
    recipe = [HERE / "build.sh", HERE / "ubsan-ignore.txt", *HERE.glob("*.[ch]")]
    for file in sorted([*recipe, MODULE / "source.sh", *MODULE.glob("patches/*")]):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
