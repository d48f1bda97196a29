"""rtnetlink: the kernel's routes and neighbours: which way a packet would leave, and who stands at the other end.

Needs no privilege, and asks in the network namespace of this process. A VPN may send all traffic into its tunnel by a
rule and a table of its own (WireGuard, Mullvad, WARP, Tailscale) or by two halves of the internet that are more
specific than the default route (OpenVPN's def1): whatever it does, the kernel's answer for one address has it in.
Layouts: linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from agent.host import HostDeniedError, HostTimeoutError, Neighbour, Route
from agent.inet_diag import attributes

RTM_NEWROUTE: Final = 24
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH: Final = 28
RTM_GETNEIGH: Final = 30
NLM_F_REQUEST: Final = 1
NLM_F_DUMP: Final = 0x300
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
RTN_UNICAST: Final = 1
RTM_F_LOOKUP_TABLE: Final = 0x1000
"""The answer names the table that held the route, not the main one."""
ANSWER_BYTES: Final = 65536
MAX_ANSWERS_BYTES: Final = 4 * 1024 * 1024
TIMEOUT_S: Final = 1.0

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, destination bits, source bits, tos, table, protocol, scope, type, flags
_NEIGHBOUR = struct.Struct("=B3xiHBB")  # family, interface, state, flags, type
_NEXT_HOP = struct.Struct("=HBBi")  # length, flags, hops, interface
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 1, 4, 5, 6, 9, 15, 18
_NDA_DST, _NDA_LLADDR = 1, 2
_USABLE: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80  # reachable, stale, delay, probe, permanent
_MAC_BYTES: Final = 6
_FAMILIES: Final = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


class Rtnetlink:
    """An open door to the kernel's routes. Use it as a context manager.

    Raises:
        HostDeniedError: the kernel, or a sandbox, does not offer it.
    """

    def __init__(self) -> None:
        try:
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
        except OSError as error:
            raise HostDeniedError(f"rtnetlink: {error}") from error
        self._netlink.settimeout(TIMEOUT_S)
        self._sequence = 0

    def __enter__(self) -> Rtnetlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._netlink.close()

    def route_to(self, address: str, interface: str = "") -> Route | None:
        """The way a packet to this address would take; None where none leads there, or a rule forbids it.

        Args:
            interface: of a socket that is bound to this one.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        wanted = _ROUTE.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, RTM_F_LOOKUP_TABLE)
        wanted += struct.pack("=HH", 4 + len(packed), _RTA_DST) + packed
        if interface:
            try:
                wanted += struct.pack("=HHI", 8, _RTA_OIF, socket.if_nametoindex(interface))
            except OSError:
                return None  # it went away
        for kind, body in self._ask(RTM_GETROUTE, wanted, dump=False):
            if kind == RTM_NEWROUTE:
                return next(parse_route(body), None)
        return None

    def default_routes(self) -> Iterator[Route]:
        """Default routes of both protocols, out of every table.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        for family in _FAMILIES:
            for kind, body in self._ask(RTM_GETROUTE, _ROUTE.pack(family, *[0] * 8), dump=True):
                if kind == RTM_NEWROUTE and len(body) >= _ROUTE.size and body[1] == 0:
                    yield from parse_route(body)

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        """The six bytes by which a neighbour is reached; None where it is not known, or has no such address.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            index, packed = socket.if_nametoindex(interface), socket.inet_pton(family, address)
        except OSError:
            return None
        for kind, body in self._ask(RTM_GETNEIGH, _NEIGHBOUR.pack(family, 0, 0, 0, 0), dump=True):
            if kind == RTM_NEWNEIGH and (found := parse_neighbour(body, index, packed)) is not None:
                return found
        return None

    def neighbours(self) -> Iterator[Neighbour]:
        """Neighbours of both protocols whose hardware addresses are known.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        for family in _FAMILIES:
            for kind, body in self._ask(RTM_GETNEIGH, _NEIGHBOUR.pack(family, 0, 0, 0, 0), dump=True):
                if kind == RTM_NEWNEIGH and (found := parse_neighbour_entry(body)) is not None:
                    yield found

    def _ask(self, kind: int, body: bytes, *, dump: bool) -> Iterator[tuple[int, bytes]]:
        """Type and body of each message of the answer; an error ends it."""
        self._sequence += 1
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
        left = MAX_ANSWERS_BYTES
        try:
            self._netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
            while left > 0:
                answer = self._netlink.recv(ANSWER_BYTES)
                left -= len(answer)
                for said, sequence, message in _messages(answer):
                    if sequence != self._sequence:
                        continue  # an older one is the answer to a question that was given up
                    if said in (NLMSG_ERROR, NLMSG_DONE):
                        return
                    yield said, message
                    if not dump:
                        return
        except PermissionError as error:  # a security module forbids the question
            raise HostDeniedError(f"rtnetlink: {error}") from error
        except (OSError, struct.error) as error:
            raise HostTimeoutError(f"rtnetlink: {error}") from error
        raise HostTimeoutError(f"rtnetlink: more than {MAX_ANSWERS_BYTES} bytes")


def _messages(answer: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence and body of the messages in one datagram."""
    while len(answer) >= _HEADER.size:
        length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
        if length < _HEADER.size:
            return
        yield kind, sequence, answer[_HEADER.size : length]
        answer = answer[(length + 3) & ~3 :]


