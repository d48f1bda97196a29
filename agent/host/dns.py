"""dns: asks the configured name servers for many names at once, and never for longer than it is given.

The C library's getaddrinfo cannot be stopped: with a name server that is silent it holds its thread for half a minute.
This asks the same servers (so that a split of names by systemd-resolved or a VPN holds) over UDP, from a port of its
own for each question, and reads addresses alone. /etc/hosts is not looked at.
Format: RFC 1035.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from .waiting import READ, Poller, non_blocking

Family = Literal["ipv4", "ipv6"]

PORT: Final = 53
MAX_SERVERS: Final = 8
MAX_NAMES: Final = 64
MAX_ADDRESSES: Final = 8
ASK_AGAIN_S: Final = 0.7
ANSWER_BYTES: Final = 4096
STUBS: Final = (
    ("127.0.0.53", "/run/systemd/resolve/resolv.conf"),
    ("127.0.0.54", "/run/systemd/resolve/resolv.conf"),
    ("127.0.0.1", "/run/NetworkManager/no-stub-resolv.conf"),
    ("127.0.1.1", "/run/NetworkManager/no-stub-resolv.conf"),
)
"""Name servers on this machine that only pass questions on, and where it says to whom."""

_HEADER = struct.Struct("!HHHHHH")  # id, flags, questions, answers, authorities, additional
_FIXED = struct.Struct("!HHIH")  # type, class, seconds to live, length
_TYPES: Final = {"ipv4": 1, "ipv6": 28}
_FAMILIES: Final = {1: (socket.AF_INET, 4), 28: (socket.AF_INET6, 16)}
_IN: Final = 1
_ANSWER: Final = 0x8000
_RECURSE: Final = 0x0100
_CODE: Final = 0x000F
_NOT_ANSWERED: Final = (2, 4, 5)
"""Server failure, not implemented, refused: another server may know."""
_POINTER: Final = 0xC0
_MAX_JUMPS: Final = 64


def parse_resolv_conf(text: str) -> tuple[str, ...]:
    """Addresses of the name servers in a resolv.conf, in their order."""
    fields = (line.split() for line in text.splitlines())
    found = (words[1] for words in fields if len(words) > 1 and words[0] == "nameserver")
    return tuple(dict.fromkeys(found))[:MAX_SERVERS]


def resolve(
    names: Iterable[str], servers: Sequence[str], family: Family, deadline_s: float
) -> dict[str, tuple[str, ...]]:
    """Addresses of the names, as far as they came in time. Packets get lost and servers are silent, so each question is
    asked again, of the next server, while there is time."""
    found: dict[str, tuple[str, ...]] = {}
    questions = {name: question(name, family) for name in list(dict.fromkeys(names))[:MAX_NAMES]}
    open_questions = {name: asking for name, asking in questions.items() if asking}
    asked: dict[int, tuple[socket.socket, str, bytes]] = {}
    poller = Poller()
    end = time.monotonic() + deadline_s
    turn = 0
    try:
        while servers and open_questions and (left_s := end - time.monotonic()) > 0:
            server = servers[turn % len(servers)]
            for name, asking in open_questions.items():
                if (sent := _send(server, asking)) is not None:
                    asked[sent.fileno()] = sent, name, asking
                    poller.register(sent, READ)
            turn += 1
            again_at = time.monotonic() + min(ASK_AGAIN_S, left_s)
            while open_questions and (wait_s := again_at - time.monotonic()) > 0:
                for descriptor in poller.ready(wait_s):
                    asked_socket, name, asking = asked[descriptor]
                    answer = _received(asked_socket)
                    addresses = parse_answer(answer, asking) if answer is not None else None
                    if answer is None:
                        poller.unregister(asked_socket)  # nobody listens there
                    elif addresses is not None:
                        poller.unregister(asked_socket)
                        found.setdefault(name, addresses)
                        open_questions.pop(name, None)
    finally:
        for asked_socket, _, _ in asked.values():
            asked_socket.close()
    return found


def question(name: str, family: Family) -> bytes:
    """One question with a number that cannot be guessed; empty where the name cannot be asked for."""
    try:
        labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    except UnicodeEncodeError:
        return b""
    if len(name) > 253 or not all(0 < len(label) <= 63 for label in labels):
        return b""
    head = _HEADER.pack(int.from_bytes(os.urandom(2), "big"), _RECURSE, 1, 0, 0, 0)
    written = b"".join(bytes([len(label)]) + label for label in labels)
    return head + written + b"\0" + struct.pack("!HH", _TYPES[family], _IN)


def parse_answer(answer: bytes, asked: bytes) -> tuple[str, ...] | None:
    """The addresses in an answer, few where it was cut; None where it is no answer to this question."""
    if len(answer) < len(asked) or answer[:2] != asked[:2]:
        return None
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(answer)
    body = len(_HEADER.pack(*[0] * 6))
    if not flags & _ANSWER or flags & _CODE in _NOT_ANSWERED:
        return None
    if questions != 1 or answer[body : len(asked)].lower() != asked[body:].lower():
        return None
    wanted = struct.unpack("!HH", asked[-4:])[0]
    found: list[str] = []
    at = len(asked)
    try:
        for _ in range(min(answers, MAX_NAMES)):
            at = _past_name(answer, at)
            kind, family, _, length = _FIXED.unpack_from(answer, at)
            at += _FIXED.size
            address_family, size = _FAMILIES[wanted]
            if (kind, family, length) == (wanted, _IN, size) and len(answer) >= at + size:
                found.append(socket.inet_ntop(address_family, answer[at : at + size]))
            at += length
    except (struct.error, IndexError):
        pass  # it was cut, or is damaged: what was read before holds
    return tuple(found[:MAX_ADDRESSES])


def _past_name(answer: bytes, at: int) -> int:
    """Where the name that begins here ends: at an empty label or a pointer to an earlier place."""
    for _ in range(_MAX_JUMPS):
        length = answer[at]
        if length & _POINTER:
            return at + 2
        at += 1 + length
        if not length:
            return at
    raise IndexError("a name without an end")


def _send(server: str, asking: bytes) -> socket.socket | None:
    """A socket on which the question was asked; None where the server cannot be reached."""
    try:
        family, _, _, _, place = socket.getaddrinfo(server, PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[
            0
        ]
        asking_socket = non_blocking(family, socket.SOCK_DGRAM)
    except (OSError, ValueError):  # a text that is no address is refused in both ways
        return None
    try:
        asking_socket.connect(place)  # answers from elsewhere are dropped by the kernel
        asking_socket.send(asking)
    except OSError:
        asking_socket.close()
        return None
    return asking_socket


def _received(asked: socket.socket) -> bytes | None:
    """What came; nothing where it was not for us, None where the server refuses."""
    try:
        return asked.recv(ANSWER_BYTES)
    except BlockingIOError:
        return b""
    except OSError:  # nobody listens there, or a firewall on the way forbids it
        return None
