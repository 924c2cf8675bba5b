"""The smaller parts, each by itself."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin import ladder
from origin.admission import Admission
from origin.app import bury
from origin.codecs import Picture
from origin.delivery import Audience, BadDirectiveError, Directives
from origin.encoder import KeyFrames, arguments
from origin.media import VideoPacket
from origin.metrics import ACTIVE_STREAMS, Metrics
from origin.registry import Grant, Holder, InProcessRegistry, Position, clock_msn
from origin.settings import DEFAULT_LADDER, ConfigurationError, Settings, load
from origin.source import BrokenPictureError, Clock, GopCache, Meter, units
from pydantic import ValidationError

# --- settings ---


def configured(**values: object) -> Settings:
    return Settings(backend_url="http://backend", **values)  # type: ignore[arg-type]  # any setting


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the task definition, JSON for the ladder."""
    monkeypatch.setenv("BACKEND_URL", "https://api.example/")
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    rungs = [{"name": "480p", "height": 480, "video_kbps": 1000}, {"name": "720p", "height": 720, "video_kbps": 2000}]
    monkeypatch.setenv("LADDER", json.dumps(rungs))
    settings = load()
    assert settings.backend_url == "https://api.example"
    assert "hush" not in repr(settings)
    assert [rung.name for rung in settings.ladder] == ["720p", "480p"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BACKEND_URL", "backend:3000", "http"),
        ("LADDER", "[]", "at least one rendition"),
        ("LADDER", '[{"name":', 'field "ladder".*must be JSON'),
        ("LADDER", '[{"name":"a b","height":720,"video_kbps":2000}]', "NAME"),
        (
            "LADDER",
            '[{"name":"a","height":720,"video_kbps":900},{"name":"a","height":480,"video_kbps":900}]',
            "differ",
        ),
        ("PART_SECONDS", "1.5", "PART_SECONDS"),
        ("SEGMENT_SECONDS", "0", "SEGMENT_SECONDS"),
        ("MAX_STREAMS", "none", "MAX_STREAMS"),
        ("LOG_LEVEL", "chatty", "LOG_LEVEL"),
        ("HTTP_PORT", "70000", "HTTP_PORT"),
    ],
)
def test_fails_when_a_setting_makes_no_sense(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv("BACKEND_URL", "http://backend")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        load()


@pytest.mark.parametrize(
    "url",
    [
        "https://name:secret@api.example",
        "https://secret@api.example/x",
        "https://api.example?key=secret",
        "https://api.example/#secret",
        "https://api.example/a secret",
        "https://api.example/${secret}",
        "https://api.example/secret\n",
        "https://api.example:0/secret",
        "https://api.example:99999/secret",
        "https:///secret",
        "https://[::1/secret",
        "https://",
        "ftp://secret",
    ],
)
def test_fails_when_the_backends_url_has_more_in_it_than_an_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """And the value is not shown: it may hold a password."""
    monkeypatch.setenv("BACKEND_URL", url)
    with pytest.raises(ConfigurationError, match="BACKEND_URL: ") as error:
        load()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://backend:3000",
        "http://10.0.0.7",
        "http://127.0.0.1.api.example",
        "http://localhost.x",
    ],
)
def test_fails_when_a_token_would_go_in_clear(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Also to another container: whoever is on that network would read it."""
    monkeypatch.setenv("BACKEND_URL", url)
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    with pytest.raises(ConfigurationError, match="BACKEND_URL must be https:// with BACKEND_TOKEN") as error:
        load()
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://api.example", "http://127.0.0.1:3000", "http://127.9.9.9", "http://[::1]:3000", "http://LOCALHOST"]
)
def test_token_goes_over_tls_or_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BACKEND_URL", url)
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    assert load().backend_url == url


@pytest.mark.parametrize(("value", "token"), [("hush\n", "hush"), (" hush ", "hush"), ("", None), ("\n", None)])
def test_blanks_around_a_token_are_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, value: str, token: str | None
) -> None:
    """Secrets often end with a line break."""
    monkeypatch.setenv("BACKEND_URL", "https://api.example")
    monkeypatch.setenv("BACKEND_TOKEN", value)
    found = load().backend_token
    assert (found.get_secret_value() if found else None) == token


@pytest.mark.parametrize("token", ["hu\r\nsh: x", "hu sh", "hüsh"])
def test_fails_when_a_token_is_no_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("BACKEND_URL", "https://api.example")
    monkeypatch.setenv("BACKEND_TOKEN", token)
    with pytest.raises(ConfigurationError, match="BACKEND_TOKEN: ") as error:
        load()
    assert "sh: x" not in str(error.value)


def test_fails_when_there_is_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKEND_URL", raising=False)
    with pytest.raises(ConfigurationError, match="BACKEND_URL"):
        load()


def test_fails_when_parts_do_not_fit_segments() -> None:
    with pytest.raises(ValidationError, match="at most half"):
        configured(part_seconds=0.8, segment_seconds=1.2)


# --- metrics ---


def test_metrics_are_in_cloudwatchs_embedded_format() -> None:
    lines: list[str] = []
    metrics = Metrics(namespace="N", cluster_name="c", service_name="s", write=lines.append)
    metrics.emit({ACTIVE_STREAMS: 2}, properties={"streams": ["a"]})
    metrics.rejected("capacity")
    first, second = (json.loads(line) for line in lines)
    assert abs(first["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert first["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "N",
            "Dimensions": [["ClusterName", "ServiceName"]],
            "Metrics": [{"Name": "ActiveStreams", "Unit": "Count"}],
        }
    ]
    assert (first["ClusterName"], first["ServiceName"], first["ActiveStreams"], first["streams"]) == (
        "c",
        "s",
        2,
        ["a"],
    )
    dimensions = second["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert dimensions == [["ClusterName", "ServiceName"], ["ClusterName", "ServiceName", "Reason"]]
    assert (second["RejectedPublish"], second["Reason"]) == (1, "capacity")


# --- the source ---


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-500, 2000), max_size=50))
def test_clock_has_no_wrap(start: int, steps: list[int]) -> None:
    clock, expected, raw = Clock(), 10_000, start
    assert clock.read(raw % 2**32) == expected
    for step in steps:
        raw, expected = raw + step, expected + step
        assert clock.read(raw % 2**32) == expected
    assert clock.jumps == 0


def test_clock_closes_jumps() -> None:
    clock = Clock()
    clock.read(1000)
    assert clock.read(100_000) == 10_040
    assert clock.read(100_033) == 10_073
    assert clock.read(5) == 10_113
    assert clock.jumps == 2


def packet(dts: int, *, key: bool = False, size: int = 10) -> VideoPacket:
    return VideoPacket(dts, 0, key, b"x" * size)


def test_only_idr_pictures_are_random_access() -> None:
    """FLV's flag says nothing of the sort for recovery points."""
    sei, idr, other = b"\x00\x00\x00\x02\x06\x00", b"\x00\x00\x00\x03\x65ab", b"\x00\x00\x00\x03\x61ab"
    assert units(sei + idr, 4).random_access
    assert not units(sei + other, 4).random_access
    assert units(b"\x00\x00\x00\x00" + idr + b"\x00", 4).random_access  # an empty unit, and padding


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03\x65a", b"\x00\x00\x00\x00" * 1_000_000],
    ids=["huge", "cut", "empty"],
)
def test_fails_when_units_do_not_add_up(data: bytes) -> None:
    """Four megabytes of empty units as well: nobody looks through a million of them."""
    with pytest.raises(BrokenPictureError):
        units(data, 4)


