"""The image as built, run without a container engine: buildah builds it, bubblewrap runs its root file system.

`python tests/container/image.py` builds it and prints where it is. A build is kept under `.cache/image` by a hash of
what goes into it; layers are kept too, so that a change of the origin's code builds in seconds.

With IMAGE_ARCHITECTURE=arm64 it is built and run for that architecture, under emulation (scripts/emulate.sh).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[2]
CONTEXT = REPOSITORY / "container"
CACHE = REPOSITORY / ".cache" / "image"
ARCHITECTURE = os.environ.get("IMAGE_ARCHITECTURE") or {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
UID = 10001
TMP = "/tmp"  # noqa: S108 - in the container, where nobody else is
PATIENCE_SECONDS = 120  # for what must come; only failures wait for so long, and slow machines
_BUILD_SECONDS = 7200  # two minutes, and an hour under emulation
KEPT_BUILDS = 3  # of each target; an older one may still be running in another test session
NOFILE = 8192  # as in the task definition
UNSEEN_BY_BUILD = {"__pycache__", "node_modules", "dist"}  # container/.dockerignore
DEBIAN_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
HOSTS = Path("/etc/hosts")
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
NOT_IN_SLIM = ("doc", "man", "locale", "info")  # debian:bookworm-slim leaves them out, copyright files excepted


class ImageError(Exception):
    """The image cannot be built or run here; the text says why."""


@dataclass(frozen=True)
class Image:
    root: Path  # the root file system, to be mounted read-only
    config: dict[str, object]  # as an engine reads it: Env, Entrypoint, User, Labels, Healthcheck, Volumes, ...

    @property
    def entrypoint(self) -> list[str]:
        return [str(word) for word in _list(self.config["Entrypoint"])]

    @property
    def environment(self) -> dict[str, str]:
        return dict(str(entry).split("=", 1) for entry in _list(self.config["Env"]))

    def size_bytes(self) -> int:
        """Sum of all file sizes, hard links counted once: the image unpacked."""
        seen: dict[int, int] = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                status = (Path(folder) / name).lstat()
                seen[status.st_ino] = status.st_size
        return sum(seen.values())

    def call(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        stdin: bytes = b"",
        seconds: float = PATIENCE_SECONDS,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command in a container of its own and wait for it."""
        return subprocess.run(
            self._sandbox(environment or {}) + list(command),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=seconds,
        )

    def in_place(self, network_namespace: str | None = None) -> list[str]:
        """A command that becomes the entry point itself: same process id, same processes and network around it.

        As locked down as `run`, but signals and process ids need no translation, which fault tests want. Its
        environment is the caller's: start from `environment`. Its mounts end with it.
        """
        self._require_root()
        become = ["unshare", "--mount", "--propagation=private", "bash", "-euc", _BECOME_ENTRY_POINT, "bash"]
        return [*_in_namespace(network_namespace), *become, str(self.root), *_as_user(), *self.entrypoint]

    @contextlib.contextmanager
    def run(
        self,
        environment: Mapping[str, str],
        log: Path,
        *,
        command: Sequence[str] = (),
        init: bool = True,
        network_namespace: str | None = None,
        hosts: Path = HOSTS,
    ) -> Iterator[Container]:
        """Run the entry point (or `command`) until the block is left; then nothing of it is left, come what may.

        `init` is `initProcessEnabled` of ECS: without it the entry point itself is process 1. The network is this
        machine's, so ports come from `environment`; or that of the named namespace (`ip netns`). `hosts` is what it
        sees as /etc/hosts.
        """
        info_read, info_write = os.pipe()
        arguments = self._sandbox(
            environment, init=init, network_namespace=network_namespace, hosts=hosts, info_fd=info_write
        )
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*arguments, *(command or self.entrypoint)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[info_write],
            )
        os.close(info_write)
        try:
            with os.fdopen(info_read, "rb") as info:
                text = info.read()
            if not text:
                raise ImageError(f"bubblewrap did not start: {_tail(log)}")
            everything = self.environment | dict(environment)
            container = Container(process, int(json.loads(text)["child-pid"]), everything, log, init=init)
            try:
                yield container
            finally:
                container.kill()
        finally:
            process.kill()
            process.wait(PATIENCE_SECONDS)

    def _sandbox(
        self,
        environment: Mapping[str, str],
        *,
        init: bool = True,
        network_namespace: str | None = None,
        hosts: Path = HOSTS,
        info_fd: int | None = None,
    ) -> list[str]:
        """Read-only root, /tmp as the only place to write, uid 10001, no capability left to gain."""
        self._require_root()
        arguments = [
            *_in_namespace(network_namespace),
            "prlimit",
            f"--nofile={NOFILE}",
            "bwrap",
            "--ro-bind",
            str(self.root),
            "/",
        ]
        arguments += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind", str(hosts), "/etc/hosts"]
        arguments += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", TMP, "--chdir", TMP]
        arguments += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]
        arguments += ["--clearenv", "--cap-drop", "ALL"]
        for name, value in (self.environment | dict(environment)).items():
            arguments += ["--setenv", name, value]
        for capability in ("SETUID", "SETGID", "SETPCAP"):  # for setpriv, which gives them up
            arguments += ["--cap-add", f"CAP_{capability}"]
        arguments += ["--as-pid-1"] if not init else []
        arguments += ["--info-fd", str(info_fd)] if info_fd is not None else []
        return [*arguments, "--", *_as_user()]

    def _require_root(self) -> None:
        if os.geteuid() != 0:
            raise ImageError("running the image needs root: becoming uid 10001 does")


