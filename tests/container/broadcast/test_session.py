"""A session by itself: messages in, playlists out, without nginx and, as all is copied, without FFmpeg."""

from collections.abc import AsyncIterator
from typing import Any

from origin.broadcast.admission import Admission
from origin.broadcast.fitness import KnownMisfits
from origin.broadcast.session import Session, SessionContext
from origin.ingest import rtmp
from origin.ingest.rtmp_source import RtmpSource
from origin.media import silence
from origin.metrics import Metrics
from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Rung, Settings

from tests.container import mp4
from tests.container.packaging.by_hand import AVCC, gapless

AAC_44K_MONO = bytes.fromhex("1208")


class Script:
    """A connection to nginx on which just these messages come."""

    def __init__(self, messages: list[rtmp.Message]) -> None:
        self._messages = messages

    async def play(self) -> AsyncIterator[rtmp.Message]:
        for message in self._messages:
            yield message

    def close(self) -> None:
        pass


def video(ms: int, *, key: bool) -> rtmp.Message:
    nal = b"\x65idr" if key else b"\x41abc"
    body = (b"\x17" if key else b"\x27") + b"\x01\x00\x00\x00" + len(nal).to_bytes(4, "big") + nal
    return rtmp.Message(rtmp.VIDEO, ms, 1, body)


def broadcast(seconds: int, *, sound_from: float) -> list[rtmp.Message]:
    """Pictures with a key frame every second; the sound's configuration comes with its first frame."""
    messages = [rtmp.Message(rtmp.VIDEO, 0, 1, b"\x17\x00\x00\x00\x00" + AVCC.avcc)]
    messages += [video(index * 1000 // 30, key=index % 30 == 0) for index in range(30 * seconds)]
    messages.append(rtmp.Message(rtmp.AUDIO, round(sound_from * 1000), 1, b"\xaf\x00" + AAC_44K_MONO))
    first = round(sound_from * 44_100 / 1024)
    messages += [
        rtmp.Message(rtmp.AUDIO, index * 1024 * 1000 // 44_100, 1, b"\xaf\x01sound")
        for index in range(first, seconds * 44_100 // 1024)
    ]
    return sorted(messages, key=lambda message: message.timestamp)


async def run(messages: list[rtmp.Message], admission: Admission) -> Stream:
    settings = Settings(backend_url="http://backend", ladder=(Rung(name="720p", height=288, video_kbps=700),))
    metrics = Metrics(namespace="n", cluster_name="c", service_name="s", write=lambda _: None)
    context = SessionContext(settings=settings, metrics=metrics, admission=admission, misfits=KnownMisfits())
    stream = Stream("id", "id", settings, Position(100, 0))
    player: Any = Script(messages)
    session = Session("s", "key", stream, RtmpSource(player), context, client="1")
    assert admission.enter(session)
    await session.run()
    return stream


async def test_sound_that_begins_late_is_there_from_a_key_frame_on() -> None:
    """Silence of the usual kind until then; a discontinuity and another initialisation section where it changes."""
    stream = await run(broadcast(12, sound_from=5.2), Admission(4))
    rendition = stream.renditions["720p"]
    whole = [segment for segment in rendition.window.segments if segment.complete]
    assert [segment.boundary.discontinuity for segment in whole].count(True) == 1
    change = next(index for index, segment in enumerate(whole) if segment.boundary.discontinuity)
    assert whole[change].boundary.pts == 16_000  # the source's sixth second, on the session's clock
    for part, rate, size in (
        (whole[:change], 48_000, len(silence.frame(whole[0].boundary.generation.soundtrack.sound))),
        (whole[change:], 44_100, len(b"sound")),
    ):
        heard = [sample for segment in part for each in segment.parts for sample in mp4.samples(each.data)[2]]
        assert gapless(heard)
        assert {sample.size for sample in heard} == {size}
        init = rendition.window.media[part[0].init_name]
        assert isinstance(init, bytes)
        assert mp4.timescales(init)[2] == rate
    assert stream.sound
    assert stream.sound.core_sample_rate == 44_100


async def test_broadcast_that_fits_costs_less_once_it_has_shown_so() -> None:
    admission = Admission(1)
    await run(broadcast(8, sound_from=0), admission)
    assert admission.used == 2
    admission = Admission(1)
    await run(broadcast(12, sound_from=0), admission)
    assert admission.used == 1
