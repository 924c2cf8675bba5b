"""Reading and writing media: RTMP chunks, FLV tags, H.264 and AAC headers, fragmented MP4."""

import contextlib
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin.ingest import rtmp
from origin.media import flv, fmp4, silence
from origin.media.codecs import UnreadableConfigError, picture, sound, video_codec_name
from origin.media.packets import AudioConfig, AudioPacket, Media, Unsupported, VideoConfig, VideoPacket

from tests.container import mp4
from tests.container.media.parameter_sets import avcc, sps

AAC_LC_48K, AAC_LC_44K_MONO = AudioConfig(b"\x11\x90"), AudioConfig(b"\x12\x08")
HE_AAC = AudioConfig(bytes.fromhex("2b118800"))


def chunks(messages: list[rtmp.Message], size: int) -> bytes:
    """Messages as a server would send them, with their timestamps."""
    data = bytearray(rtmp.write_message(2, rtmp.SET_CHUNK_SIZE, 0, struct.pack(">I", size)))
    for message in messages:
        extended = message.timestamp >= 0xFFFFFF
        field = 0xFFFFFF if extended else message.timestamp
        tail = struct.pack(">I", message.timestamp) if extended else b""
        head = field.to_bytes(3, "big") + len(message.body).to_bytes(3, "big") + bytes([message.kind])
        data += bytes([message.kind & 0x3F]) + head + struct.pack("<I", message.stream) + tail + message.body[:size]
        for start in range(size, len(message.body), size):
            data += bytes([0xC0 | message.kind]) + tail + message.body[start : start + size]
    return bytes(data)


messages = st.builds(
    rtmp.Message,
    kind=st.sampled_from([rtmp.AUDIO, rtmp.VIDEO, rtmp.DATA]),
    timestamp=st.integers(0, 2**32 - 1),
    stream=st.just(1),
    body=st.binary(max_size=700),
)


@given(st.lists(messages, max_size=8), st.integers(1, 300), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_messages_survive_any_chunking(sent: list[rtmp.Message], size: int, pieces: list[int]) -> None:
    """Any chunk size, any extended timestamp, any division by the network."""
    data = chunks(sent, size)
    received: list[rtmp.Message] = []
    reader, position = rtmp.ChunkReader(), 0
    for index in range(len(data)):
        step = pieces[index % len(pieces)]
        received += reader.feed(data[position : position + step])
        position += step
        if position >= len(data):
            break
    assert received == sent


def test_timestamps_add_up_over_shortened_headers() -> None:
    """Header forms 1 and 2 carry differences (§5.3.1.2)."""
    first = b"\x09" + (100).to_bytes(3, "big") + (1).to_bytes(3, "big") + b"\x09" + struct.pack("<I", 1) + b"a"
    second = b"\x49" + (40).to_bytes(3, "big") + (2).to_bytes(3, "big") + b"\x09" + b"bb"
    third = b"\x89" + (33).to_bytes(3, "big") + b"cc"
    fourth = b"\xc9" + b"dd"
    read = list(rtmp.ChunkReader().feed(first + second + third + fourth))
    assert [(message.timestamp, message.body) for message in read] == [
        (100, b"a"),
        (140, b"bb"),
        (173, b"cc"),
        (206, b"dd"),
    ]


@given(
    st.lists(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20)
        | st.dictionaries(st.text(min_size=1, max_size=5), st.floats(allow_nan=False), max_size=3),
        max_size=5,
    )
)  # fmt: skip
def test_amf_values_survive(values: list[object]) -> None:
    assert rtmp.amf_decode(rtmp.amf_encode(*values)) == values


@given(st.binary(max_size=60))
def test_amf_garbage_does_no_harm(data: bytes) -> None:
    """Whatever arrives, values come out, as far as they can be read."""
    assert isinstance(rtmp.amf_decode(data), list)


def test_metadata_as_publishers_send_it_is_read() -> None:
    """An ECMA array after two strings."""
    array = b"\x08\x00\x00\x00\x02" + rtmp._amf_name("audiocodecid") + rtmp.amf_encode(10)
    array += rtmp._amf_name("width") + rtmp.amf_encode(1280.0) + b"\0\0\x09"
    values = rtmp.amf_decode(rtmp.amf_encode("@setDataFrame", "onMetaData") + array)
    assert values == ["@setDataFrame", "onMetaData", {"audiocodecid": 10, "width": 1280}]


