"""A Mac's counters: what hands did, what programs made up, and what never is told."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.host import HostDeniedError, HostError
from agent.host.commands import Command, is_allowed, start_mac_helper, wifi_power
from agent.host.macos_helper import at_the_screen
from agent.probes.input_activity import parse_answer
from agent.session.peers import IN_HOME
from agent.session.polled import KEY_UP, MOST_MOVES, TYPES, Polled, added
from agent.session.quartz import Desktop
from agent.session.tally import Day
from agent.wire.signals import InputActivity
from tests.agent.session.screens import USER, Mac, built

LEFT_DOWN, MOVED, DRAGGED = 1, 5, 6
HOUR = 9


class Screen(Desktop):
    """A session of a test: what hands and programs do in it."""

    def __init__(self) -> None:
        self.hands = dict.fromkeys(TYPES, 4_294_967_000)  # the counters have 32 bits and come round
        self.programs = dict.fromkeys(TYPES, 0)
        self.at = (0.5, 0.5)

    def counters(self, types: tuple[int, ...], *, hardware: bool) -> list[int]:
        more = dict.fromkeys(types, 0) if hardware else self.programs
        return [(self.hands[kind] + more[kind]) & 0xFFFFFFFF for kind in types]

    def place(self) -> tuple[float, float]:
        return self.at


class Watching:
    """Looks at a session as the helper's loop does."""

    def __init__(self) -> None:
        self.screen, self.day = Screen(), Day("2026-11-20")
        self.polled = Polled(self.screen)
        self.polled.scan(self.day)
        self.now_ms = 1_000_000.0
        self.look()

    def look(self, after_s: float = 1.0) -> None:
        self.now_ms += after_s * 1000
        self.day.nudges.settle(self.now_ms)
        self.polled.take(set(), self.day, HOUR, self.now_ms)

    def said(self) -> InputActivity:
        return msgspec.convert(self.day.said(), InputActivity)


@pytest.fixture
def watching() -> Watching:
    return Watching()


def test_hands_and_programs_are_counted_apart(watching: Watching) -> None:
    for _ in range(100):
        watching.screen.hands[KEY_UP] += 5
        watching.screen.hands[MOVED] += 20
        watching.screen.hands[LEFT_DOWN] += 1
        watching.screen.programs[KEY_UP] += 2
        watching.screen.programs[DRAGGED] += 7
        watching.look()
    said = watching.said()
    (hour,) = said.hours
    assert (hour.keys, hour.pointer, hour.injected_keys, hour.injected_pointer) == (500, 2100, 200, 700)
    assert hour.internal == 0, "macOS does not tell"
    assert {(device.role, device.bus, device.events) for device in said.devices} == {
        ("keyboard", "other", 500),
        ("pointer", "other", 2100),
        ("keyboard", "virtual", 200),
        ("pointer", "virtual", 700),
    }
    assert not any(device.key_gaps or device.spacing for device in said.devices), "moments are not known"


def test_what_was_before_it_looked_and_a_table_that_began_anew_count_nothing(watching: Watching) -> None:
    assert watching.said().hours == ()
    for begun in (2_000_000_000, 7):  # the window server started again
        watching.screen.hands = dict.fromkeys(TYPES, begun)
        watching.look()
    assert watching.said().hours == ()
    watching.screen.hands[KEY_UP] += 1
    watching.look()
    assert watching.said().hours[0].keys == 1


def test_a_counter_comes_round() -> None:
    assert added(0xFFFFFFFE, 3) == 5
    assert added(3, 0xFFFFFFFE) == 0
    assert added(10, 10) == 0


def test_an_event_between_the_two_tables_is_nobodys_invention(watching: Watching) -> None:
    """The table of all sources is read first: a key that comes now is in the other one already."""
    for _ in range(50):
        watching.screen.hands[KEY_UP] += 1
        watching.screen.programs[KEY_UP] -= 1
        watching.look()
        watching.screen.programs[KEY_UP] += 1
        watching.look()
    (hour,) = watching.said().hours
    assert (hour.keys, hour.injected_keys) == (50, 0)


