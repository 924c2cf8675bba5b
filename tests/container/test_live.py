"""`make live`: one command, a picture, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import m3u8
import pytest
import rtmp_module
from live import demo_command

from tests.container.image import PATIENCE_SECONDS
from tests.container.player.conftest import page_folder
from tests.container.support import CONTAINER, eventually, probe
from tests.ports import free_ports

__all__ = ["page_folder"]  # a fixture: the built page

pytestmark = pytest.mark.slow


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:  # loopback
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.usefixtures("page_folder")
def test_live_with_a_demo_shows_a_picture_and_cleans_up(tmp_path: Path) -> None:
    rtmp_module.build()  # which takes its time where nothing is built so far
    names = ["RTMP_PORT", "HTTP_PORT", "BACKEND_PORT", "PLAYER_PORT", "HOOKS_PORT"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = os.environ | {name: str(port) for name, port in ports.items()}
    environment |= {"DEMO": "1", "RUNTIME_DIR": str(tmp_path), "ENCODER_PATIENCE_SECONDS": str(PATIENCE_SECONDS)}
    process = subprocess.Popen(
        [sys.executable, str(CONTAINER / "live.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout
    reading = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]  # a pipe was asked for
    reading.start()
    try:
        master = f"http://127.0.0.1:{ports['HTTP_PORT']}/hls/demo/master.m3u8"
        eventually(lambda: status(master) == 200, "a broadcast")
        with urllib.request.urlopen(master, timeout=PATIENCE_SECONDS) as response:  # loopback
            playlist = m3u8.loads(response.read().decode())
        assert [each.stream_info.resolution[1] for each in playlist.playlists] == [720, 480, 360]
        assert {each["codec_name"] for each in probe(master)} == {"h264", "aac"}
        assert status(f"http://127.0.0.1:{ports['PLAYER_PORT']}/live/demo") == 200
        eventually(lambda: [line for line in lines if "720p (copied) 480p 360p" in line], "the status line")
        shown = "".join(lines)
        assert f"rtmp://localhost:{ports['RTMP_PORT']}/live" in shown
        assert f"http://localhost:{ports['PLAYER_PORT']}/live/test-stream-key" in shown
        assert f"http://localhost:{ports['PLAYER_PORT']}/live/demo" in shown
        assert "demo-stream-key" not in shown  # viewers watch under an id that lets nobody broadcast
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0, "".join(lines)
    finally:
        process.kill()
        process.wait()
    for name, port in ports.items():
        with socket.socket() as taken:
            assert taken.connect_ex(("127.0.0.1", port)) != 0, name


def test_the_clock_in_the_demo_can_be_read(tmp_path: Path) -> None:
    """White figures on a dark box, low in the middle of the picture."""
    command = demo_command(str(tmp_path / "demo.flv"))
    subprocess.run([*command[:-1], "-t", "0.2", command[-1]], check=True, timeout=PATIENCE_SECONDS)
    box = "crop=300:90:(iw-ow)/2:ih-150,format=gray"
    read = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(tmp_path / "demo.flv"),
        "-frames:v",
        "1",
        "-vf",
        box,
        "-f",
        "rawvideo",
        "-",
    ]
    pixels = subprocess.run(read, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stdout
    assert sum(pixel < 60 for pixel in pixels) > len(pixels) / 4
    assert sum(pixel > 200 for pixel in pixels) > len(pixels) / 20


def test_fails_when_a_port_is_no_port() -> None:
    done = subprocess.run(
        [sys.executable, str(CONTAINER / "live.py")],
        env=os.environ | {"HTTP_PORT": "http"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "live: HTTP_PORT must be a port between 1 and 65535, got 'http'\n")
