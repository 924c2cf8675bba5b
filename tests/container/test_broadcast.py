"""One broadcast, as OBS sends it, seen by a viewer of each rendition for as long as it takes to drop old media."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import m3u8
import pytest

from tests.container import mp4
from tests.container.support import NAMES, Backend, Fetched, Follower, Origin, Publisher, eventually, probe

SEGMENTS = 25  # of two seconds; 20 are kept: 8 that are listed, and as many again and four that were


class Broadcast(NamedTuple):
    origin: Origin
    key: str
    id: str
    publisher: Publisher
    followers: list[Follower]

    def fetch(self, path: str, **headers: str) -> Fetched:
        return self.origin.fetch(f"/hls/{self.id}/{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture(scope="module")
def origin(backend: Backend) -> Iterator[Origin]:
    """One that does not wait long for a streamer to come back."""
    origin = Origin(backend.url, END_AFTER_SECONDS=3)
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def broadcast(origin: Origin, backend: Backend) -> Iterator[Broadcast]:
    key, playback_id = backend.new_key()
    with Publisher(origin, key, "--obs", "--preset", "veryfast") as publisher:
        eventually(lambda: origin.fetch(f"/hls/{playback_id}/master.m3u8").status == 200, "playlist")
        followers = [Follower(origin, playback_id, name) for name in NAMES]
        yield Broadcast(origin, key, playback_id, publisher, followers)
        for follower in followers:
            follower.stop()


class Seen(NamedTuple):
    followers: list[Follower]
    pictures: int  # how many were sent


@pytest.fixture(scope="module")
def seen(broadcast: Broadcast) -> Seen:
    """The viewers after the broadcast has ended."""
    followers = broadcast.followers
    eventually(lambda: all(f.problem or len(f.complete) >= SEGMENTS for f in followers), f"{SEGMENTS} segments")
    # At the end of a show the origin waits some seconds for FFmpeg; longer on a busy machine, here.
    eventually(lambda: 0 < (broadcast.origin.stream(broadcast.id) or {}).get("lag_ms", 0) < 1000, "FFmpeg to catch up")
    pictures = broadcast.publisher.finish()
    eventually(lambda: all(f.ended or f.problem for f in followers), "end of the playlists")
    return Seen([follower.stop() for follower in followers], pictures)


def test_multivariant_playlist_describes_every_rendition(broadcast: Broadcast) -> None:
    """RFC 8216bis 4.4.6.2: bit rates, codecs, size and rate of each, and players' parsers agree."""
    playlist = m3u8.loads(broadcast.fetch("master.m3u8").text)
    assert [each.uri for each in playlist.playlists] == [f"{name}/index.m3u8" for name in NAMES]
    for each, size in zip(playlist.playlists, [(512, 288), (384, 216), (256, 144)], strict=True):
        info = each.stream_info
        assert info.resolution == size
        assert info.frame_rate == 30
        assert info.bandwidth >= info.average_bandwidth > 100_000
        assert info.codecs.startswith("avc1.")
        assert info.codecs.endswith(",mp4a.40.2")


def test_ffprobe_reads_every_rendition(broadcast: Broadcast) -> None:
    streams = probe(f"http://127.0.0.1:{broadcast.origin.http_port}/hls/{broadcast.id}/master.m3u8")
    pictures = [each for each in streams if each["codec_type"] == "video"]
    assert {(each["width"], each["height"]) for each in pictures} == {(512, 288), (384, 216), (256, 144)}
    assert {each["r_frame_rate"] for each in pictures} == {"30/1"}
    assert [each["codec_name"] for each in streams if each["codec_type"] == "audio"] == ["aac"] * 3


def test_top_rendition_is_the_source_itself(broadcast: Broadcast) -> None:
    status = broadcast.origin.stream(broadcast.id)
    assert status
    assert status["top"] == "copied"
    assert status["renditions"] == NAMES


def test_playlist_headers_suit_the_cdn(broadcast: Broadcast) -> None:
    """Playlists a second, compressed for those who can, readable from any page."""
    for path in ("master.m3u8", "480p/index.m3u8"):
        plain, packed = broadcast.fetch(path), broadcast.fetch(path, Accept_Encoding="gzip, br")
        assert plain.headers["cache-control"] == packed.headers["cache-control"] == "max-age=1"
        assert plain.headers["content-type"] == "application/vnd.apple.mpegurl"
        assert plain.headers["access-control-allow-origin"] == "*"
        assert plain.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text.startswith("#EXTM3U")


def test_media_headers_suit_the_cdn(broadcast: Broadcast) -> None:
    playlist = m3u8.loads(broadcast.fetch("360p/index.m3u8").text)
    whole = [segment for segment in playlist.segments if segment.uri]  # the parser makes one of trailing parts, too
    for name in (whole[-1].uri, playlist.segment_map[0].uri, whole[-1].parts[0].uri):
        fetched = broadcast.fetch(f"360p/{name}")
        assert fetched.status == 200
        assert fetched.headers["cache-control"] == "public, max-age=86400, immutable"
        assert fetched.headers["content-type"] == "video/mp4"
        assert fetched.headers["access-control-allow-origin"] == "*"
        assert fetched.headers["content-length"] == str(len(fetched.body))


def test_what_is_not_there_is_forgotten_soon(broadcast: Broadcast) -> None:
    for path in ("720p/nothing.m4s", "1080p/index.m3u8", "nothing", "720p/../../../health", "720p/nothing.mp4"):
        fetched = broadcast.fetch(path)
        assert (fetched.status, fetched.headers["cache-control"]) == (404, "max-age=1")
    assert broadcast.origin.fetch("/hls/nobody/master.m3u8").status == 404