_BECOME_ENTRY_POINT = f"""
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root{TMP}"
for file in /etc/hosts /etc/resolv.conf; do mount --bind "$file" "$root$file"; done
ulimit -n {NOFILE}
cd "$root{TMP}"
exec chroot "$root" "$@"
"""


@dataclass
class Container:
    process: subprocess.Popen[bytes]
    namespace_pid: int  # process 1 of the container, as this machine counts
    environment: Mapping[str, str]
    log: Path
    init: bool

    @property
    def pid(self) -> int:
        """The entry point, as this machine counts."""
        if not self.init:
            return self.namespace_pid
        children = Path(f"/proc/{self.namespace_pid}/task/{self.namespace_pid}/children")
        return int(wait_for(lambda: children.read_text().split(), "entry point")[0])

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """SIGTERM, as an engine sends it, and the exit code that the engine would see."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ImageError(f"still running after {seconds} s: {_tail(self.log)}") from None

    def kill(self) -> None:
        """As a power cut: process 1 of a process namespace takes all others with it."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.namespace_pid, signal.SIGKILL)
            self.process.wait(PATIENCE_SECONDS)

    def exec(self, command: Sequence[str], seconds: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[bytes]:
        """Run a command beside the entry point, as ECS Exec and health checks do."""
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        enter = [
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--net",
            "--root",
            f"--wdns={TMP}",
        ]
        return subprocess.run(
            [*enter, "env", "-i", *environment, *_as_user(), *command],
            capture_output=True,
            check=False,
            timeout=seconds,
        )

    def wait_until_healthy(self, url: str, seconds: float = PATIENCE_SECONDS) -> None:
        def answer() -> bool:
            if self.process.poll() is not None:
                raise ImageError(f"ended with {self.process.returncode} before it was healthy: {_tail(self.log)}")
            try:
                with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:
                    return bool(response.status == 200)
            except OSError:
                return False

        try:
            wait_for(answer, f"200 from {url}", seconds)
        except TimeoutError as error:
            raise ImageError(f"{error}: {_tail(self.log)}") from None


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {seconds} s")
        time.sleep(0.1)


def build(target: str = "rtmp") -> Image:
    """The image of one stage of container/Dockerfile, built if anything in container/ changed since the last time."""
    for tool in ("buildah", "mmdebstrap", "bwrap"):
        if shutil.which(tool) is None:
            raise ImageError(f"{tool} is missing: scripts/apt-install.sh buildah mmdebstrap bubblewrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"{target}-{ARCHITECTURE}-{_fingerprint()}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers share one build
        if not (folder / "config.json").exists():
            _build_into(folder, target)
            _forget_old_builds(target)
        folder.touch()
    return Image(folder / "root", json.loads((folder / "config.json").read_text()))


def _fingerprint() -> str:
    digest = hashlib.sha256()
    files = [file for file in CONTEXT.rglob("*") if file.is_file() and not UNSEEN_BY_BUILD & set(file.parts)]
    for file in sorted([*files, Path(__file__)]):
        digest.update(f"{file.relative_to(REPOSITORY)}\0{file.stat().st_mode & 0o111}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build_into(folder: Path, target: str) -> None:
    store = _Store(CACHE / "store")
    base = store.base()
    tag = f"localhost/live-commerce-{target}-{ARCHITECTURE}"
    store.buildah(
        # Only the docker format has a HEALTHCHECK.
        *("build", "--layers", "--isolation=chroot", "--format=docker", f"--target={target}", f"--tag={tag}"),
        f"--platform=linux/{ARCHITECTURE}",
        *(f"--build-arg=BASE={base}", "--build-arg=VERSION=0.0.0-test", "--build-arg=REVISION=test", str(CONTEXT)),
    )
    container = store.buildah("from", tag)
    try:
        mounted = Path(store.buildah("mount", container))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        subprocess.run(["cp", "--archive", "--reflink=auto", str(mounted), str(folder / "root")], check=True)
    finally:
        store.buildah("rm", container)
    (folder / "root").chmod(0o755)
    for name in ("hosts", "resolv.conf"):
        (folder / "root" / "etc" / name).touch()  # an engine mounts its own here
    inspected = json.loads(store.buildah("inspect", "--type=image", tag))
    (folder / "config.json").write_text(json.dumps(inspected["Docker"]["config"], indent=2))


def _forget_old_builds(target: str) -> None:
    builds = sorted(CACHE.glob(f"{target}-{ARCHITECTURE}-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in builds[KEPT_BUILDS:]:
        shutil.rmtree(folder)


class _Store:
    """Buildah's images and layers, in a place of our own."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver"]
        # overlay keeps a layer's changes only; vfs, which works everywhere, a copy of everything per layer.
        overlay = subprocess.run(["buildah", *self._options, "overlay", "images"], capture_output=True, check=False)
        self._options.append("overlay" if overlay.returncode == 0 else "vfs")

    def buildah(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *self._options, *arguments], capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
        )
        if done.returncode != 0:
            raise ImageError(f"buildah {arguments[0]} failed: {done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        return done.stdout.strip()

    def base(self) -> str:
        """Stands in for debian:bookworm-slim, which comes from a registry: the same packages from the mirror here.

        What this machine needs to reach its package mirrors (proxy, certificate authorities) comes along.
        """
        if not DEBIAN_SOURCES.exists():
            raise ImageError(f"{DEBIAN_SOURCES} is missing: the image's base is made from it")
        settings = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
        carried = ("Acquire::Check-Valid-Until ", "Acquire::http::Proxy ", "Acquire::https::Proxy ")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--include=usr-is-merged"]
        command += [f"--architectures={ARCHITECTURE}"]
        command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
        command += [f"--aptopt={line}" for line in settings.splitlines() if line.startswith(carried)]
        command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NOT_IN_SLIM]
        command += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
        command += (
            [f"--customize-hook=copy-in {LOCAL_AUTHORITIES} /usr/local/share"] if LOCAL_AUTHORITIES.exists() else []
        )
        inputs = [DEBIAN_SOURCES, *sorted(LOCAL_AUTHORITIES.glob("*.crt"))]
        recipe = "\0".join([*command, *(file.read_text() for file in inputs)])
        tag = f"localhost/debian-bookworm-slim:{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
        if not self.buildah("images", "--quiet", "--filter", f"reference={tag}"):
            container = self.buildah("from", f"--arch={ARCHITECTURE}", "scratch")
            try:
                archive = CACHE / "base.tar"
                subprocess.run(
                    [*command, "bookworm", str(archive), str(DEBIAN_SOURCES)],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    timeout=1800,
                )
                self.buildah("add", container, str(archive), "/")
                self.buildah("config", f"--arch={ARCHITECTURE}", container)
                archive.unlink()
                self.buildah("commit", container, tag)
            finally:
                self.buildah("rm", container)
        return tag


def _in_namespace(network: str | None) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{network}"] if network else []


def _as_user() -> list[str]:
    drop = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *drop, "--"]


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


if __name__ == "__main__":
    built = build(*sys.argv[1:2])
    sys.stdout.write(f"{built.root}\n{built.size_bytes() / 1e6:.0f} MB\n")
