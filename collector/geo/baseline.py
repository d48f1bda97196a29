"""baseline: place data that comes with the collector, or that `geo update` made: one file, read whole at the first use.

Every layer is a sorted list of starts and, for each, which of the values it has; a question is one bisection. The two
sources of countries are kept apart: that they agree is what makes an answer worth something.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import msgspec

from collector.judgement.geometry import Point

from .packed import Packed, PackedError, unpack
from .sources import COARSE_BITS, FORMAT, Dated

FILE: Final = "baseline.zip"
Address = IPv4Address | IPv6Address


class BaselineError(ValueError):
    """A file that is no baseline, or one that this collector cannot read. The message says why."""


class Manifest(msgspec.Struct, frozen=True):
    """What a baseline says of itself."""

    format: int
    sources: tuple[Dated, ...]


class Region(msgspec.Struct, frozen=True):
    """What DB-IP says of an address."""

    country: str
    name: str = ""
    point: Point | None = None
    accuracy_km: int | None = None


class _Layer:
    def __init__(self, table: Packed) -> None:
        steps = table.numbers["steps"]
        self._starts = array(steps.typecode, accumulate(steps))
        self._index = table.numbers["index"]
        self.values: Sequence[Any] = table.texts.get("values") or table.numbers["values"]
        if len(self._starts) != len(self._index) or (self._index and max(self._index) >= len(self.values)):
            raise PackedError("a layer does not fit together")

    def at(self, key: int) -> int:
        """Which value a key has."""
        place = bisect_right(self._starts, key) - 1
        return self._index[place] if place >= 0 else -1

    def value(self, key: int) -> Any:
        at = self.at(key)
        return self.values[at] if at >= 0 else None


class _Regions(_Layer):
    def __init__(self, table: Packed) -> None:
        super().__init__(table)
        self._regions = [
            _region(value, lat, lon, km)
            for value, lat, lon, km in zip(
                self.values, table.numbers["lat"], table.numbers["lon"], table.numbers["accuracy"], strict=True
            )
        ]

    def region(self, key: int) -> Region:
        at = self.at(key)
        return self._regions[at] if at >= 0 else Region("")


def _region(value: str, lat: int, lon: int, km: int) -> Region:
    country, _, name = value.partition("\t")
    point = Point(lat=round(lat / 10 - 90, 1), lon=round(lon / 10 - 180, 1)) if km or lat or lon else None
    return Region(country, name, point, km if point else None)


class Baseline:
    """One baseline in memory: about 60 MB."""

    def __init__(self, content: bytes) -> None:
        """
        Raises:
            BaselineError: the bytes are no baseline, or are cut off.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self.manifest = msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
                if self.manifest.format != FORMAT:
                    raise BaselineError(f"baseline of format {self.manifest.format}; this collector reads {FORMAT}")

                def table(name: str) -> Packed:
                    return unpack(archive.read(name))

                self._country4, self._country6 = _Layer(table("country-v4.xz")), _Layer(table("country-v6.xz"))
                self._region4, self._region6 = _Regions(table("region-v4.xz")), _Regions(table("region-v6.xz"))
                self._dbip6 = _Layer(table("dbip-v6.xz"))
                self._network4, self._network6 = _Layer(table("network-v4.xz")), _Layer(table("network-v6.xz"))
                names = table("names.xz")
                self._names = dict(zip(accumulate(names.numbers["steps"]), names.texts["names"], strict=True))
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError) as error:
            raise error if isinstance(error, BaselineError) else BaselineError(f"no baseline: {error}") from error

    @property
    def version(self) -> str:
        """Such as "geo-whois-asn 2026-06-17, dbip 2026-06-05, asn 2026-06-17"."""
        return ", ".join(f"{each.source} {each.date}" for each in self.manifest.sources)

    def country(self, address: Address) -> str:
        """Country by geo-whois-asn; empty where it knows none."""
        layer = self._country4 if address.version == 4 else self._country6
        return layer.value(_key(address)) or ""

    def region(self, address: Address) -> Region:
        """Country and region by DB-IP. By IPv6 the region of a whole block, where it has one only."""
        if address.version == 4:
            return self._region4.region(_key(address))
        country = self._dbip6.value(_key(address)) or ""
        region = self._region6.region(int(address) >> (128 - COARSE_BITS))
        return region if country and region.country == country else Region(country)

    def network(self, address: Address) -> tuple[int, str] | None:
        """Number and name of the network that announces the address."""
        layer = self._network4 if address.version == 4 else self._network6
        asn = layer.value(_key(address))
        return (asn, self.network_name(asn)) if asn else None

    def network_name(self, asn: int) -> str:
        """Name of the organisation of a network; empty where it has none."""
        return self._names.get(asn, "")


def _key(address: Address) -> int:
    return int(address) if address.version == 4 else int(address) >> 64


def read(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        BaselineError: the file cannot be read, or holds none.
    """
    try:
        return Baseline(path.read_bytes())
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror}") from error


def shipped() -> bytes:
    """The baseline that comes with this version of the collector."""
    return (files("collector.geo") / "data" / FILE).read_bytes()


def manifest_of(content: bytes) -> Manifest:
    """What a baseline says of itself, without reading the rest.

    Raises:
        BaselineError: the bytes are no baseline.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BaselineError(f"no baseline: {error}") from error
