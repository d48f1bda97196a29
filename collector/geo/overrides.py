"""overrides: what is known better than place data knows it: countries, classes, watched ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from collector.judgement.view import NetworkClass
from collector.strict import Document, Mistake, MistakesError

from .baseline import Address

FILE: Final = "overrides.yaml"
SHIPPED: Final = Path(__file__).parent / "data" / FILE
Words = Annotated[str, msgspec.Meta(min_length=3, max_length=200, description="a few words")]
Code = Annotated[
    str, msgspec.Meta(pattern=r"\A[A-Z]{2}\Z", description="a country code of ISO 3166 in capitals, such as DE")
]


class _Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    country: Code | None = None
    """Where it is, whatever place data says."""
    class_: NetworkClass | None = msgspec.field(name="class", default=None)
    watch: Annotated[bool, msgspec.Meta(description="true or false")] = False
    """A finding names it."""
    cable: Annotated[bool, msgspec.Meta(description="true or false")] = False
    """Lines to homes by cable: the region that place data names is the right one far more often than elsewhere."""
    note: Words
    source: Words
    """Who says so."""


class PrefixOverride(_Override, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a range of addresses."""

    prefix: Annotated[str, msgspec.Meta(description="a range of addresses, such as 192.0.2.0/24")]


class NetworkOverride(_Override, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of all that a network announces."""

    asn: Annotated[int, msgspec.Meta(ge=1, le=4294967295, description="the number of a network, such as 64496")]


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of overrides."""

    only_by_override: Annotated[tuple[Code, ...], msgspec.Meta(description="a list of country codes")] = ()
    """Countries that place data alone never makes true."""
    prefixes: Annotated[tuple[PrefixOverride, ...], msgspec.Meta(description="a list of ranges")] = ()
    networks: Annotated[tuple[NetworkOverride, ...], msgspec.Meta(description="a list of networks")] = ()


class Known(msgspec.Struct, frozen=True):
    """What overrides say of one address."""

    country: str | None = None
    network_class: NetworkClass | None = None
    watched: bool = False
    cable: bool = False
    note: str | None = None


class Table:
    """Overrides, ready to be asked. What comes later outranks what came before."""

    def __init__(self, files: Iterable[Overrides]) -> None:
        self.contested: frozenset[str] = frozenset()
        self._prefixes: dict[tuple[int, int], dict[int, PrefixOverride]] = {}
        self._networks: dict[int, NetworkOverride] = {}
        digest = hashlib.sha256()
        for each in files:
            digest.update(msgspec.json.encode(each))
            self.contested |= frozenset(each.only_by_override)
            for prefix in each.prefixes:
                network = ip_network(prefix.prefix)
                known = self._prefixes.setdefault((network.version, network.prefixlen), {})
                known[int(network.network_address) >> (network.max_prefixlen - network.prefixlen)] = prefix
            self._networks |= {network.asn: network for network in each.networks}
        self.digest = digest.hexdigest()[:8]

    def of(self, address: Address, asn: int | None) -> Known:
        """What is known of an address in a network: by its longest prefix, then by its network, field by field."""
        found = [*self._covering(address), *([self._networks[asn]] if asn in self._networks else [])]
        return Known(
            country=next((each.country for each in found if each.country), None),
            network_class=next((each.class_ for each in found if each.class_), None),
            watched=any(each.watch for each in found),
            cable=any(each.cable for each in found),
            note=f"{found[0].note} ({found[0].source})" if found else None,
        )

    def _covering(self, address: Address) -> Iterator[_Override]:
        lengths = sorted((length for version, length in self._prefixes if version == address.version), reverse=True)
        for length in lengths:
            prefix = self._prefixes[address.version, length].get(int(address) >> (address.max_prefixlen - length))
            if prefix is not None:
                yield prefix


def read(path: Path) -> Overrides:
    """The overrides of a file.

    Raises:
        MistakesError: the file cannot be read or is wrong; every mistake is listed.
    """
    try:
        document = Document(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        words = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise MistakesError([Mistake(file=str(path), line=1, place="", text=words)]) from error
    found = document.read(Overrides)
    for index, each in enumerate((found or document.read_rest(Overrides)).prefixes):
        if _network(each.prefix) is None:
            words = f'expected a range of addresses, got "{each.prefix}"; write one such as 192.0.2.0/24'
            document.add(f"prefixes[{index}].prefix", words)
    if found is None or document.mistakes:
        raise MistakesError(document.mistakes)
    return found


def _network(text: Any) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None
