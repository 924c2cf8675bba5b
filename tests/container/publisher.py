"""A publisher whose pictures can be read back: each carries a number as black and white blocks along its top.

Run as a program it is one broadcast in real time: `python publisher.py URL [options]`. The number is the picture's
index, or with `--clock` the wall clock in ms, modulo 2**20; four more bits are a checksum. SIGTERM is the end of the
show: it ends with a whole GOP, and says how many pictures it had.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

BITS, CHECK_BITS, COLUMNS = 20, 4, 32
LEFT = (COLUMNS - BITS - CHECK_BITS) // 2
BLACK, WHITE = 16, 235


def checksum(number: int) -> int:
    return (number ^ number >> 4 ^ number >> 8 ^ number >> 12 ^ number >> 16) & 15


def blocks(number: int) -> list[bool]:
    """The columns of a picture's top band, left to right; True is white."""
    number &= (1 << BITS) - 1
    word = number << CHECK_BITS | checksum(number)
    bits = [bool(word >> shift & 1) for shift in range(BITS + CHECK_BITS - 1, -1, -1)]
    return [False] * LEFT + bits + [False] * (COLUMNS - LEFT - len(bits))


def read_blocks(row: bytes) -> int | None:
    """The number in one row of 32 grey values; None if the checksum does not fit."""
    word = 0
    for value in row[LEFT : LEFT + BITS + CHECK_BITS]:
        word = word << 1 | (value > 125)
    number, check = word >> CHECK_BITS, word & 15
    return number if checksum(number) == check else None


class Card:
    """Moving pictures of one size, made once; only the blocks change."""

    def __init__(self, width: int, height: int, variants: int = 30) -> None:
        self.width, self.height = width, height
        self.band = max(2, height // 15 // 2 * 2)
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        noise = np.random.default_rng(1).integers(0, 24, (height, width))
        self._pictures: list[npt.NDArray[np.uint8]] = []
        for variant in range(variants):
            shift = variant * 2 * width // variants
            luma = (60 + (columns + rows + shift) * 120 // width % 120 + noise).astype(np.uint8)
            chroma = np.full(width * height // 2, 120 + variant % 16, np.uint8)
            self._pictures.append(np.concatenate([luma.ravel(), chroma]))

    def picture(self, index: int, number: int) -> bytes:
        """A yuv420p picture with this number in it."""
        frame = self._pictures[index % len(self._pictures)].copy()
        columns = np.repeat(np.array([WHITE if bit else BLACK for bit in blocks(number)], np.uint8), self.width // 32)
        row = np.concatenate([columns, np.full(self.width - columns.size, BLACK, np.uint8)])
        frame[: self.width * self.band] = np.tile(row, self.band)
        size = self.width * self.height
        for plane in range(2):
            start = size + plane * size // 4
            frame[start : start + self.width // 2 * (self.band // 2)] = 128
        return frame.tobytes()


def command(options: argparse.Namespace) -> list[str]:
    """FFmpeg's arguments for these options."""
    width, height = options.size.split("x")
    parts = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    parts += ["-s", f"{width}x{height}", "-r", str(options.rate), "-thread_queue_size", "64"]
    parts += ["-probesize", "32", "-fpsprobesize", "0", "-i", "pipe:0"]
    if options.audio != "none":
        sound = f"sine=frequency=300:beep_factor=4:sample_rate={options.audio_rate}"
        parts += ["-f", "lavfi", "-i", f"{sound},aformat=channel_layouts={options.channels}{options.audio_filter}"]
    parts += ["-map", "0:v"] + (["-map", "1:a"] if options.audio != "none" else [])
    if options.filter:
        parts += ["-vf", options.filter, "-fps_mode", "vfr"]
    parts += ["-c:v", "libx264", "-preset", options.preset, "-b:v", f"{options.kbps}k", "-maxrate", f"{options.kbps}k"]
    parts += ["-bufsize", f"{options.kbps}k", "-g", str(options.gop), "-threads", str(options.threads)]
    if not options.scene_cut:
        parts += ["-keyint_min", str(min(options.gop, 250)), "-sc_threshold", "0"]
    if options.obs:
        parts += ["-bf", "3", "-profile:v", "high", "-x264-params", "nal-hrd=cbr"]
    else:
        parts += ["-tune", "zerolatency"]
    parts += options.extra
    if options.audio != "none":
        parts += ["-c:a", options.audio, "-b:a", "96k"]
    # Sound that is meant to end or to pause takes the picture neither along nor, by the muxer's patience, up.
    parts += ["-max_interleave_delta", "100000"] if options.audio_filter else ["-shortest"]
    return [*parts, "-flush_packets", "1", "-f", "flv", options.url]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--gop", type=int, default=60)
    parser.add_argument("--kbps", type=int, default=500)
    parser.add_argument("--preset", default="ultrafast")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--obs", action="store_true", help="B-frames and look-ahead, as OBS has them")
    parser.add_argument("--scene-cut", action="store_true", help="let the encoder place more key frames")
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--audio", default="aac")
    parser.add_argument("--audio-rate", type=int, default=48000)
    parser.add_argument("--channels", default="stereo")
    parser.add_argument("--audio-filter", default="", help="more of lavfi's graph, with its leading comma")
    parser.add_argument("--filter", default="")
    parser.add_argument("--extra", action="append", default=[])
    return parser.parse_args(arguments)


def program(url: str, *options: str) -> list[str]:
    """How to start it. A streamer's machine is another one: what is tested here does not take its processor away."""
    ahead = ["nice", "-n", "-10"] if os.geteuid() == 0 else []
    return [*ahead, sys.executable, str(Path(__file__)), url, *options]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    width, height = (int(side) for side in options.size.split("x"))
    card = Card(width, height)
    process = subprocess.Popen(command(options), stdin=subprocess.PIPE)
    assert process.stdin
    began = time.time()
    index = 0
    try:
        while index < options.seconds * options.rate and not (over.is_set() and index % options.gop == 0):
            wait = began + index / options.rate - time.time()
            if wait > 0:
                time.sleep(wait)
            number = int(time.time() * 1000) if options.clock else index
            process.stdin.write(card.picture(index, number))
            index += 1
        process.stdin.close()
    except BrokenPipeError:
        pass
    code = process.wait()
    sys.stdout.write(f"{index}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
