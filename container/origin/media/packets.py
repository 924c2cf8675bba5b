"""What travels between the modules: coded pictures and sound with their times, and what is needed to decode them.

Times are whole milliseconds, the clock of RTMP and FLV, from one common zero for a publish session. Keeping to it
everywhere makes renditions agree to the tick by construction: nothing is ever rounded twice.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoPacket:
    """One coded picture, as length-prefixed NAL units (ISO 14496-15)."""

    dts: int
    cts: int  # presentation minus decoding time
    key: bool
    data: bytes

    @property
    def pts(self) -> int:
        """Presentation time, ms."""
        return self.dts + self.cts


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One raw AAC frame."""

    dts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """An AVCDecoderConfigurationRecord (ISO 14496-15 §5.3.3)."""

    avcc: bytes


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """An AudioSpecificConfig (ISO 14496-3 §1.6.2.1)."""

    asc: bytes


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the publisher says that it will send (onMetaData)."""

    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that browsers or our ladder cannot take; the text names it for the streamer."""

    what: str


Media = VideoPacket | AudioPacket | VideoConfig | AudioConfig | Metadata | Unsupported
