"""logins, out of utmp and out of logind's notes."""

from __future__ import annotations

import socket
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Login
from agent.host.logins import parse_session, parse_utmp, read_logins

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SESSION = "USER=alice\nREMOTE=1\nREMOTE_HOST=203.0.113.9\nTTY=pts/0\nSTATE=active\nREALTIME=1795262400000000\n"


def record(pid: int, host: bytes, address: bytes = b"", kind: int = 7) -> bytes:
    return struct.pack(
        "=hxxi32s4s32s256shhiii16s20x",
        kind, pid, b"pts/0", b"ts/0", b"alice", host, 0, 0, 0, int(AT.timestamp()), 0, address,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("run/systemd/sessions", "proc/10"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_utmp_lists_living_logins_from_elsewhere_without_their_account(root: Path) -> None:
    records = [
        record(10, b"some.host", socket.inet_aton("203.0.113.9")),
        record(10, b"v6.host", socket.inet_pton(socket.AF_INET6, "2001:db8::1")),
        record(10, b"only.name\xff"),
        record(10, b""),
        record(10, b":0"),
        record(10, b"tmux(77).%0"),
        record(11, b"dead.host"),
        record(10, b"logged.out", kind=8),
        b"torn",
    ]
    (root / "run/utmp").write_bytes(b"".join(records))
    assert read_logins(str(root)) == tuple(
        Login(terminal="pts/0", peer=peer, started_at=AT) for peer in ("203.0.113.9", "2001:db8::1", "only.name\ufffd")
    )


def test_where_there_is_no_utmp_logind_is_asked(root: Path) -> None:
    (root / "run/systemd/sessions/4").write_text(SESSION)
    (root / "run/systemd/sessions/c1").write_text("USER=alice\nREMOTE=0\nTTY=tty2\n")
    assert read_logins(str(root)) == (Login(terminal="pts/0", peer="203.0.113.9", started_at=AT),)


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("REMOTE=1", "REMOTE=0"),
        ("=203.0.113.9", "="),
        ("=active", "=closing"),
        ("=1795262400000000", "=soon"),
        ("=1795262400000000", "=" + "9" * 30),
    ],
)
def test_local_ending_and_torn_sessions_are_left_out(word: str, instead: str) -> None:
    assert parse_session(SESSION) is not None
    assert parse_session(SESSION.replace(word, instead)) is None


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert all(login.peer for login in parse_utmp(data, "/proc"))
    parse_session(data.decode("utf-8", "replace"))


def test_a_machine_with_neither_has_no_logins(tmp_path: Path) -> None:
    assert read_logins(str(tmp_path)) == ()
