"""macos_sockets: TCP sockets out of lsof, and the kernel's figures of them out of nettop.

lsof keeps its form for programs the same over the years, where the columns of netstat differ between releases; it sees
all sockets as root and one's own otherwise. It is started only where a tool of the catalogue runs.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Final, Literal

from .things import Socket, TcpInfo

MAX_LINES: Final = 200_000
Ends = tuple[str, int, str, int]

_ANY: Final = {"IPv4": "0.0.0.0", "IPv6": "::"}
_SCOPED = re.compile(r"(fe[89ab][0-9a-f]):[0-9a-f]{1,4}::", re.IGNORECASE)
"""A link-local address as the kernel keeps it: the number of the interface stands in its second part."""
_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?) ms")


def parse_lsof(listing: str, owners: Iterable[int]) -> tuple[Socket, ...]:
    """All sockets of `lsof -F ptnT`, each once, with its owner where that is one of those asked about.

    A line holds one field: p the process, f a file of it, t the protocol, n the two ends, TST= the state.
    """
    asked = set(owners)
    held: dict[tuple[str, Ends], list[int]] = {}
    pid, family, name = 0, "", ""
    for line in listing.splitlines()[:MAX_LINES]:
        field, value = line[:1], line[1:]
        if field == "p":
            pid = int(value) if value.isdecimal() else 0
        elif field == "f":
            family = name = ""
        elif field == "t":
            family = value
        elif field == "n":
            name = value
        elif value in ("ST=LISTEN", "ST=ESTABLISHED") and (ends := parse_ends(name, family)) is not None:
            holders = held.setdefault((value.removeprefix("ST="), ends), [])
            if pid in asked:
                holders.append(pid)
    return tuple(_socket(state, ends, sorted(holders)) for (state, ends), holders in held.items())


def parse_ends(name: str, family: str) -> Ends | None:
    """Addresses and ports of ADDRESS:PORT->ADDRESS:PORT, or of ADDRESS:PORT alone; None where it is neither."""
    local, _, peer = name.partition("->")
    ends: list[str | int] = []
    for end in (local, peer):
        address, _, port = end.rpartition(":")
        if not end and ends:
            ends += ["", 0]
        elif not port.isdecimal() or not address:
            return None
        else:
            ends += [_ANY.get(family, "0.0.0.0") if address == "*" else plain_address(address), int(port)]
    return str(ends[0]), int(ends[1]), str(ends[2]), int(ends[3])


def plain_address(address: str) -> str:
    """An address without brackets and zone; IPv4 where it stands in IPv6."""
    bare = address.strip("[]").partition("%")[0].lower()
    return _SCOPED.sub(r"\1::", bare).removeprefix("::ffff:")


def _socket(state: str, ends: Ends, holders: list[int]) -> Socket:
    """Children inherit what listens, and the newest of them serves a connection."""
    kind: Literal["listen", "established"] = "listen" if state == "LISTEN" else "established"
    owner = (holders[0] if kind == "listen" else holders[-1]) if holders else None
    return Socket(
        state=kind, local_address=ends[0], local_port=ends[1], peer_address=ends[2], peer_port=ends[3], pid=owner
    )


def parse_nettop(listing: str) -> dict[Ends, TcpInfo]:
    """Figures of every connection in nettop's comma-separated values, whatever their order.

    A line is a process, or a flow: `tcp4 A:P<->A:P`, `tcp6 A.P<->A.P`. The round trip is the kernel's smoothed one;
    the smallest is not told.
    """
    rows = csv.reader(listing.splitlines()[:MAX_LINES])
    heading = next(rows, [])
    columns = {name: at for at, name in reversed(list(enumerate(heading)))}
    if not {"", "bytes_in", "bytes_out", "rtt_avg"} <= columns.keys():
        return {}
    found = {}
    for row in rows:
        if len(row) < len(heading) - 1:
            continue
        protocol, _, flow = row[columns[""]].partition(" ")
        ends = _flow_ends(flow, "." if protocol == "tcp6" else ":") if protocol in ("tcp4", "tcp6") else None
        received, sent = row[columns["bytes_in"]], row[columns["bytes_out"]]
        if ends is None or not received.isdecimal() or not sent.isdecimal():
            continue
        rtt = _MILLISECONDS.fullmatch(row[columns["rtt_avg"]])
        rtt_ms = float(rtt[1]) if rtt and float(rtt[1]) > 0 else None
        found[ends] = TcpInfo(min_rtt_ms=None, rtt_ms=rtt_ms, bytes_acked=int(sent), bytes_received=int(received))
    return found


def _flow_ends(flow: str, sign: str) -> Ends | None:
    """Ends of a connection; None where one of them is open."""
    ends: list[tuple[str, int]] = []
    for end in flow.split("<->"):
        address, _, port = end.rpartition(sign)
        if not port.isdecimal():
            return None
        ends.append((plain_address(address), int(port)))
    return (*ends[0], *ends[1]) if len(ends) == 2 else None
