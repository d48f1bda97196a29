"""ordinary: what ordinary people plug in, out of public sources, as each system shows it.

tests/data/hardware/usb.yaml and monitors.csv hold decoded fields with their sources. Files of /sys, the registry of
Windows and the output of ioreg are made from them, so that each system's own reader is what reads them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agent.host import System
from agent.probe import Given
from agent.probes import displays, usb_devices
from agent.wire.signals import Display, Displays, UsbDevice, UsbDevices, UsbInterface
from tests import macos_registry, windows_registry
from tests.fakes import FakeHost
from tests.hardware import machine
from tests.hid import descriptor

FOLDER = Path(__file__).parents[1] / "data" / "hardware"
SERIAL = "4C530001230101115142"
"""In place of serial numbers, which are left out."""


class Ordinary(msgspec.Struct, frozen=True, kw_only=True):
    """One USB device with its source."""

    device: UsbDevice
    outlines: dict[int, str]
    """Outline of the report descriptor by number of the function."""
    source: str


@cache
def usb() -> tuple[Ordinary, ...]:
    """All USB devices of the table."""
    lines = (FOLDER / "usb.yaml").read_text(encoding="utf-8").splitlines()
    return tuple(_usb(json.loads(line.removeprefix("- "))) for line in lines if not line.startswith("#"))


@cache
def monitors() -> tuple[tuple[Display, str], ...]:
    """All monitors of the table with their sources."""
    with (FOLDER / "monitors.csv").open(encoding="utf-8", newline="") as file:
        return tuple((_monitor(row), row["source"]) for row in csv.DictReader(file))


def seen_by(
    system: System,
    devices: Iterable[UsbDevice] = (),
    shown: Iterable[Display] = (),
    outlines: Mapping[tuple[str, int], str] | None = None,
    *,
    intel: bool = False,
) -> tuple[UsbDevices, Displays]:
    """What the probes read on a laptop with these devices."""
    outlines = outlines or {}
    if system == "windows":
        known = windows_registry.registry(devices, shown, outlines)
        host = FakeHost(system=system, registry=known.all, hid=known.hid)
    elif system == "macos":
        hid = {place: descriptor(words) for place, words in outlines.items()}
        output = macos_registry.commands(devices, shown, hid, intel=intel)
        host = FakeHost(system=system, commands=output, kernel=("25.1.0", "x86_64" if intel else "arm64"))
    else:
        hid = {place: descriptor(words) for place, words in outlines.items()}
        files, links = machine(devices, shown, hid)
        host = FakeHost(files=files, links=links)
    given = Given(host=host, catalogue=None)
    return usb_devices.collect(given), displays.collect(given)


def _usb(row: dict[str, Any]) -> Ordinary:
    functions = []
    for function in row["functions"].split():
        number, _, codes = function.partition("=")
        interface_class, subclass, protocol = codes.split(":")
        functions.append(
            UsbInterface(number=int(number), interface_class=interface_class, subclass=subclass, protocol=protocol)
        )
    vendor_id, _, product_id = row["ids"].partition(":")
    device = UsbDevice(
        port="1-2",
        vendor_id=vendor_id,
        product_id=product_id,
        manufacturer=row.get("manufacturer"),
        product=row.get("product"),
        serial=SERIAL if row.get("serial") else None,
        configuration=row.get("configuration"),
        usb_version=row.get("usb", "2.00"),
        device_version=row.get("release", "0000"),
        device_class=row.get("class", "00"),
        attributes=row.get("attributes", "80"),
        max_power_ma=row.get("power_ma", 0),
        speed_mbps=row.get("mbps", 0.0),
        interfaces=tuple(functions),
    )
    outlines = {int(number): words.replace(" | ", "\n") for number, words in row.get("reports", {}).items()}
    return Ordinary(device=device, outlines=outlines, source=row["source"])


def _monitor(row: dict[str, str]) -> Display:
    def number(name: str) -> int | None:
        return int(row[name]) if row[name] else None

    return Display(
        connector="card1-DP-1",
        vendor=row["vendor"],
        product_code=row["product_code"],
        name=row["name"] or None,
        serial_number=number("serial_number"),
        serial_text=row["serial_text"] or None,
        made_week=number("made_week"),
        made_year=number("made_year"),
        width_cm=number("width_cm"),
        height_cm=number("height_cm"),
        preferred=row["preferred"] or None,
        has_audio=row["has_audio"] == "1",
        most_clock_mhz=number("most_clock_mhz"),
    )
