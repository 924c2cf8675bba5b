"""Silence as coded sound: what a track carries while its source sends none, because players stall where one ends."""

from origin.media.codecs import Sound
from origin.media.packets import AudioConfig

# 48 kHz stereo AAC-LC, what most streaming software sends: sound that begins late then often goes on in the same track.
MUTE_CONFIG = AudioConfig(bytes.fromhex("1190"))

_SINGLE, _PAIR, _LFE, _END = 0, 1, 3, 7  # ISO 14496-3 table 4.85
# ISO 14496-3 table 1.19: the elements of each number of channels.
_ELEMENTS = {
    1: (_SINGLE,),
    2: (_PAIR,),
    3: (_SINGLE, _PAIR),
    4: (_SINGLE, _PAIR, _SINGLE),
    5: (_SINGLE, _PAIR, _PAIR),
    6: (_SINGLE, _PAIR, _PAIR, _LFE),
    8: (_SINGLE, _PAIR, _PAIR, _PAIR, _LFE),
}
_INFO = "0" + "00" + "0" + "000000" + "0"  # ics_info: a long window, no scale factor bands, no prediction
_GAIN, _NO_TOOLS = "00000000", "000"  # global_gain; no pulses, no noise shaping, no gain control


def frame(sound: Sound) -> bytes:
    """A raw_data_block (ISO 14496-3 §4.4.2.1) without a single spectral coefficient; good for any sample rate."""
    bits, seen = "", dict.fromkeys((_SINGLE, _PAIR, _LFE), 0)
    for element in _ELEMENTS[sound.channels]:
        bits += f"{element:03b}{seen[element]:04b}"
        if element == _PAIR:
            channel = _GAIN + _NO_TOOLS
            bits += "1" + _INFO + "00" + channel + channel  # a common window, no mid/side stereo
        else:
            bits += _GAIN + _INFO + _NO_TOOLS
        seen[element] += 1
    bits += f"{_END:03b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
