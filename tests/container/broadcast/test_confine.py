"""What FFmpeg cannot do, tried from inside: a probe behind the same walls."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from origin.broadcast import confine

from tests.container.support import eventually

pytestmark = pytest.mark.slow  # a process for each try

PROBE = r"""
import ctypes, mmap, os, resource, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)

def call(function, *arguments):
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")

def hold(kind):
    kept = []
    while len(kept) < 64:
        kept.append(mmap.mmap(-1, 32 << 20, flags=kind | mmap.MAP_ANONYMOUS))
        kept[-1][:: 4096] = bytes(len(kept[-1]) // 4096)

tries = {
    "socket": lambda: socket.socket(),
    "socketpair": lambda: socket.socketpair(),
    "write": lambda: open("/tmp/confined", "w"),
    "append": lambda: os.open("/tmp", os.O_RDONLY | os.O_CREAT | getattr(os, "O_TMPFILE", 0), 0o600),
    "mkdir": lambda: os.mkdir("/tmp/confined"),
    "unlink": lambda: os.unlink("/tmp/never"),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "vfork": lambda: call(libc.vfork),
    "kill": lambda: os.kill(os.getppid(), 0),
    "ptrace": lambda: call(libc.ptrace, 16, os.getppid(), 0, 0),
    "memory-of-others": lambda: call(libc.process_vm_readv, os.getppid(), None, 0, None, 0, 0),
    "memfd": lambda: os.memfd_create("x"),
    "unshare": lambda: call(libc.unshare, 0x10000000),
    "more-memory": lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40)),
    "nicer": lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
    "private-memory": lambda: hold(mmap.MAP_PRIVATE),
    "shared-memory": lambda: hold(mmap.MAP_SHARED) or hold(mmap.MAP_SHARED),
    "descriptors": lambda: [os.dup(0) for _ in range(1000)],
    "core": lambda: resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) and sys.exit("refused: no core"),
    "file-size": lambda: resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0) and sys.exit("refused: no files"),
    "read": lambda: open("/etc/passwd"),
    "thread": lambda: [t.start() or t.join() for t in [threading.Thread(target=lambda: None)]],
}
if sys.argv[2:]:
    sys.path.insert(0, sys.argv[2])
    from origin.broadcast import confine
    confine.give_up(256 << 20, os.getppid())
    confine.filter_calls(0, libraries=sys.argv[3] == "dynamic")
try:
    tries[sys.argv[1]]()
except (OSError, MemoryError, ValueError) as error:
    sys.exit(f"refused: {type(error).__name__} {getattr(error, 'errno', '')}")
