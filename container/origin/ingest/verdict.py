"""What the backend's answer to a stream key means. A pure function over what came: status and body.

A yes is one of these, and nothing else:

* 204 without a body;
* any other 2xx but 205 and 206, with one JSON object (RFC 8259: UTF-8, no byte order mark, each name once) whose
  values are texts, numbers, booleans and null. It may be empty. `playbackId`, if it is there and not null, must match
  [A-Za-z0-9_-]{1,128}. No field that is known for saying yes or no (`success`, `allowed`, `error`, `status`, …) may
  say no.

400, 401, 403, 404 and the other 4xx are a no, but for those that are about the moment and not about the key (408, 425,
429); so is a field that says no. All the rest is no answer, which lets nobody in either.
"""

import json
import re
from typing import Any, NoReturn

from origin.names import NAME

LARGEST = 64 << 10

_WITHOUT_BODY = 204
_PARTIAL = {205, 206}
_FOR_THE_MOMENT = {408, 425, 429}
_PLAYBACK_ID = "playbackId"
# As people spell them, without case, `_`, `-` and a leading "is".
_SAY_YES = frozenset(
    {"accepted", "allow", "allowed", "approved", "authenticated", "authorised", "authorized", "canpublish"}
    | {"granted", "ok", "permitted", "success", "succeeded", "valid"}
)
_SAY_NO = frozenset(
    {"banned", "blocked", "denied", "deny", "disabled", "error", "errors", "expired", "forbidden", "invalid"}
    | {"rejected", "refused", "revoked", "unauthorised", "unauthorized"}
)
_TELL = frozenset({"access", "code", "decision", "result", "status", "statuscode", "verdict"})
_WORDS_FOR_NO = _SAY_NO | {"fail", "failed", "failure", "false", "inactive", "ko", "no", "suspended"}


class UnauthorizedError(Exception):
    """The backend says no."""


class BackendUnavailableError(Exception):
    """The backend does not say anything usable, which lets nobody in either."""


def playback_id(status: int, body: bytes) -> str | None:
    """The id that the backend gives; None: the key is the id. Errors never quote the body.

    Raises:
        UnauthorizedError: it says no.
        BackendUnavailableError: it says nothing, or something that is not agreed.
    """
    if 400 <= status < 500 and status not in _FOR_THE_MOMENT:
        raise UnauthorizedError(f"status {status}")
    if not 200 <= status < 300 or status in _PARTIAL:
        raise BackendUnavailableError(f"status {status}")
    if status == _WITHOUT_BODY and not body:
        return None
    answer = _json_object(body)
    for name, value in answer.items():
        _check(name, value)
    return answer.get(_PLAYBACK_ID)


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        raise BackendUnavailableError("an empty answer; a yes without a body has status 204")
    if len(body) > LARGEST:
        raise BackendUnavailableError(f"an answer of more than {LARGEST} bytes")
    try:
        answer = json.loads(body.decode(), object_pairs_hook=_each_name_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BackendUnavailableError("an answer that is no JSON in UTF-8") from None
    if not isinstance(answer, dict):
        raise BackendUnavailableError("an answer that is no JSON object")
    return answer


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


def _no_number(_: str) -> NoReturn:
    raise ValueError


def _check(name: str, value: object) -> None:
    if isinstance(value, dict | list):
        raise BackendUnavailableError("an answer with objects or lists in it")
    plain = re.sub("[_-]", "", name).lower().removeprefix("is")
    if plain == _PLAYBACK_ID.lower():
        _check_playback_id(name, value)
    elif plain in _SAY_YES and value is not True:
        _refuse(plain, says_no=value is False)
    elif (plain in _SAY_NO and value not in {False, None, ""}) or (plain in _TELL and _says_no(value)):
        _refuse(plain, says_no=True)


def _check_playback_id(name: str, value: object) -> None:
    if name != _PLAYBACK_ID:
        raise BackendUnavailableError(f"{_PLAYBACK_ID} is spelled in another way")
    if value is not None and not (isinstance(value, str) and NAME.fullmatch(value)):
        raise BackendUnavailableError(f"the {_PLAYBACK_ID} does not match [A-Za-z0-9_-]{{1,128}}")


def _says_no(value: object) -> bool:
    """Of a status: `false`, a word for no, or a number like HTTP's that is no 2xx; a stream may well be `pending`."""
    if isinstance(value, str):
        value = value.strip().lower()
        return value in _WORDS_FOR_NO or bool(re.fullmatch("[1345][0-9]{2}", value))
    return value is False or (isinstance(value, int | float) and value >= 100 and not 200 <= value < 300)


def _refuse(field: str, *, says_no: bool) -> NoReturn:
    if says_no:
        raise UnauthorizedError(f"the answer's {field} says no")
    raise BackendUnavailableError(f"the answer's {field} is neither true nor false")
