"""Structured logs: one JSON object a line on stdout, and no secret in any of them."""

import hashlib
import json
import logging
import sys
import time
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRETS_KNOWN = 1000  # every line is searched for each of them
_secrets: dict[str, str] = {}


def fingerprint(secret: str) -> str:
    """What stands for a stream key in logs and metrics: enough to tell two apart, useless to publish with."""
    return "key-" + hashlib.sha256(secret.encode()).hexdigest()[:10]


def conceal(secret: str) -> None:
    """From now on every log line shows the fingerprint instead of this secret (nginx prints names in its errors)."""
    _secrets.pop(secret, None)
    if len(_secrets) >= _SECRETS_KNOWN:
        del _secrets[next(iter(_secrets))]
    _secrets[secret] = fingerprint(secret)


def redact(text: str) -> str:
    """Text without any concealed secret."""
    for secret, stand_in in _secrets.items():
        if secret in text:
            text = text.replace(secret, stand_in)
    return text


class JsonFormatter(logging.Formatter):
    """A record as one JSON line; whatever was passed as `extra` becomes a field."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))


def configure(level: str) -> None:
    """Send every logger of the process to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("botocore").setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
