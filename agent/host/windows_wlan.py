"""windows_wlan: what the WLAN service of Windows says: its interfaces, the networks that it heard lately, its radios.

The list is what the service has kept; no radio is told to look. Since Windows 11 24H2 the list, and which network this
machine is in, are told to those alone who may know the location. Layouts: wlanapi.h and wlantypes.h of the Windows SDK,
64-bit.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import byref, c_uint32, c_void_p
from typing import Final, Protocol

from agent.host import HostDeniedError, HostError

from .nl80211 import parse_country
from .things import Radio, WifiCell

MAX_INTERFACES: Final = 64
MAX_CELLS: Final = 512
MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one answer; longer ones are cut."""
MAX_ELEMENTS_BYTES: Final = 4096
"""Of the elements that one network announces: a beacon is shorter."""
RADIO_STATE: Final = 4
"""wlan_intf_opcode_radio_state"""
CONNECTION: Final = 7
"""wlan_intf_opcode_current_connection"""
MAX_PHYS: Final = 64

_LIST: Final = 8
"""Where rows begin: behind two numbers of 32 bits."""
_INTERFACE: Final = 532  # WLAN_INTERFACE_INFO
_ENTRY: Final = 360  # WLAN_BSS_ENTRY
_JOINED_ADDRESS: Final = 560
"""Of the access point in WLAN_CONNECTION_ATTRIBUTES."""

_PHY: Final = 12  # WLAN_PHY_RADIO_STATE: its number, then the states of software and hardware
_ON, _OFF = 1, 2  # DOT11_RADIO_STATE; 0 is unknown

_VERSION: Final = 2  # that of Windows Vista and newer
_ANY_KIND: Final = 3  # dot11_BSS_type_any
_SYSTEM_FOLDER: Final = 0x800
_WHOLE: Final = 0xFFFFFFFF
"""A status without its sign."""
_ACCESS_DENIED: Final = 5
_NO_SERVICE: Final = (50, 1062)
"""ERROR_NOT_SUPPORTED and ERROR_SERVICE_NOT_ACTIVE, as these calls say that the service is disabled or does not run."""
_RADIO_OFF: Final = 0x80342002
"""ERROR_NDIS_DOT11_POWER_STATE_INVALID"""


class Wlan(Protocol):
    """The WLAN service as this module asks it. An interface is named by the 16 bytes of its GUID."""

    def interfaces(self) -> bytes:
        """WLAN_INTERFACE_INFO_LIST.

        Raises:
            HostError: the service does not run.
        """
        ...

    def networks(self, interface: bytes) -> bytes:
        """WLAN_BSS_LIST of what the service heard lately; empty while the radio is off.

        Raises:
            HostDeniedError: this process may not know the location.
            HostError: the service does not tell.
        """
        ...

    def query(self, interface: bytes, what: int) -> bytes:
        """What WlanQueryInterface says.

        Raises:
            HostDeniedError: this process may not know the location.
            HostError: the service does not tell, such as the network of an interface that is in none.
        """
        ...

    def close(self) -> None:
        """Ask nothing more."""
        ...


def heard(wlan: Wlan, interface: bytes) -> tuple[WifiCell, ...]:
    """Networks that one interface heard lately; none for one that the service does not know, such as the ends of Wi-Fi
    Direct, which call themselves Wi-Fi too.

    Raises:
        HostDeniedError: this process may not know the location.
        HostError: the service does not run.
    """
    if interface not in parse_interfaces(wlan.interfaces()):
        return ()
    listed = wlan.networks(interface)
    try:
        joined = wlan.query(interface, CONNECTION)[_JOINED_ADDRESS : _JOINED_ADDRESS + 6]
    except HostError:  # it is in none
        joined = b""
    return tuple(parse_networks(listed, joined))


def radios(wlan: Wlan) -> Iterator[Radio]:
    """How the radio of each interface stands; one that does not say is left out.

    Raises:
        HostError: the service does not run.
    """
    for interface in parse_interfaces(wlan.interfaces()):
        with suppress(HostError):
            radio = parse_radio(wlan.query(interface, RADIO_STATE))
            if radio is not None:
                yield radio


def parse_interfaces(data: bytes) -> tuple[bytes, ...]:
    """GUIDs of a WLAN_INTERFACE_INFO_LIST."""
    return tuple(row[:16] for row in _rows(data, _INTERFACE, 0, MAX_INTERFACES))


