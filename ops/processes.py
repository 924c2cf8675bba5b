"""Wait for a program to end, whatever comes to us meanwhile."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


_BETWEEN_SECONDS = 0.01


class TerminatedError(BaseException):
    """SIGTERM came. No Exception: like KeyboardInterrupt, it is not for handlers of errors."""


def end_on_sigterm() -> None:
    """Make SIGTERM end this program as Ctrl-C does: in order."""

    def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TerminatedError

    signal.signal(signal.SIGTERM, terminate)


def nothing() -> None:
    """Do nothing."""


def finish(process: subprocess.Popen[bytes], meanwhile: Callable[[], None] = nothing) -> int:
    """Its exit status; `meanwhile` is called again and again until it ends, and once after.

    An interrupt is passed on after the program has ended: Terraform saves its state first.
    """
    interrupt: BaseException | None = None
    while True:
        try:
            status = process.wait(timeout=_BETWEEN_SECONDS)
            meanwhile()
        except subprocess.TimeoutExpired:
            meanwhile()
        except KeyboardInterrupt as caught:
            # A terminal interrupts the program as well. A second interrupt from us would make Terraform drop its work.
            interrupt = caught
        except TerminatedError as caught:
            process.send_signal(signal.SIGINT)
            interrupt = caught
        else:
            if interrupt is not None:
                raise interrupt
            return status
