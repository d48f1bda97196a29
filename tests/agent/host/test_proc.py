"""proc: processes and sockets, out of text and out of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.host import HostDeniedError, HostTimeoutError, Process, Socket, proc
from agent.host.proc import owned, parse_endpoint, parse_stat, parse_table, read_processes, read_sockets, script_of

TABLE = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   111        0 9001 1 0 100 0 0 10 0\n"
    "   1: 0501A8C0:0016 097100CB:9C40 01 00000000:00000000 02:000A7F26 00000000     0        0 9002 4 0 20 4 29\n"
    "   2: 0501A8C0:0017 097100CB:9C41 06 00000000:00000000 03:00001645 00000000     0        0 0 3 0\n"
    "   3: torn"
)


def stat_line(pid: int, name: bytes, state: bytes = b"S", parent: int = 1, ticks: int = 500) -> bytes:
    return b"%d (%s) %s %d" % (pid, name, state, parent) + b" 0" * 17 + b" %d 0 0\n" % ticks


def test_only_listening_and_established_sockets_are_read() -> None:
    assert list(parse_table(TABLE)) == [
        (Socket(state="listen", local_address="127.0.0.1", local_port=3306), 9001),
        (
            Socket(
                state="established",
                local_address="192.168.1.5",
                local_port=22,
                peer_address="203.0.113.9",
                peer_port=40000,
            ),
            9002,
        ),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0100007F:0016", ("127.0.0.1", 22)),
        ("00000000000000000000000001000000:170C", ("::1", 5900)),
        ("B80D0120000000000000000001000000:0001", ("2001:db8::1", 1)),
        ("0000000000000000FFFF00000501A8C0:0016", ("192.168.1.5", 22)),
    ],
)
def test_addresses_are_read_and_mapped_ones_become_ipv4(text: str, expected: tuple[str, int]) -> None:
    assert parse_endpoint(text) == expected


def test_a_process_may_have_any_name() -> None:
    one = parse_stat(stat_line(7, b"a) S 1 (b\xff", parent=3))
    assert (one.name, one.parent_pid, one.started_ticks, one.ended) == ("a) S 1 (b\udcff", 3, 500, False)
    with pytest.raises(ValueError, match="not the stat"):
        parse_stat(b"7 (x) S 1")


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [
        (
            b"/usr/bin/python3\0/opt/google/chrome-remote-desktop/chrome-remote-desktop\0--start\0",
            "chrome-remote-desktop",
        ),
        (b"python3\0-u\0-m\0websockify\x006080\0", "websockify"),
        (b"bash\0-l\0", ""),
        (b"", ""),
        (b"sh\0/tmp/\xff\0", "\udcff"),
    ],
)
def test_an_interpreter_goes_by_the_name_of_what_it_runs(cmdline: bytes, expected: str) -> None:
    assert script_of(cmdline) == expected


def test_a_folder_can_play_proc(tmp_path: Path) -> None:
    def add(pid: int, line: bytes, exe: bytes | None = None, cmdline: bytes = b"") -> None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_bytes(line)
        (tmp_path / str(pid) / "cmdline").write_bytes(cmdline)
        if exe is not None:
            (tmp_path / str(pid) / "exe").symlink_to(os.fsdecode(exe))

    add(2, stat_line(2, b"kthreadd", parent=0))
    add(10, stat_line(10, b"x11vnc"), b"/usr/bin/x11vnc (deleted)")
    add(11, stat_line(11, b"innocent"), b"/usr/bin/x11vnc")
    add(12, stat_line(12, b"gone", state=b"Z"))
    add(13, stat_line(13, b"python3"), b"/usr/bin/python3.11", b"python3\0/usr/bin/websockify\0")
    add(14, stat_line(14, b"\x1b[31m\xff"), b"/opt/\xff\xe2\x80\xae")
    add(16, stat_line(16, b"closed"))
    (tmp_path / "16" / "exe").write_text("no link: what may not be read, or is too long, fails in the same way")
    (tmp_path / "15").mkdir()
    (tmp_path / "self").mkdir()
    assert list(read_processes(str(tmp_path))) == [
        Process(pid=10, name="x11vnc", path="/usr/bin/x11vnc", parent_pid=1),
        Process(pid=11, name="x11vnc", path="/usr/bin/x11vnc", parent_pid=1, aliases=("innocent",)),
        Process(pid=13, name="python3.11", path="/usr/bin/python3.11", parent_pid=1, aliases=("python3", "websockify")),
        Process(pid=14, name="\udcff\u202e", path="/opt/\udcff\u202e", parent_pid=1, aliases=("\x1b[31m\udcff",)),
        Process(pid=16, name="closed", path=None, parent_pid=1),
    ]


def sockets_of(proc: str, owners: list[int]) -> tuple[Socket, ...]:
    return owned(proc, read_sockets(proc), owners)


def test_a_shared_socket_belongs_to_the_first_listener_and_to_the_newest_server(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE)
    for pid in (9, 10, 300):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        for number, target in enumerate(("socket:[9001]", "socket:[9002]", "socket:[1]", "/dev/null", "pipe:[9002]")):
            (tmp_path / str(pid) / "fd" / str(number)).symlink_to(target)
    assert [one.pid for one in sockets_of(str(tmp_path), [300, 10, 77])] == [10, 300]
    assert [one.pid for one in sockets_of(str(tmp_path), [])] == [None, None]


def test_a_search_for_owners_ends_after_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE)
    for pid, files in ((10, ["pipe:[1]"] * 30), (11, ["socket:[9001]"])):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        for number, target in enumerate(files):
            (tmp_path / str(pid) / "fd" / str(number)).symlink_to(target)
    assert [one.pid for one in sockets_of(str(tmp_path), [10, 11])] == [11, None]
    monkeypatch.setattr(proc, "MAX_FILES", 30)
    assert [one.pid for one in sockets_of(str(tmp_path), [10, 11])] == [None, None]


def test_half_a_table_is_not_taken_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE)
    monkeypatch.setattr(proc, "MAX_TABLE_BYTES", 200)
    with pytest.raises(HostTimeoutError, match="net/tcp: more than 200 bytes"):
        read_sockets(str(tmp_path))


def test_tables_that_cannot_be_read_are_denied_and_not_empty(tmp_path: Path) -> None:
    (tmp_path / "net" / "tcp").mkdir(parents=True)
    with pytest.raises(HostDeniedError, match="net/tcp"):
        read_sockets(str(tmp_path))


@contextmanager
def loopback(family: socket.AddressFamily, server: str, client: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a real connection, the accepted one first."""
    with socket.socket(family) as door:
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        door.bind((server, 0))
        door.listen()
        with socket.create_connection((client, door.getsockname()[1])) as far, door.accept()[0] as near:
            yield near, far


