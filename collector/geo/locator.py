"""locator: from a public address to a place, with everything that is known and a date on it.

A country counts where two sources that do not copy each other agree, or where an override names it. All that they said
is kept beside it, so that a difference can be seen instead of being averaged away.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from collector.judgement.address import address_class
from collector.judgement.view import OVERRIDE, Located, NetworkClass
from collector.metrics import Metrics
from collector.strict import MistakesError

from . import baseline, overrides
from .baseline import Address, Baseline, BaselineError
from .files import AdminFiles, Answer

log = logging.getLogger(__name__)
LONGEST_VERSION: Final = 300
ELSEWHERE: Final = frozenset({"anycast", "relay"})
"""Classes whose addresses are in many places, or where their users ask them to seem to be: located nowhere."""
UPDATED: Final = "baseline"
"""Folder in which `geo update` leaves a newer baseline."""
_LIKE_HOSTING: Final = re.compile(
    r"host|server|\bvps\b|cloud|\bcolo|vpn|proxy|data ?cent(?:er|re)|dedicated", re.IGNORECASE
)
"""Names of networks that are perhaps not lines of homes and offices. Too weak to call them anything else."""


class _Data(msgspec.Struct, frozen=True):
    base: Baseline
    table: overrides.Table


class Locator:
    """Answers where addresses are. `locate` may be called from any thread, also during `refresh`."""

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        """
        Args:
            folder: of place data: mmdb files, overrides.yaml, and what `geo update` made. It need not exist.
        """
        self.folder = folder
        self.files = AdminFiles(folder)
        self.problems: dict[str, str] = {}
        """What of the folder is not used, and why; the files of `files` have their own."""
        self._metrics = metrics
        self._data: _Data | None = None
        self._seen: dict[Path, tuple[int, int] | None] = {}
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Versions of everything that answers come from."""
        data = self._loaded()
        parts = (self.files.version, data.base.version, f"overrides {data.table.digest}")
        return ", ".join(part for part in parts if part)[:LONGEST_VERSION]

    @property
    def base(self) -> Baseline:
        """The baseline in use."""
        return self._loaded().base

    def refresh(self) -> bool:
        """Take up files that are new or have changed. Returns whether answers may differ now.

        What is broken leaves in use what was there before, and is told in `problems`.
        """
        with self._lock:
            changed = self.files.refresh()
            data = self._read(self._data)
            changed |= data is not self._data
            self._data = data
        self._metrics.geo_problems.set(len(self.problems) + len(self.files.problems))
        return changed

    def locate(self, text: str) -> Located:
        """Where a public address is. An address that is not on the internet is located nowhere."""
        version = self.version
        self._metrics.geo_lookups.inc()
        address = parse(text)
        if address is None or address_class(text) != "public":
            return Located(network_class="private", version=version)
        located = self._located(address, version)
        if is_conflict(located):
            self._metrics.geo_conflicts.inc()
        return located

    def _located(self, address: Address, version: str) -> Located:
        data = self._loaded()
        network = self._first("asn", address)
        known_network = data.base.network(address)
        asn = network.asn if network and network.asn else known_network[0] if known_network else None
        name = network.network if network and network.network else known_network[1] if known_network else ""
        override = data.table.of(address, asn)
        named = {OVERRIDE: override.country} if override.country else {}
        claims = named | dict(self._claims(data, address))
        network_class = self._class(address, override, asn, name)
        country = override.country or _agreed(claims, data.table.contested)
        if network_class in ELSEWHERE and not override.country:
            country = None
        region = next(self._regions(data, address, country), None) if country else None
        return Located(
            country=country,
            claims=claims,
            region=(region.region or None) if region else None,
            point=region.point if region else None,
            accuracy_km=region.accuracy_km if region and region.point else None,
            asn=asn,
            network=name or None,
            network_class=network_class,
            note=override.note,
            watched=override.watched,
            cable=override.cable,
            version=version,
        )

    def _claims(self, data: _Data, address: Address) -> Iterator[tuple[str, str]]:
        """(source, country), the source that outranks the others first."""
        region = data.base.region(address)
        own_dbip = False
        for opened, answer in self.files.answers("country", address):
            if answer.country:
                own_dbip = opened.database_type.upper().startswith(("DBIP", "DB-IP"))
                yield ("dbip" if own_dbip else opened.path.stem), answer.country
                break
        country = data.base.country(address)
        if country:
            yield "geo-whois-asn", country
        if region.country and not own_dbip:  # the same data twice is no second opinion
            yield "dbip", region.country

    def _regions(self, data: _Data, address: Address, country: str) -> Iterator[Answer]:
        """Regions within the country that the sources agree on."""
        for _, answer in self.files.answers("city", address):
            if answer.country == country:
                yield answer
        base = data.base.region(address)
        if base.country == country and base.point is not None:
            yield Answer(country, base.name, base.point, base.accuracy_km)

    def _class(self, address: Address, override: overrides.Known, asn: int | None, name: str) -> NetworkClass:
        privacy = self._first("privacy", address)
        if override.network_class in ("relay", "gateway", "anycast") and override.network_class:
            return override.network_class  # never a VPN, whatever a list of flags says
        if privacy and privacy.network_class:
            return privacy.network_class
        if override.network_class:
            return override.network_class
        return "unknown" if asn is None or _LIKE_HOSTING.search(name) else "access"

    def _first(self, role: str, address: Address) -> Answer | None:
        answers = self.files.answers("asn" if role == "asn" else "privacy", address)
        return next((answer for _, answer in answers), None)

    def _loaded(self) -> _Data:
        data = self._data
        if data is None:
            with self._lock:
                data = self._data
                if data is None:
                    self.files.refresh()
                    data = self._data = self._read(None)
        return data

    def _read(self, before: _Data | None) -> _Data:
        """What is to be used now: the same object when nothing changed. Files that were seen are not read again."""
        base, table = (before.base, before.table) if before else (None, None)
        path = self.folder / UPDATED / baseline.FILE
        if self._is_new(path) or base is None:
            base = self._updated(path) or (base if path.exists() else None) or shipped()
        path = self.folder / overrides.FILE
        if self._is_new(path) or table is None:
            own = self._own(path)
            if own is not None or table is None or not path.exists():
                table = overrides.Table([overrides.read(overrides.SHIPPED), *([own] if own else [])])
        if before and base is before.base and table is before.table:
            return before
        return _Data(base, table)

    def _is_new(self, path: Path) -> bool:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = None
        changed = self._seen.get(path) != stamp
        self._seen[path] = stamp
        if changed:
            self.problems = {name: text for name, text in self.problems.items() if name != path.name}
        return changed

    def _updated(self, path: Path) -> Baseline | None:
        """The baseline that was downloaded, where it is one and newer than the shipped one."""
        try:
            if not path.exists() or not newer(baseline.manifest_of(path.read_bytes())):
                return None
            return baseline.read(path)
        except (OSError, BaselineError) as error:
            self._note(path.name, f"{path}: {error}; run farhand-collector geo update again")
            return None

    def _own(self, path: Path) -> overrides.Overrides | None:
        if not path.exists():
            return None
        try:
            return overrides.read(path)
        except MistakesError as error:
            self._note(path.name, str(error))
            return None

    def _note(self, name: str, text: str) -> None:
        log.warning("place data: %s", text)
        self.problems = self.problems | {name: text}


_SHIPPED: Final[WeakValueDictionary[str, Baseline]] = WeakValueDictionary()


def shipped() -> Baseline:
    """The baseline that comes with this collector: one for all who use it at a time, as it takes 60 MB."""
    found = _SHIPPED.get(UPDATED)
    if found is None:
        found = _SHIPPED[UPDATED] = Baseline(baseline.shipped())
    return found


def parse(text: str) -> Address | None:
    """An address in its simplest form; None for what is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def newer(manifest: baseline.Manifest) -> bool:
    """True for a baseline that is not older than the one that came with this collector."""
    ours = baseline.manifest_of(baseline.shipped())
    return max(each.date for each in manifest.sources) >= max(each.date for each in ours.sources)


def is_conflict(located: Located) -> bool:
    """True where sources name countries and none of them counts."""
    return located.country is None and len(located.claims) > 1


def _agreed(claims: dict[str, str], contested: frozenset[str]) -> str | None:
    """The country of the source that outranks the others, where another one names it as well."""
    first, *others = claims.values() or ("",)
    return first if first and first in others and first not in contested else None
