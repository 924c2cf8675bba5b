"""What nginx writes to its error log, without the names in it.

A refused name may be a real key all the same: mistyped, or sent while the backend was out of order. nginx and its RTMP
module print names in quotes, and as they came: with quotes and line breaks of their own.
"""

import logging
import re
from typing import NamedTuple

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "crit": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "emerg": logging.CRITICAL,
}
# `2026/11/26 00:43:58 [error] 12#12: *3 …` of a running nginx, `nginx: [emerg] …` of one that cannot start.
_LINE = re.compile(r"(?:nginx:|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[([a-z]+)\] (?:\d+#\d+: )?(.*)", re.DOTALL)
_TO_THE_LAST_QUOTE = re.compile(r"""['"].*['"]|['"].*""", re.DOTALL)
# Of our patch 0012, which leaves out what was asked for: it may be a key.
_WRONG_APPLICATION = re.compile(r"\*\d+ connect: (no|more than an) application, client: ([0-9A-Fa-f.:]+), server: \S+")
_SERVER = 'the server in the streaming software is "rtmp://<host>/live" (rtmps:// where the ingest has TLS)'


class Refused(NamedTuple):
    """A connection that nginx refused by itself, which asks nobody."""

    detail: str
    addr: str


def refused(line: bytes) -> Refused | None:
    """What a line says about a server that the streamer has mistyped, in words for them."""
    found = _LINE.fullmatch(line.decode("utf-8", "replace").strip())
    wrong = _WRONG_APPLICATION.fullmatch(found[2]) if found else None
    if wrong is None:
        return None
    behind = "behind /live there is something more: is it the key, which has a field of its own? "
    more = "" if wrong[1] == "no" else behind
    return Refused(f"{more}{_SERVER}", wrong[2])


def entry(line: bytes) -> tuple[int, str]:
    """The level and the text to log for one line."""
    found = _LINE.fullmatch(line.decode("utf-8", "replace").strip())
    if found is None or found[1] not in _LEVELS:
        return logging.WARNING, f"{len(line)} bytes that are no line of its log: the rest of a name, or a library's"
    # From the first quote to the last: a name may have some, too. Without a second one to the end.
    return _LEVELS[found[1]], _TO_THE_LAST_QUOTE.sub("'…'", found[2])
