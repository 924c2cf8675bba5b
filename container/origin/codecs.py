"""Reading what H.264 and AAC say about themselves: picture size, profile, sample rate, RFC 6381 names."""

from dataclasses import dataclass

from origin.media import AudioConfig, VideoConfig

_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_LC, _SBR, _PS = 2, 5, 29


class UnreadableConfigError(ValueError):
    """A decoder configuration that does not parse."""


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise UnreadableConfigError("ends early")
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """ue(v) of H.264 §9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise UnreadableConfigError("Exp-Golomb code of more than 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a sequence parameter set says (H.264 §7.3.2.1.1)."""

    width: int
    height: int
    profile: int
    bit_depth: int
    chroma_format: int  # 1 is 4:2:0
    progressive: bool

    @property
    def short_side(self) -> int:
        return min(self.width, self.height)

    @property
    def decodes_anywhere(self) -> bool:
        """Eight-bit 4:2:0, progressive, Baseline to High: what every browser's decoder takes."""
        return self.bit_depth == 8 and self.chroma_format == 1 and self.progressive and self.profile in {66, 77, 100}


def picture(config: VideoConfig) -> Picture:
    """The first sequence parameter set of a configuration; UnreadableConfigError if there is none or it is broken."""
    avcc = config.avcc
    if len(avcc) < 9 or avcc[0] != 1 or not avcc[5] & 0x1F:
        raise UnreadableConfigError("no sequence parameter set")
    size = int.from_bytes(avcc[6:8], "big")
    nal = avcc[8 : 8 + size].replace(b"\x00\x00\x03", b"\x00\x00")
    bits = _Bits(nal[1:])
    profile = bits.take(8)
    bits.take(16)  # constraint flags and level
    bits.golomb()  # seq_parameter_set_id
    chroma_format, bit_depth = 1, 8
    if profile in _WITH_CHROMA:
        chroma_format = bits.golomb()
        if chroma_format == 3:
            bits.take(1)
        bit_depth = 8 + bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma_format == 3 else 8)
    bits.golomb()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    width = (bits.golomb() + 1) * 16
    map_units = (bits.golomb() + 1) * 16
    progressive = bool(bits.take(1))
    if not progressive:
        bits.take(1)
    bits.take(1)
    height = map_units if progressive else map_units * 2
    if bits.take(1):
        unit_x = 2 if chroma_format in {1, 2} else 1
        unit_y = (2 if chroma_format == 1 else 1) * (1 if progressive else 2)
        width -= (bits.golomb() + bits.golomb()) * unit_x
        height -= (bits.golomb() + bits.golomb()) * unit_y
    if width <= 0 or height <= 0:
        raise UnreadableConfigError("a picture without size")
    return Picture(
        width=width,
        height=height,
        profile=profile,
        bit_depth=bit_depth,
        chroma_format=chroma_format,
        progressive=progressive,
    )


def _skip_picture_order(bits: _Bits) -> None:
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.signed_golomb()
        bits.signed_golomb()
        for _ in range(bits.golomb()):
            bits.signed_golomb()


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
    bits = _Bits(config.asc)
    object_type = _object_type(bits)
    rate = _sample_rate(bits)
    channels = bits.take(4)
    if object_type in {_SBR, _PS}:
        _sample_rate(bits)
        if _object_type(bits) != _AAC_LC:
            raise UnreadableConfigError("HE-AAC over something else than AAC-LC")
    elif object_type != _AAC_LC:
        raise UnreadableConfigError(f"AAC object type {object_type}; send AAC-LC")
    if not 1 <= channels <= 7:
        raise UnreadableConfigError(f"channel configuration {channels}")
    return Sound(object_type=object_type, core_sample_rate=rate, channels=8 if channels == 7 else channels)


def _object_type(bits: _Bits) -> int:
    value = bits.take(5)
    return 32 + bits.take(6) if value == 31 else value


def _sample_rate(bits: _Bits) -> int:
    index = bits.take(4)
    rate = bits.take(24) if index == 15 else dict(enumerate(_SAMPLE_RATES)).get(index, 0)
    if not rate:
        raise UnreadableConfigError(f"sample rate index {index}")
    return rate
