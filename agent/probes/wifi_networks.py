"""wifi_networks: which Wi-Fi networks were heard on a day, and which country they say they are in.

Supports: networks around a laptop are those of its place, whatever its address says; access points announce the country
whose rules they keep, so a dozen of them name the country that the laptop is in. No service is asked.
macOS tells the networks only where the person at the screen allowed it, and else the one country whose rules it keeps.
Evasion: switch Wi-Fi off, or sit where none is heard. An access point says whatever its owner chose.
Looks alike: routers that were bought abroad, or never set, announce a wrong country; a ship announces its owner's.
Privacy: who lives around the laptop. It runs only where the policy asks for it. Networks leave as keyed hashes, with
the organisation's key alone; their names do not leave. The radio is never told to look: what the system heard is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agent.apple import wifi_countries
from agent.apple_switches import is_location_on
from agent.hashing import keyed_hashes
from agent.host import Host, HostDeniedError, HostError, WifiCell
from agent.network import read_interfaces
from agent.probe import Given, Noted, Probe, Unavailable, to_tell
from agent.surroundings import is_of_chance, names_one_device
from agent.wire.signals import WifiCountry, WifiNetwork, WifiNetworks

MOST_TOLD: Final = 24
MOST_KEPT: Final = 256
MOST_COUNTRIES: Final = 8
MOST_COUNTRIES_KEPT: Final = 4
QUIETEST_DBM: Final = -127


class Heard(msgspec.Struct):
    """One network of the day."""

    signal_dbm: int = QUIETEST_DBM
    frequency_mhz: int = 0
    country: str = ""
    joined: bool = False


class Day(msgspec.Struct):
    """The note of this probe."""

    day: str = ""
    looks: int = 0
    networks: dict[str, Heard] = {}
    """By hardware address in hexadecimal digits. It stays on the laptop, for a day."""
    listed: bool = True
    """The system told its list at one look at least."""
    kept: list[str] = []
    """Countries whose rules the laptop's own Wi-Fi kept."""


def collect(given: Given) -> Noted:
    """Add what the system heard lately to the day. A signal is only given of a day that is over, and the first time.

    Raises:
        Unavailable: there is no Wi-Fi.
        HostDeniedError: this agent may not know.
        HostError: what knows the networks does not run: the kernel's part for it, the service, or the helper in the
            session.
    """
    host = given.host
    radios = [one.name for one in read_interfaces(host).values() if one.kind == "wifi"]
    if not radios:
        raise Unavailable("absent", "no Wi-Fi interface")
    today = host.now().date().isoformat()
    before = given.noted(WifiNetworks, Day)
    day = before if before.day == today else Day(day=today, listed=False)
    kept = wifi_countries(host) if host.system == "macos" else ()
    cells: list[WifiCell] = []
    try:
        cells = _cells(host, radios)
        day.listed = True
    except HostError:
        if not kept:
            raise
    day.looks += 1
    day.kept = sorted({*day.kept, *kept})[:MOST_COUNTRIES_KEPT]
    for cell in cells:
        known = day.networks.get(cell.address.hex())
        if not names_one_device(cell.address) or (known is None and len(day.networks) >= MOST_KEPT):
            continue
        heard = known or Heard()
        heard.signal_dbm = max(heard.signal_dbm, cell.signal_dbm if cell.signal_dbm is not None else QUIETEST_DBM)
        heard.frequency_mhz, heard.country = cell.frequency_mhz, cell.country or heard.country
        heard.joined = heard.joined or cell.joined
        day.networks[cell.address.hex()] = heard
    due = to_tell(before, day)
    signal = signal_of(due, given) if due is not None else None
    return Noted(signal=signal, note=msgspec.json.encode(day))


def _cells(host: Host, radios: Iterable[str]) -> list[WifiCell]:
    if host.system == "macos" and is_location_on(host) is False:  # then nobody in the session need be troubled
        raise HostDeniedError("the location service is switched off")
    return [cell for radio in radios for cell in host.wifi_cells(radio)]


def signal_of(day: Day, given: Given) -> WifiNetworks:
    """What is said of a day: the networks that were heard best, and the countries of all."""
    loudest = sorted(day.networks.items(), key=lambda one: (-one[1].joined, -one[1].signal_dbm, one[0]))
    return WifiNetworks(
        day=day.day,
        looks=day.looks,
        networks=tuple(
            WifiNetwork(
                identity=keyed_hashes(given.settings.hash_keys, "wifi network", bytes.fromhex(address)),
                band=_band(heard.frequency_mhz),
                of_chance=is_of_chance(bytes.fromhex(address)),
                joined=heard.joined,
            )
            for address, heard in loudest[:MOST_TOLD]
        ),
        heard=len(day.networks) if day.listed else None,
        countries=tuple(_countries(day))[:MOST_COUNTRIES],
        kept=tuple(day.kept),
    )


def _band(frequency_mhz: int) -> float:
    return 2.4 if frequency_mhz < 3000 else 5.0 if frequency_mhz < 5925 else 6.0


def _countries(day: Day) -> Iterator[WifiCountry]:
    """An access point has several networks, whose addresses differ in the last digit and in the bit that says that they
    are derived: they count once."""
    boxes: dict[str, set[str]] = {}
    for address, heard in day.networks.items():
        if heard.country:
            boxes.setdefault(heard.country, set()).add(f"{int(address[:2], 16) & 0xFD:02x}{address[2:11]}")
    for country in sorted(boxes, key=lambda code: (-len(boxes[code]), code)):
        makers = {box[:6] for box in boxes[country]}
        yield WifiCountry(country=country, boxes=len(boxes[country]), makers=len(makers))


PROBE = Probe(
    signal=WifiNetworks,
    collect=collect,
    every_s=850,
    helped_by={
        "linux": "AF_NETLINK in the unit",
        "macos": "Location Services for Farhand, which the person at the screen allows and no profile can",
        "windows": "location switched on, for desktop apps too (System/AllowLocation, Privacy/LetAppsAccessLocation)",
    },
)
