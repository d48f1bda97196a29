"""displays_macos: monitors as the registry of macOS lists them.

With Apple's processors there is no description, only who made it and what it is: maker, product, serial numbers, name,
week and year. What tells a copied description from the real monitor by its bytes is missing there.
"""

from __future__ import annotations

import re
from typing import Final

from agent.host import Host
from agent.host.commands import MAC_FRAMEBUFFERS, MAC_MONITORS
from agent.host.plists import Table, table
from agent.probe import plain
from agent.wire.signals import Display, Displays

from .edid import MOST_DISPLAYS, parse_edid
from .ioreg import entries, number, text

APPLES_PROCESSOR: Final = "arm64"
INTERNAL: Final = "AppleBacklightDisplay"
_LETTERS: Final = re.compile(r"[A-Z]{3}")


def read(host: Host) -> Displays:
    """Every connected monitor."""
    if host.kernel()[1] == APPLES_PROCESSOR:
        found = [display for entry in entries(host, MAC_FRAMEBUFFERS) if (display := _by_identity(entry))]
    else:
        found = [
            _by_edid(entry) for entry in entries(host, MAC_MONITORS) if isinstance(entry.get("IODisplayEDID"), bytes)
        ]
    return Displays(displays=tuple(sorted(found, key=lambda each: each.connector)[:MOST_DISPLAYS]))


def _by_edid(entry: Table) -> Display:
    """Of a computer with Intel's processor."""
    where = text(entry, "IODisplayPrefsKey") or text(entry, "IORegistryEntryName") or ""
    data = entry["IODisplayEDID"]
    return parse_edid(data, plain(where), internal=text(entry, "IOObjectClass") == INTERNAL)


def _by_identity(entry: Table) -> Display | None:
    """Of a computer with Apple's processor; None where no monitor is connected to this output."""
    attributes = table(entry.get("DisplayAttributes"))
    product = table(attributes.get("ProductAttributes"))
    if not product:
        return None

    def named(name: str) -> str | None:
        told = text(product, name)
        return plain(told) if told is not None else None

    vendor, code, year = (
        text(product, "ManufacturerID"),
        number(product, "ProductID"),
        number(product, "YearOfManufacture"),
    )
    serial, week = number(product, "SerialNumber"), number(product, "WeekOfManufacture")
    return Display(
        connector=plain(text(entry, "IONameMatched", "IORegistryEntryName") or ""),
        internal=entry.get("external") is False,
        vendor=vendor if vendor and _LETTERS.fullmatch(vendor) else None,
        product_code=f"{code & 0xFFFF:04x}" if code is not None else None,
        serial_number=serial & 0xFFFFFFFF if serial is not None else None,
        serial_text=named("AlphanumericSerialNumber"),
        name=named("ProductName"),
        made_week=week if week is not None and 0 <= week <= 255 else None,
        made_year=year if year is not None and 1990 <= year <= 2245 else None,
    )
