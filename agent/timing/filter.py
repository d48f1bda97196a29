"""filter: a program by which the kernel keeps the headers of one connection's packets and drops everything else.

Classic BPF (linux/filter.h), run on each packet from its IP header on, before any other program sees it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from agent.inet_diag import Ends

TCP: Final = 6
UDP: Final = 17
COOKIE: Final = 0x2112A442
"""By which an address check is known (RFC 8489)."""
CHECK_BYTES: Final = 80
"""What is kept of an address check and of what a TURN relay wraps: the check within it, and nothing of a picture."""

# Codes: loads into A (word, half, byte; at an offset, or at one behind the IP header), and what is done with it.
_WORD, _HALF, _BYTE, _X_WORD, _X_HALF, _X_BYTE = 0x20, 0x28, 0x30, 0x40, 0x48, 0x50
_HEADER_BYTES, _X_CONSTANT, _EQUAL, _ANY_BIT = 0xB1, 0x01, 0x15, 0x45
_AND, _SHIFT_RIGHT, _ADD, _ADD_X, _TAKE_X, _KEEP, _KEEP_A = 0x54, 0x74, 0x04, 0x0C, 0x87, 0x06, 0x16
_INSTRUCTION: Final = Struct("=HBBI")

Instruction = tuple[int, int, str, str]
"""Code, operand, and where to go on when it holds and when not; "" is the next one."""
Source = list[Instruction | str]
"""Instructions, and names of places between them."""


def program(ends: Ends, protocol: int) -> bytes:
    """For one connection, both ways; of UDP for one local port, whoever is at the other end.

    Of TCP all headers are kept, of UDP those of address checks, and the first 80 bytes of these.
    """
    local_port, peer_port, local, peer = ends
    source: Source = []
    if len(local) == 4:
        source += [(_BYTE, 0, "", ""), (_AND, 0xF0, "", ""), (_EQUAL, 0x40, "", "refuse")]
        source += [(_BYTE, 9, "", ""), (_EQUAL, protocol, "", "refuse")]
        source += [(_HALF, 6, "", ""), (_ANY_BIT, 0x1FFF, "refuse", ""), (_HEADER_BYTES, 0, "", "")]
    else:
        source += [(_BYTE, 0, "", ""), (_AND, 0xF0, "", ""), (_EQUAL, 0x60, "", "refuse")]
        source += [(_BYTE, 6, "", ""), (_EQUAL, protocol, "", "refuse"), (_X_CONSTANT, 40, "", "")]
    source += _matching((local, local_port), (peer, peer_port), "back")
    source += ["back", *_matching((peer, peer_port), (local, local_port), "refuse")]
    source += ["keep", *(_KEEP_OF_UDP if protocol == UDP else _KEEP_OF_TCP), "refuse", (_KEEP, 0, "", "")]
    return assemble(source)


def assemble(source: Source) -> bytes:
    """Programs as the kernel takes them: places become distances."""
    places: dict[str, int] = {}
    instructions: list[Instruction] = []
    for each in source:
        if isinstance(each, str):
            places[each] = len(instructions)
        else:
            instructions.append(each)

    def distance(index: int, place: str) -> int:
        return places[place] - index - 1 if place else 0

    return b"".join(
        _INSTRUCTION.pack(code, distance(index, true), distance(index, false), operand)
        for index, (code, operand, true, false) in enumerate(instructions)
    )


def _matching(source: tuple[bytes, int], target: tuple[bytes, int], otherwise: str) -> list[Instruction]:
    """Instructions that go on at "keep" for packets from one end to the other. An end of zeros fits all."""
    found: list[Instruction] = []
    starts = (12, 16) if len(source[0]) == 4 else (8, 24)
    for (address, _), start in zip((source, target), starts, strict=True):
        if any(address):
            for at in range(0, len(address), 4):
                found += [
                    (_WORD, start + at, "", ""),
                    (_EQUAL, int.from_bytes(address[at : at + 4], "big"), "", otherwise),
                ]
    for (_, port), at in ((source, 0), (target, 2)):
        if port:
            found += [(_X_HALF, at, "", ""), (_EQUAL, port, "", otherwise)]
    code, operand, _, false = found[-1]
    return [*found[:-1], (code, operand, "keep", false)]


_KEEP_OF_TCP: Final[Source] = [
    (_X_BYTE, 12, "", ""),
    (_AND, 0xF0, "", ""),
    (_SHIFT_RIGHT, 2, "", ""),
    (_ADD_X, 0, "", ""),
    (_KEEP_A, 0, "", ""),
]
_KEEP_OF_UDP: Final[Source] = [
    (_X_WORD, 12, "", ""),
    (_EQUAL, COOKIE, "check", ""),
    (_X_BYTE, 8, "", ""),
    (_AND, 0xC0, "", ""),
    (_EQUAL, 0x40, "", "refuse"),  # ChannelData of a TURN relay
    (_X_WORD, 16, "", ""),
    (_EQUAL, COOKIE, "check", "refuse"),
    "check",
    (_TAKE_X, 0, "", ""),
    (_ADD, 8 + CHECK_BYTES, "", ""),
    (_KEEP_A, 0, "", ""),
]
