"""The helper as a process of its own: who may ask it, what hostile peers get, when it holds devices, what it weighs."""

from __future__ import annotations

import _socket
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agent.host import HostBrokenError, HostDeniedError, HostError
from agent.host.input_helper import ask_helper
from agent.probe import Given, Noted, Unavailable
from agent.probes import input_activity
from agent.session.counting import LONGEST_LEASE_S, Counting, lease_of
from agent.session.devices import Devices
from agent.session.evdev import Reader
from agent.session.helper import Helper
from agent.session.peers import MOST_BYTES, PeerError, ask
from agent.session.tally import Day
from agent.wire.signals import InputActivity
from tests.agent.session.machine import I8042, Machine, key
from tests.fakes import NOON, FakeHost

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")


class Running:
    """A helper in a thread, on a machine of pipes."""

    def __init__(self, machine: Machine, path: Path, of_users: set[int], *, stay: bool = True) -> None:
        self.machine, self.path = machine, str(path)
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(4)
        self.helper = Helper(self.listener, of_users, Reader(str(machine.root)), stay=stay)
        self.thread = threading.Thread(target=self.helper.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Let it find that nobody asks any more."""
        self.helper._stay, self.helper._lease_ends = False, 0.0
        while self.thread.is_alive():
            self.poke()
            self.thread.join(0.05)
        self.listener.close()

    def poke(self) -> None:
        """Wake it, as a question that is none does: it looks at the clock every fifteen seconds."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as other:
            other.settimeout(1)
            other.connect(self.path)
            other.sendall(struct.pack("!I", 2) + b"{}")

    def counts(self, lease_s: float = 60.0) -> InputActivity:
        return input_activity.parse_answer(ask_helper(self.path, lease_s)).counts


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture
def running(machine: Machine, folder: Path) -> Iterator[Running]:
    made = Running(machine, folder / "input.sock", {0, os.geteuid()})
    yield made
    made.stop()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_counts_once_it_was_asked_and_not_before(running: Running) -> None:
    name = running.machine.keyboard("event0", I8042, 0x11)
    running.machine.say(name, *key(1.0))
    first = running.counts()
    assert first.hours == (), "nothing is known of the time before the first question"

    def typed() -> bool:
        return bool(sum(hour.keys for hour in running.counts().hours))

    eventually(typed)  # what the pipe kept is read as soon as the device is open
    running.machine.say(name, *key(9.0), *key(10.0))
    eventually(lambda: sum(hour.keys for hour in running.counts().hours) == 3)


def open_devices(machine: Machine) -> int:
    """How many of the machine's devices this process holds, the tests' own ends left out."""
    links = list(Path("/proc/self/fd").iterdir())
    held = [str(link.readlink()) for link in links if link.is_symlink()]
    return sum(path.startswith(str(machine.root / "dev/input")) for path in held) - len(machine._pipes)


def test_it_lets_go_of_everything_when_nobody_asks_again(machine: Machine, folder: Path) -> None:
    running = Running(machine, folder / "input.sock", {os.geteuid()}, stay=False)
    machine.keyboard("event0", I8042, 0x11)
    running.counts(lease_s=0.4)
    eventually(lambda: open_devices(machine) == 1)
    running.thread.join(5)
    assert not running.thread.is_alive(), "the next question starts it again"
    running.stop()
    assert open_devices(machine) == 0


def test_a_day_that_is_over_is_told_once_and_then_the_next(running: Running) -> None:
    name = running.machine.keyboard("event0", I8042, 0x11)
    running.counts()
    eventually(lambda: open_devices(running.machine) == 1)
    running.machine.say(name, *key(1.0))
    eventually(lambda: running.counts().hours != ())
    day = running.helper._day
    assert day is not None
    day.day = "2026-01-31"
    running.helper._scanned -= 20
    running.poke()
    eventually(lambda: running.helper._over is not None)
    assert running.counts().day == "2026-01-31"
    today = running.counts()
    assert (today.day != "2026-01-31", today.hours) == (True, ())


def test_what_comes_after_midnight_counts_for_the_new_day_alone() -> None:
    class Quick(Devices):
        def take(self, fds: set[int], day: Day, hour: int, now_ms: float) -> None:
            taken.append((day, hour))

    taken: list[tuple[Day, int]] = []
    counting = Counting(Quick(), stay=True)
    yesterday = counting._day = Day("2026-01-31")
    counting._scanned = time.monotonic()
    counting._take(set())
    ((day, _),) = taken
    assert day is counting._day
    assert (day.day > "2026-01-31", counting._over) == (True, yesterday)


def said_to(path: str, data: bytes, *, hang_up: bool = True) -> bytes:
    """What a peer hears that says this."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(3)
        peer.connect(path)
        peer.sendall(data)
        if hang_up:
            peer.shutdown(socket.SHUT_WR)
        try:
            return peer.recv(100)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        struct.pack("!I", 2**31) + b"x" * 4096,
        struct.pack("!I", 257) + b" " * 257,
        struct.pack("!I", 4) + b"null",
        struct.pack("!I", 2) + b"{}",
        struct.pack("!I", 14) + b'{"lease_s": 0}',
        struct.pack("!I", 18) + b'{"lease_s": "NaN"}',
        struct.pack("!I", 16) + b'{"lease_s": 1e9}',
        struct.pack("!I", 256) + b"[" * 256,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_who_does_not_keep_to_the_form_hears_nothing_and_opens_nothing(running: Running, data: bytes) -> None:
    assert said_to(running.path, data) == b""
    assert running.helper._day is None
    assert running.counts().hours == (), "and it goes on serving"


def test_a_peer_that_says_nothing_is_given_up_in_a_second(running: Running) -> None:
    began = time.monotonic()
    assert said_to(running.path, b"\0\0", hang_up=False) == b""
    assert time.monotonic() - began < 2
    assert running.counts().hours == ()


@as_root
def test_another_user_hears_nothing(machine: Machine, folder: Path) -> None:
    running = Running(machine, folder / "input.sock", {4711})
    with pytest.raises(HostDeniedError, match=r"hung up|slow|nothing gets through"):
        ask_helper(running.path, 60.0)
    assert running.helper._day is None
    running.stop()


def test_a_lease_is_a_bounded_number() -> None:
    assert lease_of(b'{"lease_s": 10800}') == 10800.0
    for wrong in (b"[]", b'{"lease_s": -1}', b'{"lease_s": null}', f'{{"lease_s": {LONGEST_LEASE_S + 1}}}'.encode()):
        with pytest.raises(PeerError):
            lease_of(wrong)


@contextlib.contextmanager
def impostor(path: Path, answer: bytes, *, pause_s: float = 0.0) -> Iterator[list[bytes]]:
    """Somebody listens where the helper should, and answers whatever they like; what they hear."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                heard.append(peer.recv(100))
                for at in range(len(answer)):
                    peer.sendall(answer[at : at + 1])
                    time.sleep(pause_s)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(4)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield heard
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0\0", struct.pack("!I", MOST_BYTES + 1) + b"x" * 100, struct.pack("!I", 5) + b"four"],
    ids=["nothing", "a piece", "too much", "less than it said"],
)
def test_the_agent_gives_up_on_an_answer_that_is_none(folder: Path, answer: bytes) -> None:
    with impostor(folder / "input.sock", answer), pytest.raises(HostDeniedError):
        ask_helper(str(folder / "input.sock"), 60.0)


