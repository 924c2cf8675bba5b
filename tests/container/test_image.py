"""The image as built: what is in it, what is not, and that it does its work locked down."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.container import image as images
from tests.container.support import LADDER
from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
CONTAINER = REPOSITORY / "container"
SIZE_LIMIT_BYTES = 200_000_000  # 161 MB when written; `apt-get install ffmpeg` makes about 650
TEST_KEY = "test-stream-key"


@pytest.fixture(scope="session")
def image() -> images.Image:
    return images.build()


@pytest.fixture
def environment() -> dict[str, str]:
    """What the task definition sets, with ports of this test's own and loopback only."""
    http, rtmp, hooks = free_ports(3)
    return {
        "BACKEND_URL": "http://127.0.0.1:9",  # nobody listens: no publisher is let in
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(http),
        "RTMP_HOST": "127.0.0.1",
        "RTMP_PORT": str(rtmp),
        "HOOKS_PORT": str(hooks),
        "STOP_TIMEOUT_SECONDS": "10",
    }


def health_url(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['HTTP_PORT']}/health"


def files(image: images.Image) -> list[tuple[Path, int]]:
    """Every path in the image that is no link, with its mode."""
    found = ((path, path.lstat()) for path in image.root.rglob("*"))
    return [
        (path.relative_to(image.root), status.st_mode) for path, status in found if not stat.S_ISLNK(status.st_mode)
    ]


def test_is_small(image: images.Image) -> None:
    """An image is pulled by every new task before it can help."""
    assert image.size_bytes() < SIZE_LIMIT_BYTES


def test_has_the_rtmp_module_with_our_patches(image: images.Image) -> None:
    """And not Debian's own, which a stranger's message of 29 bytes ends."""
    module = (image.root / "usr/local/lib/ngx_rtmp_module.so").read_bytes()
    assert b"stranger_timeout" in module
    assert b"hls_path" not in module
    assert not list((image.root / "usr").rglob("*rtmp_module.so*"))[1:]


def test_has_no_file_that_gives_another_users_rights(image: images.Image) -> None:
    """No setuid, no setgid: Debian's base brings a dozen."""
    assert [str(path) for path, mode in files(image) if stat.S_ISREG(mode) and mode & 0o6000] == []


def test_lets_its_user_write_nowhere_but_in_temporary_folders(image: images.Image) -> None:
    """Also without a read-only root there is nothing that the process could change for its next start."""
    owned = [str(path) for path, _ in files(image) if (image.root / path).lstat().st_uid == images.UID]
    assert owned == ["tmp"]
    writable = {str(path) for path, mode in files(image) if mode & 0o002 and not stat.S_ISCHR(mode)}
    assert writable <= {"tmp", "var/tmp", "run/lock"}


def test_tells_an_engine_how_to_run_it(image: images.Image) -> None:
    """User, entry point, stop signal, ports, health check, and /tmp as a volume that keeps its owner on Fargate."""
    config = image.config
    assert config["User"] == "10001:10001"
    assert image.entrypoint == ["python3", "-m", "origin"]
    assert config["StopSignal"] == "SIGTERM"
    assert set(config["ExposedPorts"]) == {"1935/tcp", "8080/tcp"}  # type: ignore[call-overload]  # JSON
    assert set(config["Volumes"]) == {"/tmp"}  # type: ignore[call-overload]  # noqa: S108 - in the image
    assert config["Healthcheck"]["Test"] == ["CMD", "healthcheck"]  # type: ignore[index]  # JSON
    status = (image.root / "tmp").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (images.UID, images.UID, 0o1777)


def test_says_what_it_was_built_from(image: images.Image) -> None:
    """The OCI labels that registries and scanners read."""
    labels = image.config["Labels"]
    assert isinstance(labels, dict)
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix) for name in labels if name.startswith(prefix)} == {
        *("title", "description", "licenses", "version", "revision", "base.name", "base.digest"),
    }
    assert labels[f"{prefix}version"] == "0.0.0-test"
    assert labels[f"{prefix}revision"] == "test"


@pytest.mark.parametrize(
    ("package", "version", "says"),
    [
        ("ffmpeg", r"7:5\.1\.\d+-\S+", "--disable-everything"),
        ("libnginx-mod-rtmp", r"1:1\.2\.2\S*", "0006-chunks-are-read-with-bounds.patch"),
    ],
)
def test_lists_what_we_built_where_scanners_look(image: images.Image, package: str, version: str, says: str) -> None:
    """As dpkg would, with Debian's version: a scanner then knows which of Debian's fixes are missing."""
    entry = (image.root / "var/lib/dpkg/status.d" / package).read_text()
    fields = dict(line.split(": ", 1) for line in entry.splitlines() if not line.startswith(" "))
    assert fields["Package"] == fields["Source"] == package
    assert re.fullmatch(version, fields["Version"])
    assert says in entry
    assert image.call(["dpkg-query", "--show", package]).returncode == 1, "dpkg installed it as well"


