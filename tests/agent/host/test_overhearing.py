"""overhearing: a listener beside others, in a network namespace in which a neighbour calls out its name."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from agent.host import HostError
from agent.host.overhearing import overhear
from tests.farm.delay_line import why_not

LISTEN = """
import json, sys
from agent.host.linux import LinuxHost
print("listening", flush=True)
print(json.dumps([heard.hex() for heard in LinuxHost().overhear("cable", "224.0.0.251", 5353, 2.0)]))
"""
CALL = """
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.7.1"))
for _ in range(12):
    out.sendto(b"pikvm.local is here", ("224.0.0.251", 5353))
    time.sleep(0.1)
"""
RESOLVER = """
import socket, struct, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind(("", 5353))
group = socket.inet_aton("224.0.0.251") + socket.inet_aton("192.168.7.2")
one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
print("ready", flush=True)
print(one.recv(100).decode())
"""
NETWORK = """
set -e
ip link set lo up
ip netns add house 2>/dev/null || true
ip link add cable type veth peer name wall netns house
ip addr add 192.168.7.2/24 dev cable
ip link set cable up
ip netns exec house ip addr add 192.168.7.1/24 dev wall
ip netns exec house ip link set wall up
"$0" -c "$2" & resolver=$!
"$0" -c "$1" & listener=$!
sleep 0.5
ip netns exec house "$0" -c "$3"
wait $listener $resolver
"""


@pytest.mark.netns
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_a_name_that_is_called_is_heard_beside_the_resolver_of_the_system() -> None:
    inside = "mount -t tmpfs none /run && " + NETWORK
    command = ["unshare", "--net", "--mount", "sh", "-c", inside, sys.executable, LISTEN, RESOLVER, CALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "pikvm.local is here" in lines, "the resolver lost nothing"
    heard: list[Any] = next(json.loads(line) for line in lines if line.startswith("["))
    assert b"pikvm.local is here".hex() in heard


def test_a_network_in_which_nobody_speaks_is_left_after_the_time() -> None:
    began_s = time.monotonic()
    assert overhear("lo", "224.0.0.251", 15353, 0.2) == ()
    assert 0.15 < time.monotonic() - began_s < 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="Linux hands out what arrives anywhere, unless it is told not to")
def test_what_arrives_on_another_interface_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has joined the group on the loopback; the listener asks for what arrives on another one."""
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not others:
        pytest.skip("this machine has the loopback alone")
    group, port = "224.0.0.251", 15354
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as joined,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        own = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, own)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        calling = threading.Timer(0.1, out.sendto, (b"from the loopback", (group, port)))
        calling.start()
        assert overhear(others[0], group, port, 0.4) == ()
        calling.join()


def test_an_interface_that_is_not_there_is_said() -> None:
    with pytest.raises(HostError, match=r"224\.0\.0\.251 on gone0"):
        overhear("gone0", "224.0.0.251", 15353, 0.1)
