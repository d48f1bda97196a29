"""files: mmdb files that an administrator supplies, recognised by what is in them, swapped when they change.

A file may hold countries, cities, networks or privacy flags, for IPv4, IPv6 or both, in the words of MaxMind (nested),
of sapics (flat) or of IPinfo (texts). What it holds is found out from its own records; its name means nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import maxminddb
import msgspec

from collector.judgement.geometry import Point
from collector.judgement.view import NetworkClass

from .baseline import Address

log = logging.getLogger(__name__)
Role = Literal["country", "city", "asn", "privacy"]
ROLES: Final[tuple[Role, ...]] = ("country", "city", "asn", "privacy")
SAMPLE: Final = 512
"""Records that are looked at to find out what a file holds."""
PROBES: Final = ("8.8.8.8", "175.45.176.1", "2001:4860:4860::8888")
UNUSABLE: Final = (
    OSError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError, maxminddb.InvalidDatabaseError
)  # fmt: skip
"""What readers raise at a file that is damaged: they check little of it."""
LONGEST: Final = 80
"""Characters of a name that a file gives."""
GEOLITE: Final = "its licence (GeoLite2 EULA) excludes some uses about people at work: ask counsel; see docs/geo.md"


class Answer(msgspec.Struct, frozen=True):
    """What one record says."""

    country: str = ""
    region: str = ""
    point: Point | None = None
    accuracy_km: int | None = None
    asn: int | None = None
    network: str = ""
    network_class: NetworkClass | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """One file that was understood."""

    path: Path
    stamp: tuple[int, int, int]
    reader: maxminddb.reader.Reader | Any
    roles: frozenset[Role]
    database_type: str
    built: datetime
    version: int
    """4 or 6: an IPv6 file may hold IPv4 as well."""

    @property
    def notice(self) -> str:
        return GEOLITE if self.database_type.startswith("GeoLite2") else ""

    def answer(self, address: Address) -> Answer | None:
        """What the file says of an address, None when it says nothing."""
        if address.version == 6 and self.version == 4:
            return None
        record = self.reader.get(address)
        return read_record(record) if isinstance(record, dict) else None


class AdminFiles:
    """All mmdb files of a folder; `refresh` takes up what changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: dict[str, str] = {}
        """By file: why it, or its newest state, is not used."""
        self._opened: dict[Path, Opened] = {}
        self._refused: dict[Path, tuple[int, int, int]] = {}

    @property
    def opened(self) -> tuple[Opened, ...]:
        """The files in use, in the order of their names."""
        return tuple(self._opened[path] for path in sorted(self._opened))

    @property
    def version(self) -> str:
        """Such as "GeoIP2-Country 2026-11-18"."""
        return ", ".join(f"{each.database_type} {each.built:%Y-%m-%d}" for each in self.opened)

    def refresh(self) -> bool:
        """Open what is new or changed, forget what is gone. Returns whether anything changed.

        The new file is opened before the old one is let go; one that is broken leaves the old one in use.
        """
        there = {path: _stamp(path) for path in _mmdb_files(self.folder)}
        opened = {path: each for path, each in self._opened.items() if path in there}
        problems = {path.name: self.problems[path.name] for path in there if path.name in self.problems}
        self._refused = {path: stamp for path, stamp in self._refused.items() if path in there}
        for path, stamp in there.items():
            known = opened.get(path)
            if stamp is None or (known and known.stamp == stamp) or self._refused.get(path) == stamp:
                continue
            try:
                opened[path] = _open(path, stamp)
            except UNUSABLE as error:
                self._refused[path] = stamp
                problems[path.name] = f"cannot be used{_kept(known)}: {error}"
                log.warning("place data: %s cannot be used%s: %s", path, _kept(known), error)
            else:
                self._refused.pop(path, None)
                problems.pop(path.name, None)
                log.info("place data: %s is used for %s", path, ", ".join(sorted(opened[path].roles)))
                if opened[path].notice and known is None:
                    log.warning("place data: %s: %s", path, opened[path].notice)
        changed = opened != self._opened
        self._opened, self.problems = opened, problems  # as one: others read them from their threads
        return changed

    def answers(self, role: Role, address: Address) -> Iterator[tuple[Opened, Answer]]:
        """What files of a role say of an address, the first file that knows anything first."""
        for each in self.opened:
            if role in each.roles:
                try:
                    answer = each.answer(address)
                except UNUSABLE as error:
                    self.problems = self.problems | {each.path.name: f"a part of it cannot be read: {error}"}
                    continue
                if answer is not None:
                    yield each, answer