def test_the_agent_gives_up_on_an_answer_that_drips(folder: Path) -> None:
    path, drip = folder / "input.sock", struct.pack("!I", 100) + b" " * 100
    with impostor(path, drip, pause_s=0.05):
        began = time.monotonic()
        with pytest.raises(PeerError, match="slow"):
            ask(str(path), b"{}", of_users={os.geteuid()}, patience_s=0.3)
        assert time.monotonic() - began < 1.5


@as_root
def test_a_socket_that_somebody_else_planted_is_not_spoken_to(folder: Path) -> None:
    path = folder / "input.sock"
    with impostor(path, b"") as heard:
        os.chown(path, NOBODY, NOBODY)
        with pytest.raises(HostDeniedError, match="belongs to user 65534"):
            ask_helper(str(path), 60.0)
    assert heard == []


@as_root
def test_a_process_of_somebody_else_behind_an_own_socket_is_not_spoken_to(folder: Path) -> None:
    """By the kernel's word at the connection itself: the file may have been swapped since it was looked at."""
    path = folder / "input.sock"
    code = (
        f"import os, socket, time; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); os.setuid({NOBODY});"
        "s.listen(4); print('listening', flush=True); s.settimeout(5); c, _ = s.accept(); print(c.recv(99), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"listening\n"
        with pytest.raises(HostDeniedError, match="user 65534 listens"):
            ask_helper(str(path), 60.0)
        assert other.stdout.readline() == b"b''\n"


@pytest.mark.parametrize("shape", ["link", "file", "open folder", "link to the folder"])
def test_what_is_no_socket_in_a_folder_of_ones_own_is_refused(running: Running, folder: Path, shape: str) -> None:
    path = Path(running.path)
    if shape == "link":
        path = folder / "other.sock"
        path.symlink_to(running.path)
    elif shape == "file":
        path = folder / "plain.sock"
        path.write_text("")
    elif shape == "open folder":
        folder.chmod(0o777)
    else:
        elsewhere = folder.parent / "elsewhere"
        elsewhere.symlink_to(folder)
        path = elsewhere / "input.sock"
    with pytest.raises(HostDeniedError):
        ask_helper(str(path), 60.0)


def test_no_helper_is_absent_and_one_that_ended_is_broken(folder: Path) -> None:
    with pytest.raises(HostError, match="not set up"):
        ask_helper(str(folder / "input.sock"), 60.0)
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(folder / "input.sock"))
    with pytest.raises(HostBrokenError):
        ask_helper(str(folder / "input.sock"), 60.0)


