"""Reading what H.264 and AAC say about themselves: picture size, profile, sample rate, RFC 6381 names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from origin.media.packets import AudioConfig, VideoConfig

_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_LC, _SBR, _PS = 2, 5, 29
_ANY = (1 << 32) - 2
_SPS = 7
_START_CODE = re.compile(rb"\0\0[\0-\2]")

# Real ones have 30 to 60 bytes; one with every scaling list has some 400. An AudioSpecificConfig has 2 to 10.
_MAX_AVCC_BYTES, _MAX_SPS_BYTES, _MAX_ASC_BYTES = 2048, 512, 64
_MAX_PPS = 16  # encoders send one, or one for each way of coding
# What streaming software sends ends at 4K: level 5.2 (H.264 table A-1) has room for 4096x2304. Beyond that a picture
# costs memory before it shows anything, and no browser gets it from us anyway.
_MAX_MACROBLOCKS, _MAX_SIDE, _MIN_SIDE = 36_864, 4096, 32
MAX_CODED_PIXELS = (4096 + 64) * (2304 + 64)  # the same for FFmpeg, which counts with its lines' alignment
_MAX_CROPPING = 64  # some hardware codes in blocks of this size
_SQUARE = (1, 1)
# H.264 table E-1, from aspect_ratio_idc 1 on.
_ASPECT_RATIOS = (
    _SQUARE, (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
_EXTENDED_SAR = 255
_BASELINE = 66  # it has no B slices (H.264 §A.2.1)
_IN_DECODING_ORDER = 2  # pic_order_cnt_type


class UnreadableConfigError(ValueError):
    """A decoder configuration that does not parse."""


class _Bits:
    """Reads from the front; every step costs as much as the bits that it takes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> int:
        start, end = self._position, self._position + count
        if end > len(self._data) * 8:
            raise UnreadableConfigError("ends early")
        self._position = end
        covering = int.from_bytes(self._data[start // 8 : -(-end // 8)], "big")
        return covering >> -end % 8 & ((1 << count) - 1)

    def golomb(self, highest: int, what: str) -> int:
        """ue(v) of H.264 §9.1, of a value that the standard or we allow up to this one."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise UnreadableConfigError(f"{what}: Exp-Golomb code of more than 32 bits")
        value = (1 << zeros) - 1 + self.take(zeros)
        if value > highest:
            raise UnreadableConfigError(f"{what} must be at most {highest}, got {value}")
        return value

    def signed_golomb(self) -> int:
        code = self.golomb(_ANY, "a signed value")
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a sequence parameter set says (H.264 §7.3.2.1.1); width and height in coded pixels."""

    width: int
    height: int
    profile: int
    bit_depth: int
    chroma_format: int  # 1 is 4:2:0
    progressive: bool
    aspect_ratio: tuple[int, int] = _SQUARE  # of one pixel, width to height (H.264 §E.2.1)
    # How many pictures may be decoded before one that is shown earlier; None where it is not said. No form of its own.
    reordered: int | None = field(default=None, compare=False)

    @property
    def pixels(self) -> int:
        """How many are coded: what decoding costs."""
        return self.width * self.height

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in square pixels, as browsers show it: never smaller than it is coded."""
        across, down = self.aspect_ratio
        if across >= down:
            return round(self.width * across / down), self.height
        return self.width, round(self.height * down / across)

    @property
    def described(self) -> str:
        """For people."""
        coded, shown = f"{self.width}x{self.height}", "{}x{}".format(*self.shown)
        return coded if coded == shown else f"{coded} shown as {shown}"

    @property
    def decodes_anywhere(self) -> bool:
        """Eight-bit 4:2:0, progressive, Baseline to High: what every browser's decoder takes."""
        return self.bit_depth == 8 and self.chroma_format == 1 and self.progressive and self.profile in {66, 77, 100}


def picture(config: VideoConfig) -> Picture:
    """What the first sequence parameter set of a configuration says.

    UnreadableConfigError if there is none, or any of them is broken or beyond our limits: a decoder may use any.
    """
    first, *_ = [read_sps(sps) for sps in parameter_sets(config)]
    return first


def parameter_sets(config: VideoConfig) -> list[bytes]:
    """The sequence parameter sets of a configuration, one at least; UnreadableConfigError."""
    avcc = config.avcc
    if len(avcc) > _MAX_AVCC_BYTES:
        raise UnreadableConfigError(f"has {len(avcc)} bytes; at most {_MAX_AVCC_BYTES} are taken")
    if len(avcc) < 9 or avcc[0] != 1 or not avcc[5] & 0x1F:
        raise UnreadableConfigError("no sequence parameter set")
    sets, position = [], 6
    for _ in range(avcc[5] & 0x1F):
        size = int.from_bytes(avcc[position : position + 2], "big")
        position += 2 + size
        if position > len(avcc):
            raise UnreadableConfigError("ends early")
        sets.append(avcc[position - size : position])
    return sets


def configuration(sps: bytes, pps: Sequence[bytes], *, length_bytes: int = 4) -> VideoConfig:
    """The record for parameter sets that came without one (ISO 14496-15 §5.3.3.1.2); UnreadableConfigError."""
    seen = read_sps(sps)
    avcc = bytes([1, *sps[1:4], 0xFC | length_bytes - 1, 0xE0 | 1]) + len(sps).to_bytes(2, "big") + sps
    avcc += bytes([len(pps)]) + b"".join(len(each).to_bytes(2, "big") + each for each in pps)
    if seen.profile in {100, 110, 122, 144}:
        depth = 0xF8 | seen.bit_depth - 8
        avcc += bytes([0xFC | seen.chroma_format, depth, depth, 0])
    if len(pps) > _MAX_PPS or len(avcc) > _MAX_AVCC_BYTES:
        raise UnreadableConfigError(f"has {len(pps)} picture parameter sets in {len(avcc)} bytes")
    return VideoConfig(avcc)


def picture_parameter_sets(config: VideoConfig) -> list[bytes]:
    """The others of a configuration, which say how pictures are coded; UnreadableConfigError."""
    avcc, sets = config.avcc, []
    position = 6 + sum(2 + len(sps) for sps in parameter_sets(config))
    count = avcc[position] if position < len(avcc) else 0
    position += 1
    for _ in range(count):
        size = int.from_bytes(avcc[position : position + 2], "big")
        position += 2 + size
        if position > len(avcc):
            raise UnreadableConfigError("ends early")
        sets.append(avcc[position - size : position])
    return sets


def read_sps(nal: bytes) -> Picture:
    """A sequence parameter set, as a NAL unit; UnreadableConfigError if it is broken or beyond our limits."""
    nal = nal.rstrip(b"\0")  # trailing zeros come from Annex B, and mean nothing
    if not nal or nal[0] & 0x9F != _SPS:
        raise UnreadableConfigError("no sequence parameter set")
    if len(nal) > _MAX_SPS_BYTES:
        raise UnreadableConfigError(f"a sequence parameter set of {len(nal)} bytes; at most {_MAX_SPS_BYTES} are taken")
    if _START_CODE.search(nal):  # decoders end the unit here, and would read another size than we do
        raise UnreadableConfigError("a start code within a sequence parameter set")
    bits = _Bits(nal[1:].replace(b"\x00\x00\x03", b"\x00\x00"))  # emulation prevention, §7.4.1
    profile = bits.take(8)
    bits.take(16)  # constraint flags and level
    bits.golomb(31, "seq_parameter_set_id")
    chroma_format, bit_depth = _samples(bits) if profile in _WITH_CHROMA else (1, 8)
    bits.golomb(12, "log2_max_frame_num_minus4")
    in_order = _skip_picture_order(bits) == _IN_DECODING_ORDER or profile == _BASELINE
    bits.golomb(16, "max_num_ref_frames")
    bits.take(1)
    columns = bits.golomb(_ANY, "width") + 1
    map_units = bits.golomb(_ANY, "height") + 1
    progressive = bool(bits.take(1))
    if not progressive:
        bits.take(1)
    bits.take(1)
    rows = map_units if progressive else map_units * 2
    width, height = columns * 16, rows * 16
    if columns * rows > _MAX_MACROBLOCKS or max(width, height) > _MAX_SIDE:
        raise UnreadableConfigError(f"pictures of {width}x{height} are too large; send at most 3840x2160")
    if bits.take(1):
        unit_x = 2 if chroma_format in {1, 2} else 1
        unit_y = (2 if chroma_format == 1 else 1) * (1 if progressive else 2)
        width -= _cropped(bits, unit_x)
        height -= _cropped(bits, unit_y)
    if min(width, height) < _MIN_SIDE:
        raise UnreadableConfigError(f"pictures of {width}x{height} are too small; send at least 32x32")
    has_usability = bool(bits.take(1))
    aspect_ratio = _aspect_ratio(bits) if has_usability else _SQUARE
    seen = Picture(
        width=width,
        height=height,
        profile=profile,
        bit_depth=bit_depth,
        chroma_format=chroma_format,
        progressive=progressive,
        aspect_ratio=aspect_ratio,
        reordered=0 if in_order else _reordered(bits) if has_usability else None,
    )
    if max(seen.shown) > _MAX_SIDE:
        raise UnreadableConfigError(f"pictures of {seen.described} are too large; send square pixels")
    return seen


def _aspect_ratio(bits: _Bits) -> tuple[int, int]:
    """Of a pixel, which is what the usability information begins with (H.264 §E.1.1); square where it is not said."""
    if not bits.take(1):
        return _SQUARE
    kind = bits.take(8)
    if kind == _EXTENDED_SAR:
        across, down = bits.take(16), bits.take(16)
        return (across, down) if across and down else _SQUARE
    return _ASPECT_RATIOS[kind - 1] if 1 <= kind <= len(_ASPECT_RATIOS) else _SQUARE


def _reordered(bits: _Bits) -> int | None:
    """max_num_reorder_frames, behind the aspect ratio (H.264 §E.1.1); None where it is not there, or cannot be read."""
    try:
        _skip_usability_up_to_restriction(bits)
        if not bits.take(1):
            return None
        bits.take(1)
        for what in ("bytes_per_pic", "bits_per_mb", "mv_length_horizontal", "mv_length_vertical"):
            bits.golomb(16, f"max_{what}")
        return bits.golomb(16, "max_num_reorder_frames")
    except UnreadableConfigError:
        return None  # encoders get this wrong, and decoders take no notice


def _skip_usability_up_to_restriction(bits: _Bits) -> None:
    if bits.take(1):  # overscan
        bits.take(1)
    if bits.take(1):  # video signal type
        bits.take(4)
        if bits.take(1):
            bits.take(24)
    if bits.take(1):  # chroma location
        bits.golomb(5, "chroma_sample_loc_type_top_field")
        bits.golomb(5, "chroma_sample_loc_type_bottom_field")
    if bits.take(1):  # timing
        bits.take(65)
    described = 0
    for _ in range(2):  # reference decoders: of NAL units, of the video coding layer
        if bits.take(1):
            _skip_reference_decoder(bits)
            described += 1
    bits.take(2 if described else 1)


def _skip_reference_decoder(bits: _Bits) -> None:
    """hrd_parameters (H.264 §E.1.2)."""
    count = bits.golomb(31, "cpb_cnt_minus1") + 1
    bits.take(8)
    for _ in range(count):
        bits.golomb(_ANY, "bit_rate_value_minus1")
        bits.golomb(_ANY, "cpb_size_value_minus1")
        bits.take(1)
    bits.take(20)


def _samples(bits: _Bits) -> tuple[int, int]:
    """Chroma format and bit depth."""
    chroma_format = bits.golomb(3, "chroma_format_idc")
    if chroma_format == 3:
        bits.take(1)
    bit_depth = 8 + max(bits.golomb(6, "bit_depth_luma_minus8"), bits.golomb(6, "bit_depth_chroma_minus8"))
    bits.take(1)
    if bits.take(1):
        _skip_scaling_lists(bits, 12 if chroma_format == 3 else 8)
    return chroma_format, bit_depth


def _cropped(bits: _Bits, unit: int) -> int:
    """What is cut off at two opposite sides. It fills macroblocks, and must not hide what decoding costs."""
    cut = (bits.golomb(_MAX_SIDE, "cropping") + bits.golomb(_MAX_SIDE, "cropping")) * unit
    if cut > _MAX_CROPPING:
        raise UnreadableConfigError(f"cropping must be at most {_MAX_CROPPING} pixels, got {cut}")
    return cut


def _skip_picture_order(bits: _Bits) -> int:
    """pic_order_cnt_type."""
    order_type = bits.golomb(2, "pic_order_cnt_type")
    if order_type == 0:
        bits.golomb(12, "log2_max_pic_order_cnt_lsb_minus4")
    elif order_type == 1:
        bits.take(1)
        bits.signed_golomb()
        bits.signed_golomb()
        for _ in range(bits.golomb(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.signed_golomb()
    return order_type


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for index in range(count):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed_golomb()) % 256
            last = following or last


def video_codec_name(config: VideoConfig) -> str:
    """RFC 6381 name, such as avc1.64001f."""
    return f"avc1.{config.avcc[1:4].hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What an AudioSpecificConfig says."""

    object_type: int
    core_sample_rate: int  # of the AAC core; HE-AAC plays at twice this rate
    channels: int
    samples_per_frame: int = 1024  # at the core's rate

    @property
    def codec_name(self) -> str:
        """RFC 6381 name: mp4a.40.2 for AAC-LC, .5 for HE-AAC, .29 for HE-AAC v2."""
        return f"mp4a.40.{self.object_type}"


def sound(config: AudioConfig) -> Sound:
    """What the configuration describes; UnreadableConfigError for anything but AAC-LC and HE-AAC."""
    if len(config.asc) > _MAX_ASC_BYTES:
        raise UnreadableConfigError(f"has {len(config.asc)} bytes; at most {_MAX_ASC_BYTES} are taken")
    bits = _Bits(config.asc)
    object_type = _object_type(bits)
    rate = _sample_rate(bits)
    channels = bits.take(4)
    if object_type in {_SBR, _PS}:
        _sample_rate(bits)
        if _object_type(bits) != _AAC_LC:
            raise UnreadableConfigError("HE-AAC over something else than AAC-LC; send AAC-LC")
    elif object_type != _AAC_LC:
        raise UnreadableConfigError(f"AAC object type {object_type}; send AAC-LC")
    if not 1 <= channels <= 7:
        raise UnreadableConfigError(f"channel configuration {channels}; send mono or stereo")
    return Sound(object_type=object_type, core_sample_rate=rate, channels=8 if channels == 7 else channels)


def _object_type(bits: _Bits) -> int:
    value = bits.take(5)
    return 32 + bits.take(6) if value == 31 else value


def _sample_rate(bits: _Bits) -> int:
    index = bits.take(4)
    if index == 15:
        rate = bits.take(24)
    elif index < len(_SAMPLE_RATES):
        rate = _SAMPLE_RATES[index]
    else:
        raise UnreadableConfigError(f"sample rate index {index}")
    # A frame is 1,024 samples: at 1 Hz it would last a quarter of an hour, at 16 MHz there were 16,000 a second.
    if not _SAMPLE_RATES[-1] <= rate <= _SAMPLE_RATES[0]:
        raise UnreadableConfigError(f"a sample rate of {rate} Hz; send 48000")
    return rate
