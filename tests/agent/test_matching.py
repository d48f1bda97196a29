"""matching: names, patterns, and which tools they add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Process, Service
from agent.matching import Names, find_running, find_tools
from agent.wire.settings import Artefacts, Catalogue, ToolEntry
from tests.fakes import FakeHost, program

PLAIN_NAMES = st.text(st.characters(exclude_characters="*/"), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("x11vnc", "x11vnc", True),
        ("x11vnc", "X11VNC", False),
        ("x11vnc", "x11vnc2", False),
        ("frpc@*.service", "frpc@home.service", True),
        ("frpc@*.service", "frpc.service", False),
        ("ad_*", "ad_/x", False),
        ("ad_*", "ad_", True),
        ("*agent", "agent", True),
        ("*agent", "the agent", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("ab*ba", "aba", False),
        ("a**b", "ab", True),
        ("a.b", "axb", False),
        ("host[1]", "host1", False),
    ],
)
def test_only_a_star_is_special(pattern: str, name: str, fits: bool) -> None:
    assert Names([pattern]).matching(name) == ({pattern} if fits else set())


def test_on_windows_case_does_not_matter() -> None:
    names = Names(["AnyDesk.exe", "anydesk.EXE", "AD_*.exe"], fold_case=True)
    assert names.matching("ANYDESK.exe") == {"AnyDesk.exe", "anydesk.EXE"}
    assert names.matching("ad_7.EXE") == {"AD_*.exe"}


@given(PLAIN_NAMES)
def test_a_plain_name_fits_itself_whole_or_cut_to_fifteen(name: str) -> None:
    names = Names([name])
    assert names.matching(name) == {name}
    assert (names.matching(name[:15], may_be_cut=True) == {name}) is True
    if len(name) > 15:
        assert names.matching(name[:15]) == set()
        assert names.matching(name[:14], may_be_cut=True) == set()


CATALOGUE = Catalogue(
    version=1,
    tools=(
        ToolEntry(id="b", linux=Artefacts(processes=("crd-host", "crd"), services=("crd@*.service",))),
        ToolEntry(id="a", linux=Artefacts(processes=("crd",), paths=("/opt/a", "/opt/a2"))),
        ToolEntry(id="c", needs_second_artefact=True, linux=Artefacts(processes=("agent",), services=("c.service",))),
        ToolEntry(id="mac-only"),
    ),
)


def test_a_process_may_belong_to_two_tools_and_each_names_its_own_artefacts() -> None:
    host = FakeHost(
        files={"/opt/a2/x": ""},
        processes=[program(20, "/usr/bin/crd"), program(10, "/usr/bin/python3", aliases=("crd-host",))],
        services=[Service(name="crd@me.service", enabled=True)],
    )
    first, second = find_tools(CATALOGUE, host)
    assert (first.tool.id, [one.pid for one in first.processes], first.enabled) == ("b", [10, 20], True)
    assert first.listed == Artefacts(processes=("crd-host", "crd"), services=("crd@*.service",))
    assert (second.tool.id, [one.pid for one in second.processes], second.enabled) == ("a", [20], False)
    assert second.listed == Artefacts(processes=("crd",), paths=("/opt/a2",))


def test_running_tools_are_those_of_all_tools_that_have_a_process() -> None:
    host = FakeHost(
        files={"/opt/a/x": ""},
        processes=[program(10, "/x/agent"), Process(pid=11, name="crd", path=None)],
        services=[Service(name="c.service", enabled=False)],
    )
    assert find_running(CATALOGUE, host) == tuple(one for one in find_tools(CATALOGUE, host) if one.processes)
    assert [one.tool.id for one in find_running(CATALOGUE, host)] == ["b", "a", "c"]


def test_a_common_name_alone_does_not_run_either() -> None:
    assert find_running(CATALOGUE, FakeHost(processes=[program(10, "/x/agent")])) == ()


def test_an_entry_without_artefacts_for_this_system_is_never_found() -> None:
    assert find_tools(CATALOGUE, FakeHost(system="macos", processes=[program(1, "/usr/bin/crd")])) == ()
