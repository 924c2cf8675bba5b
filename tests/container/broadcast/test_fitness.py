"""What is seen of a source over time: whether it can be passed on, and whether it may be next time."""

from origin.broadcast.fitness import KEY_FRAME_ADVICE, Fitness, KnownMisfits
from origin.broadcast.meter import Meter
from origin.media import silence
from origin.media.codecs import sound
from origin.media.packets import VideoPacket
from origin.packaging.timeline import Generation, Soundtrack

LATEST_MS = 2450
LIMIT_KBPS = 1000


class Watched:
    """A source that is being looked at, picture by picture, 33 ms apart."""

    def __init__(self) -> None:
        soundtrack = Soundtrack(silence.MUTE_CONFIG, sound(silence.MUTE_CONFIG))
        self.generation = Generation("s", 1, 10_000, 0, soundtrack, every_key=False)
        self.meter = Meter()
        self.fitness = Fitness(self.meter, limit_kbps=LIMIT_KBPS, latest_key_ms=LATEST_MS)
        self.began = self.dts = 10_000

    def send(self, *, key_every: int, seconds: float, kbps: float = 500, reorder: bool = False) -> str | None:
        """The first objection to passing this on, if any; segments begin at key frames."""
        for index in range(round(seconds * 30)):
            # With B-frames, every second picture is shown before the one that came before it.
            cts = (66 if index % 2 == 0 else 0) if reorder else 0
            packet = VideoPacket(self.dts, cts, index % key_every == 0, bytes(round(kbps * 33 / 8)))
            self.meter.picture(packet)
            if packet.key:
                self.began = packet.pts
            if objection := self.fitness.why_not_copy(packet, segment_began=self.began):
                return objection
            self.fitness.see(packet, self.generation)
            self.dts += 33
        return None


def test_key_frames_every_two_seconds_are_passed_on() -> None:
    assert Watched().send(key_every=60, seconds=40) is None
    assert Watched().send(key_every=60, seconds=40, reorder=True) is None


def test_long_gop_is_found_before_the_segment_is_longer_than_it_may_be() -> None:
    for reorder in (False, True):
        source = Watched()
        objection = source.send(key_every=250, seconds=20, reorder=reorder)
        assert objection is not None
        assert KEY_FRAME_ADVICE in objection
        assert source.fitness.newest_pts - source.began <= LATEST_MS
        assert source.dts - 10_000 < 2500


def test_bit_rate_above_the_limit_is_found_when_it_is_certain() -> None:
    """Twice as much as is allowed after a second; a little too much after six, because encoders overshoot at first."""
    for kbps, earliest, latest in ((2 * LIMIT_KBPS + 200, 1000, 1200), (LIMIT_KBPS + 100, 6000, 6200)):
        source = Watched()
        objection = source.send(key_every=60, seconds=20, kbps=kbps)
        assert objection is not None
        assert "above the limit of 1000 kbit/s" in objection
        assert earliest <= source.dts - 10_000 <= latest


def test_burst_below_the_limit_on_average_is_passed_on() -> None:
    source = Watched()
    assert source.send(key_every=60, seconds=2, kbps=1.5 * LIMIT_KBPS) is None
    assert source.send(key_every=60, seconds=10, kbps=500) is None


def test_source_that_was_good_for_half_a_minute_fits_again() -> None:
    good, bad = Watched(), Watched()
    good.send(key_every=60, seconds=20)
    early = VideoPacket(good.dts, 0, key=True, data=b"")
    assert not good.fitness.fits_again(early, good.generation)
    good.send(key_every=60, seconds=20)
    bad.send(key_every=60, seconds=45, kbps=500)
    bad.generation.longest_gop_ms = LATEST_MS + 1
    for source, fits in ((good, True), (bad, False)):
        packet = VideoPacket(source.dts, 0, key=True, data=b"")
        assert source.fitness.fits_again(packet, source.generation) is fits


def test_misfits_are_of_the_newest_keys_only_and_holds_none_of_them() -> None:
    known = KnownMisfits()
    for number in range(1100):
        known.remember(f"key-number-{number}", "why")
    assert known.recall("key-number-50") is None
    assert known.recall("key-number-1099") == "why"
    assert "key-number" not in repr(vars(known))
    known.forget("key-number-1099")
    assert known.recall("key-number-1099") is None