def test_has_bash_for_ecs_exec(image: images.Image) -> None:
    """`aws ecs execute-command … --command /bin/bash`, as the operators know it."""
    done = image.call(["/bin/bash", "-c", "echo $BASH_VERSION; id -u"])
    assert re.fullmatch(rb"5\..*\n10001\n", done.stdout), done


def test_brings_only_the_parts_of_botocore_that_origin_speaks_to(image: images.Image) -> None:
    """The other services' descriptions are 90 MB; a client for another one fails here first, not in production."""
    make = "import boto3, sys; boto3.client(sys.argv[1], region_name='eu-central-1')"
    for service, code in (("dynamodb", 0), ("sts", 0), ("ec2", 1)):
        assert image.call(["python3", "-c", make, service]).returncode == code, service


@pytest.mark.parametrize("init", [True, False], ids=["below an init process", "as process 1"])
def test_runs_locked_down(image: images.Image, environment: dict[str, str], tmp_path: Path, *, init: bool) -> None:
    """Read-only root, uid 10001, no capability: it gets healthy, its own check agrees, and SIGTERM ends it with 0."""
    with image.run(environment, tmp_path / "log", init=init) as container:
        container.wait_until_healthy(health_url(environment))
        status = Path(f"/proc/{container.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE)
        assert set(re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE)) == {"0" * 16}
        assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
        assert container.exec(["touch", "/opt/origin/x"]).returncode != 0
        check = container.exec(["healthcheck"])
        assert (check.returncode, check.stderr) == (0, b"")
        assert container.stop() == 0
    assert '"level": "error"' not in (tmp_path / "log").read_text()


def test_leaves_nothing_behind_when_a_test_fails(
    image: images.Image, environment: dict[str, str], tmp_path: Path
) -> None:
    """The tool itself: an exception in the block ends every process of the container."""

    def fail_while_running() -> None:
        with image.run(environment, tmp_path / "log") as container:
            container.wait_until_healthy(health_url(environment))
            everyone = container.exec(["bash", "-c", "for p in /proc/[0-9]*; do echo $p; done"]).stdout.split()
            assert len(everyone) >= 4, "bubblewrap, origin, nginx and its worker"
            raise KeyError

    with pytest.raises(KeyError):
        fail_while_running()
    assert fetch(health_url(environment)) is None


def test_fails_when_a_setting_is_missing(image: images.Image) -> None:
    """One line for the operator and exit code 2, no traceback."""
    done = image.call(image.entrypoint)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("origin: BACKEND_URL")
    assert len(done.stderr.splitlines()) == 1


def test_health_check_fails_when_nobody_answers(image: images.Image) -> None:
    """Connection refused is unhealthy."""
    assert image.call(["healthcheck"], {"HTTP_PORT": str(free_ports(1)[0])}).returncode != 0


def test_health_check_fails_when_the_answer_is_not_200(image: images.Image) -> None:
    """A server that says 404 is as bad as none; one that says nothing at all is given three seconds."""
    port = str(free_ports(1)[0])
    serve = "python3 -m http.server --bind 127.0.0.1 --directory /tmp $HTTP_PORT >/dev/null 2>&1 &"
    wait = "until (exec 3<>/dev/tcp/127.0.0.1/$HTTP_PORT) 2>/dev/null; do sleep 0.1; done"
    done = image.call(["bash", "-c", f"{serve} {wait}; healthcheck; echo $?; touch /tmp/health; healthcheck; echo $?"],
                      {"HTTP_PORT": port})  # fmt: skip
    assert done.stdout.split() == [b"1", b"0"], done
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        assert image.call(["healthcheck"], {"HTTP_PORT": port}).returncode != 0


ENCODE = """
import json, os, subprocess, sys
from origin.broadcast.encoder import NOT_WORTH_A_LINE, KeyFrames, arguments
from origin.media.codecs import Picture
from origin.packaging.ladder import RenditionPlan
from origin.settings import DEFAULT_LADDER
progressive = sys.argv[1] == "progressive"
form = {"width": 1280, "height": 720, "profile": 100, "bit_depth": 8, "chroma_format": 1, "progressive": progressive}
source = Picture(**form, reordered=2)
plans = [RenditionPlan(rung=rung, width=rung.height * 16 // 9 // 2 * 2, height=rung.height, copied=False)
         for rung in DEFAULT_LADDER]
files = [open(f"/tmp/{plan.name}.flv", "wb") for plan in plans]
command = arguments(source, plans, KeyFrames(), [file.fileno() for file in files])
done = subprocess.run(command, stdin=sys.stdin, stderr=subprocess.PIPE, pass_fds=[file.fileno() for file in files])
show = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json"]
probed = {plan.name: json.loads(subprocess.check_output([*show, f"/tmp/{plan.name}.flv"])) for plan in plans}
said = [line.decode() for line in done.stderr.splitlines() if NOT_WORTH_A_LINE not in line]
print(json.dumps({"code": done.returncode, "said": said, "probed": probed}))
"""


