"""Real processes for tests: an origin with its nginx and backend, publishers, and viewers that check what they get."""

import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import rtmp_module
from origin.settings import Settings

from tests.container import checker, image, mp4, publisher
from tests.container.image import PATIENCE_SECONDS
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "container"

# Small pictures: where the size is not the point, they leave the machine to the thing that is tested.
LADDER = [
    {"name": "720p", "height": 288, "video_kbps": 700, "audio_kbps": 96},
    {"name": "480p", "height": 216, "video_kbps": 400, "audio_kbps": 96},
    {"name": "360p", "height": 144, "video_kbps": 250, "audio_kbps": 96},
]
NAMES = [str(rung["name"]) for rung in LADDER]


def eventually(probe: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true answer; a failure says what was answered last."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; last seen: {answer!r}")
        time.sleep(0.05)


class Fetched:
    """An HTTP response."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return body.decode()


class Web:
    """One keep-alive connection to a port on loopback."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def fetch(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Fetched:
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, headers=headers or {})
                response = self._connection.getresponse()
                body = response.read()
            except (http.client.HTTPException, ConnectionError):
                self._connection.close()
                if attempt == 2:
                    raise
            else:
                names = {name.lower(): value for name, value in response.getheaders()}
                return Fetched(response.status, names, body)
        raise AssertionError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


