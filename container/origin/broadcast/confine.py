"""Starts FFmpeg with the least that Linux gives without privileges: it takes strangers' pictures apart.

Run as a program, by a bare Python: `python3 -I -S confine.py BYTES PARENT PROGRAM ARGUMENT...`.
It gives up what it can, itself, and then becomes the program. What this machine cannot do is one line on standard
error, and the other walls stand. docs/adr/0017-ffmpeg-behind-walls.md says why this way, and what was tried where.

The filter is a list of what FFmpeg needs, for amd64 and arm64. Everything else is "Operation not permitted": sockets,
new processes and programs, files. A program that is linked dynamically has to open its libraries, so reading stays open
to it, and to it alone. FFmpeg itself is started by a path at one address of the launcher's memory, which is gone after
that: no other path starts anything.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_OPEN_FILES = 64
_NICENESS = 5  # nginx and origin come first: a late encoder delays two renditions, a late origin everything
_TASKS = 128  # more than there are now; only threads can be made
_ADDRESS_SPACE_BYTES = 2 << 30  # on top of the memory: libraries, threads' stacks, reserved and never used

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SET_MODE_FILTER = 1
# Without it kernels before 5.16 take speculative store bypass away from whoever is filtered, and slow it down.
_SPEC_ALLOW = 1 << 2
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # in struct seccomp_data; of an argument the low half comes first
_CLONE_THREAD = 0x10000
_MAP_SHARED = 1


@dataclass(frozen=True, slots=True)
class _Machine:
    arch: int
    seccomp: int
    calls: dict[str, int]


_MACHINES = {
    # Both tables from the kernel's: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
    "x86_64": _Machine(
        0xC000_003E,
        317,
        {
            "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10,
            "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16,
            "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23, "sched_yield": 24, "mremap": 25,
            "madvise": 28, "nanosleep": 35, "getpid": 39, "clone": 56, "exit": 60, "uname": 63, "fcntl": 72,
            "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
            "sigaltstack": 131, "arch_prctl": 158, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
            "set_tid_address": 218, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
            "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "openat": 257, "newfstatat": 262, "pselect6": 270,
            "ppoll": 271, "set_robust_list": 273, "prlimit64": 302, "getrandom": 318, "execve": 59, "rseq": 334,
            "clone3": 435, "open": 2, "mlock": 149,
        },
    ),
    "aarch64": _Machine(
        0xC000_00B7,
        277,
        {
            "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "mmap": 222, "mprotect": 226,
            "munmap": 215, "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "ioctl": 29,
            "pread64": 67, "readv": 65, "writev": 66, "faccessat": 48, "sched_yield": 124, "mremap": 216,
            "madvise": 233, "nanosleep": 101, "getpid": 172, "clone": 220, "exit": 93, "uname": 160, "fcntl": 25,
            "getrusage": 165, "sysinfo": 179, "times": 153, "getuid": 174, "getgid": 176, "geteuid": 175,
            "getegid": 177, "sigaltstack": 132, "gettid": 178, "futex": 98, "sched_getaffinity": 123,
            "set_tid_address": 96, "restart_syscall": 128, "clock_gettime": 113, "clock_getres": 114,
            "clock_nanosleep": 115, "exit_group": 94, "tgkill": 131, "openat": 56, "newfstatat": 79, "pselect6": 72,
            "ppoll": 73, "set_robust_list": 99, "prlimit64": 261, "getrandom": 278, "execve": 221, "rseq": 293,
            "clone3": 435, "mlock": 228,
        },
    ),
}  # fmt: skip
_WITH_CONDITIONS = {"clone", "clone3", "execve", "mmap", "open", "openat", "prlimit64", "tgkill"}


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _answer(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)


def _argument(index: int) -> bytes:
    return _step(_LOAD, _ARGUMENTS + 8 * index)


def _pointer(index: int, value: int) -> list[bytes]:
    """Allow if an argument is this, in both its halves; deny if not."""
    low, high = value & 0xFFFF_FFFF, value >> 32
    return [
        *(_argument(index), _step(_EQUAL, low, 0, 3)),
        *(_step(_LOAD, _ARGUMENTS + 8 * index + 4), _step(_EQUAL, high, 0, 1)),
        *(_step(_RETURN, _ALLOW), _answer(errno.EPERM)),
    ]


def _conditions(*, libraries: bool, own_pid: int, path: int) -> dict[str, list[bytes]]:
    """What is looked at behind a call's number. A rule ends in an answer; it has the number's register to itself."""
    allow, deny = _step(_RETURN, _ALLOW), _answer(errno.EPERM)

    def read_only(flags: int) -> list[bytes]:
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return [_argument(flags), _step(_ANY_BIT, writing, 1, 0), allow, deny] if libraries else [deny]

    return {
        "clone": [_argument(0), _step(_ANY_BIT, _CLONE_THREAD, 0, 1), allow, deny],
        # Its flags are in memory, where a filter cannot look: glibc then takes clone.
        "clone3": [_answer(errno.ENOSYS)],
        "execve": _pointer(0, path),
        # Shared memory is in no limit but that of addresses.
        "mmap": [_argument(3), _step(_ANY_BIT, _MAP_SHARED, 1, 0), allow, deny],
        "open": read_only(1),
        "openat": read_only(2),
        "prlimit64": _pointer(2, 0),  # to ask for limits, not to set them
        "tgkill": [_argument(0), _step(_EQUAL, own_pid, 0, 1), allow, deny],
    }


def rules(machine: str, *, libraries: bool, own_pid: int, path: int) -> bytes:
    """The filter for this machine. KeyError if there is none.

    `libraries`: files may be opened for reading; `path`: the address from which one program may be started.
    """
    known = _MACHINES[machine]
    conditions = _conditions(libraries=libraries, own_pid=own_pid, path=path)
    steps = [_step(_LOAD, _ARCH), _step(_EQUAL, known.arch, 1, 0), _answer(errno.EPERM), _step(_LOAD, _NUMBER)]
    for name, number in known.calls.items():
        rule = conditions[name] if name in _WITH_CONDITIONS else [_step(_RETURN, _ALLOW)]
        steps += [_step(_EQUAL, number, 0, len(rule)), *rule]
    return b"".join([*steps, _answer(errno.EPERM)])


def is_static(program: bytes) -> bool:
    """Whether an ELF file (64 bits, little-endian) has no interpreter, and so no libraries to load."""
    if program[:6] != b"\x7fELF\x02\x01":
        return False
    start = int.from_bytes(program[32:40], "little")
    size, count = struct.unpack("<HH", program[54:58])
    return all(program[start + size * index : start + size * index + 4] != b"\x03\0\0\0" for index in range(count))


def _filter(path: int, *, libraries: bool) -> None:
    code = rules(platform.machine(), libraries=libraries, own_pid=os.getpid(), path=path)
    buffer = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)))
    number = _MACHINES[platform.machine()].seccomp
    _check(_LIBC.syscall(number, _SET_MODE_FILTER, _SPEC_ALLOW, program))


_LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(option: int, value: int) -> None:
    _check(_LIBC.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3))


def _limits(memory_bytes: int) -> Iterator[tuple[int, int]]:
    yield resource.RLIMIT_DATA, memory_bytes
    yield resource.RLIMIT_AS, memory_bytes + _ADDRESS_SPACE_BYTES
    yield resource.RLIMIT_NPROC, int(Path("/proc/loadavg").read_text().split()[3].split("/")[1]) + _TASKS
    yield resource.RLIMIT_NOFILE, _OPEN_FILES
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_MSGQUEUE):
        yield nothing, 0


def _limit(memory_bytes: int) -> None:
    for kind, value in _limits(memory_bytes):
        _, hard = resource.getrlimit(kind)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _give_way() -> None:
    """When the task's memory is gone all the same, the kernel ends this process first."""
    Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(_NICENESS)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _build(name: str, wall: Callable[[], None]) -> None:
    try:
        wall()
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"confine: no wall here for: {name} ({type(error).__name__}: {error})\n")
        sys.stderr.flush()


