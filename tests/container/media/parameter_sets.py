"""Sequence parameter sets of our choice, bit by bit."""

from origin.media.packets import VideoConfig


class Bits:
    """Writes what `codecs` reads."""

    def __init__(self) -> None:
        self._bits = ""

    def put(self, value: int, count: int) -> "Bits":
        self._bits += f"{value:0{count}b}"
        return self

    def golomb(self, *values: int) -> "Bits":
        for value in values:
            code = f"{value + 1:b}"
            self._bits += "0" * (len(code) - 1) + code
        return self

    def nal(self) -> bytes:
        """As a sequence parameter set, with emulation prevention."""
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        out, zeros = bytearray(b"\x67"), 0
        for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = 0 if byte else zeros + 1
        return bytes(out)


def sps(
    width: int = 640,
    height: int = 480,
    *,
    order: tuple[int, ...] = (2,),
    refs: int = 1,
    crop: tuple[int, ...] = (),
    aspect_ratio: tuple[int, ...] | None = None,
    profile: int = 66,
) -> bytes:
    """A parameter set of this size in whole macroblocks; aspect ratio as idc, or as 255, width and height."""
    bits = Bits().put(profile, 8).put(30, 16).golomb(0, 0, order[0])
    if order[0] == 0:
        bits.golomb(0)
    if order[0] == 1:
        bits.put(0, 1).golomb(0, 0, order[1]).golomb(*[0] * (order[1] if order[1] < 9999 else 4000))
    bits.golomb(refs).put(0, 1).golomb(width // 16 - 1, height // 16 - 1).put(1, 1).put(0, 1)
    bits.put(1 if crop else 0, 1).golomb(*crop).put(0 if aspect_ratio is None else 1, 1)
    if aspect_ratio is not None:
        bits.put(1 if aspect_ratio else 0, 1)
        for value, size in zip(aspect_ratio, (8, 16, 16), strict=False):
            bits.put(value, size)
        bits.put(0, 8)  # nothing else that is usable is said
    return bits.nal()


def avcc(*sets: bytes) -> VideoConfig:
    return VideoConfig(
        bytes([1, 66, 0, 30, 0xFF, 0xE0 | len(sets)]) + b"".join(len(s).to_bytes(2, "big") + s for s in sets)
    )
