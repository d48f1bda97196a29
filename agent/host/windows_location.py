"""windows_location: where the location service of Windows says that this machine is, by ILocation of LocationApi.dll.

Plain COM: an object is a pointer to a table of functions. Places in the tables, identifiers and states: locationapi.h
and unknwn.h of the Windows SDK. No dialog is opened: `RequestPermissions`, which would, is not called.
"""

from __future__ import annotations

import ctypes
import math
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_double, c_uint32, c_void_p, create_string_buffer
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.host import HostDeniedError, HostError, HostTimeoutError

from .things import Fix

LONGEST_S: Final = 6.0
ASK_AGAIN_S: Final = 0.25
OLDEST: Final = timedelta(hours=1)
"""The service hands out what it last found, whenever that was: an older place may be one before a journey."""

LOCATION: Final = uuid.UUID("e5b8e079-ee6d-4e33-a438-c87f2e959254").bytes_le
ILOCATION: Final = uuid.UUID("ab2ece69-56d9-4f28-b525-de1b0ee44237").bytes_le
ILATLONGREPORT: Final = uuid.UUID("7fed806d-0ef8-4f07-80ac-36a0beae3134").bytes_le

QUERY_INTERFACE, RELEASE = 0, 2  # IUnknown
GET_REPORT, GET_REPORT_STATUS = 5, 6  # ILocation
GET_TIMESTAMP: Final = 4  # ILocationReport
GET_LATITUDE, GET_LONGITUDE, GET_ERROR_RADIUS = 6, 7, 8  # ILatLongReport

NOT_SUPPORTED, ACCESS_DENIED = 0, 2  # LOCATION_REPORT_STATUS
E_ACCESSDENIED: Final = 0x80070005
_WHOLE: Final = 0xFFFFFFFF
_FAILED: Final = 0x80000000
_SYSTEM_FOLDER: Final = 0x800
_MANY_THREADS: Final = 0  # COINIT_MULTITHREADED: nobody has to hand out window messages
_IN_PROCESS: Final = 1  # CLSCTX_INPROC_SERVER


class Unknown:
    """A COM object, whose methods are called by their place in its table. All arguments are pointers."""

    def __init__(self, address: int) -> None:
        self._address = address

    def call(self, place: int, *arguments: object) -> int:
        """The HRESULT of one method, without its sign."""
        table = c_void_p.from_address(self._address).value or 0
        method = c_void_p.from_address(table + place * ctypes.sizeof(c_void_p)).value or 0
        kind = ctypes.CFUNCTYPE(c_uint32, c_void_p, *(c_void_p for _ in arguments))
        return int(kind(method)(self._address, *arguments))

    def __enter__(self) -> Unknown:
        return self

    def __exit__(self, *_: object) -> None:
        self.call(RELEASE)


def locate(now: datetime) -> Fix:
    """Ask the service, for six seconds at most.

    Raises:
        HostDeniedError: it does not allow this agent.
        HostError: there is no such service, or nothing that could find a place.
        HostTimeoutError: it did not find the machine in time.
    """
    try:
        com = ctypes.CDLL("ole32.dll", winmode=_SYSTEM_FOLDER)
    except OSError as error:
        raise HostError(f"ole32.dll: {error}") from error
    with _com(com):
        found = c_void_p()
        status = com.CoCreateInstance(LOCATION, None, _IN_PROCESS, ILOCATION, byref(found)) & _WHOLE
        _check("the location service", status)
        with Unknown(found.value or 0) as location:
            return wait(location, now)


@contextmanager
def _com(com: ctypes.CDLL) -> Iterator[None]:
    """COM for this thread, until the end of the block."""
    _check("COM", com.CoInitializeEx(None, _MANY_THREADS) & _WHOLE)
    try:
        yield
    finally:
        com.CoUninitialize()


def wait(location: Unknown, now: datetime, sleep: Callable[[float], None] = time.sleep) -> Fix:
    """A place that an ILocation found lately.

    Raises:
        HostDeniedError: it does not allow this agent.
        HostError: nothing is there that could find a place.
        HostTimeoutError: it did not find the machine in time.
    """
    for _ in range(round(LONGEST_S / ASK_AGAIN_S)):
        state = c_uint32()
        _check("GetReportStatus", location.call(GET_REPORT_STATUS, ILATLONGREPORT, byref(state)))
        if state.value == ACCESS_DENIED:
            raise HostDeniedError("location: Windows does not allow it to this agent")
        if state.value == NOT_SUPPORTED:
            raise HostError("location: Windows has nothing that finds a place")
        fix = _report(location, now)
        if fix is not None:
            return fix
        sleep(ASK_AGAIN_S)
    raise HostTimeoutError("location: Windows does not find this machine")


def _report(location: Unknown, now: datetime) -> Fix | None:
    """What the service found last; None where it found nothing, or long ago."""
    found, wanted = c_void_p(), c_void_p()
    status = location.call(GET_REPORT, ILATLONGREPORT, byref(found))
    if status == E_ACCESSDENIED:
        raise HostDeniedError("location: Windows does not allow it to this agent")
    if status & _FAILED or not found.value:  # ERROR_NO_DATA while it looks
        return None
    with Unknown(found.value) as report:
        _check("ILatLongReport", report.call(QUERY_INTERFACE, ILATLONGREPORT, byref(wanted)))
        with Unknown(wanted.value or 0) as place:
            moment = create_string_buffer(16)
            _check("GetTimestamp", place.call(GET_TIMESTAMP, moment))
            values = [_double(place, each) for each in (GET_LATITUDE, GET_LONGITUDE, GET_ERROR_RADIUS)]
    found_at = parse_moment(moment.raw)
    if found_at is None or abs(now - found_at) > OLDEST or not all(map(math.isfinite, values)):
        return None
    return Fix(lat=values[0], lon=values[1], accuracy_m=values[2])


def parse_moment(data: bytes) -> datetime | None:
    """A SYSTEMTIME (minwinbase.h), in UTC as ILocationReport gives it; None where it is no moment."""
    year, month, _, day, hour, minute, second, millisecond = struct.unpack("<8H", data)
    try:
        return datetime(year, month, day, hour, minute, second, millisecond * 1000, tzinfo=UTC)
    except ValueError:
        return None


def _double(place: Unknown, method: int) -> float:
    value = c_double(math.nan)
    _check(f"method {method} of ILatLongReport", place.call(method, byref(value)))
    return value.value


def _check(what: str, status: int) -> None:
    if status == E_ACCESSDENIED:
        raise HostDeniedError(f"{what}: Windows does not allow it to this agent")
    if status & _FAILED:
        raise HostError(f"{what}: error {status:#x}")