@given(
    st.lists(
        st.builds(
            VideoPacket,
            dts=st.integers(0, 2**32 - 1),
            cts=st.integers(-(2**23), 2**23 - 1),
            key=st.booleans(),
            data=st.binary(min_size=1, max_size=200),
        ),
        max_size=5,
    ),
    st.integers(1, 100),
)
def test_pictures_survive_flv_in_any_pieces(packets: list[VideoPacket], step: int) -> None:
    data = flv.HEADER_VIDEO_ONLY + flv.video_config_tag(VideoConfig(b"config"))
    data += b"".join(flv.video_tag(packet) for packet in packets)
    read: list[Media] = []
    reader = flv.Reader()
    for start in range(0, len(data), step):
        read += reader.feed(data[start : start + step])
    assert read == [VideoConfig(b"config"), *packets]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\x90hvc1x", "HEVC"),
        (b"\x22abcdef", "H.263"),
        (b"\x2cabcdef", "number 12"),
    ],
)
def test_fails_when_the_picture_is_not_h264(body: bytes, said: str) -> None:
    media = flv.parse_video(body, 0)
    assert isinstance(media, Unsupported)
    assert said in media.what
    assert "send H.264" in media.what


def test_fails_when_the_sound_is_not_aac() -> None:
    media = flv.parse_audio(b"\x2fabc", 0)
    assert isinstance(media, Unsupported)
    assert media.what == "audio codec MP3; send AAC"


@pytest.mark.parametrize("body", [b"", b"\x17", b"\x17\x02\x00\x00\x00", b"\x17\x01\x00\x00\x00"])
def test_empty_messages_carry_nothing(body: bytes) -> None:
    assert flv.parse_video(body, 0) is None


def test_sound_packets_are_told_from_their_configuration() -> None:
    assert flv.parse_audio(b"\xaf\x00\x11\x90", 5) == AAC_LC_48K
    assert flv.parse_audio(b"\xaf\x01xyz", 5) == AudioPacket(5, b"xyz")
    assert flv.parse_audio(b"\xaf\x01", 5) is None


@given(st.binary(max_size=80))
def test_garbage_in_decoder_configurations_is_told(data: bytes) -> None:
    """Whatever a publisher sends: a picture and a sound to work with, or an error of ours."""
    with contextlib.suppress(UnreadableConfigError):
        read = picture(VideoConfig(data))
        assert min(read.width, read.height) > 0
    with contextlib.suppress(UnreadableConfigError):
        heard = sound(AudioConfig(data))
        assert heard.core_sample_rate > 0
        assert silence.frame(heard)


@pytest.mark.parametrize("asc", ["1780000008", "1690"], ids=["of-zero", "reserved"])
def test_fails_when_the_sample_rate_is_none(asc: str) -> None:
    with pytest.raises(UnreadableConfigError, match="sample rate"):
        sound(AudioConfig(bytes.fromhex(asc)))


