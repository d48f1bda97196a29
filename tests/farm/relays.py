"""relays: what stands between a laptop and the person who moves it: a program that ends connections, or an SSH tunnel.

Either hides the person's distance from the laptop's own connection.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.farm.delay_line import DelayLine

PACKAGES: Final = {"socat": "socat", "ssh": "openssh-client", "sshd": "openssh-server", "ssh-keygen": "openssh-client"}
PORT: Final = 5999
"""On which a relay takes connections."""
SSH_PORT: Final = 2222
READY_WITHIN_S: Final = 20.0
SSHD: Final = "/usr/sbin/sshd"


@contextmanager
def socat(line: DelayLine, host: str, laptop_address: str, laptop_port: int) -> Iterator[int]:
    """A relay that ends connections and copies bytes to the laptop; the port on which it takes them."""
    command = ["socat", f"TCP-LISTEN:{PORT},fork,reuseaddr,nodelay", f"TCP:{laptop_address}:{laptop_port},nodelay"]
    with line.running(host, command, **_nowhere()):
        _wait_for_port(line, host, PORT)
        yield PORT


@contextmanager
def ssh_server(line: DelayLine, host: str, folder: Path, port: int = SSH_PORT, *options: str) -> Iterator[Path]:
    """An OpenSSH server without accounts' settings; the key that opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host-key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    wanted = ("StrictModes=no", "GatewayPorts=yes", "PermitRootLogin=yes", "UsePAM=no", "PidFile=none", *options)
    command = [SSHD, "-D", "-e", "-f", "/dev/null", "-p", str(port), "-h", str(folder / "host-key")]
    command += [f"-oAuthorizedKeysFile={folder / 'key.pub'}", *(f"-o{each}" for each in wanted)]
    with line.running(host, command, **_nowhere()):
        _wait_for_port(line, host, port)
        yield folder / "key"


@contextmanager
def reverse_tunnel(
    line: DelayLine, host: str, address: str, laptop: str, laptop_port: int, folder: Path
) -> Iterator[int]:
    """`ssh -R` from the laptop to a server on the relay; the port on which that takes connections."""
    with ssh_server(line, host, folder) as key:
        command = [*ssh(key, SSH_PORT), "-N", "-R", f"0.0.0.0:{PORT}:127.0.0.1:{laptop_port}", f"root@{address}"]
        with line.running(laptop, command, **_nowhere()):
            _wait_for_port(line, host, PORT)
            yield PORT


def ssh(key: Path, port: int) -> list[str]:
    """The client, so that it asks nothing and remembers nothing."""
    quiet = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")
    return ["ssh", "-F", "/dev/null", "-i", str(key), "-p", str(port), *(f"-o{each}" for each in quiet)]


def _wait_for_port(line: DelayLine, host: str, port: int) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while not line.run(host, ["ss", "--tcp", "--listening", "--no-header", "sport", "=", f":{port}"]):
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens on port {port} of {host}")
        time.sleep(0.1)


def _nowhere() -> dict[str, int]:
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
