"""macos_place: what the helper in the session says of this Mac's place and of networks around, as hosts tell it.

The helper is somebody's own process: its answer is a stranger's word until it fits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agent.host import HostBrokenError, HostDeniedError, HostError, HostTimeoutError

from .things import Fix, WifiCell

PLACE_HELPER: Final = "/Library/Farhand/agent/Farhand.app/Contents/MacOS/farhand"
BANDS_MHZ: Final[Mapping[int, int]] = {1: 2407, 2: 5000, 3: 5950}
"""Frequency of channel 0 (IEEE 802.11-2020, annex E), by CWChannelBand."""
CHANNEL_14_MHZ: Final = 2484
_ADDRESS = re.compile("[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}", re.IGNORECASE)
_COUNTRY = re.compile("[A-Z]{2}")


class _Network(msgspec.Struct, array_like=True, frozen=True):
    address: str
    channel: int
    band: int
    signal_dbm: int
    country: str
    joined: bool


class _Answer(msgspec.Struct, frozen=True):
    denied: str = ""
    absent: str = ""
    timeout: str = ""
    place: tuple[float, float, float] | None = None
    networks: tuple[_Network, ...] = ()


def parse_place(data: bytes) -> Fix:
    """Where macOS takes this Mac to be.

    Raises:
        HostDeniedError: nobody allowed it.
        HostTimeoutError: macOS does not find it.
        HostError: this macOS has no such thing.
        HostBrokenError: the answer does not fit.
    """
    found = _answer(data).place
    if found is None or not all(map(math.isfinite, found)):
        raise HostBrokenError("the helper's answer holds no place")
    return Fix(lat=found[0], lon=found[1], accuracy_m=found[2])


def parse_networks(data: bytes) -> Iterator[WifiCell]:
    """Networks that macOS heard; those without an address are left out.

    Raises:
        HostDeniedError: nobody allowed it.
        HostBrokenError: the answer does not fit.
    """
    for one in _answer(data).networks:
        if _ADDRESS.fullmatch(one.address):
            yield WifiCell(
                address=bytes(int(part, 16) for part in one.address.split(":")),
                frequency_mhz=frequency_mhz(one.channel, one.band),
                signal_dbm=one.signal_dbm if one.signal_dbm < 0 else None,
                country=one.country if _COUNTRY.fullmatch(one.country) and one.country != "XX" else "",
                joined=one.joined,
            )


def frequency_mhz(channel: int, band: int) -> int:
    """Middle of a channel; 0 where there is no such one."""
    if not 0 < channel < 256 or band not in BANDS_MHZ:
        return 0
    return CHANNEL_14_MHZ if (channel, band) == (14, 1) else BANDS_MHZ[band] + 5 * channel


def _answer(data: bytes) -> _Answer:
    try:
        answer = msgspec.json.decode(data, type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise HostBrokenError(f"the helper's answer does not fit: {error}") from error
    if answer.denied:
        raise HostDeniedError(answer.denied[:200])
    if answer.timeout:
        raise HostTimeoutError(answer.timeout[:200])
    if answer.absent:
        raise HostError(answer.absent[:200])
    return answer
