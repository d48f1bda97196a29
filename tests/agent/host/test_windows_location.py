"""windows_location: a location service of Windows, played by tables of functions in this process's own memory."""

from __future__ import annotations

import ctypes
import inspect
import struct
from collections.abc import Callable, Mapping
from ctypes import c_double, c_uint32, c_void_p
from datetime import UTC, datetime, timedelta

import pytest

from agent.host import Fix, HostDeniedError, HostError, HostTimeoutError
from agent.host import windows_location as api
from agent.host.windows_location import Unknown, parse_moment, wait
from tests.agent.host.windows import machine

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MUNICH = (48.137, 11.575, 85.0)
NO_DATA = 0x800700E8
INITIALIZING, RUNNING = 3, 4


class Played:
    """A COM object: a pointer to a table of functions."""

    def __init__(self, methods: Mapping[int, Callable[..., int]]) -> None:
        self.released = 0
        everything = {api.RELEASE: self._release, **methods}
        self._callbacks = {place: _callback(method) for place, method in everything.items()}
        pointers = [ctypes.cast(self._callbacks[n], c_void_p) if n in everything else None for n in range(12)]
        self._table = (c_void_p * 12)(*pointers)
        self._object = c_void_p(ctypes.addressof(self._table))
        self.address = ctypes.addressof(self._object)

    def _release(self, this: int) -> int:
        self.released += 1
        return 0


def _callback(method: Callable[..., int]) -> ctypes._CFunctionType:
    kinds = [c_void_p for _ in inspect.signature(method).parameters]
    return ctypes.CFUNCTYPE(c_uint32, *kinds)(method)


def put(kind: type[c_double | c_uint32 | c_void_p], value: float | None, status: int = 0) -> Callable[[int, int], int]:
    """A method that writes a value to where its only argument points."""

    def method(this: int, out: int) -> int:
        kind.from_address(out).value = value  # type: ignore[assignment]
        return status

    return method


class Service:
    """An ILocation that says one state after the other, and one report after the other; the last ones for ever."""

    def __init__(
        self,
        states: list[int],
        reports: list[int],
        place: tuple[float, float, float] = MUNICH,
        age: timedelta = timedelta(),
    ) -> None:
        self._states, self._reports = states, reports
        moment = NOW - age
        words = struct.pack(
            "<8H", moment.year, moment.month, 0, moment.day, moment.hour, moment.minute, moment.second, 0
        )
        self.asked: list[bytes] = []
        self.place = Played(
            {
                api.GET_TIMESTAMP: lambda this, out: ctypes.memmove(out, words, 16) and 0,
                api.GET_LATITUDE: put(c_double, place[0]),
                api.GET_LONGITUDE: put(c_double, place[1]),
                api.GET_ERROR_RADIUS: put(c_double, place[2]),
            }
        )
        self.report = Played({api.QUERY_INTERFACE: self._query})
        self.location = Played({api.GET_REPORT_STATUS: self._state, api.GET_REPORT: self._get})

    def _query(self, this: int, kind: int, out: int) -> int:
        self.asked.append(ctypes.string_at(kind, 16))
        c_void_p.from_address(out).value = self.place.address
        return 0

    def _state(self, this: int, kind: int, out: int) -> int:
        self.asked.append(ctypes.string_at(kind, 16))
        c_uint32.from_address(out).value = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return 0

    def _get(self, this: int, kind: int, out: int) -> int:
        self.asked.append(ctypes.string_at(kind, 16))
        status = self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]
        c_void_p.from_address(out).value = self.report.address if status == 0 else None
        return status

    def wait(self) -> Fix:
        return wait(Unknown(self.location.address), NOW, sleep=lambda _: None)


def test_a_place_that_the_service_finds_after_a_moment() -> None:
    service = Service([INITIALIZING, RUNNING], [NO_DATA, NO_DATA, 0])
    assert service.wait() == Fix(lat=48.137, lon=11.575, accuracy_m=85.0)
    assert set(service.asked) == {bytes.fromhex("6d80ed7ff80e074f80ac36a0beae3134")}
    assert (service.report.released, service.place.released) == (1, 1)


def test_a_place_of_before_a_journey_is_none() -> None:
    service = Service([RUNNING], [0], age=timedelta(hours=9))
    with pytest.raises(HostTimeoutError, match="does not find"):
        service.wait()
    assert service.report.released == service.place.released == 24


@pytest.mark.parametrize(
    ("states", "reports", "error", "words"),
    [
        ([2], [0], HostDeniedError, "does not allow"),
        ([RUNNING], [api.E_ACCESSDENIED], HostDeniedError, "does not allow"),
        ([0], [0], HostError, "nothing that finds a place"),
        ([1], [NO_DATA], HostTimeoutError, "does not find"),
    ],
)
def test_where_nothing_is_told(states: list[int], reports: list[int], error: type[HostError], words: str) -> None:
    with pytest.raises(error, match=words):
        Service(states, reports).wait()


def test_a_figure_that_is_none_is_no_place() -> None:
    with pytest.raises(HostTimeoutError):
        Service([RUNNING], [0], place=(48.0, float("nan"), 10.0)).wait()


def test_a_system_without_the_service() -> None:
    with pytest.raises(HostError, match=r"ole32\.dll"):
        machine().location()


def test_moments() -> None:
    assert parse_moment(struct.pack("<8H", 2026, 11, 6, 28, 12, 0, 0, 500)) == NOW + timedelta(milliseconds=500)
    assert parse_moment(bytes(16)) is None
