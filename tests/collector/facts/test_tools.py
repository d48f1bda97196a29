"""The tools' facts: what counts as a control tool, and what never does."""

from __future__ import annotations

from collector.judgement.facts import tools
from collector.judgement.policy import Policy
from tests.collector import devices
from tests.collector.devices import tool


def derive(*found: object, allowed: tuple[str, ...] = ()) -> tools.Tools:
    return tools.derive(devices.given(devices.view(devices.tools(*found)), Policy(allowed_tools=allowed)))  # type: ignore[arg-type]


def test_a_running_tool_that_is_not_allowed_is_named() -> None:
    facts = derive(tool("x11vnc"), tool("anydesk"))
    assert facts.unsanctioned_running == ("AnyDesk", "x11vnc")
    assert facts.vendors == 2
    assert facts.unsanctioned_present is True


def test_an_allowed_tool_is_present_but_not_unsanctioned() -> None:
    facts = derive(tool("anydesk"), allowed=("anydesk",))
    assert facts.unsanctioned_running == ()
    assert facts.present == ("AnyDesk",)
    assert facts.unsanctioned_present is False


def test_a_tool_that_starts_by_itself_is_told_apart_from_one_that_runs() -> None:
    facts = derive(tool("anydesk", running=False, service=True))
    assert facts.unsanctioned_service == ("AnyDesk",)
    assert facts.unsanctioned_running == ()


def test_mere_files_count_for_nothing() -> None:
    assert derive(tool("anydesk", running=False)).vendors == 0


def test_tunnels_logins_viewers_and_screen_readers_are_no_control_tools() -> None:
    facts = derive(tool("openssh"), tool("openssh-server"), tool("viewer"), tool("nvda"))
    assert facts.present == ()


def test_two_products_of_one_vendor_are_one_vendor() -> None:
    assert derive(tool("screenconnect"), tool("connectwise-control")).vendors == 1


def test_a_tool_that_this_collector_does_not_know_counts_under_its_id() -> None:
    assert derive(tool("brand-new")).unsanctioned_running == ("brand-new",)


def test_no_tools_on_the_system_is_an_answer_and_a_failure_is_not() -> None:
    absent = devices.given(devices.view(devices.failed("remote_tools", "absent")))
    assert tools.derive(absent).unsanctioned_running == ()
    assert tools.derive(devices.given(devices.view(devices.failed("remote_tools", "timeout")))) == tools.Tools()
