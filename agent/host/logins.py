"""logins: from where somebody is logged in, by utmp, or by systemd-logind's notes where there is none. No accounts."""

# As in proc.py, paths stay text.
# ruff: noqa: PTH110, PTH208

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from agent.host import Login

from .proc import read_bytes

USER_PROCESS: Final = 7
MAX_BYTES: Final = 1024 * 1024
MAX_SESSIONS: Final = 1000
MAX_DIGITS: Final = 17
"""Of a time in microseconds: until the year 5138."""

_RECORD = struct.Struct("=hxxi32s4s32s256shhiii16s20x")
"""struct utmp of glibc on 64-bit Linux: type, pid, line, id, user, host, exit (2), session, seconds, microseconds,
address."""
_LOCAL_HOSTS: Final = (":", "tmux(", "screen")
"""Starts of what local programs write where a host belongs: X displays and terminal multiplexers."""


def read_logins(root: str) -> tuple[Login, ...]:
    """Logins from elsewhere. Distributions that gave up utmp keep logind's notes."""
    with contextlib.suppress(OSError):
        return tuple(parse_utmp(read_bytes(f"{root}/run/utmp", MAX_BYTES), f"{root}/proc"))
    found = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(f"{root}/run/systemd/sessions"))[:MAX_SESSIONS]:
            with contextlib.suppress(OSError):
                text = read_bytes(f"{root}/run/systemd/sessions/{name}", MAX_BYTES).decode("utf-8", "replace")
                found.append(parse_session(text))
    return tuple(login for login in found if login is not None)


def parse_utmp(data: bytes, proc: str) -> Iterator[Login]:
    """Logins from elsewhere whose process still runs."""
    for start in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        kind, pid, line, _, _, host_field, _, _, _, seconds, _, address = _RECORD.unpack_from(data, start)
        host = _text(host_field)
        if kind == USER_PROCESS and host and not host.startswith(_LOCAL_HOSTS) and os.path.exists(f"{proc}/{pid}"):
            started_at = datetime.fromtimestamp(seconds, UTC)
            yield Login(terminal=_text(line), peer=_address(address) or host, started_at=started_at)


def parse_session(text: str) -> Login | None:
    """A login out of one file of /run/systemd/sessions; None where it is local or ends already."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    host = fields.get("REMOTE_HOST", "")
    if fields.get("REMOTE") != "1" or fields.get("STATE") == "closing" or not host:
        return None
    microseconds = fields.get("REALTIME", "")
    if not microseconds.isdecimal() or len(microseconds) > MAX_DIGITS:
        return None
    started_at = datetime.fromtimestamp(int(microseconds) / 1e6, UTC)
    return Login(terminal=fields.get("TTY", ""), peer=host, started_at=started_at)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _address(raw: bytes) -> str:
    """The address of a utmp record, empty where it has none. IPv4 fills the first four bytes alone."""
    if not any(raw):
        return ""
    if not any(raw[4:]):
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    return socket.inet_ntop(socket.AF_INET6, raw).removeprefix("::ffff:")