def test_preflight_is_answered(broadcast: Broadcast) -> None:
    fetched = broadcast.origin.fetch(f"/hls/{broadcast.id}/master.m3u8", "OPTIONS", {"Origin": "https://x.example"})
    assert fetched.status == 204
    assert "GET" in fetched.headers["access-control-allow-methods"]
    assert broadcast.origin.fetch("/hls/x/master.m3u8", "POST").status == 405


def test_head_is_answered_without_a_body(broadcast: Broadcast) -> None:
    fetched = broadcast.origin.fetch(f"/hls/{broadcast.id}/master.m3u8", "HEAD")
    assert (fetched.status, fetched.body) == (200, b"")


def test_hooks_and_status_are_not_public(broadcast: Broadcast) -> None:
    for path in ("/hooks/publish", "/status", "/control/drop/publisher", "/stat", "/"):
        assert broadcast.origin.fetch(path).status == 404


@pytest.mark.parametrize("query", ["_HLS_msn=9999999999", "_HLS_part=1", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn="])
def test_fails_when_a_directive_makes_no_sense(broadcast: Broadcast, query: str) -> None:
    """RFC 8216bis 6.2.5.2: the far future and parts of nothing are bad requests."""
    fetched = broadcast.fetch(f"480p/index.m3u8?{query}")
    assert (fetched.status, fetched.headers["cache-control"]) == (400, "no-store")


def test_old_position_is_answered_at_once(broadcast: Broadcast) -> None:
    fetched = broadcast.fetch("480p/index.m3u8?_HLS_msn=1&_HLS_part=0")
    assert fetched.status == 200


def test_hinted_part_is_held_until_it_exists(broadcast: Broadcast) -> None:
    """EXT-X-PRELOAD-HINT: the request may come before the part."""
    playlist = m3u8.loads(broadcast.fetch("720p/index.m3u8").text)
    assert broadcast.fetch(f"720p/{playlist.preload_hint.uri}").status == 200


def test_delta_update_leaves_out_what_the_player_has(broadcast: Broadcast) -> None:
    """EXT-X-SKIP: the skipped segments and the shown ones are the whole playlist."""

    def both() -> tuple[m3u8.M3U8, m3u8.M3U8] | None:
        full = m3u8.loads(broadcast.fetch("720p/index.m3u8").text)
        delta = m3u8.loads(broadcast.fetch("720p/index.m3u8?_HLS_skip=YES").text)
        last = [
            [(each.uri, [part.uri for part in each.parts]) for each in playlist.segments[-2:]]
            for playlist in (full, delta)
        ]
        same = full.media_sequence == delta.media_sequence and last[0] == last[1]
        return (full, delta) if same and delta.skip else None

    full, delta = eventually(both, "a delta update")
    skipped = delta.skip.skipped_segments
    assert skipped >= 1
    assert [each.uri for each in full.segments[skipped:]] == [each.uri for each in delta.segments]


def test_key_is_in_no_playlist_log_or_metric(broadcast: Broadcast) -> None:
    texts = [broadcast.fetch(path).text for path in ("master.m3u8", "720p/index.m3u8")]
    assert all(broadcast.key not in text for text in [*texts, *broadcast.origin.lines])


def test_every_picture_is_in_every_rendition_once(seen: Seen) -> None:
    """None lost, none twice, in order, from the first to the last."""
    for follower in seen.followers:
        assert follower.numbers() == list(range(seen.pictures)), follower.rendition


def test_segments_start_at_the_same_tick_in_all_renditions(seen: Seen) -> None:
    starts = [follower.starts() for follower in seen.followers]
    assert starts[0] == starts[1] == starts[2]
    assert len(starts[0]) == seen.pictures / 60


def test_segments_begin_with_a_key_picture_and_have_no_other_gap(seen: Seen) -> None:
    for follower in seen.followers:
        samples = [mp4.samples(follower.media(msn))[1] for msn in follower.complete]
        assert all(segment[0].key for segment in samples)
        ends = [segment[-1].dts + segment[-1].duration for segment in samples]
        assert [segment[0].dts for segment in samples[1:]] == ends[:-1]


def test_sound_is_gapless_and_cut_alike_in_all_renditions(seen: Seen) -> None:
    """A player may go from any rendition's segment to any other's next one."""
    spans = []
    for follower in seen.followers:
        samples = [mp4.samples(follower.media(msn))[2] for msn in follower.complete]
        every = [sample for segment in samples for sample in segment]
        assert all(a.dts + a.duration == b.dts for a, b in pairwise(every))
        assert len(every) * 1024 / 48000 == pytest.approx(seen.pictures / 30, abs=0.2)
        spans.append([(segment[0].dts, len(segment)) for segment in samples])
    assert spans[0] == spans[1] == spans[2]


def test_every_playlist_kept_the_rules(seen: Seen) -> None:
    """The checker has seen each of them; here only that it saw many."""
    assert all(follower.checker.checked > 60 for follower in seen.followers)


def test_playlist_ends_some_time_after_the_broadcast(seen: Seen, broadcast: Broadcast) -> None:
    assert all(follower.ended for follower in seen.followers)
    playlist = m3u8.loads(broadcast.fetch("720p/index.m3u8").text)
    assert playlist.is_endlist
    assert len(playlist.segments) == 8
    assert broadcast.fetch(f"720p/{playlist.segments[0].uri}").status == 200


def test_old_media_is_dropped(seen: Seen, broadcast: Broadcast) -> None:
    """Memory is bounded: what left the playlist long ago is gone."""
    follower = seen.followers[0]
    first = follower.segments[follower.complete[0]]
    assert broadcast.fetch(f"720p/{first.uri}").status == 404