def encoded(size: str, *more: str) -> list[Media]:
    """Two pictures of this size, as x264 writes them."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=s={size}:r=30", "-frames:v", "2"]
    command += ["-c:v", "libx264", *([] if "-pix_fmt" in more else ["-pix_fmt", "yuv420p"]), *more, "-f", "flv", "-"]
    return list(flv.Reader().feed(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout))


@pytest.mark.parametrize(
    ("size", "more", "plays_anywhere"),
    [
        ("1280x720", "", True),
        ("720x1280", "", True),
        ("1920x1080", "", True),
        ("426x240", "-profile:v baseline", True),
        ("854x480", "-aspect 4:3 -bf 3", True),
        ("640x360", "-pix_fmt yuv422p", False),
        ("640x360", "-pix_fmt yuv444p", False),
        ("640x360", "-pix_fmt yuv420p10le", False),
        ("720x576", "-flags +ildct+ilme -x264-params tff=1", False),
        ("642x362", "-x264-params cqm=jvt", True),
    ],
)
def test_picture_size_is_read_from_what_x264_writes(size: str, more: str, *, plays_anywhere: bool) -> None:
    media = encoded(size, *more.split())
    assert isinstance(media[0], VideoConfig)
    read = picture(media[0])
    assert f"{read.width}x{read.height}" == size
    assert read.decodes_anywhere == plays_anywhere
    assert video_codec_name(media[0]) == f"avc1.{media[0].avcc[1:4].hex()}"
    assert any(isinstance(each, VideoPacket) and each.key for each in media)


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (None, (640, 480)),
        ((), (640, 480)),
        ((0,), (640, 480)),  # unspecified
        ((1,), (640, 480)),
        ((2,), (698, 480)),  # 12:11
        ((3,), (640, 528)),  # 10:11
        ((14,), (853, 480)),  # 4:3
        ((16,), (1280, 480)),  # 2:1
        ((17,), (640, 480)),  # reserved
        ((254,), (640, 480)),
        ((255, 4, 3), (853, 480)),
        ((255, 3, 4), (640, 640)),
        ((255, 64, 45), (910, 480)),
        ((255, 1, 65_535), None),
        ((255, 7, 1), None),
        ((255, 0, 1), (640, 480)),
        ((255, 1, 0), (640, 480)),
    ],
)
def test_shape_follows_the_shape_of_pixels(ratio: tuple[int, ...] | None, shown: tuple[int, int] | None) -> None:
    config = avcc(sps(aspect_ratio=ratio))
    if shown:
        assert picture(config).shown == shown
        return
    with pytest.raises(UnreadableConfigError, match=r"640x480 shown as \d+x\d+ are too large; send square pixels"):
        picture(config)


def test_shape_of_pixels_is_read_from_what_x264_writes() -> None:
    config = encoded("360x288", "-vf", "setsar=64/45")[0]
    assert isinstance(config, VideoConfig)
    read = picture(config)
    assert (read.described, read.aspect_ratio) == ("360x288 shown as 512x288", (64, 45))


@pytest.mark.parametrize(
    ("more", "reordered"),
    [
        ("-profile:v baseline", 0),
        ("-bf 0", 0),
        ("-bf 1 -x264-params b-pyramid=none", 1),
        ("-bf 3 -x264-params b-pyramid=normal", 2),
        (
            "-bf 3 -x264-params b-pyramid=normal:nal-hrd=cbr:chromaloc=2 -b:v 1M -maxrate 1M -bufsize 1M",
            2,
        ),
        ("-bf 3 -colorspace bt709 -color_primaries bt709 -x264-params overscan=show", 2),
        ("-bf 2 -bsf:v filter_units=remove_types=6,h264_metadata=tick_rate=50", 2),
    ],
)
def test_how_pictures_are_ordered_is_read_from_what_x264_writes(more: str, reordered: int) -> None:
    config = encoded("360x288", *more.split())[0]
    assert isinstance(config, VideoConfig)
    assert picture(config).reordered == reordered


@pytest.mark.parametrize("cut", [0, 1, 2], ids=["says-nothing-of-it", "cut-off", "not-there"])
def test_order_that_is_not_said_or_cut_off_is_not_known(cut: int) -> None:
    main = sps(profile=77, order=(0,), aspect_ratio=(1,) if cut < 2 else None)
    assert picture(avcc(main[:-1] if cut == 1 else main)).reordered is None
    assert picture(avcc(sps(profile=77, order=(2,)))).reordered == 0


def test_sound_formats_are_named() -> None:
    assert (sound(AAC_LC_48K).codec_name, sound(AAC_LC_48K).core_sample_rate) == ("mp4a.40.2", 48000)
    assert (sound(AAC_LC_44K_MONO).core_sample_rate, sound(AAC_LC_44K_MONO).channels) == (44100, 1)
    assert (sound(HE_AAC).codec_name, sound(HE_AAC).core_sample_rate) == ("mp4a.40.5", 24000)


@pytest.mark.parametrize(
    ("asc", "said"), [(b"\x0a\x10", "object type 1"), (b"\x16\x80", "sample rate index 13"), (b"", "early")]
)
def test_fails_when_the_sound_format_is_no_aac_for_browsers(asc: bytes, said: str) -> None:
    with pytest.raises(UnreadableConfigError, match=said):
        sound(AudioConfig(asc))


def test_fragment_says_what_is_in_it() -> None:
    video = [
        fmp4.Sample(900_000 + n * 3000, 3000, bytes([n]) * (n + 1), cts=n * 100 - 100, key=n == 0) for n in range(4)
    ]
    audio = [fmp4.Sample(480_000 + n * 1024, 1024, b"x" * 7) for n in range(3)]
    data = fmp4.fragment(7, 0, video, audio)
    read = mp4.samples(data)
    assert [(s.dts, s.duration, s.cts, s.key, s.size) for s in read[1]] == [
        (s.dts, s.duration, s.cts, s.key, len(s.data)) for s in video
    ]
    assert [(s.dts, s.duration, s.size) for s in read[2]] == [(s.dts, s.duration, 7) for s in audio]
    start, end = next((a, b) for name, a, b in mp4.boxes(data) if name == b"mdat")
    assert data[start:end] == b"".join(s.data for s in [*video, *audio])


def test_fragment_may_lack_sound() -> None:
    assert set(mp4.samples(fmp4.fragment(1, 0, [fmp4.Sample(0, 1, b"x")], []))) == {1}
    assert mp4.samples(fmp4.fragment(1, 90, [], [])) == {1: []}
