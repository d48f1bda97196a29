"""asking: what a machine next to this one says of itself to whoever opens its page. Nothing that it says is trusted.

One connection to port 443 and, where no page comes from there, one to port 80, both over within two seconds. Packets
leave with one hop to live, past every routing table: no router carries them on. The certificate is read, not verified:
such machines sign their own, and what they say is compared with a table, never believed.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterable
from html import unescape
from typing import TYPE_CHECKING, Final

from agent.host import Answer, HostDeniedError, Neighbour

if TYPE_CHECKING:
    import ssl  # heavy, and most laptops never ask

LONGEST_S: Final = 2.0
SECURE_S: Final = 1.5
"""Of these for port 443: what drops packets leaves time for the other port."""
PORTS: Final = (443, 80)
PAGE_BYTES: Final = 4096
CERTIFICATE_BYTES: Final = 8192
MOST_NAMES: Final = 8
MOST_CHARACTERS: Final = 64
"""Upper bound of both names in a certificate (RFC 5280, appendix A.1); titles are cut there too."""
REQUEST: Final = "GET / HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n"
_TITLE = re.compile(rb"<title[^>]{0,64}>([^<]{1,256})</title", re.IGNORECASE)
_NAMES = re.compile(rb"\x06\x03\x55\x04[\x03\x0a][\x0c\x13\x14\x16]([\x01-\x40])", re.DOTALL)
"""In DER: the object id of a common name (2.5.4.3) or an organisation (2.5.4.10), a string of one byte a character or
of UTF-8, and its length."""


def ask(neighbours: Iterable[Neighbour], interface: str, address: str) -> Answer | None:
    """What the neighbour at an IPv4 address says; None where no page and no certificate came in time.

    Raises:
        HostDeniedError: it is no neighbour of this machine on that interface, or has no IPv4 address.
    """
    if ":" in address or all((one.interface, one.address) != (interface, address) for one in neighbours):
        raise HostDeniedError(f"{address} on {interface}: not a neighbour with an IPv4 address, so it is not asked")
    return ask_ports(address, PORTS)


def ask_ports(address: str, ports: tuple[int, int]) -> Answer | None:
    """Ask a machine on the way without routers: first by TLS, then in the clear."""
    end = time.monotonic() + LONGEST_S
    secure, clear = ports
    return _asked(address, secure, end - LONGEST_S + SECURE_S, tls=True) or _asked(address, clear, end, tls=False)


def parse_certificate(der: bytes) -> tuple[str, ...]:
    """Organisations and common names in a certificate, of its owner and of who signed it, without repetition."""
    found: dict[str, None] = {}
    for match in _NAMES.finditer(der[:CERTIFICATE_BYTES]):
        text = der[match.end() : match.end() + match[1][0]].decode("utf-8", "replace")
        found[text] = None
    return tuple(found)[:MOST_NAMES]


def parse_page(data: bytes) -> str:
    """The title of a page, its spaces as one; empty where there is none among these bytes."""
    if not data.startswith(b"HTTP/"):
        return ""
    found = _TITLE.search(data)
    title = unescape(found[1].decode("utf-8", "replace")) if found else ""
    return " ".join(title.split())[:MOST_CHARACTERS]


def _asked(address: str, port: int, end: float, *, tls: bool) -> Answer | None:
    names: tuple[str, ...] = ()
    data = bytearray()
    # Refused, too slow or damaged: what came before holds.
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
        plain.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        plain.settimeout(_left_s(end))
        plain.connect((address, port))
        plain.settimeout(_left_s(end))
        if tls:
            with _context().wrap_socket(plain) as secured:
                names = parse_certificate(secured.getpeercert(binary_form=True) or b"")
                _read_page(secured, address, end, data)
        else:
            _read_page(plain, address, end, data)
    title = parse_page(bytes(data))
    return Answer(certificate=names, title=title) if names or title else None


def _read_page(opened: socket.socket, address: str, end: float, data: bytearray) -> None:
    opened.settimeout(_left_s(end))
    opened.sendall(REQUEST.format(address).encode())
    more = b"more"
    while more and len(data) < PAGE_BYTES:
        opened.settimeout(_left_s(end))
        more = opened.recv(PAGE_BYTES - len(data))
        data += more


def _left_s(end: float) -> float:
    """Seconds until then.

    Raises:
        TimeoutError: there are none.
    """
    if (left_s := end - time.monotonic()) <= 0:
        raise TimeoutError
    return left_s


def _context() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
