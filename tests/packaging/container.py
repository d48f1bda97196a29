"""container: a Debian that boots, with its own systemd, on a network that it shares with one server alone.

    with booted(folder) as laptop:
        laptop.run("dpkg", "-i", "/root/farhand-agent.deb")

The system is made once by debootstrap and kept in a cache; a test works on a layer in memory above it, so nothing of
what it does stays. Laptop and server are two network namespaces with one wire between them and no way out. Everything
is stopped by its process id and taken away at the end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.farm.delay_line import missing_programs

PROGRAMS: Final = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}
RELEASE: Final = "bookworm"
INCLUDED: Final = "python3,systemd,systemd-sysv"
SERVER: Final = "10.83.0.1"
LAPTOP: Final = "10.83.0.2"
DISK_MB: Final = 96
BOOT_S: Final = 40.0


def why_not() -> str | None:
    """Why no container can be booted here; None when one can."""
    if sys.platform != "linux":
        return "systemd-nspawn exists on Linux only"
    if os.geteuid() != 0:
        return "booting a container needs root"
    if missing := missing_programs(PROGRAMS):
        return missing
    if not Path("/sys/fs/cgroup").is_dir() or not os.access("/sys/fs/cgroup", os.W_OK):
        return "no writable control groups: a systemd in a container would not boot"
    probe = f"fhp{os.getpid()}"
    for command in (["ip", "netns", "add", probe], ["ip", "netns", "del", probe]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"no network namespace can be made: {done.stderr.strip()}"
    return None


def base_system() -> Path:
    """The Debian that every test starts from, made at the first call.

    Raises:
        UnbootableError: debootstrap failed, such as without a mirror.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "farhand-test"
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / f"{RELEASE}-{INCLUDED.replace(',', '+')}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            half = made.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", RELEASE, str(half)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnbootableError(f"debootstrap: {(done.stderr or done.stdout).strip()[-300:]}")
            for part in ("var/cache/apt", "var/lib/apt/lists"):
                shutil.rmtree(half / part, ignore_errors=True)
            # An empty one makes every first boot a new machine.
            (half / "etc" / "machine-id").write_text("")
            half.rename(made)
    return made


class UnbootableError(RuntimeError):
    """No container comes up here, for a reason that no package has a part in."""


@dataclass
class Container:
    """A laptop that boots. `root` is its disk, as this side sees it."""

    root: Path
    network: str
    ends: ExitStack = field(default_factory=ExitStack)
    process: subprocess.Popen[bytes] | None = None

    @property
    def leader(self) -> int:
        """Process id of its first process; 0 while there is none."""
        assert self.process is not None
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])
        return 0

    def boot(self) -> None:
        """Start it, and wait until it is up."""
        command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.network}"]
        command += [f"--network-namespace-path=/run/netns/{self.network}", "--register=no", "--keep-unit"]
        command += ["--link-journal=no", "--console=pipe"]
        log = self.root.parent / "console.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self.process.poll() is None:
            if self.leader and self.run("systemctl", "is-system-running", check=False).strip() in (
                "running",
                "degraded",
            ):
                return
            time.sleep(0.2)
        raise UnbootableError(f"the container did not boot: {log.read_text(errors='replace')[-500:]}")

    def shut_down(self) -> None:
        """As when somebody chooses "shut down": every service is stopped in order."""
        if self.process is None or self.process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            if leader := self.leader:
                os.kill(leader, signal.SIGRTMIN + 4)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def reboot(self) -> None:
        """Shut down in order, and boot again."""
        self.shut_down()
        self.boot()

    def run(self, *command: str, check: bool = True, given: str | None = None, within_s: float = 60) -> str:
        """What a command in the container prints on its standard output.

        Raises:
            AssertionError: it failed.
        """
        entered = ["nsenter", "--target", str(self.leader), "--all", *command]
        done = subprocess.run(entered, capture_output=True, text=True, check=False, input=given or "", timeout=within_s)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()


@contextmanager
def booted(folder: Path, layer: Path | None = None) -> Iterator[tuple[Container, str]]:
    """A booted container, and the name of the network namespace in which a server at `SERVER` reaches it.

    Args:
        layer: a folder whose files are laid over the bare system.

    Raises:
        UnbootableError: the bare system did not come up.
    """
    base = base_system()
    laptop, server = f"fhl{os.getpid()}", f"fhs{os.getpid()}"
    with ExitStack() as ends:
        for name in (laptop, server):
            _do("ip", "netns", "add", name)
            ends.callback(_do, "ip", "netns", "del", name)
            _do("ip", "-n", name, "link", "set", "lo", "up")
        _do("ip", "-n", laptop, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", server)
        for name, address in ((laptop, LAPTOP), (server, SERVER)):
            _do("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _do("ip", "-n", name, "link", "set", "eth0", "up")
        layers = folder / "layers"
        layers.mkdir()
        _do("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "farhand-test", str(layers))
        ends.callback(_do, "umount", "--lazy", str(layers))
        for part in ("upper", "work", "root"):
            (layers / part).mkdir()
        lower = f"{layer}:{base}" if layer is not None else str(base)
        options = f"lowerdir={lower},upperdir={layers / 'upper'},workdir={layers / 'work'}"
        _do("mount", "-t", "overlay", "-o", options, "overlay", str(layers / "root"))
        ends.callback(_do, "umount", "--lazy", str(layers / "root"))
        container = Container(layers / "root", laptop)
        ends.callback(container.shut_down)
        container.boot()
        yield container, server


def until(seen: Callable[[], Any], within_s: float = 30.0) -> Any:
    """Wait until something is there, and return it.

    Raises:
        AssertionError: it did not come.
    """
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if found := seen():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not seen within {within_s} s")


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnbootableError(f"{' '.join(command)}: {done.stderr.strip()}")