def parse_networks(data: bytes, joined: bytes = b"") -> Iterator[WifiCell]:
    """The networks of a WLAN_BSS_LIST.

    Args:
        joined: address of the access point that this machine is in.
    """
    for index, row in enumerate(_rows(data, _ENTRY, 4, MAX_CELLS)):
        address = row[40:46]
        (signal_dbm,) = struct.unpack_from("<i", row, 56)
        (frequency_khz,) = struct.unpack_from("<I", row, 92)
        offset, size = struct.unpack_from("<II", row, 352)  # the offset counts from the row's own beginning
        begin = _LIST + index * _ENTRY + offset
        if any(address):
            yield WifiCell(
                address=address,
                frequency_mhz=frequency_khz // 1000,
                signal_dbm=signal_dbm,
                country=parse_country(data[begin : begin + min(size, MAX_ELEMENTS_BYTES)]),
                joined=address == joined,
            )


def parse_radio(data: bytes) -> Radio | None:
    """The radio of a WLAN_RADIO_STATE. It has one state for each way of transmitting, and is off where all are: by
    software, or by a switch of the machine. None where it says neither."""
    (count,) = struct.unpack_from("<I", data) if len(data) >= 4 else (0,)
    most = min(count, MAX_PHYS, (len(data) - 4) // _PHY)
    states = [struct.unpack_from("<II", data, 4 + index * _PHY + 4) for index in range(most)]
    if any(_OFF not in each and _ON in each for each in states):
        return Radio(kind="wifi", on=True)
    if not states or any(_OFF not in each for each in states):
        return None
    return Radio(kind="wifi", on=False, by_hardware=all(hardware == _OFF for _, hardware in states))


def _rows(data: bytes, size: int, count_at: int, most: int) -> Iterator[bytes]:
    (count,) = struct.unpack_from("<I", data, count_at) if len(data) >= _LIST else (0,)
    for index in range(min(count, most, (len(data) - _LIST) // size)):
        yield data[_LIST + index * size : _LIST + (index + 1) * size]


class WlanCalls:
    """The calls of wlanapi.dll, from the system's own folder alone.

    Raises:
        HostError: this Windows has no WLAN service, or it does not run.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("wlanapi.dll", winmode=_SYSTEM_FOLDER)
        except OSError as error:  # a server without this feature
            raise HostError(f"wlanapi.dll: {error}") from error
        self._handle, version = c_void_p(), c_uint32()
        _check("WlanOpenHandle", self._library.WlanOpenHandle(_VERSION, None, byref(version), byref(self._handle)))

    def close(self) -> None:
        self._library.WlanCloseHandle(self._handle, None)

    def interfaces(self) -> bytes:
        found = c_void_p()
        _check("WlanEnumInterfaces", self._library.WlanEnumInterfaces(self._handle, None, byref(found)))
        return self._taken(found, lambda start: _LIST + c_uint32.from_address(start).value * _INTERFACE)

    def networks(self, interface: bytes) -> bytes:
        found, ask = c_void_p(), self._library.WlanGetNetworkBssList
        status = ask(self._handle, interface, None, _ANY_KIND, 0, None, byref(found)) & _WHOLE
        if status == _RADIO_OFF:
            return b""
        _check("WlanGetNetworkBssList", status)
        return self._taken(found, lambda start: c_uint32.from_address(start).value)  # it begins with its length

    def query(self, interface: bytes, what: int) -> bytes:
        found, size, ask = c_void_p(), c_uint32(), self._library.WlanQueryInterface
        _check("WlanQueryInterface", ask(self._handle, interface, what, None, byref(size), byref(found), None))
        return self._taken(found, lambda _: size.value)

    def _taken(self, found: c_void_p, length: Callable[[int], int]) -> bytes:
        """What the service allocated, which is given back."""
        if not found.value:
            return b""
        try:
            return ctypes.string_at(found.value, min(length(found.value), MAX_BYTES))
        finally:
            self._library.WlanFreeMemory(found)


def _check(call: str, status: int) -> None:
    status &= _WHOLE
    if status == _ACCESS_DENIED:
        raise HostDeniedError(f"{call}: Windows tells it to those alone who may know the location")
    if status in _NO_SERVICE:
        raise HostError(f"{call}: the service WLAN AutoConfig does not run")
    if status:
        raise HostError(f"{call}: error {status}")