print("done")
"""
FORBIDDEN = [
    "socket", "socketpair", "write", "append", "mkdir", "unlink", "exec", "fork", "vfork", "kill", "ptrace",
    "memory-of-others", "memfd", "unshare", "more-memory", "nicer", "private-memory", "shared-memory", "descriptors",
    "core", "file-size",
]  # fmt: skip
MEMORY = 256 << 20
CONTAINER = str(Path(confine.__file__).parents[2])


def attempt(what: str, *walls: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", PROBE, what, *walls]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("what", [*FORBIDDEN, "read"])
def test_fails_when_the_confined_process_tries(what: str) -> None:
    tried = attempt(what, CONTAINER, "static")
    assert tried.stderr.startswith("refused: "), tried
    assert tried.returncode == 1
    assert "done" not in tried.stdout


@pytest.mark.parametrize(
    "what", ["socket", "write", "fork", "memfd", "private-memory", "shared-memory", "nicer", "descriptors", "read"]
)
def test_the_probe_can_do_it_without_the_walls(what: str) -> None:
    """Or else it would prove nothing."""
    assert attempt(what).stdout == "done\n"


@pytest.mark.parametrize(("what", "program"), [("thread", "static"), ("thread", "dynamic"), ("read", "dynamic")])
def test_what_ffmpeg_needs_is_allowed(what: str, program: str) -> None:
    """Threads; and its libraries where it has any."""
    tried = attempt(what, CONTAINER, program)
    assert (tried.stdout, tried.stderr) == ("done\n", "")


def test_confined_process_gives_way_and_ends_with_its_parent() -> None:
    """First when memory is short, last when processors are, and never without the origin; with an empty environment."""
    parent = (
        "import subprocess, sys; sys.path.insert(0, sys.argv[1]);"
        "from origin.broadcast import confine;"
        "process = subprocess.Popen([*confine.command('/bin/cat', 1 << 28)], stdin=subprocess.PIPE, env={});"
        "print(process.pid, flush=True); process.wait()"
    )
    command = [sys.executable, "-c", parent, CONTAINER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        child = Path("/proc") / started.stdout.readline().strip()
        try:
            eventually(lambda: (child / "comm").read_text() == "cat\n", "the program behind the walls")
            assert (child / "oom_score_adj").read_text() == "1000\n"
            niceness = int((child / "stat").read_text().rpartition(")")[2].split()[16])
            assert niceness >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
            assert (child / "environ").read_bytes() == b""
            status = dict(line.split(":", 1) for line in (child / "status").read_text().splitlines())
            assert status["NoNewPrivs"].strip() == "1"
            assert status["Seccomp"].strip() == "2"
        finally:
            started.kill()
    eventually(lambda: not child.exists(), "the end of it")


def test_a_wall_that_cannot_be_built_is_a_line(tmp_path: Path) -> None:
    """A stand-in that is a script has to start programs; the other walls stand."""
    script = tmp_path / "ffmpeg"
    script.write_text('#!/bin/sh\nulimit -f\nexec echo "$@"\n')
    script.chmod(0o755)
    tried = subprocess.run(
        [*confine.command(str(script), MEMORY), "an", "argument"], capture_output=True, text=True, check=True
    )
    assert tried.stdout == "0\nan argument\n"
    assert tried.stderr.startswith("confine: no wall here for: system calls (")


def test_fails_when_the_program_does_not_exist() -> None:
    tried = subprocess.run(confine.command("/usr/bin/none", MEMORY), capture_output=True, text=True, check=False)
    assert tried.returncode != 0
    assert "/usr/bin/none" in tried.stderr.splitlines()[-1]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filters_end_in_an_answer_and_stay_within_their_length(machine: str) -> None:
    """Every jump lands on a step of the filter, for both processors; the kernel here can try one of them only."""
    for libraries in (True, False):
        code = confine.rules(machine, libraries=libraries, own_pid=7, path=0x7F00_1234_5678)
        steps = [code[start : start + 8] for start in range(0, len(code), 8)]
        assert len(steps) < 4096
        for index, step in enumerate(steps):
            if step[0] & 7 == 5:
                assert index + 1 + max(step[2], step[3]) < len(steps)
        assert steps[-1][0] == 6


def test_origin_keeps_its_memory_to_itself() -> None:
    """Nobody who runs as the same user reads it: asked of the kernel, because tests may run as root, who can."""
    code = "import ctypes; from origin.broadcast import confine; ask = ctypes.CDLL(None).prctl; print(ask(3), end=' ');"
    code += "confine.keep_memory_private(); print(ask(3))"
    environment = {"PYTHONPATH": CONTAINER}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1 0\n"


def test_static_programs_are_told_from_others() -> None:
    assert not confine.is_static(Path("/bin/cat").read_bytes()[:4096])
    assert not confine.is_static(b"#!/bin/sh")
    assert confine.is_static(Path("/sbin/ldconfig").read_bytes()[:4096])  # in every Debian


def test_ffmpeg_works_behind_the_walls() -> None:
    """It decodes and encodes, and says nothing; what it costs to start is printed."""
    program = shutil.which("ffmpeg")
    assert program
    options = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=256x144", "-t", "1", "-f", "flv", "pipe:1"]
    took: dict[str, float] = {}
    made: dict[str, bytes] = {}
    for name, start in (("plain", [program]), ("confined", confine.command(program, 512 << 20))):
        began = time.monotonic()
        done = subprocess.run([*start, *options], capture_output=True, check=True, timeout=60)
        took[name], made[name] = time.monotonic() - began, done.stdout
        assert not done.stderr
    assert made["plain"] == made["confined"]
    sys.stdout.write(f"start, one second of pictures, end: {took}\n")


def test_ffmpeg_that_wants_too_much_memory_ends() -> None:
    program = shutil.which("ffmpeg")
    assert program
    options = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=4096x2304", "-t", "1", "-f", "null", "-"]
    done = subprocess.run([*confine.command(program, 32 << 20), *options], capture_output=True, check=False, timeout=60)
    assert done.returncode not in {0, -signal.SIGKILL}
    assert b"annot allocate memory" in done.stderr
