"""What a worker tells its parent: whose connections are to be timed."""

from __future__ import annotations

import os

import msgspec

from agent.briefing import MOST_TOOLS, briefing, read_windows
from agent.parent import MOST_SAID
from agent.settings import Orders
from agent.wire.settings import Artefacts, Catalogue, Settings, Timing, ToolEntry
from tests.agent.probes.catalogue import CATALOGUE
from tests.fakes import FakeHost, connection, listening, program
from tests.laptop import timing_window

ORDERS = Orders(catalogue=CATALOGUE)
VNC = program(50, "/usr/bin/Xtigervnc")
SSHD = program(60, "/usr/sbin/sshd")
SSH = program(61, "/usr/bin/ssh")


def test_ports_of_tools_that_others_connect_to_and_processes_of_those_that_dial_out() -> None:
    laptop = FakeHost(
        processes=(VNC, SSHD, SSH),
        sockets=(
            listening(5900, 50),
            listening(22, 60),
            listening(631, 70),
            connection("192.0.2.10:51000", "198.51.100.7:22", 61),
        ),
    )
    lines = briefing(laptop, ORDERS, ()).splitlines()
    assert lines[0] == "timing 20 5 25 4 0"
    assert sorted(lines[1:]) == [
        "dials openssh 61",
        "dials tigervnc 50",
        "listens openssh-server 22",
        "listens tigervnc 5900",
    ]


def test_a_port_that_another_program_holds_open_is_known_by_what_came_in() -> None:
    laptop = FakeHost(
        processes=(SSHD,), sockets=(listening(22, 1), connection("192.0.2.10:22", "198.51.100.7:40000", 60))
    )
    assert "listens openssh-server 22" in briefing(laptop, ORDERS, ()).splitlines()


def test_a_laptop_without_tools_is_watched_for_unlisted_ones() -> None:
    assert briefing(FakeHost(), ORDERS, ()) == "timing 20 5 25 4 0"


def test_settings_say_how() -> None:
    timing = Timing(window_s=10, first=2, first_every_s=12, per_hour=0, headers=True)
    orders = msgspec.structs.replace(ORDERS, settings=Settings(version=1, timing=timing))
    assert briefing(FakeHost(), orders, ()) == "timing 10 2 12 0 1"


def test_nothing_is_said_where_nothing_is_to_be_timed() -> None:
    assert briefing(FakeHost(), ORDERS, {"session_timing"}) == ""
    assert briefing(FakeHost(), Orders(), ()) == ""
    assert briefing(FakeHost(system="windows"), ORDERS, ()) == ""


def test_the_longest_briefing_is_heard_whole() -> None:
    """Cut off in the middle of a number, the number of another process would be left."""
    tools = tuple(ToolEntry(id=f"{'t' * 60}{n:04}", linux=Artefacts(processes=(f"tool{n}",))) for n in range(40))
    processes = tuple(program(4_100_000 + n, f"/opt/tool{n % 40}") for n in range(40 * 40))
    sockets = tuple(listening(60_000 - n, process.pid) for n, process in enumerate(processes))
    laptop = FakeHost(processes=processes, sockets=sockets)
    said = f"86400.000\n{briefing(laptop, Orders(catalogue=Catalogue(version=1, tools=tools)), ())}\n"
    assert said.count("listens") == said.count("dials") == MOST_TOOLS
    assert len(said) <= MOST_SAID


def test_windows_come_over_a_pipe_and_one_that_is_none_is_left_out() -> None:
    window = timing_window()
    reader, writer = os.pipe()
    os.write(writer, msgspec.json.encode(window) + b"\nnone\n" + msgspec.json.encode(window) + b"\n")
    os.close(writer)
    assert read_windows(reader) == (window, window)
    assert read_windows(None) == ()
