"""The helper in a session of Windows, under wine, with keys and motion of a real X server.

Wine tells every input as a device's, so what programs make up is tested on made-up structures alone
(tests/agent/session/test_rawinput.py); so are pads, Remote Desktop and paths of real devices.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.probes.input_activity import parse_answer
from tests.packaging.built import ROOT, UNREACHED, WHEELS
from tests.packaging.container import until
from tests.packaging.wine import Wine, why_not, windows_python

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
WHY = why_not() or (f"not installed: {', '.join(MISSING)}" if MISSING else None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(WHY is not None, reason=f"no session of Windows can be played here: {WHY}"),
]
WORKER = """
import sys
from agent.host.windows_helper import ask_in_session
from agent.host.windows_job import confine
confine(cpu_s=20, memory_bytes=1 << 30)
print(ask_in_session([], float(sys.argv[1])).decode())
"""
"""As a worker asks: from inside its job, which ends with it."""
STRANGERS = """
import _winapi, struct, time
from agent.session.peers import PeerError
from agent.session.pipes import ask, name_of
from agent.session.tokens import Tokens
tokens = Tokens()
session = tokens.own_session()
def said(data, wait_s=0.0):
    for _ in range(40):
        try:
            pipe = _winapi.CreateFile(name_of(session), 0xC0000000, 0, 0, 3, 0, 0)
            break
        except OSError:
            time.sleep(0.1)
    try:
        _winapi.WriteFile(pipe, data)
        return _winapi.ReadFile(pipe, 100)[0]
    except OSError:
        return b""
    finally:
        _winapi.CloseHandle(pipe)
for data in (struct.pack("!I", 2**31) + b"x" * 400, struct.pack("!I", 4) + b"null", b"GET / HTTP/1.1", b"\\0\\0"):
    assert said(data) == b"", data
time.sleep(0.5)
try:
    ask(tokens, session, "S-1-5-18", b'{"lease_s": 9}')
    print("asked a stranger")
except PeerError as error:
    print("refused:", error)
"""


FLOOD = """
import time
from types import SimpleNamespace
from agent.session import pipes
from agent.session.peers import PeerError
nothing = SimpleNamespace(getbuffer=lambda: b"")
pipes._winapi = SimpleNamespace(ReadFile=lambda *_, overlapped: (nothing, 0))
pipes.Pipe._done = lambda *_: 0
try:
    pipes.Pipe(0).receive(100, time.monotonic() + 1)
except PeerError as error:
    print(error)
"""
"""Somebody answers with nothing, as often as it goes, which wine's pipes do not pass on."""
AGAIN = """
import sys
from agent import windows_parent
class Failing(windows_parent.Workers):
    def prepare(self):
        return sys.argv[1]
    def cycle(self, occasion, deadline_s=0.0):
        raise OSError("no room for a pipe")
windows_parent.Workers = Failing
for _ in range(2):
    try:
        print(windows_parent.keep([], windows_parent.Event(), print))
    except OSError as error:
        print(error)
"""
"""The service, whose loop ended by an error that nobody foresaw, begins again in the same process."""


def library() -> Path:
    """The wheel of msgspec that is locked for this Python of Windows. A test skips where it cannot be fetched."""
    lock = (ROOT / "packaging" / "agent" / "windows" / "vendored.sha256").read_text()
    digest, name = next(line.split() for line in lock.splitlines() if "msgspec" in line and "cp311" in line)
    wheel = WHEELS / name
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version=3.11", "--platform=win_amd64", "--dest", str(WHEELS)]
        done = subprocess.run([*command, "==".join(name.split("-")[:2])], capture_output=True, text=True, check=False)
        if done.returncode:
            assert any(word in done.stderr for word in UNREACHED), done.stderr
            pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert sha256(wheel.read_bytes()).hexdigest() == digest, wheel
    return wheel


