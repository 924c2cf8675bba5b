"""Environment files: whatever is in one, an operator reads lines and never a traceback."""

import tempfile
from pathlib import Path

from config.errors import ConfigurationError
from config.loader import load_environment

ROOT = Path(__file__).parents[3]
SEEDS = [
    *(path.read_bytes() for path in sorted((ROOT / "tests" / "environments").glob("*.toml"))),
    b'[backend]\nurl = "https://a:b@c/${x}"\n[aws]\naccount = 1e400\n',
    b'"a\\nb" = 1979-05-27\nx = {y = [[nan, inf]]}\n[[hls.renditions]]\n[hls.renditions.a]\n',
    b"a = " + b"[" * 3000,
    b"a = " + b"9" * 5000,
    b"a" + b".a" * 3000 + b" = 1",
]


def run(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-environments-") as folder:
        file = Path(folder) / "dev.toml"
        file.write_bytes(data)
        try:
            load_environment(file, {})
        except ConfigurationError as error:
            lines = str(error).split("\n")
            assert all(len(line) < 1000 for line in lines), max(lines, key=len)
            assert all("dev.toml: " in line or line.startswith(".env") for line in lines), lines