@pytest.mark.parametrize("scan", ["progressive", "interlaced"])
def test_its_ffmpeg_does_what_the_origin_asks(image: images.Image, scan: str) -> None:
    """The origin's own command line on pictures with B-frames, as OBS sends them: all come out, and nothing is said."""
    coded = ["-vf", "setfield=tff", "-flags", "+ildct+ilme"] if scan == "interlaced" else []
    make = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-t", "4"]
    make += ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60", "-pix_fmt", "yuv420p"]
    make += [*coded, "-f", "flv"]
    source = subprocess.run([*make, "pipe:1"], capture_output=True, check=True, timeout=images.PATIENCE_SECONDS).stdout
    done = image.call(["python3", "-c", ENCODE, scan], stdin=source, seconds=300)
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert (result["code"], result["said"]) == (0, [])
    streams = {name: probed["streams"][0] for name, probed in result["probed"].items()}
    assert {name: (one["codec_name"], one["profile"], one["height"]) for name, one in streams.items()} == {
        "720p": ("h264", "Main", 720),
        "480p": ("h264", "Main", 480),
        "360p": ("h264", "Main", 360),
    }
    assert {one["nb_read_frames"] for one in streams.values()} == {"120"}


BY_HAND = """
ffmpeg -v error -f lavfi -i testsrc2=size=320x180:rate=10 -f lavfi -i sine -t 2 -c:v libx264 -c:a aac \\
  -movflags +empty_moov+default_base_moof+frag_keyframe /tmp/a.mp4
ffmpeg -v error -i /tmp/a.mp4 -f null -
ffprobe -v error -show_entries stream=codec_name -of csv=p=0 /tmp/a.mp4
"""


def test_its_ffmpeg_can_be_tried_by_hand(image: images.Image) -> None:
    """For who is on call: a source out of nothing, encoded, wrapped as fMP4, read back and decoded."""
    done = image.call(["bash", "-ec", BY_HAND])
    assert (done.stdout.split(), done.stderr) == ([b"h264", b"aac"], b"")


@pytest.fixture
def backend(environment: dict[str, str]) -> Iterator[None]:
    """The stand-in, which lets the test key in."""
    port = str(free_ports(1)[0])
    environment["BACKEND_URL"] = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, str(CONTAINER / "local_backend.py"), port]) as process:
        try:
            images.wait_for(lambda: fetch(f"http://127.0.0.1:{port}/health"), "the stand-in backend")
            yield
        finally:
            process.terminate()


@pytest.mark.usefixtures("backend")
def test_a_broadcast_goes_in_and_the_ladder_comes_out(
    image: images.Image, environment: dict[str, str], tmp_path: Path
) -> None:
    """Everything together, once; the end-to-end tests say more."""
    environment["LADDER"] = json.dumps(LADDER)
    publish = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=512x288:rate=30"]
    publish += ["-f", "lavfi", "-i", "sine", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
    publish += ["-g", "60", "-pix_fmt", "yuv420p", "-b:v", "500k", "-maxrate", "500k", "-bufsize", "500k"]
    publish += ["-c:a", "aac"]
    publish += ["-t", "60", "-f", "flv", f"rtmp://127.0.0.1:{environment['RTMP_PORT']}/live/{TEST_KEY}"]
    url = f"http://127.0.0.1:{environment['HTTP_PORT']}/hls/{TEST_KEY}"
    with image.run(environment, tmp_path / "log") as container:
        container.wait_until_healthy(health_url(environment))
        with subprocess.Popen(publish) as publisher:
            try:
                master = images.wait_for(lambda: fetch(f"{url}/master.m3u8"), "a master playlist")
                assert re.findall(r"RESOLUTION=\d+x(\d+)", master) == ["288", "216", "144"]
                for name in re.findall(r"^[^#\s]\S*$", master, re.MULTILINE):
                    assert "#EXT-X-PART:" in (fetch(f"{url}/{name}") or "")
            finally:
                publisher.terminate()
        assert container.stop() == 0


def fetch(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=images.PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())
    except OSError:
        return None