@contextmanager
def screen() -> Iterator[str]:
    """An X server of the test's own; its name."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as said:
            name = f":{said.readline().strip()}"
        try:
            yield name
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Somebody has logged in to a Windows, and a program is open."""
    folder = tmp_path_factory.mktemp("session")
    program = folder / "agent"
    for archive, place in ((windows_python(folder), program), (library(), program / "site")):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(place)
    shutil.copytree(ROOT / "agent", program / "site" / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    (program / "python311._pth").write_text("python311.zip\n.\nsite\n")
    for name, text in (("worker", WORKER), ("strangers", STRANGERS), ("flood", FLOOD), ("again", AGAIN)):
        (program / f"{name}.py").write_text(text)
    (folder / "prefix").mkdir()
    with screen() as display, pytest.MonkeyPatch.context() as patched:
        patched.setenv("DISPLAY", display)
        wine = Wine(folder / "prefix")
        with wine.on():
            environment = {**os.environ, "WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all"}
            with subprocess.Popen(["wine", "notepad"], env=environment, stderr=subprocess.DEVNULL) as notepad:
                until(lambda: "Notepad" in xdotool("search", "--name", "Notepad", "getwindowname"))
                yield SimpleNamespace(wine=wine, program=program, prefix=str(folder / "prefix"))
                notepad.kill()


def xdotool(*words: str) -> str:
    return subprocess.run(["xdotool", *words], capture_output=True, text=True, check=False, timeout=20).stdout


def asked(session: SimpleNamespace, lease_s: float = 60.0) -> dict[str, Any]:
    """What a worker hears."""
    path = str(session.program / "python.exe")
    status, said = session.wine.run(path, "-I", "-X", "utf8", windows(session, "worker.py"), str(lease_s))
    assert status == 0, said
    answer: dict[str, Any] = json.loads(said)
    parse_answer(said.encode())
    return answer["counts"]  # type: ignore[no-any-return]


def windows(session: SimpleNamespace, name: str) -> str:
    return "Z:" + str(session.program / name).replace("/", "\\")


def helpers(session: SimpleNamespace) -> list[Path]:
    """Folders in /proc of the helpers that run in this session."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            is_helper = process.name.isdigit() and b"agent.session" in (process / "cmdline").read_bytes()
            if is_helper and f"WINEPREFIX={session.prefix}".encode() in (process / "environ").read_bytes():
                found.append(process)
    return found


def test_the_service_starts_it_and_it_counts_keys_and_motion_of_the_session(session: SimpleNamespace) -> None:
    if helpers(session):
        asked(session, lease_s=1.0)
        until(lambda: not helpers(session))
    assert asked(session)["hours"] == []
    (helper,) = helpers(session)
    before = asked(session)
    assert helpers(session) == [helper], "it outlives the worker that started it, and is not started again"
    assert before["devices"] == []

    xdotool("mousemove", "200", "200")
    for step in ("10", "-10", "10"):
        xdotool("mousemove_relative", "--", step, step)
    xdotool("click", "1")
    xdotool("type", "secret")
    counts = until(lambda: (found := asked(session))["hours"] and found)
    (hour,) = counts["hours"]
    assert hour["keys"] == 6
    assert hour["pointer"] >= 4
    assert {device["role"] for device in counts["devices"]} == {"keyboard", "pointer"}
    assert "secret" not in json.dumps(counts)


BARE = "import ctypes, time; ctypes.CDLL('user32.dll').GetDesktopWindow(); print('ready', flush=True); time.sleep(60)"


def test_it_weighs_little_more_than_the_python_that_runs_it(session: SimpleNamespace) -> None:
    """Wine's own libraries count as the program's, so what a bare Python weighs beside it is taken off."""
    asked(session)
    (helper,) = helpers(session)
    command = ["wine", str(session.program / "python.exe"), "-I", "-X", "utf8", "-c", BARE]
    environment = {**os.environ, "WINEPREFIX": session.prefix, "WINEDEBUG": "-all"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as bare:
        assert bare.stdout is not None
        assert bare.stdout.readline().strip() == b"ready"
        bare_mb, helper_mb = own_mb(Path(f"/proc/{bare.pid}")), own_mb(helper)
        bare.kill()
    print(f"{helper_mb:.1f} MB of its own, of which {bare_mb:.1f} are Python's and wine's")
    assert helper_mb - bare_mb <= 4.0


def own_mb(process: Path) -> float:
    """Megabytes of memory that is no file's."""
    status = (process / "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def test_strangers_hear_nothing_and_one_who_is_not_expected_is_not_asked(session: SimpleNamespace) -> None:
    asked(session)
    path = str(session.program / "python.exe")
    status, said = session.wine.run(path, "-I", "-X", "utf8", windows(session, "strangers.py"))
    assert status == 0, said
    assert "refused: S-1-5-21-" in said
    assert asked(session)["day"], "and it goes on serving"


def test_whoever_answers_with_nothing_again_and_again_is_given_up(session: SimpleNamespace) -> None:
    path = str(session.program / "python.exe")
    status, said = session.wine.run(path, "-I", "-X", "utf8", windows(session, "flood.py"))
    assert (status, said.strip()) == (0, "the peer says nothing, again and again")


def test_the_agent_begins_again_after_an_error_that_ended_its_loop(session: SimpleNamespace) -> None:
    path = str(session.program / "python.exe")
    folder = "Z:" + str(session.program).replace("/", "\\")
    status, said = session.wine.run(path, "-I", "-X", "utf8", windows(session, "again.py"), folder)
    assert (status, said.splitlines()) == (0, ["no room for a pipe"] * 2)


def test_a_second_one_makes_way_and_nobodys_questions_end_the_first(session: SimpleNamespace) -> None:
    asked(session)
    (helper,) = helpers(session)
    path = str(session.program / "python.exe")
    assert session.wine.run(path, "-I", "-X", "utf8", "-m", "agent.session")[0] == 2
    asked(session, lease_s=1.0)
    until(lambda: helper not in helpers(session))
