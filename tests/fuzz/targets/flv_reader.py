"""What FFmpeg gives back, should a picture have taken it over."""

from origin.media import flv
from origin.media.packets import Media, VideoConfig, VideoPacket

SEEDS = [
    flv.HEADER_VIDEO_ONLY
    + flv.video_config_tag(VideoConfig(b"config"))
    + flv.video_tag(VideoPacket(5, 0, True, b"ab")),
    flv.HEADER_VIDEO_ONLY + b"\x09\xff\xff\xff" + bytes(20),
    flv.HEADER_VIDEO_ONLY + bytes(15) * 1000,
]


def run(data: bytes) -> None:
    """In one piece or in many: the same media."""
    assert _read([data]) == _read([data[start : start + 11] for start in range(0, len(data), 11)])


def _read(pieces: list[bytes]) -> list[Media]:
    reader, read = flv.Reader(), list[Media]()
    try:
        for piece in pieces:
            for media in reader.feed(piece):
                read.append(media)  # what came before an error counts as well
    except flv.BrokenFlvError:
        pass
    return read
