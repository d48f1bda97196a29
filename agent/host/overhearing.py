"""overhearing: what others in the network send to everybody who listens, for a moment. Nothing is sent to anybody.

Joining a group makes the kernel say by IGMP that this machine listens, as it does for each program that uses multicast.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from typing import Final

from agent.host import HostDeniedError, HostError

MOST_DATAGRAMS: Final = 256
DATAGRAM_BYTES: Final = 9000
"""Longest message of multicast DNS (RFC 6762, section 17)."""
LONGEST_S: Final = 2.0
MULTICAST_ALL: Final = 49
"""IP_MULTICAST_ALL of Linux (ip(7))."""


def overhear(interface: str, group: str, port: int, listen_s: float, own: str = "0.0.0.0") -> tuple[bytes, ...]:
    """Datagrams to an IPv4 group that arrive on an interface within two seconds at most.

    Args:
        own: this machine's address on that interface. macOS goes by it, Linux by the interface's number.

    Raises:
        HostDeniedError: this process may not listen.
        HostError: there is no such interface, or another program keeps the port for itself.
    """
    heard: list[bytes] = []
    end = time.monotonic() + min(listen_s, LONGEST_S)
    try:
        index = socket.if_nametoindex(interface)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.setblocking(False)
            # Beside the resolver of the system, which listens there as well: each of them gets every datagram.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform == "linux":
                # Else what arrives on any interface on which any program has joined the group.
                listener.setsockopt(socket.IPPROTO_IP, MULTICAST_ALL, 0)
            listener.bind((group, port))
            joined = struct.pack("=4s4si", socket.inet_aton(group), socket.inet_aton(own), index)  # struct ip_mreqn
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
            while len(heard) < MOST_DATAGRAMS and (left_s := end - time.monotonic()) > 0:
                if not select.select([listener], [], [], left_s)[0]:
                    break
                heard.append(listener.recv(DATAGRAM_BYTES))
    except PermissionError as error:
        raise HostDeniedError(f"{group}: {error.strerror}") from error
    except OSError as error:
        raise HostError(f"{group} on {interface}: {error.strerror}") from error
    return tuple(heard)
