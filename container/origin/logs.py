"""Structured logs: one JSON object a line on stdout, bounded in length, and no secret in any of them.

The bound is that of Docker's log drivers, 16 KiB: a longer line comes in pieces, and a piece is no JSON.
"""

import hashlib
import json
import logging
import math
import re
import string
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LINE_BYTES = 16_000
_TEXT_LIMITS = (4000, 1000, 200, 40)  # characters of each text: the first with which the line is short enough
_NAME_CHARACTERS = 64
_VALUES = 200  # of one record, at all depths
_DEPTH = 4
_LARGEST_INTEGER = 2**63
_MALFORMED = (HttpProcessingError, RequestPayloadError)

_KEY_CHARACTERS = string.ascii_letters + string.digits + "_-"
_LONGEST_KEY = 128
_WORD = re.compile(r"[A-Za-z0-9_-]+")


def fingerprint(secret: str) -> str:
    """What stands for a stream key in logs and metrics: enough to tell two apart, useless to publish with."""
    return "key-" + hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:10]


class Concealer:
    """The stream keys in use: where a log would show one, it shows the fingerprint.

    Only whole words, each looked up: the work is that of reading the text once, however many keys there are.
    """

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    @contextmanager
    def concealing(self, key: str) -> Iterator[None]:
        """For as long as this lasts."""
        self._uses[key] += 1
        try:
            yield
        finally:
            self._uses[key] -= 1
            if not self._uses[key]:
                del self._uses[key]

    def clean(self, text: str) -> str:
        """The text without any key in use."""
        return _WORD.sub(self._shown, text) if self._uses else text

    def _shown(self, word: re.Match[str]) -> str:
        return fingerprint(word[0]) if word[0] in self._uses else word[0]


class JsonFormatter(logging.Formatter):
    """A record as one JSON line; whatever was passed as `extra` becomes a field. It never raises."""

    def __init__(self, concealer: Concealer) -> None:
        super().__init__()
        self._concealer = concealer

    def format(self, record: logging.LogRecord) -> str:
        for limit in _TEXT_LIMITS:
            line = json.dumps(self._fields(record, _Plain(self._concealer, limit)))
            if len(line) <= _LINE_BYTES:
                return line
        shortest = _Plain(self._concealer, _TEXT_LIMITS[-1])
        return json.dumps(_head(record) | {"message": shortest.text(_message(record)), "cut": True})

    @staticmethod
    def _fields(record: logging.LogRecord, plain: "_Plain") -> dict[str, Any]:
        fields = _head(record) | {"message": plain.text(_message(record))}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = plain.end_of("".join(traceback.format_exception(*record.exc_info)))
        extra = plain.mapping({name: value for name, value in vars(record).items() if name not in _STANDARD})
        return fields | extra | fields


def _head(record: logging.LogRecord) -> dict[str, Any]:
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
        "level": record.levelname.lower()[:_NAME_CHARACTERS],
        "logger": record.name[:_NAME_CHARACTERS],
    }


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 # an argument's own methods may do anything, and the line is needed
        return f"{record.msg!s} ({type(error).__name__} from its arguments)" if isinstance(record.msg, str) else "?"


class _Plain:
    """The values of one record as JSON has them: without keys, finite, each text of at most `limit` characters."""

    def __init__(self, concealer: Concealer, limit: int) -> None:
        self._concealer = concealer
        self._limit = limit
        self._left = _VALUES

    def value(self, value: object, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if depth > _DEPTH:
            return "…"
        try:
            return self._by_kind(value, depth)
        except Exception as error:  # noqa: BLE001 # as above
            return f"<{type(value).__name__[:_NAME_CHARACTERS]}: {type(error).__name__[:_NAME_CHARACTERS]}>"

    def _by_kind(self, value: object, depth: int) -> Any:
        match value:
            case int():
                return int(value) if abs(value) < _LARGEST_INTEGER else f"<integer of {value.bit_length()} bits>"
            case float():
                return float(value) if math.isfinite(value) else str(float(value))
            case bytes() | bytearray():
                return self.text(value.decode("utf-8", "replace"))
            case Mapping():
                return self.mapping(value, depth)
            case list() | tuple() | set() | frozenset():
                return [self.value(each, depth + 1) for each in self._first(value)]
        return self.text(str(value))

    def mapping(self, values: Mapping[Any, object], depth: int = 0) -> dict[str, Any]:
        return {
            self.text(str(name))[:_NAME_CHARACTERS]: self.value(value, depth + 1)
            for name, value in self._first(values.items())
        }

    def _first(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._left -= 1
            if self._left < 0:
                return
            yield value

    def text(self, text: str) -> str:
        """Its beginning, where it is too long."""
        if len(text) <= self._limit:
            return self._clean(text)
        kept = text[: self._limit]
        # What the end may have cut in two would not be known as a key any more.
        kept = kept[:-_LONGEST_KEY] + kept[-_LONGEST_KEY:].rstrip(_KEY_CHARACTERS)
        return self._clean(kept) + "…"

    def end_of(self, text: str) -> str:
        """As `text`, but the end: of a traceback that is what happened."""
        if len(text) <= self._limit:
            return self._clean(text)
        kept = text[-self._limit :]
        kept = kept[:_LONGEST_KEY].lstrip(_KEY_CHARACTERS) + kept[_LONGEST_KEY:]
        return "…" + self._clean(kept)[-self._limit :]

    def _clean(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no character
        return self._concealer.clean(text)[: self._limit]


def configure(level: str, concealer: Concealer) -> None:
    """Send every logger of the process to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(concealer))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_is_no_malformed_request)
    logging.getLogger("botocore").setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def _is_no_malformed_request(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP are answered with 400; a traceback that quotes them is nothing for the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], _MALFORMED))
