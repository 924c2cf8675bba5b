"""Encoders with habits: `python -m tests.container.simulator rtmp://127.0.0.1:PORT/live/KEY --trouble NAME…`.

A test picture (or `--file` of FLV, sent in real time) goes out message by message, after the troubles named have been
applied in their order. So a report of a user becomes a test in a minute. Options that it does not know are those of
tests/container/publisher.py.

    sei-alone         a message of its own before each picture, with SEI and nothing else
    annex-b           start codes instead of lengths, in pictures and in the sequence header
    step:MS@S         from the first key frame after S seconds on all stamps are later by MS milliseconds
    apart:MS          sound's stamps are later by MS milliseconds than the picture's, or earlier, for the whole show
    pause:MS@S        S seconds after the start no picture for MS milliseconds and on to the next key frame
    freeze:MS@S       after S seconds no picture for MS milliseconds: then it goes on where it was, in mid-GOP
    slides            key frames and no other pictures
    sound:FILE@S      after S seconds, wherever that is, sound goes on with that of this FLV
    then:FILE         at its end it goes on with this FLV, whose parameter sets come in band and without a header
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import deque
from typing import IO, TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from tests.container import publisher
from tests.container.rtmp_client import AUDIO, DATA, VIDEO, Client, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 128
SEI = b"\x06\x05\x04\x01\x02\x03\x04\x80"


class Tag(NamedTuple):
    """One message of FLV."""

    kind: int
    stamp: int  # ms
    body: bytes

    @property
    def is_picture(self) -> bool:
        return self.kind == VIDEO and self.body[1] == 1

    @property
    def is_key(self) -> bool:
        return self.is_picture and self.body[0] >> 4 == 1

    def with_data(self, data: bytes) -> Self:
        return self._replace(body=self.body[:5] + data)


def tags(stream: IO[bytes]) -> Iterator[Tag]:
    """What an FLV stream has, to its end."""
    stream.read(13)
    while len(head := stream.read(11)) == 11:
        size, stamp = int.from_bytes(head[1:4]), int.from_bytes(head[7:8] + head[4:7])
        body = stream.read(size)
        stream.read(4)
        yield Tag(head[0], stamp, body)


def _units(data: bytes) -> Iterator[bytes]:
    while data:
        size = int.from_bytes(data[:4])
        yield data[4 : 4 + size]
        data = data[4 + size :]


def _header_units(avcc: bytes) -> Iterator[bytes]:
    """One sequence and one picture parameter set, as x264 has them."""
    size = int.from_bytes(avcc[6:8])
    yield avcc[8 : 8 + size]
    rest = avcc[9 + size :]
    yield rest[2 : 2 + int.from_bytes(rest[:2])]


def sei_alone(sent: Iterator[Tag]) -> Iterator[Tag]:
    for tag in sent:
        if tag.is_picture:
            yield tag._replace(body=b"\x27\x01\0\0\0" + len(SEI).to_bytes(4) + SEI)
        yield tag


def annex_b(sent: Iterator[Tag]) -> Iterator[Tag]:
    for tag in sent:
        if tag.kind == VIDEO and tag.body[1] < 2:
            units = _units(tag.body[5:]) if tag.is_picture else _header_units(tag.body[5:])
            yield tag.with_data(b"".join(b"\0\0\0\1" + unit for unit in units))
        else:
            yield tag


def _ms_at(argument: str) -> tuple[int, float]:
    """MS@S: how much, and when; both in ms."""
    ms, _, seconds = argument.partition("@")
    return int(ms), 1000 * float(seconds)


def step(argument: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    jump, after = _ms_at(argument)

    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        by = 0
        for tag in sent:
            if tag.is_key and tag.stamp > after:
                by = jump
            yield tag._replace(stamp=tag.stamp + by)

    return apply


def apart(argument: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    later = {AUDIO: max(int(argument), 0), VIDEO: max(-int(argument), 0)}

    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        for tag in sent:
            yield tag._replace(stamp=tag.stamp + later.get(tag.kind, 0))

    return apply


def pause(argument: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    ms, begin = _ms_at(argument)
    end = begin + ms

    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        over = False
        for tag in sent:
            over = over or (tag.is_key and tag.stamp >= end)
            if over or not tag.is_picture or tag.stamp < begin:
                yield tag

    return apply


def freeze(argument: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    ms, begin = _ms_at(argument)

    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        later: deque[Tag] = deque()
        for tag in sent:
            if tag.is_picture and tag.stamp >= begin:
                later.append(tag._replace(stamp=tag.stamp + ms))
            else:
                yield tag
            while later and later[0].stamp <= tag.stamp:
                yield later.popleft()

    return apply


def slides(sent: Iterator[Tag]) -> Iterator[Tag]:
    for tag in sent:
        if tag.is_key or not tag.is_picture:
            yield tag


def other_sound(argument: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    path, _, seconds = argument.rpartition("@")
    change = round(1000 * float(seconds))

    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        with open(path, "rb") as stream:  # noqa: PTH123 # as above
            others = deque(tag._replace(stamp=tag.stamp + change) for tag in tags(stream) if tag.kind == AUDIO)
        for tag in sent:
            while others and tag.stamp >= others[0].stamp:
                yield others.popleft()
            if tag.kind != AUDIO or tag.stamp < change:
                yield tag

    return apply


def then(path: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    def apply(sent: Iterator[Tag]) -> Iterator[Tag]:
        end, sets = 0, b""
        for tag in sent:
            end = max(end, tag.stamp)
            yield tag
        with open(path, "rb") as stream:  # noqa: PTH123 # as above
            for tag in in_real_time(tags(stream)):
                if tag.kind == VIDEO and not tag.is_picture:
                    sets = sets or b"".join(len(unit).to_bytes(4) + unit for unit in _header_units(tag.body[5:]))
                elif tag.is_picture or (tag.kind == AUDIO and tag.body[1] == 1):
                    own = tag.with_data(sets + tag.body[5:]) if tag.is_key else tag
                    yield own._replace(stamp=end + 33 + tag.stamp)

    return apply


TROUBLES = {"sei-alone": sei_alone, "annex-b": annex_b, "slides": slides}
TROUBLES_WITH_ARGUMENT = {
    "step": step,
    "apart": apart,
    "pause": pause,
    "freeze": freeze,
    "sound": other_sound,
    "then": then,
}


def trouble(text: str) -> Callable[[Iterator[Tag]], Iterator[Tag]]:
    name, _, argument = text.partition(":")
    if name in TROUBLES_WITH_ARGUMENT:
        return TROUBLES_WITH_ARGUMENT[name](argument)
    if name in TROUBLES:
        return TROUBLES[name]
    raise argparse.ArgumentTypeError(f"no trouble has this name: {name!r}")


def in_real_time(sent: Iterator[Tag]) -> Iterator[Tag]:
    """As -re of FFmpeg does it."""
    began = time.monotonic()
    for tag in sent:
        time.sleep(max(0.0, began + tag.stamp / 1000 - time.monotonic()))
        yield tag


def send(url: str, sent: Iterator[Tag]) -> None:
    where = urlsplit(url)
    with Client(where.port or 1935).handshake() as client:
        client.publish(where.path.rpartition("/")[2])
        for tag in sent:
            body = b"\2\0\x0d@setDataFrame" + tag.body if tag.kind == DATA else tag.body
            client.send(message(tag.kind, body, stream=1, csid=4, timestamp=tag.stamp % (1 << 24), chunk=_CHUNK))


def program(url: str, *options: str) -> list[str]:
    """How to start it."""
    return [sys.executable, "-m", "tests.container.simulator", url, *options]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--file", help="FLV to send instead of a test picture")
    parser.add_argument("--trouble", action="append", default=[], type=trouble)
    options, others = parser.parse_known_args(arguments)
    try:
        if options.file:
            with open(options.file, "rb") as stream:  # noqa: PTH123 # of any kind
                send(options.url, troubled(in_real_time(tags(stream)), options.trouble))
        else:
            with subprocess.Popen(publisher.program("pipe:1", *others), stdout=subprocess.PIPE) as encoder:
                assert encoder.stdout
                try:
                    send(options.url, troubled(tags(encoder.stdout), options.trouble))
                finally:
                    encoder.kill()
    except OSError as error:  # no such file, nobody there, hung up on
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def troubled(sent: Iterator[Tag], troubles: list[Callable[[Iterator[Tag]], Iterator[Tag]]]) -> Iterator[Tag]:
    """What is sent, after all of them."""
    for each in troubles:
        sent = each(sent)
    return sent


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
