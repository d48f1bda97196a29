"""stun: round trips of the address checks by which both ends of a UDP session ask each other whether they still agree.

A Binding Request goes out every five seconds or so (RFC 7675) and is answered at once by the program at the far end,
also through a TURN relay, which wraps both in ChannelData or in Send and Data indications (RFC 8656).
"""

from __future__ import annotations

from typing import Final

from .filter import COOKIE

HEADER_BYTES: Final = 20
REQUEST: Final = 0x0001
ANSWERS: Final = (0x0101, 0x0111)
INDICATIONS: Final = (0x0016, 0x0017)
DATA: Final = 0x0013
CHANNELS: Final = range(0x40, 0x80)
LONGEST_US: Final = 3_000_000
MOST_ASKED: Final = 256


class Checks:
    """Questions that this laptop asked, and how long the answers took."""

    def __init__(self) -> None:
        self.rtts_ms: list[float] = []
        self._asked: dict[bytes, tuple[int, bool]] = {}
        """When each question was asked last, and whether only once."""

    def see(self, at_us: int, *, out: bool, data: bytes) -> None:
        """Take in the beginning of one packet's payload."""
        told = parse(data)
        if told is None:
            return
        kind, transaction = told
        if out and kind == REQUEST:
            # Of a question that is sent again nobody knows which time it was answered.
            self._asked = {each: last for each, last in self._asked.items() if at_us - last[0] < LONGEST_US}
            if transaction in self._asked or len(self._asked) < MOST_ASKED:
                self._asked[transaction] = at_us, transaction not in self._asked
        elif not out and kind in ANSWERS and transaction in self._asked:
            asked_us, once = self._asked.pop(transaction)
            if once and 0 < at_us - asked_us < LONGEST_US:
                self.rtts_ms.append((at_us - asked_us) / 1000)


def parse(data: bytes) -> tuple[int, bytes] | None:
    """Type and transaction id of an address check, also of one that a relay wraps; None for everything else."""
    for _ in range(3):
        if len(data) >= 4 and data[0] in CHANNELS:
            data = data[4:]
            continue
        if len(data) < HEADER_BYTES or int.from_bytes(data[4:8], "big") != COOKIE:
            return None
        kind = int.from_bytes(data[:2], "big")
        if kind not in INDICATIONS:
            return kind, data[8:HEADER_BYTES]
        data = _wrapped(data[HEADER_BYTES:])
    return None


def _wrapped(attributes: bytes) -> bytes:
    """What an indication carries; empty where it is cut off."""
    while len(attributes) >= 4:
        kind, length = int.from_bytes(attributes[:2], "big"), int.from_bytes(attributes[2:4], "big")
        if kind == DATA:
            return attributes[4 : 4 + length]
        attributes = attributes[4 + ((length + 3) & ~3) :]
    return b""