@pytest.fixture
def process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real program, as its unit starts it but for the socket."""
    path = str(folder / "input.sock")
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = ['--socket', {path!r}];"
        "runpy.run_module('agent.session', run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code]
    started = subprocess.Popen(command)
    eventually(lambda: (folder / "input.sock").exists())
    yield started
    started.kill()
    started.wait()


def test_systemd_starts_it_with_the_first_question_and_it_ends_by_itself(folder: Path) -> None:
    """By the passed socket of systemd's own starter; the units themselves run in tests/packaging/test_container.py."""
    starter = shutil.which("systemd-socket-activate")
    if starter is None:
        pytest.skip("systemd-socket-activate is not installed (Debian package systemd)")
    path = folder / "input.sock"
    command = [starter, "-l", str(path), sys.executable, "-m", "agent.session", "--peer", "nobody"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as started:
        eventually(path.exists)
        assert input_activity.parse_answer(ask_helper(str(path), 0.5)).counts.hours == ()
        assert started.wait(5) == 0


def test_without_a_socket_it_says_what_to_do() -> None:
    said = subprocess.run([sys.executable, "-m", "agent.session"], cwd=ROOT, capture_output=True, check=False)
    assert (said.returncode, b"start farhand-agent-input.socket" in said.stderr) == (2, True)


def figures(pid: int) -> tuple[float, float]:
    """Resident megabytes, and seconds of CPU so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    return kilobytes / 1024, int(fields[0]) / 1e9


def test_what_the_helper_weighs_and_costs(process: subprocess.Popen[bytes], folder: Path) -> None:
    path = str(folder / "input.sock")
    eventually(lambda: oct((folder / "input.sock").stat().st_mode & 0o777) == "0o600")
    ask_helper(path, 60.0)
    before = figures(process.pid)[1]
    time.sleep(2.0)
    resident_mb, spent_s = figures(process.pid)
    print(f"{resident_mb:.1f} MB, {100 * (spent_s - before) / 2:.4f} % of a core while nothing is used")
    assert resident_mb <= 12.0
    assert (spent_s - before) / 2 <= 0.0005


# The probe


def answer(day: Day, denied: int = 0) -> bytes:
    return json.dumps({"counts": day.said(), "denied": denied}).encode()


def collect(host: FakeHost, note: bytes = b"") -> Noted:
    return input_activity.collect(Given(host=host, catalogue=None, notes={"input_activity": note} if note else {}))


def test_the_probe_says_a_days_counts_and_nothing_while_nothing_was_added() -> None:
    day = Day(NOON.date().isoformat())
    first = collect(FakeHost(input_counts=answer(day)))
    assert first.signal == InputActivity(day=day.day, watched_minutes=0)
    day.watched_s = 170 * 60.0
    assert collect(FakeHost(input_counts=answer(day)), first.note).signal is None


def test_that_nothing_came_for_hours_is_said_and_a_day_that_is_over_always() -> None:
    """A laptop that is used from elsewhere all day says nothing else."""
    day = Day(NOON.date().isoformat())
    first = collect(FakeHost(input_counts=answer(day)))
    day.watched_s = 190 * 60.0
    assert collect(FakeHost(input_counts=answer(day)), first.note).signal is not None
    later = FakeHost(input_counts=answer(day), now=NOON + timedelta(days=1))
    said = collect(later, collect(FakeHost(input_counts=answer(day)), b"").note).signal
    assert isinstance(said, InputActivity)
    assert said.watched_minutes == 190


def test_a_helper_that_may_read_nothing_is_denied() -> None:
    with pytest.raises(Unavailable) as caught:
        collect(FakeHost(input_counts=answer(Day("2026-11-20"), denied=4)))
    assert (caught.value.failure, caught.value.detail) == ("denied", "4 input devices may not be read")


def test_somebody_else_in_the_helper_s_place_is_not_taken_for_none() -> None:
    class Taken(FakeHost):
        def input_counts(self, lease_s: float) -> bytes:
            raise HostDeniedError("user 1000 listens there")

    with pytest.raises(Unavailable) as caught:
        collect(Taken())
    assert caught.value.failure == "denied"


def test_no_helper_is_absent_with_what_to_do() -> None:
    with pytest.raises(Unavailable) as caught:
        collect(FakeHost())
    assert (caught.value.failure, caught.value.remedy) == ("absent", "start farhand-agent-input.socket")


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"counts": {"day": "x", "watched_minutes": 0}}', b"\xff" * 9])
def test_an_answer_that_does_not_fit_is_not_sent(said: bytes) -> None:
    with pytest.raises(Unavailable, match="does not fit"):
        collect(FakeHost(input_counts=said))


def test_what_the_declaration_has_no_field_for_is_dropped() -> None:
    smuggled = json.loads(answer(Day("2026-11-20")))
    smuggled["counts"]["keys_typed"] = "secret"
    signal = collect(FakeHost(input_counts=json.dumps(smuggled).encode())).signal
    assert b"secret" not in msgspec.json.encode(signal)


def test_it_runs_on_request_alone() -> None:
    assert input_activity.PROBE.signal.on_request
