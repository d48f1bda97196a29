"""macos_logins: from where somebody is logged in, by utmpx. No accounts.

`who` would tell the same without the year, in local time, and with the account. Layout: struct utmpx of Apple's
<utmpx.h> as it lies in the file, with times of 32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from typing import Final

from .things import Login

FILE: Final = "/var/run/utmpx"
MAX_BYTES: Final = 1024 * 1024
USER_PROCESS: Final = 7

_RECORD = struct.Struct("<256x4x32sih2xi4x256s64x")
"""User and id (left out), line, pid, type, seconds and microseconds (left out), host, reserved."""


def parse_utmpx(data: bytes, running: Container[int]) -> Iterator[Login]:
    """Logins from elsewhere whose process still runs.

    Args:
        running: numbers of running processes.
    """
    for start in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        line, pid, kind, seconds, host_field = _RECORD.unpack_from(data, start)
        host = _text(host_field)
        if kind == USER_PROCESS and host and not host.startswith(":") and pid in running:
            yield Login(terminal=_text(line), peer=host, started_at=datetime.fromtimestamp(seconds, UTC))


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