def test_a_real_connection_is_found_with_its_owner() -> None:
    with loopback(socket.AF_INET6, "::", "127.0.0.1") as (near, far):
        local_port, peer_port = near.getsockname()[1], far.getsockname()[1]
        sockets = sockets_of("/proc", [os.getpid()])
        assert {one for one in sockets if one.local_port == local_port} == {
            Socket(state="listen", local_address="::", local_port=local_port, pid=os.getpid()),
            Socket(
                state="established",
                local_address="127.0.0.1",
                local_port=local_port,
                peer_address="127.0.0.1",
                peer_port=peer_port,
                pid=os.getpid(),
            ),
        }


DEEP = """
import os, shutil, sys
os.chdir(sys.argv[1])
for _ in range(25):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
shutil.copy(shutil.which("sleep"), "anydesk")
os.execv("./anydesk", ["anydesk", "30"])
"""


def test_a_path_that_is_too_long_to_be_read_does_not_look_like_one_that_may_not_be(tmp_path: Path) -> None:
    """Else whoever makes such folders, and calls a program as a tool is called, keeps all sessions from being told."""
    with subprocess.Popen([sys.executable, "-c", DEEP, str(tmp_path)]) as deep:

        def found() -> list[Process]:
            return [one for one in read_processes("/proc") if one.pid == deep.pid and one.name == "anydesk"]

        end = time.monotonic() + 10
        while not found() and time.monotonic() < end:
            time.sleep(0.05)
        (one,) = found()
        deep.kill()
    subprocess.run(["rm", "-rf", str(tmp_path / ("d" * 200))], check=True)  # deeper than Python's own rmtree can name
    assert one.path == "anydesk"


def test_a_real_process_with_a_hostile_name_is_listed(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xe2\x80\xae\x1b[31mx"
    shutil.copy(b"/bin/sleep", path)
    with subprocess.Popen([path, b"60"]) as child:
        try:
            (one,) = [process for process in read_processes("/proc") if process.pid == child.pid]
            assert one.name.encode("utf-8", "surrogateescape") == b"\xff\xe2\x80\xae\x1b[31mx"
            assert one.parent_pid == os.getpid()
        finally:
            child.kill()