def test_cache_gives_packets_from_the_key_frame_before() -> None:
    cache = GopCache(10_000)
    for dts in range(0, 100, 10):
        cache.add(packet(dts, key=dts % 30 == 0))
    found = cache.since(45)
    assert found
    assert [each.dts for each in found] == [30, 40, 50, 60, 70, 80, 90]
    cache.trim(60)
    assert cache.since(59) is None
    assert [each.dts for each in cache.since(60) or []] == [60, 70, 80, 90]


def test_cache_is_bounded() -> None:
    cache = GopCache(100)
    for dts in range(50):
        cache.add(packet(dts, key=dts == 0))
    assert cache.since(49) is None
    cache.add(packet(50, key=True))
    assert cache.since(50) is not None


def test_meter_measures_the_last_seconds() -> None:
    meter = Meter()
    for index in range(900):
        meter.picture(packet(index * 1000 // 30, size=1000 if index < 450 else 2000))
    assert meter.frame_rate == pytest.approx(30, abs=0.1)
    assert meter.video_kbps == pytest.approx(2000 * 8 * 30 / 1000, rel=0.01)


# --- ladder and encoder ---


def source(width: int, height: int, **more: object) -> Picture:
    values = {"profile": 100, "bit_depth": 8, "chroma_format": 1, "progressive": True} | more
    return Picture(width=width, height=height, **values)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("picture", "sizes"),
    [
        (source(1280, 720), [(1280, 720), (854, 480), (640, 360)]),
        (source(1920, 1080), [(1280, 720), (854, 480), (640, 360)]),
        (source(720, 1280), [(720, 1280), (480, 854), (360, 640)]),
        (source(854, 480), [(854, 480), (640, 360)]),
        (source(640, 360), [(640, 360)]),
        (source(960, 544), [(960, 544), (848, 480), (636, 360)]),
        (source(320, 240), [(320, 240)]),
    ],
)
def test_ladder_fits_the_source(picture: Picture, sizes: list[tuple[int, int]]) -> None:
    fits = ladder.misfit(picture, DEFAULT_LADDER) is None
    plans = ladder.plan(picture, DEFAULT_LADDER, copy=fits)
    assert [(plan.width, plan.height) for plan in plans] == sizes
    assert plans[0].copied == fits
    assert not any(plan.copied for plan in plans[1:])
    assert ladder.cost(plans, 30) == (1 if fits else 2)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (source(1920, 1080), "1920x1080 is larger than 720p"),
        (source(3440, 720), "larger"),
        (source(1280, 720, bit_depth=10), "8-bit"),
        (source(1280, 720, chroma_format=2), "4:2:0"),
        (source(1280, 720, progressive=False), "progressive"),
        (source(1280, 720, profile=244), "High profile"),
    ],
)
def test_misfit_is_put_in_words(picture: Picture, said: str) -> None:
    assert said in (ladder.misfit(picture, DEFAULT_LADDER) or "")


