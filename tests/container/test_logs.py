"""Log lines: JSON, bounded, and no key in any of them, whatever comes."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin import logs
from origin.ingest import nginx_log
from origin.ingest.door import Publisher
from origin.ingest.refusals import Refusals
from origin.logs import Concealer, JsonFormatter, fingerprint
from origin.metrics import Metrics

DOCKERS_LINE = 16 * 1024

keys = st.text(alphabet=logs._KEY_CHARACTERS, min_size=1, max_size=128)


def record(
    message: object, *arguments: object, error: BaseException | None = None, extra: Mapping[str, object] | None = None
) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("origin.x", logging.WARNING, "file", 1, message, arguments, exc_info)
    vars(made).update(extra or {})
    return made


class Hostile:
    """An object that does not want to be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Echo:
    """An object that shows what it was given."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def endless() -> list[object]:
    inner: list[object] = []
    inner.append(inner)
    return inner


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(4000, 5000).map((10).__pow__),
    st.floats(),
    st.text(alphabet=st.characters(), max_size=50),
    st.integers(1, 60_000).map("\U0001f511\ud800\0 ".__mul__),
    st.integers(1, 60_000).map("e ".__mul__),
    st.binary(max_size=50),
    keys,
    st.builds(Hostile),
    st.builds(endless),
    st.text(max_size=20).map(Echo),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=8),
        st.dictionaries(st.one_of(st.text(max_size=200), st.integers()), inner, max_size=8),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.one_of(keys, st.sampled_from(["e", "a", "level", "warning", "x"])), max_size=20),
    values,
    values,
    st.dictionaries(st.text(min_size=1, max_size=200), values, max_size=10),
)
def test_every_line_is_bounded_json(
    concealed: list[str], message: object, argument: object, extra: dict[str, object]
) -> None:
    """Whatever keys there are and whatever is logged: surrogates, control characters, bytes, NaN, huge, recursive."""
    extra = {name: value for name, value in extra.items() if name not in logs._STANDARD}
    concealer = Concealer()
    error = ValueError(argument)
    with ExitStack() as stack:
        for key in concealed:
            stack.enter_context(concealer.concealing(key))
        formatter = JsonFormatter(concealer)
        for made in (
            record(message, extra=extra),
            record("%s", argument, error=error, extra=extra),
            record("%d %s", argument),
        ):
            line = formatter.format(made)
            assert len(line) < DOCKERS_LINE
            assert "\n" not in line
            assert line.isascii()
            shown = json.loads(line, parse_constant=pytest.fail)
            assert (shown["level"], shown["logger"]) == ("warning", "origin.x")


@settings(deadline=None)
@given(st.lists(keys, min_size=1, max_size=50), st.integers(0, 6000), st.sampled_from([" ", "/", "'", "=", "\n", '"']))
def test_no_key_in_use_is_in_a_line(concealed: list[str], distance: int, around: str) -> None:
    """In the message, in fields and names of fields, nested, in exceptions, at the place where a long text is cut."""
    concealer = Concealer()
    with ExitStack() as stack:
        for key in concealed:
            stack.enter_context(concealer.concealing(key))
        # Long ones only: one letter is also in words that are not a key.
        for key in (each for each in concealed if len(each) > 20):
            text = f"{'. ' * (distance // 2)}{around}{key}{around}{'. ' * (distance // 2)}"
            fields = {"field": text, "nested": {text: [text, {key: key}]}, "bytes": text.encode(), text: key}
            try:
                raise ValueError(text)  # noqa: TRY301 # its traceback is logged
            except ValueError as error:
                made = record("%s", text, error=error, extra=fields)
            line = JsonFormatter(concealer).format(made)
            assert key not in line
            assert all(key[start : start + 20] not in line for start in range(len(key) - 19))


def test_key_of_one_letter_spoils_nothing() -> None:
    """Only whole words are keys; the names of fields, the level and the time are ours."""
    concealer = Concealer()
    with ExitStack() as stack:
        for key in "abcdefghijklmnopqrstuvwxyz":
            stack.enter_context(concealer.concealing(key))
        line = JsonFormatter(concealer).format(record("name e, not bee", extra={"stream": "key-e"}))
    shown = json.loads(line)
    assert shown["message"] == f"name {fingerprint('e')}, not bee"
    assert (shown["stream"], shown["level"]) == ("key-e", "warning")
    assert len(line) < 300


def test_key_is_concealed_for_as_long_as_any_use_of_it_lasts() -> None:
    """A comeback overlaps with the session before it."""
    concealer = Concealer()
    with concealer.concealing("k1"):
        with concealer.concealing("k1"):
            pass
        assert concealer.clean("k1") == fingerprint("k1")
    assert concealer.clean("k1") == "k1"


def test_time_to_conceal_is_that_of_reading_the_text() -> None:
    """Ten thousand keys cost what one costs, within the noise of this machine."""

    def seconds(number: int) -> float:
        concealer = Concealer()
        with ExitStack() as stack:
            for index in range(number):
                stack.enter_context(concealer.concealing(f"key-number-{index}"))
            formatter = JsonFormatter(concealer)
            best = 9.0
            for _ in range(5):
                began = time.perf_counter()
                for _ in range(20):
                    formatter.format(record("some words " * 300))
                best = min(best, time.perf_counter() - began)
        return best

    assert seconds(10_000) < 10 * seconds(1)


def test_fields_of_ours_are_not_overwritten() -> None:
    """An extra field of the same name changes neither the level nor the message."""
    shown = json.loads(
        JsonFormatter(Concealer()).format(record("said", extra={"level": "x", "time": 0, "exception": "y"}))
    )
    assert (shown["message"], shown["level"], shown["exception"]) == ("said", "warning", "y")


def test_end_of_a_long_traceback_is_kept() -> None:
    """It says what happened."""
    try:
        raise ValueError("x" * 100_000 + " the cause")  # noqa: TRY301 # the traceback is the point
    except ValueError as error:
        shown = json.loads(JsonFormatter(Concealer()).format(record("oh", error=error)))
    assert shown["exception"].endswith("the cause\n")
    assert len(shown["exception"]) < 5000


@contextmanager
def logging_to(level: str, concealer: Concealer) -> Iterator[io.StringIO]:
    root, stdout = logging.getLogger(), sys.stdout
    before = root.handlers[:], root.level
    sys.stdout = io.StringIO()
    try:
        logs.configure(level, concealer)
        yield sys.stdout
    finally:
        sys.stdout = stdout
        root.handlers[:], _ = before
        root.setLevel(before[1])


def test_logger_of_the_process_writes_json_without_secrets() -> None:
    """Also what it is told of before and after the formatter: arguments that do not fit, objects that raise."""
    concealer = Concealer()
    with logging_to("info", concealer) as out, concealer.concealing("very-secret-key"):
        logging.getLogger("x").warning("nginx says %s", "very-secret-key", extra={"stream": "very-secret-key"})
        logging.getLogger("x").warning("%s and %d", "very-secret-key")  # noqa: PLE1206 # the mistake is the point
        logging.getLogger("x").warning("%s", Hostile())
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert "very-secret-key" not in out.getvalue()
    assert lines[0]["message"] == f"nginx says {fingerprint('very-secret-key')}"
    assert (lines[0]["level"], lines[0]["logger"]) == ("warning", "x")
    assert len(lines) == 3


def test_publisher_is_shown_without_its_name() -> None:
    """Wherever one gets into an exception or a log line as it is."""
    assert "secret" not in f"{Publisher('secret', 'live', '1.2.3.4', '7')!r}"


# --- nginx's lines ---

HEAD = "2026/11/26 00:43:58 [error] 12#12: *3 "


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("live: already publishing, client: 1.2.3.4, server: 0.0.0.0:1935", None),
        ("play: bad name 'the-key', client: 1.2.3.4", "play: bad name '…', client: 1.2.3.4"),
        ("connect: application not found: 'the-key', client: 1", "connect: application not found: '…', client: 1"),
        ("bad name 'it's the-key', client: 1.2.3.4", "bad name '…', client: 1.2.3.4"),
        ("bad name 'the-key' and 'the-key', client: 1", "bad name '…', client: 1"),
        ("bad name 'the-key", "bad name '…'"),
        (
            'x, client: 127.0.0.1, request: "GET /control/drop/publisher?name=the-key HTTP/1.1", host: "127.0.0.1"',
            "x, client: 127.0.0.1, request: '…'",
        ),
    ],
)
def test_nginx_lines_keep_what_is_not_quoted(line: str, text: str | None) -> None:
    assert nginx_log.entry(f"{HEAD}{line}\n".encode()) == (logging.ERROR, f"*3 {text or line}")


@pytest.mark.parametrize("line", [b"the-key', client: 1.2.3.4", b"\xff\xfethe-key", b"[error] the-key", b""])
def test_rest_of_a_name_with_a_line_break_is_no_line(line: bytes) -> None:
    level, text = nginx_log.entry(line)
    assert level == logging.WARNING
    assert "the-key" not in text


def test_nginx_that_cannot_start_says_why() -> None:
    said = b"nginx: [emerg] bind() to 0.0.0.0:1935 failed (98: Address already in use)\n"
    assert nginx_log.entry(said) == (logging.CRITICAL, "bind() to 0.0.0.0:1935 failed (98: Address already in use)")


@given(st.text(max_size=300), st.text(max_size=100))
def test_no_quoted_name_survives(name: str, rest: str) -> None:
    marked = f"KEY{name}KEY"
    for line in f"{HEAD}live: name '{marked}' {rest}".split("\n"):
        assert "KEY" not in nginx_log.entry(line.encode("utf-8", "surrogatepass"))[1] or "KEY" in rest


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ("connect: no application, client: 1.2.3.4, server: 0.0.0.0:1935", "the server in the streaming software"),
        ("connect: more than an application, client: ::ffff:1.2.3.4, server: [::]:1935", "behind /live"),
        ("connect: no application 'x', client: 1.2.3.4, server: 0.0.0.0:1935", None),
        ("connect: no application, client: the key, server: 0.0.0.0:1935", None),
        ("publish: name='connect: no application, client: 1.2.3.4, server: 0.0.0.0:1935", None),
    ],
)
def test_only_what_our_patch_writes_is_a_refusal(said: str, detail: str | None) -> None:
    refused = nginx_log.refused(f"{HEAD.replace('error', 'warn')}{said}\n".encode())
    assert refused is None if detail is None else refused is not None and refused.detail.startswith(detail)


# --- refusals ---


def test_many_refusals_are_counted_and_not_told_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    """Strangers can cause hundreds a second; each still counts in the metric."""
    lines: list[str] = []
    now = 0.0
    metrics_of = Metrics(namespace="n", cluster_name="c", service_name="s", write=lines.append)
    refusals = Refusals(metrics_of, clock=lambda: now)
    for _ in range(1000):
        refusals.tell("unauthorized", {"key": "key-1"})
    refusals.tell("capacity", {"key": "key-2"})
    refusals.sweep()
    told = [(each.message, vars(each)["reason"]) for each in caplog.records]
    assert len(told) < 50
    assert ("publisher refused", "capacity") in told
    assert ("more publishers refused", "unauthorized") in told
    metrics = [json.loads(line) for line in lines]
    assert sum(each["RejectedPublish"] for each in metrics if each["Reason"] == "unauthorized") == 1000
    now = 60.0
    caplog.clear()
    refusals.tell("unauthorized", {"key": "key-3"})
    assert [vars(each)["key"] for each in caplog.records] == ["key-3"]
