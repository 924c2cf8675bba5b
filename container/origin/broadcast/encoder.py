"""FFmpeg: one process that takes the source's pictures on its standard input and gives every encoded rendition.

Source and results are FLV on pipes, in the source's own milliseconds. Sound never goes through it.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from origin.allowance import Allowance
from origin.broadcast import confine
from origin.media import flv
from origin.media.codecs import MAX_CODED_PIXELS, Picture
from origin.media.packets import Media, VideoConfig, VideoPacket
from origin.packaging.ladder import RenditionPlan

_LOG = logging.getLogger(__name__)
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
# FFmpeg takes 110 MB and some 20 pictures of the source, 16 of which H.264 may have it keep (10 bits: twice that).
_MEMORY_BYTES, _MEMORY_BYTES_PER_PIXEL = 320 << 20, 96
_PROBE_BYTES, _LEAST_PROBE_BYTES = 5_000_000, 32
NOT_WORTH_A_LINE = b"not enough frames to estimate rate"  # that is what we ask for
_LINE_BYTES = 300
_PIECE_BYTES, _PAUSE_SECONDS = 1 << 14, 0.1
_LINES_A_SECOND, _LINES_AT_ONCE = 3, 20
_KEY_TOLERANCE_SECONDS = 0.005

Sink = Callable[[str, Media], None]


class Chatter:
    """What the FFmpegs of one broadcast say, as log lines: short ones, so many a second, and a count of the others."""

    def __init__(self, label: str) -> None:
        self.last = ""
        self._label = label
        self._allowance = Allowance(_LINES_A_SECOND, _LINES_AT_ONCE)
        self._left_out = 0

    def hear(self, line: bytes) -> bool:
        """Whether the line got into the log."""
        text = line[:_LINE_BYTES].decode("utf-8", "replace").strip()
        if not text or NOT_WORTH_A_LINE in line:
            return True
        self.last = text
        if not self._allowance.take(1, time.monotonic()):
            self._left_out += 1
            return False
        self.count()
        _LOG.warning("FFmpeg: %s", text, extra={"stream": self._label})
        return True

    def count(self) -> None:
        """Say how many lines were left out, if any were."""
        if self._left_out:
            _LOG.warning("FFmpeg: %s more lines", self._left_out, extra={"stream": self._label})
            self._left_out = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrames:
    """Where the renditions get their key frames: where the source has them, or every so many ms from a start.

    A start in ms also means that nothing before it comes out.
    """

    start_ms: int | None = None
    every_ms: int | None = None

    @property
    def arguments(self) -> list[str]:
        if self.every_ms is None:
            return ["-force_key_frames", "source"]
        every = self.every_ms / 1000 - _KEY_TOLERANCE_SECONDS
        return ["-force_key_frames", f"expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+{every:.3f}))"]


def arguments(
    source: Picture, renditions: Sequence[RenditionPlan], keys: KeyFrames, outputs: Sequence[int]
) -> list[str]:
    """The command line; rendition n goes to file descriptor outputs[n].

    One decode and a split. `-copyts`, `passthrough` and `-enc_time_base -1` keep every time as it came, to the tick.
    `-threads 1`: more would each hold back a picture. `-fpsprobesize 0`: the frame rate is not worth waiting for.
    `-probesize`: the first picture is enough for FFmpeg to begin with, where the source says how it orders them. Else
    FFmpeg looks at 7 to 20 pictures first, to see that: up to a second of OBS's, half a minute of slides.
    `area`: pictures as good as `bilinear` makes (SSIM within 0.001), at 5 % less for decoding, scaling and encoding.
    `bwdif`: one picture for each that came; a picture that says it is not interlaced goes through as it is.
    """
    whole = "" if source.progressive else "bwdif=mode=send_frame:deint=interlaced,"
    cut = f"trim=start={keys.start_ms / 1000:.3f}," if keys.start_ms is not None else ""
    split = "".join(f"[s{index}]" for index in range(len(renditions)))
    graph = f"[0:v:0]{cut}{whole}split={len(renditions)}{split}" + "".join(
        f";[s{index}]scale={rendition.width}:{rendition.height}:flags=area,setsar=1,format=yuv420p[v{index}]"
        for index, rendition in enumerate(renditions)
    )
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning", "-copyts"]
    command += ["-max_pixels", str(MAX_CODED_PIXELS)]  # a stream may change its size without saying so first
    command += ["-threads", "1", "-analyzeduration", "1000000"]
    command += ["-fpsprobesize", "0", "-probesize", str(_probe_bytes(source))]
    command += ["-f", "flv", "-i", "pipe:0", "-filter_complex_threads", "1", "-filter_complex", graph]
    for index, rendition in enumerate(renditions):
        kbps = rendition.rung.video_kbps
        command += ["-map", f"[v{index}]", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]
        command += ["-profile:v", "main", "-threads", "1", "-fps_mode", "passthrough", "-enc_time_base", "-1"]
        command += [*keys.arguments, "-g", "9999", "-keyint_min", "1", "-sc_threshold", "0"]
        command += ["-b:v", f"{kbps}k", "-maxrate", f"{kbps * 1.07:.0f}k", "-bufsize", f"{kbps}k"]
        command += ["-f", "flv", "-flvflags", "no_duration_filesize+no_metadata", "-flush_packets", "1"]
        command += [f"pipe:{outputs[index]}"]
    return command


def _probe_bytes(source: Picture) -> int:
    return _PROBE_BYTES if source.reordered is None else _LEAST_PROBE_BYTES


def memory_bytes(source: Picture, renditions: Sequence[RenditionPlan]) -> int:
    """The most that an FFmpeg for these gets: beyond that it ends, and not the task."""
    pixels = source.pixels + sum(plan.width * plan.height for plan in renditions)
    return _MEMORY_BYTES + _MEMORY_BYTES_PER_PIXEL * pixels


class Encoder:
    """One life of one FFmpeg: pictures go in, and the sink is called with what each rendition becomes."""

    def __init__(
        self,
        label: str,
        source: Picture,
        renditions: Sequence[RenditionPlan],
        keys: KeyFrames,
        sink: Sink,
        *,
        chatter: Chatter,
        after: "Encoder | None",
    ) -> None:
        """`after` is the encoder whose last pictures have to be out before this one's first."""
        self._label = label
        self._chatter = chatter
        self._source = source
        self._memory_bytes = memory_bytes(source, renditions)
        self._renditions = renditions
        self._keys = keys
        self._sink = sink
        self._after = after
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: list[bytes] = [flv.HEADER_VIDEO_ONLY]
        self._finished = False
        self.pictures_out = 0
        self.ended = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def configure(self, config: VideoConfig) -> None:
        self._write(flv.video_config_tag(config))

    def encode(self, packet: VideoPacket) -> None:
        self._write(flv.video_tag(packet))

    def finish(self) -> None:
        """No more pictures: let it give out what it still has, and end."""
        self._finished = True
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def abort(self) -> None:
        """End it as if it had crashed."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def kill(self) -> None:
        """End it now."""
        self._finished = True
        if self._after:
            self._after.kill()
        self.abort()

    @property
    def backlog_bytes(self) -> int:
        """What was given to it and it has not taken yet."""
        stdin = self._process.stdin if self._process else None
        return stdin.transport.get_write_buffer_size() if stdin and not stdin.is_closing() else 0

    @property
    def failed(self) -> bool:
        """It ended by itself."""
        return self.ended.is_set() and not self._finished

    def _write(self, data: bytes) -> None:
        if self._process is None:
            self._waiting.append(data)
        elif self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def _run(self) -> None:
        try:
            await self._encode()
        except flv.BrokenFlvError as error:
            _LOG.error("FFmpeg's output cannot be read: %s", error, extra={"stream": self._label})
        except Exception:  # noqa: BLE001 # it counts as a crash; the session decides what follows
            _LOG.exception("encoder failed", extra={"stream": self._label})
        finally:
            self.ended.set()

    async def _encode(self) -> None:
        pipes = [os.pipe() for _ in self._renditions]
        writers = [writer for _, writer in pipes]
        readers = [os.fdopen(reader, "rb", 0) for reader, _ in pipes]
        try:
            for writer in writers:
                _enlarge(writer)
            program, *options = arguments(self._source, self._renditions, self._keys, writers)
            process = await asyncio.create_subprocess_exec(
                *confine.command(shutil.which(program) or program, self._memory_bytes),
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=writers,
                env={},  # nothing of what origin was given: tokens, where credentials are
            )
        except BaseException:
            for file in readers:
                file.close()
            raise
        finally:
            for writer in writers:
                os.close(writer)
        self._process = process
        for data in self._waiting:
            self._write(data)
        self._waiting.clear()
        if self._finished:
            self.finish()
        outputs = [self._read(plan.name, file) for plan, file in zip(self._renditions, readers, strict=True)]
        try:
            await asyncio.gather(*outputs, self._log(process))
            code = await process.wait()
        except BaseException:
            self.kill()
            await process.wait()
            raise
        if not self._finished:
            _LOG.error("FFmpeg ended", extra={"stream": self._label, "code": code})

    async def _read(self, name: str, file: "os.PathLike[str] | object") -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        tags = flv.Reader()
        try:
            if self._after:
                await self._after.ended.wait()
                self._after = None
            while data := await reader.read(1 << 16):
                for media in tags.feed(data):
                    self.pictures_out += isinstance(media, VideoPacket)
                    self._sink(name, media)
        finally:
            transport.close()

    async def _log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        rest = b""
        while data := await process.stderr.read(_PIECE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[:_LINE_BYTES]
            written = [self._chatter.hear(line) for line in lines]
            if not all(written):
                await asyncio.sleep(_PAUSE_SECONDS)  # then it waits for us, and its chatter costs nobody else's time
        self._chatter.hear(rest)
        self._chatter.count()


def _enlarge(pipe: int) -> None:
    """More room than the usual 64 KiB, so that FFmpeg never waits for origin within a picture."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