def test_encoder_knows_no_key_and_no_shell() -> None:
    """All that FFmpeg gets is pipes and numbers."""
    plans = ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=True)[1:]
    command = arguments(plans, KeyFrames(), [7, 8])
    assert command[0] == "ffmpeg"
    assert command[command.index("-i") + 1] == "pipe:0"
    assert [each for each in command if each.startswith("pipe:")] == ["pipe:0", "pipe:7", "pipe:8"]
    assert command.count("source") == 2
    later = arguments(plans, KeyFrames(start_ms=12_345, every_seconds=2), [7, 8])
    assert any("trim=start=12.345" in each for each in later)


# --- admission, registry ---


def test_newcomer_counts_as_encoded_until_it_is_known() -> None:
    admission = Admission(3)
    assert admission.enter("a")
    assert admission.used == 2
    assert not admission.charge("a", 1)
    assert admission.used == 1


@pytest.mark.parametrize(("capacity", "copied", "encoded"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 2)], ids=str)
def test_task_takes_as_many_as_it_has_units(capacity: int, copied: int, encoded: int) -> None:
    """And never more than one unit above; a full one says at least its capacity, which scaling out goes by."""
    for cost, number in ((1, copied), (2, encoded)):
        admission = Admission(capacity)
        let_in = 0
        while admission.enter(let_in):
            assert admission.excess <= 1
            admission.charge(let_in, cost)
            let_in += 1
        assert let_in == number
        assert admission.used >= capacity


