"""surroundings: what a hardware address and a name that is called out tell of the device behind them.

Makers are known by the first digits of an address (IEEE registration authority), products by the names that they call
themselves with multicast DNS (RFC 6762). Both tables come from the collector, signed: the agent holds none.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from agent.host import Answer
from agent.wire.settings import NeighbourTable
from agent.wire.signals import AnsweredBy, DeviceClass

MDNS: Final = ("224.0.0.251", 5353)
SHARED_PREFIXES: Final = (
    bytes.fromhex("00005e0001"),  # VRRP (RFC 9568)
    bytes.fromhex("00005e0002"),  # VRRP over IPv6
    bytes.fromhex("00000c07ac"),  # HSRP
    bytes.fromhex("00000c9f"),  # HSRP version 2
    bytes.fromhex("0007b400"),  # GLBP
)
"""Hardware addresses that redundant routers share by a protocol: the same ones stand in thousands of networks."""
PREFIX_DIGITS: Final = (9, 7, 6)
"""Lengths of the blocks that the IEEE gives to makers, the most particular first."""
MOST_NAMES: Final = 64
"""Of questions, and of answers, in one datagram."""
MOST_READ: Final = 2048
"""Names of one look: anybody in the network may call out as many as fit, and each may jump about."""
MOST_JUMPS: Final = 16
_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")  # type, class, time to live, length
_POINTER: Final = 0xC0


def names_one_device(address: bytes) -> bool:
    """True for a hardware address that one device alone has: not one of many listeners, not one that routers share."""
    return any(address) and not address[0] & 1 and not address.startswith(SHARED_PREFIXES)


def is_of_chance(address: bytes) -> bool:
    """True for an address that no maker gave: drawn by a phone for its privacy, by a hotspot or a virtual machine."""
    return bool(address[0] & 2)


class Known:
    """The signed table, keyed the way that it is looked up."""

    def __init__(self, table: NeighbourTable) -> None:
        self._classes: dict[str, DeviceClass] = {}
        for maker in table.makers:
            for known in get_args(DeviceClass):
                if maker.device_class == known:
                    self._classes |= dict.fromkeys(map(str.lower, maker.prefixes), known)
        self._products = {prefix.lower(): one.id for one in table.products for prefix in one.prefixes}
        self._names = [(_pattern(name), one.id) for one in table.products for name in one.names]
        self._certificates = [(name, one.id) for one in table.products for name in one.certificates]
        self._titles = [(title, one.id) for one in table.products for title in one.titles]
        self._services = {service.lower(): one.id for one in table.products for service in one.services}

    def device_class(self, address: bytes) -> DeviceClass:
        """What the maker of a hardware address makes; unknown for an address of chance."""
        if is_of_chance(address):
            return "unknown"
        digits = address.hex()
        if any(digits[:length] in self._products for length in PREFIX_DIGITS):
            return "kvm"
        return next((self._classes[digits[:n]] for n in PREFIX_DIGITS if digits[:n] in self._classes), "other")

    def product(self, address: bytes) -> str | None:
        """Id of the product that alone has such addresses."""
        digits = address.hex()
        return next((self._products[digits[:n]] for n in PREFIX_DIGITS if digits[:n] in self._products), None)

    def product_called(self, name: str) -> str | None:
        """Id of the product that calls itself so, such as glkvm.local or pikvm._pikvm._tcp.local."""
        labels = name.lower().rstrip(".").split(".")
        if labels[-1:] != ["local"]:
            return None
        service = ".".join(labels[-3:-1])
        if service in self._services:
            return self._services[service]
        return _matching(self._names, labels[0]) if len(labels) == 2 else None

    def product_answering(self, answer: Answer) -> tuple[str, AnsweredBy] | None:
        """Id of the product that says so of itself, and in what: its certificate, or else the title of its page."""
        # These patterns are made here: most laptops never need them.
        certificates = [(_pattern(name, "."), one) for name, one in self._certificates]
        for name in answer.certificate:
            if (product := _matching(certificates, name)) is not None:
                return product, "certificate"
        product = _matching(((_pattern(title, "."), one) for title, one in self._titles), answer.title)
        return (product, "title") if product is not None else None


def _pattern(name: str, some: str = "[^.]") -> re.Pattern[str]:
    return re.compile(re.escape(name.lower()).replace(r"\*", f"{some}*"))


def _matching(patterns: Iterable[tuple[re.Pattern[str], str]], text: str) -> str | None:
    return next((one for pattern, one in patterns if pattern.fullmatch(text.lower())), None)


def names_in(datagrams: Iterable[bytes]) -> Iterator[str]:
    """Names that answers of multicast DNS are about. What others ask for says nothing of who is there."""
    left = iter(range(MOST_READ))
    for datagram in datagrams:
        try:
            yield from _answered(datagram, left)
        except (struct.error, IndexError):
            continue  # it is cut or damaged: what was read before holds


def _answered(datagram: bytes, left: Iterator[int]) -> Iterator[str]:
    """Names of one datagram, as long as there are some left to read."""
    _, _, questions, *records = _HEADER.unpack_from(datagram)
    at = _HEADER.size
    for _, _ in zip(range(min(questions, MOST_NAMES)), left, strict=False):
        at = _name(datagram, at)[1] + 4
    for _, _ in zip(range(min(sum(records), MOST_NAMES)), left, strict=False):
        name, at = _name(datagram, at)
        yield name
        at += _FIXED.size + _FIXED.unpack_from(datagram, at)[3]


def _name(datagram: bytes, at: int) -> tuple[str, int]:
    """The name that begins here, and where the message goes on behind it."""
    labels: list[str] = []
    after: int | None = None
    for _ in range(MOST_JUMPS + MOST_NAMES):
        length = datagram[at]
        if length & _POINTER:
            after = at + 2 if after is None else after
            at = (length & 0x3F) << 8 | datagram[at + 1]
            continue
        if not length:
            return ".".join(labels), at + 1 if after is None else after
        labels.append(datagram[at + 1 : at + 1 + length].decode("utf-8", "replace"))
        at += 1 + length
    raise IndexError("a name without an end")
