"""Who may publish, through real nginx-rtmp hooks."""

import socket
import urllib.parse
from typing import Any

import pytest

from tests.container.rtmp_client import Client
from tests.container.support import NAMES, Backend, Follower, Origin, Publisher, Web, eventually


def refusals(origin: Origin, reason: str) -> list[dict[str, Any]]:
    return [line for line in origin.messages("publisher refused") if line["reason"] == reason]


def live(origin: Origin, playback_id: str) -> dict[str, Any]:
    """Wait until pictures of this id have arrived."""

    def arriving() -> dict[str, Any] | None:
        stream = origin.stream(playback_id)
        return stream if stream and stream["renditions"] else None

    found: dict[str, Any] = eventually(arriving, f"{playback_id} live")
    return found


def test_playback_id_of_the_backend_is_what_viewers_use(origin: Origin, key: tuple[str, str]) -> None:
    """The key itself leads nowhere."""
    with Publisher(origin, key[0]):
        live(origin, key[1])
        assert origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200
        assert origin.fetch(f"/hls/{key[0]}/master.m3u8").status == 404


def test_without_playback_id_the_key_is_the_id(origin: Origin) -> None:
    with Publisher(origin, "test-stream-key"):
        eventually(lambda: origin.fetch("/hls/test-stream-key/master.m3u8").status == 200, "playlist")
    assert not any("test-stream-key" in line for line in origin.lines)


def test_query_arguments_of_a_key_do_not_reach_the_backend(origin: Origin, key: tuple[str, str]) -> None:
    """nginx-rtmp appends them to the hook's body, where they may repeat `name`: the first one counts."""
    with Publisher(origin, f"{key[0]}?name=other&app=other&x=1"):
        assert live(origin, key[1])["stream"] == key[1]


def test_fails_when_the_key_is_unknown(origin: Origin) -> None:
    before = len(refusals(origin, "unauthorized"))
    with Publisher(origin, "a-key-that-nobody-gave-out") as publisher:
        eventually(lambda: len(refusals(origin, "unauthorized")) > before, "refusal")
        eventually(lambda: publisher.process.poll() is not None, "the publisher to be hung up on")
    assert not any("a-key-that-nobody-gave-out" in line for line in origin.lines)

    def counted() -> list[dict[str, Any]]:
        return [line for line in origin.metrics("RejectedPublish") if line["Reason"] == "unauthorized"]

    metric = eventually(counted, "the metric")[-1]
    assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["ClusterName", "ServiceName"],
        ["ClusterName", "ServiceName", "Reason"],
    ]


@pytest.mark.parametrize("name", ["a.b", "a/b", "%2e%2e", "a" * 129, "a b", "ключ"])
def test_fails_when_the_name_has_other_characters(origin: Origin, name: str) -> None:
    """Asked directly, as nginx would: no such name gets as far as the backend."""
    before = len(refusals(origin, "invalid_name"))
    assert hook(origin, name=name, app="live").status == 403
    eventually(lambda: len(refusals(origin, "invalid_name")) == before + 1, "refusal")


@pytest.mark.parametrize(
    ("app", "key", "said"),
    [
        ("", "a-secret-key", 'the server in the streaming software is "rtmp://<host>/live"'),
        ("Live", "a-secret-key", 'the server in the streaming software is "rtmp://<host>/live"'),
        ("a-secret-key", "", 'the server in the streaming software is "rtmp://<host>/live"'),
        ("live/a-secret-key", "", "behind /live there is something more: is it the key"),
        ("live/a-secret-key/", "a-secret-key", "behind /live there is something more: is it the key"),
        ("lives/a-secret-key", "", 'the server in the streaming software is "rtmp://<host>/live"'),
        ("live", "", "the stream key is empty"),
        ("live", "?a-secret-key", "the stream key is empty"),
        ("live", "a-secret-key/1", "the stream key has a slash"),
        ("live", "a secret key", "stream keys match"),
    ],
)
def test_fails_when_server_or_key_are_mistyped(origin: Origin, app: str, key: str, said: str) -> None:
    """One line with what to type, and no key in it."""

    def told() -> list[dict[str, Any]]:
        return [each for each in refusals(origin, "invalid_name") if said in each["detail"]]

    before = len(told())
    with Client(origin.rtmp_port) as client, pytest.raises(ConnectionError):
        client.handshake().publish(key, app)
    line = eventually(lambda: told()[before:], "the line")[0]
    assert line["addr"] == "127.0.0.1"
    assert not any("secret" in each for each in origin.lines)


@pytest.mark.parametrize("app", ["live/", "live//", "live?x=1", "live/?x=1"])
def test_slash_behind_the_server_is_no_mistake(origin: Origin, key: tuple[str, str], app: str) -> None:
    with Client(origin.rtmp_port) as client:
        client.handshake().publish(key[0], app)
        eventually(lambda: [each for each in origin.messages("publisher let in") if each["stream"] == key[1]], "a line")