def test_a_window_server_that_joins_moves_does_not_hide_what_programs_do_for_long(watching: Watching) -> None:
    for _ in range(100):
        watching.screen.hands[MOVED] += 10
        watching.screen.programs[MOVED] -= 6
        watching.look()
    for _ in range(10):
        watching.screen.programs[MOVED] += 10
        watching.look()
    (hour,) = watching.said().hours
    assert (hour.pointer, hour.injected_pointer) == (1000, 96)


def test_a_program_that_keeps_the_mac_awake_moves_the_pointer_on_a_beat(watching: Watching) -> None:
    watching.screen.hands[KEY_UP] += 1
    watching.look()
    watching.look(40)
    for _ in range(20):
        watching.screen.programs[MOVED] += 1
        watching.screen.at = (0.5001, 0.5)
        watching.look(1)
        for _ in range(59):
            watching.look(1)
    said = watching.said()
    assert (said.nudges, said.nudge_period_s) == (20, 60.0)
    assert said.nudge_spread <= 0.02


def test_a_jump_into_the_corner_that_is_no_hands_has_two_reports_and_no_way(watching: Watching) -> None:
    watching.screen.hands[KEY_UP] += 1
    watching.look(40)
    watching.screen.at = (0.0, 0.0)
    for moves in (2, 2, 1, 9):  # the last two: a hand that touches the mouse, and one that pushes it
        watching.screen.hands[MOVED] += moves
        watching.look(60)
        watching.look(30)
    assert watching.said().shapes.corner == 2
    assert MOST_MOVES == 3


def test_somebody_who_works_is_no_nudge(watching: Watching) -> None:
    for _ in range(200):
        watching.screen.hands[MOVED] += 11
        watching.screen.hands[KEY_UP] += 1
        watching.screen.at = (watching.now_ms % 1000 / 1000, 0.3)
        watching.look(0.2)
    watching.look(40)
    assert watching.said().nudges == 0


def test_it_looks_five_times_a_second_while_something_happens_and_once_when_nothing_does(watching: Watching) -> None:
    watching.screen.hands[KEY_UP] += 1
    watching.look()
    assert watching.polled.due_ms() == watching.now_ms + 200
    watching.look(31)
    assert watching.polled.due_ms() == watching.now_ms + 1000
    before = watching.polled.due_ms()
    watching.look(0.5)
    assert watching.polled.due_ms() == before, "and not in between"


def test_nothing_but_counts_can_be_told(watching: Watching) -> None:
    """Where the pointer stood is compared, and stands in no answer."""
    watching.screen.at = (0.123456, 0.654321)
    watching.screen.hands[MOVED] += 1
    watching.look(40)
    watching.look(40)
    said = json.dumps(watching.day.said())
    assert "123456" not in said
    assert "654321" not in said


# The calls, on a library that is built for them

FAKE_QUARTZ = """
#include <stdint.h>
#include <stdlib.h>
typedef struct { double x, y; } Point;
typedef struct { double x, y, width, height; } Rectangle;
static int made = 0;
uint32_t CGEventSourceCounterForEventType(int32_t state, uint32_t type) {
    return 100000u * state + 1000u * type + made;
}
void *CGEventCreate(void *source) { return source ? NULL : malloc(16); }
Point CGEventGetLocation(void *event) { Point at = {720.0, 225.0}; if (!event) at.x = -1; return at; }
uint32_t CGMainDisplayID(void) { return 69734662u; }
Rectangle CGDisplayBounds(uint32_t display) {
    Rectangle all = {0.0, 0.0, display == 69734662u ? 1440.0 : 1.0, 900.0};
    return all;
}
void CFRelease(void *event) { made++; free(event); }
"""


@pytest.fixture(scope="module")
def library() -> Iterator[str]:
    """The calls of CoreGraphics."""
    with built(FAKE_QUARTZ) as made:
        yield made