def give_up(memory_bytes: int, parent: int) -> None:
    """Everything that a process can give up and still start a program."""
    _build("end with origin", lambda: _die_with(parent))
    _build("give way", _give_way)
    _build("limits", lambda: _limit(memory_bytes))
    _build("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1))


def filter_calls(path: int, *, libraries: bool) -> None:
    """From now on only what FFmpeg needs; see `rules`."""
    _build("system calls", lambda: _filter(path, libraries=libraries))


def main(arguments: Sequence[str]) -> None:
    memory_bytes, parent, program = int(arguments[0]), int(arguments[1]), arguments[2]
    with Path(program).open("rb") as file:
        head = file.read(4096)
    path = ctypes.create_string_buffer(program.encode())
    values = [value.encode() for value in arguments[2:]]
    argv, environment = (ctypes.c_char_p * (len(values) + 1))(*values), (ctypes.c_char_p * 1)()
    give_up(memory_bytes, parent)
    if head.startswith(b"#!"):  # somebody's stand-in
        sys.stderr.write("confine: no wall here for: system calls (a script starts other programs)\n")
    else:
        filter_calls(ctypes.addressof(path), libraries=not is_static(head))
    _LIBC.execve(path, argv, environment)
    sys.exit(f"confine: {program}: {os.strerror(ctypes.get_errno())}")


def keep_memory_private() -> None:
    """From now on no other process of this user reads this one's memory or environment: tokens and keys are in both."""
    _build("private memory", lambda: _prctl(_PR_SET_DUMPABLE, 0))


def command(program: str, memory_bytes: int) -> list[str]:
    """What starts this program behind the walls, as a child of this process; its arguments follow."""
    return [sys.executable, "-I", "-S", __file__, str(memory_bytes), str(os.getpid()), program]


if __name__ == "__main__":
    main(sys.argv[1:])