def hook(origin: Origin, **fields: str) -> Any:
    with Web(origin.hooks_port) as web:
        web._connection.request(
            "POST",
            "/hooks/publish",
            urllib.parse.urlencode(fields),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        return web._connection.getresponse()


@pytest.mark.slow
def test_fails_when_the_backend_is_down() -> None:
    with Origin("http://127.0.0.1:9") as origin, Publisher(origin, "test-stream-key"):
        eventually(lambda: refusals(origin, "backend_unavailable"), "refusal")
        assert not origin.messages("publisher let in")


@pytest.mark.slow
def test_fails_when_the_backend_is_silent() -> None:
    """Time-out 3 s, and then no."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Origin(url) as origin, Publisher(origin, "test-stream-key"):
            eventually(lambda: refusals(origin, "backend_unavailable"), "refusal")
            assert not origin.messages("publisher let in")


def test_second_publisher_is_refused_and_the_first_goes_on(origin: Origin, key: tuple[str, str]) -> None:
    with Publisher(origin, key[0]) as first:
        session = live(origin, key[1])["session"]
        before = len(refusals(origin, "duplicate"))
        with Publisher(origin, key[0]) as second:
            eventually(lambda: len(refusals(origin, "duplicate")) > before, "refusal")
            eventually(lambda: second.process.poll() is not None, "the second to be hung up on")
            # More media than the grace after a goodbye is long: the second one's must not end the first.
            follower = Follower(origin, key[1], NAMES[0])
            eventually(lambda: follower.segments, "the first one's playlist")
            newest = max(follower.segments)
            eventually(lambda: max(follower.complete, default=0) >= newest + 2, "two more segments")
            follower.stop()
        assert first.process.poll() is None
        assert live(origin, key[1])["session"] == session
        assert not any(segment.discontinuity for segment in follower.segments.values())


def test_ghost_is_displaced_when_the_streamer_is_back(origin: Origin, key: tuple[str, str]) -> None:
    """A publisher whose network died: nginx would keep it for 10 s more, the streamer is back at once."""
    with Publisher(origin, key[0]) as ghost:
        session = live(origin, key[1])["session"]
        ghost.freeze()
        eventually(lambda: live(origin, key[1])["idle_seconds"] > 0.2, "silence")
        with Publisher(origin, key[0]):

            def back() -> dict[str, Any] | None:
                stream = origin.stream(key[1])
                return stream if stream and stream["session"] != session else None

            eventually(back, "the streamer back on air")
            displaced = [line for line in origin.messages("ghost displaced") if line["stream"] == key[1]]
            assert len(displaced) == 1  # before nginx noticed anything
            again = live(origin, key[1])
            eventually(lambda: (origin.stream(key[1]) or {}).get("idle_seconds", 9) < 1, "pictures")
            assert again["session"] != session


def test_reconnect_continues_the_playlist(origin: Origin, key: tuple[str, str]) -> None:
    """Numbers go on, a discontinuity marks the place, and no media name comes twice."""
    with Publisher(origin, key[0]):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        followers = [Follower(origin, key[1], name) for name in NAMES]
        eventually(lambda: all(len(f.complete) >= 2 for f in followers), "two segments")
    with Publisher(origin, key[0]):

        def resumed() -> bool:
            assert not any(f.problem for f in followers), [f.problem for f in followers]
            return all(
                sum(len(f.segments[msn].init) > 0 for msn in f.complete) >= 4 and len(f.inits) == 2 for f in followers
            )

        eventually(resumed, "segments of the second session")
        for follower in followers:
            follower.stop()
    breaks = [[msn for msn, s in sorted(f.segments.items()) if s.discontinuity] for f in followers]
    assert breaks[0] == breaks[1] == breaks[2]
    assert len(breaks[0]) == 1
    for follower in followers:
        numbers = sorted(follower.segments)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert follower.segments[breaks[0][0]].discontinuity_sequence == 1


def test_hanging_up_on_an_earlier_connection_leaves_the_present_one(origin: Origin, key: tuple[str, str]) -> None:
    """Nginx's control command is bound to the connection's number."""
    with Publisher(origin, key[0]) as publisher:
        session = live(origin, key[1])["session"]
        slot = next(each["slot"] for each in origin.status()["ingest"] if each["broadcasts"])
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{origin.runtime_dir}/nginx/{slot}/control")
            query = f"app=live&name={key[0]}&clientid=999999"
            control.sendall(f"GET /control/drop/publisher?{query} HTTP/1.0\r\n\r\n".encode())
            assert b"200 OK" in control.recv(1 << 16)
        eventually(lambda: live(origin, key[1])["lag_ms"] > 0, "pictures")
        assert publisher.process.poll() is None
        assert live(origin, key[1])["session"] == session


def test_smaller_picture_after_a_reconnect_is_there_for_all(origin: Origin, key: tuple[str, str]) -> None:
    """Viewers of a rendition that the new source cannot fill get the new top rendition under the old name."""
    with Publisher(origin, key[0]):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")
        followers = [Follower(origin, key[1], name) for name in NAMES]
        eventually(lambda: all(f.complete for f in followers), "a segment")
    for options in (["--size", "320x180", "--kbps", "250", "--audio", "none"], ["--size", "320x180", "--gop", "250"]):
        before = {f.rendition: len(f.complete) for f in followers}
        with Publisher(origin, key[0], *options):
            eventually(
                lambda: all(len(f.complete) >= before[f.rendition] + 3 for f in followers),  # noqa: B023 - called within this turn
                "segments of the smaller picture",
            )
    for follower in followers:
        follower.stop()
    starts = [follower.starts() for follower in followers]
    common = set.intersection(*(set(each) for each in starts))
    assert all(len({each[number] for each in starts}) == 1 for number in common)


def test_capacity_is_for_newcomers_only(backend: Backend) -> None:
    """A live broadcast that turns out to need encoding stays; the door is shut as long as the task is full."""
    with Origin(backend.url, MAX_STREAMS=2) as origin:
        (key, playback_id), (other, other_id), (third, _) = (backend.new_key() for _ in range(3))
        with Publisher(origin, other) as second:
            live(origin, other_id)
            assert origin.status()["used"] == 2  # a newcomer may need encoding
            eventually(lambda: origin.status()["used"] == 1, "being known as copied")
            with Publisher(origin, key, "--gop", "250") as first:
                live(origin, playback_id)
                eventually(lambda: (origin.stream(playback_id) or {}).get("top") == "encoded", "encoding")
                assert origin.status()["used"] == 3
                with Publisher(origin, third):
                    eventually(lambda: refusals(origin, "capacity"), "refusal")
                over = eventually(
                    lambda: [line for line in origin.metrics("OvercommittedUnits") if line["OvercommittedUnits"]],
                    "the metric",
                )
                assert (over[0]["OvercommittedUnits"], over[0]["StreamsPerTask"]) == (1, 3)
                assert first.process.poll() is None
                assert second.process.poll() is None
            eventually(lambda: origin.status()["used"] == 1, "room again")
            with Publisher(origin, third):
                eventually(lambda: origin.status()["used"] == 3, "the third to be let in")
        assert len(refusals(origin, "capacity")) == 1


def test_broadcast_that_becomes_dearer_is_not_cut(backend: Backend) -> None:
    """A copied one on a full task, whose key frames stop coming; said in the log."""
    with Origin(backend.url, MAX_STREAMS=2) as origin:
        (key, playback_id), (other, _) = (backend.new_key() for _ in range(2))
        until = "--extra=-force_key_frames", "--extra=expr:if(lt(t,24),gte(t,n_forced*2),0)"
        with Publisher(origin, key, "--gop", "9999", *until) as first:
            eventually(lambda: live(origin, playback_id) and origin.status()["used"] == 1, "being known as copied")
            with Publisher(origin, other) as second:
                line = eventually(lambda: origin.messages("task carries more than its capacity"), "overcommitting")
                assert line[0]["stream"] == playback_id
                assert live(origin, playback_id)["top"] == "encoded"
                assert not refusals(origin, "capacity")
                assert (first.process.poll(), second.process.poll()) == (None, None)


def test_metrics_have_what_the_dashboard_shows(origin: Origin, key: tuple[str, str]) -> None:
    with Publisher(origin, key[0]):
        eventually(lambda: origin.fetch(f"/hls/{key[1]}/master.m3u8").status == 200, "playlist")

        def reported() -> dict[str, Any] | None:
            for line in origin.metrics("ActiveStreams"):
                for stream in line["streams"]:
                    if stream["stream"] == key[1] and stream["encoder_speed"] is not None:
                        return line
            return None

        line = eventually(reported, "two reports")
        first = eventually(
            lambda: [each for each in origin.metrics("TimeToFirstSegment") if each["stream"] == key[1]], "the metric"
        )
    assert line["ActiveStreams"] >= 1
    assert line["StreamsPerTask"] >= 1
    assert line["EncoderSpeed"] > 0
    stream = next(each for each in line["streams"] if each["stream"] == key[1])
    assert stream["frame_rate"] == 30
    assert stream["ingest_kbps"] > 50
    assert len(first) == 1
    assert first[0]["TimeToFirstSegment"] > 1, "a segment has two seconds"
