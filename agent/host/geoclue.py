"""geoclue: where the location service of a Linux desktop says that this machine is, over D-Bus and without a library.

GeoClue keeps a client for as long as the connection lasts that made it, so no program that connects anew for each call
can ask. It answers those alone that its configuration allows: see docs/agent.md. Formats: D-Bus specification 0.43,
"Message Protocol" and "Authentication Protocol"; interfaces of GeoClue 2.5.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Final

from agent.host import HostDeniedError, HostError, HostTimeoutError
from agent.host.things import Fix

BUS: Final = "/run/dbus/system_bus_socket"
DESKTOP_ID: Final = "farhand-agent"
"""Name by which GeoClue's configuration allows this agent."""
LONGEST_S: Final = 6.0
ASK_AGAIN_S: Final = 0.25
MOST_BYTES: Final = 65536
SERVICE: Final = "org.freedesktop.GeoClue2"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
CITY: Final = 4
"""GCLUE_ACCURACY_LEVEL_CITY"""
MISSING: Final = (
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
)
"""Errors of a bus that has no such service."""
_CALL, _REPLY, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
NOWHERE: Final = "/"


def locate(bus: str = BUS) -> Fix:
    """Ask GeoClue once, for six seconds at most.

    Raises:
        HostDeniedError: it does not allow this agent.
        HostError: there is no such service.
        HostTimeoutError: it did not find the machine in time.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(LONGEST_S)
            connection.connect(bus)
            return _Bus(connection).locate()
    except TimeoutError as error:
        raise HostTimeoutError("GeoClue: no answer") from error
    except (OSError, struct.error, IndexError, ValueError) as error:
        raise HostError(f"GeoClue: {error}") from error


class _Bus:
    """A connection to the system's bus."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._serial = 0
        self._until_s = time.monotonic() + LONGEST_S
        connection.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        if not connection.recv(256).startswith(b"OK "):
            raise HostDeniedError("GeoClue: the bus does not know this user")
        connection.sendall(b"BEGIN\r\n")
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def locate(self) -> Fix:
        client = text_of(self.call(SERVICE, "/org/freedesktop/GeoClue2/Manager", f"{SERVICE}.Manager", "GetClient"))
        interface = f"{SERVICE}.Client"
        self._set(client, interface, "DesktopId", "s", string(DESKTOP_ID))
        self._set(client, interface, "RequestedAccuracyLevel", "u", struct.pack("<I", CITY))
        self.call(SERVICE, client, interface, "Start")
        while (place := text_of(variant_of(self._get(client, interface, "Location"), "o"))) == NOWHERE:
            if time.monotonic() + ASK_AGAIN_S > self._until_s:
                raise HostTimeoutError("GeoClue: it does not find this machine")
            time.sleep(ASK_AGAIN_S)
        values = [
            struct.unpack("<d", variant_of(self._get(place, f"{SERVICE}.Location", name), "d"))[0]
            for name in ("Latitude", "Longitude", "Accuracy")
        ]
        self.call(SERVICE, client, interface, "Stop")
        return Fix(lat=values[0], lon=values[1], accuracy_m=values[2])

    def _get(self, path: str, interface: str, name: str) -> bytes:
        return self.call(SERVICE, path, PROPERTIES, "Get", "ss", padded(string(interface), 4) + string(name))

    def _set(self, path: str, interface: str, name: str, kind: str, value: bytes) -> None:
        body = padded(string(interface), 4) + string(name) + signature(kind)
        self.call(SERVICE, path, PROPERTIES, "Set", "ssv", padded(body, 4) + value)

    def call(
        self, destination: str, path: str, interface: str, member: str, kinds: str = "", body: bytes = b""
    ) -> bytes:
        """Body of the answer to one method call."""
        self._serial += 1
        self._connection.sendall(message(_CALL, self._serial, body, kinds, path, interface, member, destination))
        while True:
            kind, header, answer = self._receive()
            if header.get(_REPLY_SERIAL) != self._serial:
                continue  # a signal, or an answer that nobody waits for
            if kind == _ERROR:
                said = f"GeoClue: {text_of(answer)[:200] if answer else 'refused'}"
                raise HostError(said) if header.get(_ERROR_NAME) in MISSING else HostDeniedError(said)
            return answer

    def _receive(self) -> tuple[int, dict[int, int | str], bytes]:
        """Type, header fields and body of the next message."""
        head = self._exactly(16)
        order, kind = "<" if head[0] == ord("l") else ">", head[1]
        (length,) = struct.unpack_from(f"{order}I", head, 4)
        (fields,) = struct.unpack_from(f"{order}I", head, 12)
        if order == ">" or length + fields > MOST_BYTES:
            raise HostError("GeoClue: a message that cannot be read")
        header = self._exactly((fields + 7) & ~7)
        return kind, header_fields(header[:fields]), self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            left_s = self._until_s - time.monotonic()
            if left_s <= 0:
                raise HostTimeoutError("GeoClue: no answer in time")
            self._connection.settimeout(left_s)
            chunk = self._connection.recv(size - len(data))
            if not chunk:
                raise HostError("GeoClue: the bus closed the connection")
            data += chunk
        return data


def message(
    kind: int, serial: int, body: bytes, kinds: str, path: str, interface: str, member: str, destination: str
) -> bytes:
    """One message, little-endian; a field that is empty is left out."""
    fields = b""
    for code, written, text in (
        (_PATH, "o", path),
        (_INTERFACE, "s", interface),
        (_MEMBER, "s", member),
        (_DESTINATION, "s", destination),
    ):
        if text:
            fields = padded(fields, 8) + bytes([code]) + signature(written)
            fields = padded(fields, 4) + string(text)
    if kinds:
        fields = padded(fields, 8) + bytes([_SIGNATURE]) + signature("g") + signature(kinds)
    head = struct.pack("<BBBBIII", ord("l"), kind, 0, 1, len(body), serial, len(fields))
    return padded(head + fields, 8) + body


def padded(data: bytes, to: int) -> bytes:
    """The data with zero bytes up to the next multiple."""
    return data + bytes(-len(data) % to)


def string(text: str) -> bytes:
    """A text or an object path."""
    return struct.pack("<I", len(text.encode())) + text.encode() + b"\0"


def signature(kinds: str) -> bytes:
    """A list of types."""
    return bytes([len(kinds)]) + kinds.encode() + b"\0"


def text_of(body: bytes) -> str:
    """The text or object path that a body begins with."""
    (length,) = struct.unpack_from("<I", body)
    return body[4 : 4 + length].decode()


def variant_of(body: bytes, kind: str) -> bytes:
    """The value in a body that is one variant of this type: of a text with its length, of a double its eight bytes."""
    if body[:3] != signature(kind):
        raise ValueError(f"expected {kind}, got {body[1:2].decode('ascii', 'replace')}")
    return body[8:16] if kind == "d" else body[4:]


def header_fields(fields: bytes) -> dict[int, int | str]:
    """The header fields of a message by their codes, but for its signature."""
    found: dict[int, int | str] = {}
    at = 0
    while at + 4 <= len(fields):
        at = (at + 7) & ~7
        code, kind = fields[at], fields[at + 2 : at + 3]
        at += 4
        if kind == b"g":
            at += 2 + fields[at]
            continue
        at = (at + 3) & ~3
        value = int(struct.unpack_from("<I", fields, at)[0])
        found[code] = value if kind == b"u" else fields[at + 4 : at + 4 + value].decode()
        at += 4 if kind == b"u" else 5 + value
    return found