def _kept(known: Opened | None) -> str:
    return "; the file before stays in use" if known else ""


def _mmdb_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.mmdb")) if folder.is_dir() else []


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _open(path: Path, stamp: tuple[int, int, int]) -> Opened:
    """
    Raises:
        OSError: the file cannot be read.
        ValueError: it holds nothing that is known.
        maxminddb.InvalidDatabaseError: it is no mmdb file.
    """
    # Read whole: a mapped file that is overwritten in place would change, or vanish, under the reader.
    reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    about = reader.metadata()
    roles: set[Role] = set()
    for record in _samples(reader, about.ip_version):
        roles |= _roles_of(record)
    if "city" in roles:
        roles.add("country")
    if not roles:
        raise ValueError("none of its records holds a country, a city, a network or a privacy flag")
    return Opened(
        path=path,
        stamp=stamp,
        reader=reader,
        roles=frozenset(roles),
        database_type=str(about.database_type)[:LONGEST],
        built=datetime.fromtimestamp(about.build_epoch, UTC),
        version=about.ip_version,
    )


def _samples(reader: Any, version: int) -> Iterator[dict[str, Any]]:
    for text in PROBES:
        address = ip_address(text)
        if address.version <= version and isinstance(record := reader.get(address), dict):
            yield record
    for _, record in islice(reader, SAMPLE):
        if isinstance(record, dict):
            yield record


def _roles_of(record: Mapping[str, Any]) -> set[Role]:
    found: set[Role] = set()
    answer = read_record(record)
    if answer.country:
        found.add("country")
    if answer.point is not None or answer.region:
        found.add("city")
    if answer.asn is not None:
        found.add("asn")
    if _FLAGS & record.keys() or _FLAGS & _nested(record, "traits").keys():
        found.add("privacy")
    return found


_CLASSES: Final[tuple[tuple[NetworkClass, tuple[str, ...]], ...]] = (
    ("tor", ("is_tor_exit_node", "tor")),
    ("relay", ("relay",)),
    ("vpn", ("is_anonymous_vpn", "vpn", "is_public_proxy", "is_residential_proxy", "proxy", "is_anonymous")),
    ("hosting", ("is_hosting_provider", "hosting")),
)
"""Classes by the flags that mean them; the first that holds counts."""
_FLAGS: Final = frozenset(flag for _, flags in _CLASSES for flag in flags)


def read_record(record: Mapping[str, Any]) -> Answer:
    """What a record says, in whichever of the known words."""
    traits = _nested(record, "traits")
    flags = {**traits, **record}
    return Answer(
        country=_country(record),
        region=_region(record),
        point=_point(record, _nested(record, "location")),
        accuracy_km=_whole(_nested(record, "location").get("accuracy_radius")),
        asn=_asn(flags),
        network=_text(flags.get("autonomous_system_organization") or flags.get("as_name")),
        network_class=next((name for name, keys in _CLASSES if any(_true(flags.get(key)) for key in keys)), None),
    )


def _country(record: Mapping[str, Any]) -> str:
    nested = _nested(record, "country")
    for value in (nested.get("iso_code"), record.get("country_code"), record.get("country")):
        if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
            return value.upper()
    return ""


def _region(record: Mapping[str, Any]) -> str:
    divisions = record.get("subdivisions")
    if isinstance(divisions, list) and divisions and isinstance(divisions[0], dict):
        return _text(_nested(divisions[0], "names").get("en") or divisions[0].get("iso_code"))
    return _text(record.get("state1") or record.get("region"))


def _point(record: Mapping[str, Any], location: Mapping[str, Any]) -> Point | None:
    lat = _number(location.get("latitude", record.get("latitude", record.get("lat"))))
    lon = _number(location.get("longitude", record.get("longitude", record.get("lng"))))
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180) or lat == lon == 0:
        return None
    return Point(lat=round(lat, 4), lon=round(lon, 4))


def _asn(record: Mapping[str, Any]) -> int | None:
    value = record.get("autonomous_system_number", record.get("asn"))
    return _whole(value.upper().removeprefix("AS") if isinstance(value, str) else value)


def _nested(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 < number < 2**32 else None


def _true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