class Backend:
    """The stand-in for the backend, with a table of keys."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen([sys.executable, str(CONTAINER / "local_backend.py"), str(self.port)])
        try:
            eventually(self._up, "stand-in backend")
        except BaseException:
            self._process.kill()
            raise

    def _up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE_SECONDS):  # loopback
                return True
        except OSError:
            return False

    def new_key(self) -> tuple[str, str]:
        """A stream key and its playback id."""
        with Web(self.port) as web:
            answer = json.loads(web.fetch("/api/streaming/generate-key", "POST").body)
        return answer["streamKey"], answer["playbackId"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)


class Origin:
    """The image's entry point, locked down as on Fargate; ORIGIN=native for a quick try of what is in the tree."""

    def __init__(self, backend_url: str, **settings: object) -> None:
        self.http_port, self.rtmp_port, self.hooks_port = free_ports(3)
        environment: dict[str, object] = {
            "BACKEND_URL": backend_url,
            "CORS_ALLOW_ORIGIN": "*",  # pages of tests have other ports
            "HTTP_HOST": "127.0.0.1",
            "RTMP_HOST": "127.0.0.1",
            "HTTP_PORT": self.http_port,
            "RTMP_PORT": self.rtmp_port,
            "HOOKS_PORT": self.hooks_port,
            "LADDER": json.dumps(LADDER),
            "MAX_STREAMS": 50,
            # No test is about an encoder that falls behind, but for those that say so: on a slow machine it only lags.
            "ENCODER_PATIENCE_SECONDS": PATIENCE_SECONDS,
        } | settings
        self._folder = tempfile.TemporaryDirectory(prefix="origin-test-")
        if os.environ.get("ORIGIN") == "native" or "PATH" in settings:  # a test's own programs are not in the image
            command = [sys.executable, "-m", "origin"]
            native = {"PYTHONPATH": CONTAINER, "RUNTIME_DIR": self._folder.name, "RTMP_MODULE": rtmp_module.build()}
            environment = {**os.environ, **native} | environment
        else:
            built = image.build()
            command = built.in_place()
            environment = {**built.environment} | environment
        # A file and no pipe: what the origin said before it did something is there as soon as that is seen.
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - open for as long as the origin is
        self._read = bytearray()
        self.process = subprocess.Popen(
            command,
            env={name: str(value) for name, value in environment.items()},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(self._up, "origin")
        except BaseException:
            self.process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def lines(self) -> list[str]:
        """What it has said by now."""
        # Not read(): the position belongs to the process that writes as well.
        self._read += os.pread(self._output.fileno(), os.fstat(self._output.fileno()).st_size, len(self._read))
        return self._read.decode(errors="replace").split("\n")[:-1]

    def _up(self) -> bool:
        assert self.process.poll() is None, f"origin ended: {self.lines[-5:]}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.rtmp_port), timeout=1):
            return self.fetch("/health").status == 200
        return False

    @property
    def runtime_dir(self) -> str:
        """Its folder, as seen from here."""
        environment = Path(f"/proc/{self.process.pid}/environ").read_bytes().split(b"\0")
        given = dict(line.partition(b"=")[::2] for line in environment).get(b"RUNTIME_DIR")
        folder = given.decode() if given else Settings.model_fields["runtime_dir"].default
        return f"/proc/{self.process.pid}/root{folder}"

    def worker(self, playback_id: str) -> int:
        """The process id of the nginx worker that has a stream, as long as each has one at most."""
        instance = next(each["instance"] for each in self.status()["streams"] if each["stream"] == playback_id)
        pid: int = next(each["worker_pid"] for each in self.status()["ingest"] if each["instance"] == instance)
        return pid

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def messages(self, text: str) -> list[dict[str, Any]]:
        """Log lines whose message contains this."""
        return [line for line in self.logs if text in line.get("message", "")]

    def metrics(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if name in line and "_aws" in line]

    def fetch(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Fetched:
        with Web(self.http_port) as web:
            return web.fetch(path, method, headers)

    def status(self) -> dict[str, Any]:
        with Web(self.hooks_port) as web:
            answer: dict[str, Any] = json.loads(web.fetch("/status").body)
            return answer

    def stream(self, playback_id: str) -> dict[str, Any] | None:
        """The status of a live stream."""
        return next((each for each in self.status()["streams"] if each["stream"] == playback_id), None)

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code; asked once more where it is given no time for live broadcasts."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            eventually(
                lambda: self.process.poll() is not None or self.messages("draining"), "the first SIGTERM to work"
            )
            self.process.send_signal(signal.SIGTERM)
        code = self.wait(seconds)
        self._folder.cleanup()
        return code

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return code


class Publisher:
    """A broadcast by tests/container/publisher.py, or by any FFmpeg command."""

    def __init__(
        self, origin: Origin, key: str, *options: str, program: Callable[..., list[str]] = publisher.program
    ) -> None:
        url = f"rtmp://127.0.0.1:{origin.rtmp_port}/live/{key}"
        # A session of its own: stopping the publisher takes its FFmpeg along.
        self.process = subprocess.Popen(
            program(url, *options), start_new_session=True, stdout=subprocess.PIPE, text=True
        )

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def freeze(self) -> None:
        """Go silent with the connection left open: what a dead network looks like from the other side."""
        self.signal(signal.SIGSTOP)

    def stop(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        return self.process.wait(seconds)

    def finish(self) -> int:
        """The end of the show; how many pictures it had."""
        self.process.terminate()
        shown, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0
        return int(shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Follower(threading.Thread):
    """A low-latency viewer of one rendition: blocking reloads, every part, every playlist checked."""

    def __init__(
        self, origin: Origin, playback_id: str, rendition: str, *, renditions: int = 3, uneven: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self.rendition = rendition
        self.checker = checker.Checker(renditions=renditions, uneven=uneven)
        self.parts: dict[int, dict[str, bytes]] = {}
        self.segments: dict[int, checker.Segment] = {}
        self.inits: dict[str, bytes] = {}
        self.problem: BaseException | None = None
        self.ended = False
        self._origin = origin
        self._base = f"/hls/{playback_id}/{rendition}"
        self._halt = threading.Event()
        self.start()

    def run(self) -> None:
        try:
            with Web(self._origin.http_port) as web:
                self._follow(web)
        except BaseException as error:  # noqa: BLE001 # shown by whoever waits for this thread
            self.problem = error

    def _follow(self, web: Web) -> None:
        query = ""
        while not self._halt.is_set() and not self.ended:
            fetched = web.fetch(f"{self._base}/index.m3u8{query}", headers={"Accept-Encoding": "gzip"})
            if fetched.status in {404, 503}:
                time.sleep(0.1)
                continue
            assert fetched.status == 200, f"{fetched.status} for {query}"
            playlist = self.checker.check(fetched.text)
            self._take(web, playlist)
            self.ended = playlist.ended
            msn, part = playlist.next_part
            query = f"?_HLS_msn={msn}&_HLS_part={part}"

    def _take(self, web: Web, playlist: checker.Playlist) -> None:
        for segment in playlist.segments:
            known = self.segments.get(segment.msn)
            if segment.parts or known is None or not known.parts:
                self.segments[segment.msn] = segment
            elif not known.complete:
                known.duration, known.uri = segment.duration, segment.uri
            if segment.init and segment.init not in self.inits:
                self.inits[segment.init] = self._media(web, segment.init)
            held = self.parts.setdefault(segment.msn, {})
            if segment.parts:
                for part in segment.parts:
                    if part.uri not in held:
                        held[part.uri] = self._media(web, part.uri)
            elif segment.complete and not held and not segment.gap:
                held[segment.uri] = self._media(web, segment.uri)

    def _media(self, web: Web, name: str) -> bytes:
        fetched = web.fetch(f"{self._base}/{name}")
        assert fetched.status == 200, f"{fetched.status} for {name}"
        assert "immutable" in fetched.headers["cache-control"]
        return fetched.body

    def stop(self) -> Self:
        """End following; fails with whatever went wrong on the way."""
        self._halt.set()
        self.join(PATIENCE_SECONDS)
        if self.problem:
            raise AssertionError(f"{self.rendition}: {self.problem}") from self.problem
        return self

    def media(self, msn: int) -> bytes:
        return b"".join(self.parts[msn].values())

    @property
    def complete(self) -> list[int]:
        """Media sequence numbers of whole segments."""
        return sorted(msn for msn, segment in self.segments.items() if segment.complete and not segment.gap)

    def starts(self) -> dict[int, int]:
        """Presentation time, in ticks, of each whole segment's first picture, where that is a key frame."""
        firsts = {msn: mp4.samples(self.media(msn)).get(1, [None])[0] for msn in self.complete}
        return {msn: first.dts + first.cts for msn, first in firsts.items() if first and first.key}

    def numbers(self) -> list[int | None]:
        """The numbers burnt into the pictures of all whole segments, in order of presentation."""
        found: list[int | None] = []
        for film in self.films():
            found += read_numbers(film)
        return found

    def films(self) -> list[bytes]:
        """All whole segments as MP4 files, another one for each initialization section."""
        return [self.inits[init] + data for init, data in self._runs()]

    def _runs(self) -> Iterator[tuple[str, bytes]]:
        run: list[int] = []
        for msn in self.complete:
            if run and self.segments[run[-1]].init != self.segments[msn].init:
                yield self.segments[run[0]].init, b"".join(self.media(each) for each in run)
                run = []
            run.append(msn)
        if run:
            yield self.segments[run[0]].init, b"".join(self.media(each) for each in run)


def read_numbers(media: bytes) -> list[int | None]:
    """The numbers burnt into the pictures of an MP4."""
    strip = f"crop=iw:ih/15*0.6:0:ih/15*0.2,scale={publisher.COLUMNS}:1:flags=area,format=gray"
    done = subprocess.run(
        [
            *["ffmpeg", "-v", "error", "-i", "pipe:0", "-map", "0:v", "-fps_mode", "passthrough", "-vf"],
            strip,
            "-f",
            "rawvideo",
            "pipe:1",
        ],
        input=media,
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    rows = [done.stdout[start : start + publisher.COLUMNS] for start in range(0, len(done.stdout), publisher.COLUMNS)]
    return [publisher.read_blocks(row) for row in rows]


def probe(url: str) -> list[dict[str, Any]]:
    """What ffprobe says of the streams behind a URL."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", url],
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    streams: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return streams