def test_live_broadcast_may_cost_more_than_there_is() -> None:
    """Then nobody else is let in until there is room."""
    admission = Admission(3)
    for name in "abc":
        assert admission.enter(name)
        admission.charge(name, 1)
    assert admission.charge("a", 2)
    assert admission.charge("b", 2)
    assert not admission.charge("b", 2)  # no news
    assert admission.excess == 2
    admission.release("c")
    assert not admission.enter("d")
    admission.release("b")
    assert admission.enter("d")


def test_place_is_handed_over_and_given_back_once() -> None:
    admission = Admission(2)
    assert admission.enter("claim")
    admission.hand_over("claim", "session")
    admission.release("claim")
    assert admission.used == 2
    admission.release("session")
    assert admission.used == 0


@pytest.mark.parametrize(
    ("copy", "left"),
    [
        (True, [["720p", "480p", "360p"], ["720p", "360p"], ["720p"], ["720p"]]),
        (False, [["720p", "480p", "360p"], ["480p", "360p"], ["360p"], ["360p"]]),
    ],
    ids=["copied-top", "encoded-top"],
)
def test_lighter_ladder_keeps_a_picture(left: list[list[str]], *, copy: bool) -> None:
    plans = ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=copy)
    assert [[plan.name for plan in ladder.lighter(plans, steps)] for steps in range(4)] == left


@pytest.mark.parametrize(("rate", "cost"), [(25, 1), (30.01, 1), (0, 1), (50, 2), (59.94, 2)])
def test_cost_goes_by_what_is_encoded(rate: float, cost: int) -> None:
    for copy, factor in ((True, 1), (False, 2)):
        assert ladder.cost(ladder.plan(source(1280, 720), DEFAULT_LADDER, copy=copy), rate) == cost * factor


async def test_registry_numbers_rise() -> None:
    registry = InProcessRegistry(Holder("task", "http://127.0.0.1:8080"))
    began = clock_msn()
    first = (await registry.acquire("id", "s1")).position
    assert began <= first.next_msn <= clock_msn() + 1
    await registry.release("id", "s1", Position(first.next_msn + 10_000, 3))
    expected = Grant(Position(first.next_msn + 10_000, 3), continued=True, by_another=False)
    assert await registry.acquire("id", "s2") == expected


# --- delivery ---


@pytest.mark.parametrize(
    ("query", "directives"),
    [
        ("", Directives()),
        ("x=1", Directives()),
        ("_HLS_msn=5", Directives(msn=5)),
        ("_HLS_msn=5&_HLS_part=0", Directives(msn=5, part=0)),
        ("_HLS_skip=YES", Directives(skip=True)),
        ("_HLS_skip=v2&_HLS_msn=1", Directives(msn=1, skip=True)),
        ("_HLS_skip=NO", Directives()),
    ],
)
def test_directives_are_read(query: str, directives: Directives) -> None:
    assert Directives.parse(query) == directives


@pytest.mark.parametrize("msn", ["", "-1", "1.5", "²", "9" * 99, "1&_HLS_part=x"])
def test_fails_when_directives_make_no_sense(msn: str) -> None:
    with pytest.raises(BadDirectiveError):
        Directives.parse(f"_HLS_msn={msn}")


def test_viewers_are_estimated_from_their_rhythm() -> None:
    audience = Audience(blocking=286, plain=10)
    assert audience.count(10, part_seconds=0.35, segment_seconds=2) == 12
    assert audience.count(10, part_seconds=0.35, segment_seconds=2) == 0


# --- process 1 ---


@contextmanager
def zombie() -> Iterator[int]:
    """A dead child that nobody waits for."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid


def test_orphans_are_buried_at_the_second_look() -> None:
    with zombie() as pid:
        assert bury(0) == pid
        assert bury(pid) == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_nobody_is_buried_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert bury(0) == 0
        child.kill()
