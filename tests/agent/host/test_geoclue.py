"""geoclue, against a bus that speaks D-Bus over a real socket and has a location service behind it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import HostDeniedError, HostError, HostTimeoutError, geoclue
from agent.host.geoclue import locate, padded, signature, string

PLACES = {"Latitude": 48.8566, "Longitude": 2.3522, "Accuracy": 1200.0}


class Bus(threading.Thread):
    """Answers as GeoClue would; `finds_after` looks are in vain, `allows` says whether it lets the client start."""

    def __init__(self, path: Path, *, finds_after: int = 2, allows: bool = True, is_there: bool = True) -> None:
        super().__init__(daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._looks, self._allows, self._is_there = finds_after, allows, is_there
        self.asked: list[str] = []

    def run(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()
        with connection:
            assert connection.recv(256).startswith(b"\0AUTH EXTERNAL ")
            connection.sendall(b"OK 0123456789abcdef\r\n")
            assert connection.recv(7) == b"BEGIN\r\n"
            connection.sendall(self._signal())
            while len(head := connection.recv(16, socket.MSG_WAITALL)) == 16:
                length, serial, fields = struct.unpack_from("<III", head, 4)
                header = connection.recv((fields + 7) & ~7, socket.MSG_WAITALL)
                body = connection.recv(length, socket.MSG_WAITALL) if length else b""
                connection.sendall(self._answer(serial, header, body))

    def _answer(self, serial: int, header: bytes, body: bytes) -> bytes:
        member = next(
            name
            for name in ("Hello", "GetClient", "Start", "Stop", "Set", "Get")
            if b"\0" + name.encode() + b"\0" in header
        )
        asked = next((name for name in ("Location\0", *PLACES) if member == "Get" and name.encode() in body[30:]), "")
        self.asked.append(member if not asked else f"{member} {asked.rstrip(chr(0))}")
        if member == "Start" and not self._allows:
            return self._reply(3, serial, "s", string("Agent 'farhand-agent' is not allowed"))
        if member == "GetClient" and not self._is_there:
            gone = "org.freedesktop.DBus.Error.ServiceUnknown"
            return self._reply(3, serial, "s", string("The name is not activatable"), error=gone)
        if member == "Hello":
            return self._reply(2, serial, "s", string(":1.7"))
        if member == "GetClient":
            return self._reply(2, serial, "o", string("/org/freedesktop/GeoClue2/Client/1"))
        for name, value in PLACES.items():
            if asked == name:
                return self._reply(2, serial, "v", padded(signature("d"), 8) + struct.pack("<d", value))
        if asked:
            self._looks -= 1
            path = "/" if self._looks >= 0 else "/org/freedesktop/GeoClue2/Location/0"
            return self._reply(2, serial, "v", padded(signature("o"), 4) + string(path))
        return self._reply(2, serial, "", b"")

    def _reply(self, kind: int, serial: int, kinds: str, body: bytes, error: str = "") -> bytes:
        fields = padded(bytes([5]) + signature("u"), 4) + struct.pack("<I", serial)
        if error:
            fields = padded(padded(fields, 8) + bytes([4]) + signature("s"), 4) + string(error)
        if kinds:
            fields = padded(fields, 8) + bytes([8]) + signature("g") + signature(kinds)
        head = struct.pack("<BBBBIII", ord("l"), kind, 0, 1, len(body), 99, len(fields))
        return padded(head + fields, 8) + body

    def _signal(self) -> bytes:
        return geoclue.message(4, 1, string(":1.7"), "s", "/", "org.freedesktop.DBus", "NameAcquired", "")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "bus"


def test_the_place_is_asked_for_until_the_service_found_it(path: Path) -> None:
    bus = Bus(path)
    bus.start()
    fix = locate(str(path))
    assert (fix.lat, fix.lon, fix.accuracy_m) == (48.8566, 2.3522, 1200.0)
    assert bus.asked[:4] == ["Hello", "GetClient", "Set", "Set"]
    assert bus.asked.count("Get Location") == 3
    assert bus.asked[-1] == "Stop"


def test_a_service_that_does_not_allow_this_agent(path: Path) -> None:
    Bus(path, allows=False).start()
    with pytest.raises(HostDeniedError, match="not allowed"):
        locate(str(path))


def test_a_service_that_finds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoclue, "LONGEST_S", 0.6)
    Bus(path, finds_after=99).start()
    with pytest.raises(HostTimeoutError, match="does not find"):
        locate(str(path))


def test_a_bus_that_knows_no_such_service_does_not_forbid_anything(path: Path) -> None:
    Bus(path, is_there=False).start()
    with pytest.raises(HostError, match="not activatable") as caught:
        locate(str(path))
    assert type(caught.value) is HostError


def test_a_machine_without_a_bus(path: Path) -> None:
    with pytest.raises(HostError, match="GeoClue"):
        locate(str(path))
