"""nl80211: the Wi-Fi networks that the kernel has heard lately, without asking any radio to look.

Reading the list of the last scan needs no privilege; starting one would. Entries are at most half a minute old, but for
the network that the laptop is in. Layouts: linux/genetlink.h, linux/nl80211.h; information elements: IEEE 802.11-2020,
section 9.4.2 (the country element is 9.4.2.8).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

from agent.host import HostDeniedError, HostError, HostTimeoutError
from agent.host.things import WifiCell
from agent.inet_diag import attributes

NETLINK_GENERIC: Final = 16
GENL_ID_CTRL: Final = 16
CTRL_CMD_GETFAMILY: Final = 3
NL80211_CMD_GET_SCAN: Final = 32
NLM_F_REQUEST: Final = 1
NLM_F_DUMP: Final = 0x300
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
ANSWER_BYTES: Final = 65536
MAX_ANSWERS_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 1.0

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_GENERIC = struct.Struct("=BBH")  # command, version, reserved
_CTRL_FAMILY_ID, _CTRL_FAMILY_NAME = 1, 2
_ATTR_INTERFACE, _ATTR_BSS = 3, 47
_BSSID, _FREQUENCY, _ELEMENTS, _SIGNAL, _STATUS, _BEACON = 1, 2, 6, 7, 9, 11
_JOINED: Final = 1
_KIND: Final = 0x3FFF
"""An attribute's type without the marks that say how it is written."""
_COUNTRY: Final = 7


def heard(interface: str) -> Iterator[WifiCell]:
    """Networks in the list of one interface.

    Raises:
        HostDeniedError: the kernel, or a sandbox, does not offer it.
        HostError: there is no such interface, or no Wi-Fi in this kernel.
        HostTimeoutError: the kernel did not answer.
    """
    try:
        index = socket.if_nametoindex(interface)
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_GENERIC)
    except PermissionError as error:
        raise HostDeniedError(f"nl80211: {error}") from error
    except OSError as error:
        kind = (
            HostDeniedError if error.errno == errno.EAFNOSUPPORT else HostError
        )  # as a unit's list of families says no
        raise kind(f"nl80211: {interface}: {error}") from error
    with netlink:
        netlink.settimeout(TIMEOUT_S)
        name = b"nl80211\0"
        asked = struct.pack("=HH", 4 + len(name), _CTRL_FAMILY_NAME) + name
        family = next((parse_family(body) for body in _ask(netlink, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, asked)), None)
        if not family:
            raise HostError("nl80211: this kernel has no Wi-Fi")
        wanted = struct.pack("=HHI", 8, _ATTR_INTERFACE, index)
        for body in _ask(netlink, family, NL80211_CMD_GET_SCAN, wanted, NLM_F_DUMP):
            cell = parse_cell(body)
            if cell is not None:
                yield cell


def _ask(netlink: socket.socket, family: int, command: int, body: bytes, flags: int = 0) -> Iterator[bytes]:
    """Bodies of the messages of the answer; an error ends it."""
    message = _GENERIC.pack(command, 1, 0) + body
    left = MAX_ANSWERS_BYTES
    try:
        netlink.send(_HEADER.pack(_HEADER.size + len(message), family, NLM_F_REQUEST | flags, command, 0) + message)
        while left > 0:
            answer = netlink.recv(ANSWER_BYTES)
            left -= len(answer)
            while len(answer) >= _HEADER.size:
                length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
                if length < _HEADER.size:
                    return
                if sequence == command and kind in (NLMSG_ERROR, NLMSG_DONE):
                    if flags:
                        refuse(kind, answer[_HEADER.size : length])
                    return
                if sequence == command and kind == family:
                    yield answer[_HEADER.size + _GENERIC.size : length]
                    if not flags:
                        return
                answer = answer[(length + 3) & ~3 :]
    except (OSError, struct.error) as error:
        raise HostTimeoutError(f"nl80211: {error}") from error
    raise HostTimeoutError(f"nl80211: more than {MAX_ANSWERS_BYTES} bytes")


def refuse(kind: int, body: bytes) -> None:
    """Nothing where the end of a list is its end: an error is no empty list.

    Raises:
        HostDeniedError: this process may not have it.
        HostError: the kernel has none, or stopped in the middle of it.
    """
    number = -int(struct.unpack_from("=i", body)[0]) if kind == NLMSG_ERROR and len(body) >= 4 else 0
    if number in (errno.EPERM, errno.EACCES):
        raise HostDeniedError(f"nl80211: {os.strerror(number)}")
    if number:
        raise HostError(f"nl80211: {os.strerror(number)}")


def parse_family(body: bytes) -> int:
    """The number that this kernel gave nl80211; 0 where it gave none."""
    found = dict(attributes(body)).get(_CTRL_FAMILY_ID, b"")
    return int(struct.unpack_from("=H", found)[0]) if len(found) >= 2 else 0


def parse_cell(body: bytes) -> WifiCell | None:
    """One entry of the list; None where it has no address."""
    nested = {kind & _KIND: payload for kind, payload in attributes(body)}.get(_ATTR_BSS, b"")
    found = {kind & _KIND: payload for kind, payload in attributes(nested)}
    address = found.get(_BSSID, b"")
    if len(address) != 6 or not any(address):
        return None
    elements = found.get(_ELEMENTS) or found.get(_BEACON, b"")
    signal = found.get(_SIGNAL, b"")
    return WifiCell(
        address=address,
        frequency_mhz=_number(found.get(_FREQUENCY)) or 0,
        signal_dbm=round(struct.unpack_from("=i", signal)[0] / 100) if len(signal) >= 4 else None,
        country=parse_country(elements) or parse_country(found.get(_BEACON, b"")),
        joined=_number(found.get(_STATUS)) == _JOINED,
    )


def parse_country(elements: bytes) -> str:
    """The country code that a network announces; empty where it announces none, or no country's."""
    while len(elements) >= 2:
        kind, length = elements[0], elements[1]
        if kind == _COUNTRY and length >= 3 and len(elements) >= 5:
            code = elements[2:4]
            return code.decode() if code.isalpha() and code.isascii() and code.isupper() and code != b"XX" else ""
        elements = elements[2 + length :]
    return ""


def _number(payload: bytes | None) -> int | None:
    return int(struct.unpack_from("=I", payload)[0]) if payload is not None and len(payload) >= 4 else None
