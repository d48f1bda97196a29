"""status: what place data is in use, how old it is, under which licence, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec

from .locator import Locator
from .sources import AGES_DAYS


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One source."""

    source: str
    role: str
    date: str
    age_days: int
    old: bool
    """Older than is good for its answers."""
    licence: str
    attribution: str
    link: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All place data."""

    version: str
    folder: str
    sources: tuple[SourceStatus, ...]
    problems: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each source that is too old, and each problem."""
        aged = (
            f"{each.source}: {each.age_days} days old; run farhand-collector geo update, or renew the file"
            for each in self.sources
            if each.old
        )
        return (*aged, *self.problems)


class Attribution(msgspec.Struct, frozen=True):
    """What has to stand on every page that shows a place."""

    text: str
    link: str


def attributions() -> tuple[Attribution, ...]:
    """What pages that show places must say: DB-IP's licence wants a link that can be seen."""
    return (
        Attribution("IP Geolocation by DB-IP", "https://db-ip.com"),
        Attribution("Networks by RouteViews", "https://www.routeviews.org"),
        Attribution("Registries by NRO", "https://www.nro.net"),
        Attribution("Place names by GeoNames", "https://www.geonames.org"),
    )


def status(locator: Locator, today: date) -> Status:
    """What is in use now."""
    return Status(
        version=locator.version,
        folder=str(locator.folder),
        sources=tuple(_sources(locator, today)),
        problems=tuple(f"{name}: {text}" for name, text in sorted((locator.problems | locator.files.problems).items())),
    )


def _sources(locator: Locator, today: date) -> Iterator[SourceStatus]:
    for opened in locator.files.opened:
        day = opened.built.date()
        yield SourceStatus(
            source=opened.path.name,
            role=", ".join(sorted(opened.roles)),
            date=day.isoformat(),
            age_days=(today - day).days,
            old=(today - day).days > AGES_DAYS,
            licence="as agreed with its supplier" + (f"; {opened.notice}" if opened.notice else ""),
            attribution=opened.database_type,
        )
    for each in locator.base.manifest.sources:
        age = each.age_days(today)
        yield SourceStatus(
            source=each.source,
            role=each.role,
            date=each.date,
            age_days=age,
            old=age > AGES_DAYS,
            licence=each.licence,
            attribution=each.attribution,
            link=each.link,
        )


def show(found: Status) -> Iterator[str]:
    """Lines for people."""
    yield f"folder: {found.folder}"
    for each in found.sources:
        old = "  OLD" if each.old else ""
        yield f"{each.source}: {each.role}; data of {each.date}, {each.age_days} days old{old}; {each.licence}"
        yield f"  {each.attribution}{' <' + each.link + '>' if each.link else ''}"
    for warning in found.warnings:
        yield f"warning: {warning}"
