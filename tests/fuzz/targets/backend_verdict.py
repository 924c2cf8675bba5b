"""Bodies of the backend's answers: two bytes for the status, the rest is the body."""

from origin.ingest import verdict
from origin.ingest.verdict import BackendUnavailableError, UnauthorizedError
from origin.names import NAME

STATUSES = [200, 201, 202, 204, 205, 206, 301, 403, 429, 500]
SEEDS = [
    b'\0\0{"success": true}',
    b'\0\1{"allowed": true, "playbackId": "p-1", "status": "pending", "code": 0}',
    b'\0\0{"playback_id": "x", "error": null, "is_valid": false}',
    b'\0\0{"a": {"b": [1, 2.5e300, NaN]}, "a": "\\ud800"}',
    b"\0\3",
    b"\0\0" + b"[" * 5000,
    b"\0\0" + b'{"a":' * 5000,
    b'\0\0{"n": ' + b"9" * 5000 + b"}",
    b"\0\0\xef\xbb\xbf{}",
]


def run(data: bytes) -> None:
    status = STATUSES[int.from_bytes(data[:2], "big") % len(STATUSES)]
    try:
        found = verdict.playback_id(status, data[2:])
    except (UnauthorizedError, BackendUnavailableError) as error:
        said = str(error)
    else:
        said = found or "the-key"
        assert 200 <= status < 300
        assert NAME.fullmatch(said)
        assert status == 204 or data[2:].decode().strip().startswith("{")
    assert len(said) < 150