def test_the_calls_are_made_as_declared_and_what_is_made_is_let_go(library: str) -> None:
    desktop = Desktop(library, library)
    assert desktop.counters((11, 5), hardware=False) == [11000, 5000]
    assert desktop.counters((11,), hardware=True) == [111000]
    assert desktop.place() == (0.5, 0.25)
    assert desktop.counters((11,), hardware=True) == [111001], "CFRelease was called once"


# The agent as root, and the helper as whoever sits at the screen

HELPER = """
import sys
sys.path.insert(0, {root!r})
from agent.session.helper import Helper
from agent.session.peers import listen
from agent.session.peers import IN_HOME
from agent.session.polled import Polled
from agent.session.quartz import Desktop
import os
desktop = Desktop({library!r}, {library!r})
os.setgid({group}), os.setuid({user})
Helper(listen({path!r}), {{0, {user}}}, Polled(desktop), stay=False).run()
"""


@pytest.fixture
def a_mac(library: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    with tempfile.TemporaryDirectory(prefix="farhand-mac-") as folder:
        Path(folder).chmod(0o755)
        made = Mac(Path(folder), HELPER, IN_HOME, monkeypatch, library=library)
        yield made
        made.close()


def test_the_agent_starts_the_helper_in_the_session_at_the_screen_once(a_mac: Mac) -> None:
    assert parse_answer(a_mac.host.input_counts(60.0)).counts.devices == ()
    assert parse_answer(a_mac.host.input_counts(60.0)).denied == 0
    assert a_mac.asked == [start_mac_helper(USER)]
    assert a_mac.socket.stat().st_uid == USER
    assert oct(a_mac.socket.parent.stat().st_mode & 0o777) == "0o700"
    resident_mb = a_mac.resident_mb()
    print(f"{resident_mb:.1f} MB")
    assert resident_mb <= 12.0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_somebody_else_who_listens_there_is_not_asked(a_mac: Mac) -> None:
    a_mac.host.input_counts(60.0)
    os.chown(a_mac.root / "dev/console", 4711, -1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pwd.getpwuid", lambda user: type("Entry", (), {"pw_dir": "/Users/sam"}))
        with pytest.raises(HostDeniedError, match="belongs to user 65534"):
            a_mac.host.input_counts(60.0)


def test_nobody_at_the_screen_is_said_and_nothing_is_started(a_mac: Mac) -> None:
    os.chown(a_mac.root / "dev/console", 0, -1) if os.geteuid() == 0 else (a_mac.root / "dev/console").unlink()
    with pytest.raises(HostError, match=r"logged in at the screen|No such file"):
        a_mac.host.input_counts(60.0)
    with pytest.raises(HostError):
        at_the_screen(str(a_mac.root / "dev"))
    assert a_mac.asked == []


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("/bin/launchctl", "kickstart", "gui/501/org.farhand.agent.input", "-k"),
        ("/bin/launchctl", "kickstart", "gui/501/com.apple.other"),
        ("/usr/sbin/networksetup", "-getairportpower", "en"),
        ("/usr/sbin/networksetup", "-getairportpower", "en0 off"),
        ("/usr/sbin/networksetup", "-setairportpower", "en0"),
        ("/usr/sbin/networksetup", "-getairportpower", "en\u0661"),
        ("/bin/launchctl", "kickstart", "system/501/org.farhand.agent.input"),
        ("/bin/launchctl", "kickstart", "gui/0501/org.farhand.agent.input"),
        ("/bin/launchctl", "kickstart", "gui/-1/org.farhand.agent.input"),
        ("/bin/launchctl", "bootout", "gui/501/org.farhand.agent.input"),
    ],
)
def test_launchctl_starts_the_helpers_of_a_user_and_networksetup_tells_a_switch_and_nothing_else(
    command: Command,
) -> None:
    assert not is_allowed(command)
    assert is_allowed(start_mac_helper(501))
    assert is_allowed(start_mac_helper(501, "place"))
    assert is_allowed(wifi_power("en0"))
