"""connection: one laptop's connection as the server sees it, and how soon questions follow answers on it.

The application is given no socket by ASGI, so uvicorn's protocol is extended by a handle under `extensions`. What the
report path pays for it is one attribute and one entry of a dictionary per request.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTION: Final = "farhand.connection"
"""Name of the handle in a scope's `extensions`."""
ENOUGH: Final = 11
"""Answers whose echo is timed: a minimum over 10 to 20 is within a millisecond or two of the floor."""
SENT_MSS_AT: Final = 16
"""Where Linux's struct tcp_info (include/uapi/linux/tcp.h) has tcpi_snd_mss: bytes of the largest segment that the
other side takes, without options."""
OWN_MSS_AT: Final = 84
"""tcpi_advmss: bytes of the largest segment that this side said it takes, without options."""
MIN_RTT_AT: Final = 148
"""tcpi_min_rtt, since Linux 4.6, microseconds."""
NO_RTT: Final = 2**32 - 1
"""What stands there before anything was measured."""


@dataclass(slots=True)
class Timed:
    """A series of questions of one key on one connection."""

    key_id: str
    transport: Any
    answered_s: float | None = None
    """When the newest answer was handed to the kernel."""
    least_ms: float = float("inf")
    samples: int = 0

    @property
    def is_enough(self) -> bool:
        """True when no further question is needed."""
        return self.samples >= ENOUGH

    @property
    def found(self) -> tuple[float, float, int] | None:
        """Smallest echo and smallest round trip of the connection, ms, and by how many bytes its segments are shorter
        than the collector's own network would take; None where the system tells no round trip."""
        line = line_of(self.transport)
        return None if line is None or not self.samples else (round(self.least_ms, 3), round(line[0], 3), line[1])


class Connection(HttpToolsProtocol):
    """Uvicorn's protocol, which also notes when a question began to arrive."""

    _timed: Timed | None = None
    _began_s: float = 0.0

    def on_message_begin(self) -> None:
        """The first byte of a request was read."""
        super().on_message_begin()
        self._began_s = time.perf_counter()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]

    def asked(self, key_id: str) -> Timed | None:
        """Count the present question. None where this system cannot tell the round trip of a connection.

        A series begins anew for another key and after its end. A question that came before its answer went out says
        nothing, and counts as none.
        """
        if line_of(self.transport) is None:
            return None
        timed = self._timed
        if timed is None or timed.key_id != key_id or timed.is_enough:
            timed = self._timed = Timed(key_id, self.transport)
        if timed.answered_s is not None and self._began_s > timed.answered_s:
            timed.least_ms = min(timed.least_ms, (self._began_s - timed.answered_s) * 1000)
            timed.samples += 1
        timed.answered_s = None
        return timed

    def answered(self) -> None:
        """The answer to an echo went out."""
        if self._timed is not None:
            self._timed.answered_s = time.perf_counter()


def line_of(transport: Any) -> tuple[float, int] | None:
    """The kernel's smallest round trip of a connection in its last 300 s, ms, and by how many bytes the segments that
    the other side takes are shorter than those that this side does; None where it tells no round trip."""
    option = getattr(socket, "TCP_INFO", None)
    own = transport.get_extra_info("socket")
    if option is None or own is None:
        return None
    try:
        info = own.getsockopt(socket.IPPROTO_TCP, option, MIN_RTT_AT + 4)
    except OSError:
        return None
    if len(info) < MIN_RTT_AT + 4:
        return None
    (least_us,) = struct.unpack_from("=I", info, MIN_RTT_AT)
    if least_us == NO_RTT:
        return None
    (theirs,), (ours,) = (struct.unpack_from("=I", info, at) for at in (SENT_MSS_AT, OWN_MSS_AT))
    return least_us / 1000, max(0, ours - theirs)