def parse_route(body: bytes) -> Iterator[Route]:
    """Read struct rtmsg and its attributes: a route for each way it has, none where it only refuses."""
    if len(body) < _ROUTE.size:
        return
    family, _, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
    if kind != RTN_UNICAST or family not in _FAMILIES:
        return
    found = dict(attributes(body[_ROUTE.size :]))
    metric, table = _number(found.get(_RTA_PRIORITY)), _number(found.get(_RTA_TABLE)) or table
    hops = [(_number(found.get(_RTA_OIF)), found)]
    if _RTA_MULTIPATH in found:
        hops = list(_next_hops(found[_RTA_MULTIPATH]))
    for index, more in hops:
        try:
            name = socket.if_indextoname(index)
        except OSError:
            continue  # it went away, or there is none
        yield Route(
            interface=name,
            family="ipv4" if family == socket.AF_INET else "ipv6",
            gateway=_gateway(family, more),
            metric=metric,
            table=table,
        )


def parse_neighbour(body: bytes, index: int, address: bytes) -> bytes | None:
    """Read struct ndmsg; the hardware address where it is this neighbour and the kernel trusts the entry."""
    if len(body) < _NEIGHBOUR.size:
        return None
    _, interface, state, _, _ = _NEIGHBOUR.unpack_from(body)
    found = dict(attributes(body[_NEIGHBOUR.size :]))
    hardware = found.get(_NDA_LLADDR, b"")
    if interface != index or found.get(_NDA_DST) != address or not state & _USABLE or len(hardware) != _MAC_BYTES:
        return None
    return hardware


def parse_neighbour_entry(body: bytes) -> Neighbour | None:
    """Read struct ndmsg as a neighbour; None where it has no usable hardware address, or is a group of listeners."""
    if len(body) < _NEIGHBOUR.size:
        return None
    family, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
    found = dict(attributes(body[_NEIGHBOUR.size :]))
    hardware, address = found.get(_NDA_LLADDR, b""), found.get(_NDA_DST, b"")
    if not state & _USABLE or len(hardware) != _MAC_BYTES or not any(hardware) or hardware[0] & 1:
        return None
    try:
        name, written = socket.if_indextoname(index), socket.inet_ntop(family, address)
    except (OSError, ValueError):
        return None
    return Neighbour(interface=name, address=written, hardware=hardware)


def _next_hops(data: bytes) -> Iterator[tuple[int, dict[int, bytes]]]:
    """Interface and attributes of each way of a route that has several."""
    while len(data) >= _NEXT_HOP.size:
        length, _, _, index = _NEXT_HOP.unpack_from(data)
        if length < _NEXT_HOP.size:
            return
        yield index, dict(attributes(data[_NEXT_HOP.size : length]))
        data = data[(length + 3) & ~3 :]


def _gateway(family: int, found: dict[int, bytes]) -> str:
    """The next router's address; empty where there is none. An IPv4 route may lead over an IPv6 router."""
    packed = found.get(_RTA_GATEWAY, b"")
    if _RTA_VIA in found:
        family, packed = struct.unpack_from("=H", found[_RTA_VIA])[0], found[_RTA_VIA][2:]
    try:
        return socket.inet_ntop(family, packed) if packed else ""
    except (ValueError, OSError):
        return ""


def _number(payload: bytes | None) -> int:
    """An attribute of four bytes; 0 where it is missing."""
    return int.from_bytes(payload[:4], "little" if struct.pack("=H", 1)[0] else "big") if payload else 0
