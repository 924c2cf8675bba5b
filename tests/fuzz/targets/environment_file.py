"""Environment files: whatever is in one, an operator reads lines and never a traceback."""

import tempfile
from pathlib import Path

from config.errors import ConfigurationError
from config.loader import load_environment

ROOT = Path(__file__).parents[3]
FILE = Path(tempfile.mkdtemp(prefix="fuzz-environments-")) / "dev.toml"  # one for a process, which ends soon

SEEDS = [
    *(path.read_bytes() for path in sorted((ROOT / "tests" / "environments").glob("*.toml"))),
    b'[backend]\nurl = "https://a:b@c/${x}"\n[aws]\naccount = 1e400\n',
    b'"a\\nb" = 1979-05-27\nx = {y = [[nan, inf]]}\n[[hls.renditions]]\n[hls.renditions.a]\n',
    b"a = " + b"[" * 3000,
    b"a = " + b"9" * 5000,
    b"a" + b".a" * 3000 + b" = 1",
]


def run(data: bytes) -> None:
    FILE.write_bytes(data)
    try:
        load_environment(FILE, {})
    except ConfigurationError as error:
        lines = str(error).split("\n")
        assert all(len(line) < 1000 for line in lines), max(lines, key=len)
        assert all("dev.toml: " in line or line.startswith(".env") for line in lines), lines
