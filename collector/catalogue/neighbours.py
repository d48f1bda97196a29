"""neighbours: by what laptops know the devices around them, read from `neighbours.yaml`.

Laptops get it with their signed settings and compare there, so that other people's hardware addresses never leave.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from agent.wire.settings import MakerPrefixes, NeighbourProduct, NeighbourTable
from agent.wire.signals import DeviceClass
from collector.strict import Document

from . import Id, Sentence

SHIPPED: Final = Path(__file__).with_name("neighbours.yaml")

Prefix = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A([0-9a-f]{6}|[0-9a-f]{7}|[0-9a-f]{9})\Z",
        description='6, 7 or 9 hexadecimal digits, such as "305253"',
    ),
]
Name = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z0-9*-]{1,63}\Z", description="a host name in small letters, such as pikvm-*")
]
Service = Annotated[
    str, msgspec.Meta(pattern=r"\A_[a-z0-9-]{1,15}\._(tcp|udp)\Z", description="a service, such as _pikvm._tcp")
]

Words = Annotated[
    str,
    msgspec.Meta(
        min_length=4, max_length=64, description="4 to 64 characters as it says them of itself, * for any others"
    ),
]


class Makers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makers of one class of devices."""

    device_class: DeviceClass
    prefixes: tuple[Prefix, ...]


class NetworkProduct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By what one product of the hardware tables is known in a network."""

    id: Id
    prefixes: tuple[Prefix, ...] = ()
    names: tuple[Name, ...] = ()
    services: tuple[Service, ...] = ()
    certificates: tuple[Words, ...] = ()
    titles: tuple[Words, ...] = ()
    source: Sentence
    """Where the facts come from."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    makers: tuple[Makers, ...]
    products: tuple[NetworkProduct, ...]


def load(products: Collection[str], path: Path = SHIPPED) -> NeighbourTable:
    """The table as laptops get it.

    Args:
        products: ids of the hardware tables.

    Raises:
        MistakesError: what is wrong in the file, each with place and line.
        OSError: the file cannot be read.
    """
    document = Document(path.read_text(encoding="utf-8"), path.name)
    file = document.checked(_File, lambda file: _wrong(file, products))
    return NeighbourTable(
        makers=tuple(MakerPrefixes(device_class=each.device_class, prefixes=each.prefixes) for each in file.makers),
        products=tuple(
            NeighbourProduct(
                id=each.id,
                prefixes=each.prefixes,
                names=each.names,
                services=each.services,
                certificates=each.certificates,
                titles=each.titles,
            )
            for each in file.products
        ),
    )


def _wrong(file: _File, products: Collection[str]) -> Iterator[tuple[str, str]]:
    taken: dict[str, str] = {}
    for index, product in enumerate(file.products):
        if product.id not in products:
            yield f"products[{index}].id", f"{product.id} is no product of hardware.yaml"
        if not (product.prefixes or product.names or product.services or product.certificates or product.titles):
            yield f"products[{index}].id", f"{product.id} needs a prefix, a name, a service, a certificate or a title"
        for field in ("certificates", "titles"):
            for words in getattr(product, field):
                if len(words.replace("*", "")) < 4:
                    yield f"products[{index}].{field}", f"{words} would fit too much: give 4 characters besides the *"
    listed = [(f"makers[{n}].prefixes", each.prefixes) for n, each in enumerate(file.makers)]
    listed += [(f"products[{n}].prefixes", each.prefixes) for n, each in enumerate(file.products)]
    for place, prefixes in listed:
        for prefix in prefixes:
            if prefix in taken:
                yield place, f"{prefix} stands in {taken[prefix]} already"
            taken[prefix] = place
            if int(prefix[1], 16) & 3:
                yield place, f"{prefix} is no maker's: its second digit says that it is of chance, or a group's"
