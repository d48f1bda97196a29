"""python -m tests.agent.a_mac NAME WORDS…: the agent's commands on a recorded Mac, in a Python without what Linux alone
has. Its system calls are still Linux's."""

from __future__ import annotations

import _socket
import socket
import sys
import sysconfig
import tempfile
import time
import zoneinfo
from pathlib import Path

import requests

from agent.host import this_machine
from tests.agent.host.macs import mac

LINUX_ONLY = {time: ("CLOCK_BOOTTIME",), socket: ("AF_NETLINK", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "TCP_INFO")}


def become_a_mac() -> None:
    """Take away what a Mac's Python has not. What looks at the system when it is imported was imported before."""
    assert all(module.__name__ in sys.modules for module in (requests, sysconfig, zoneinfo))
    for module, names in {**LINUX_ONLY, _socket: LINUX_ONLY[socket]}.items():
        for name in names:
            delattr(module, name)
    sys.platform = "darwin"


def main(name: str, words: list[str]) -> int:
    """Run one command on the Mac of this name."""
    with tempfile.TemporaryDirectory(prefix="farhand-mac-") as root:
        host, _ = mac(name, Path(root))
        this_machine.this_machine = lambda *heard: host  # type: ignore[misc]
        become_a_mac()
        from agent import cli, parent, uevents

        assert uevents.listen() is None
        assert parent._uptime_s() > 0
        return cli.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
