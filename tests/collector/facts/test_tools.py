"""The tools' facts: what counts as a control tool, and what never does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.wire import signals
from agent.wire.tenant import tenant_digest
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


def test_what_is_set_up_counts_for_tools_that_are_not_allowed() -> None:
    setup = signals.ToolSetup(unattended=True, renamed=True)
    facts = derive(tool("anydesk", setup=setup), tool("x11vnc", setup=signals.ToolSetup()))
    assert (facts.unattended, facts.renamed) == (("AnyDesk",), ("AnyDesk",))
    facts = derive(tool("anydesk", setup=setup), allowed=("anydesk",))
    assert (facts.unattended, facts.renamed, facts.other_tenant) == ((), (), ())


def test_what_an_older_agent_does_not_tell_is_held_against_nobody() -> None:
    facts = derive(tool("anydesk"))
    assert (facts.unattended, facts.renamed, facts.installed_by_user) == ((), (), ())


@pytest.mark.parametrize(
    ("place", "days", "named"),
    [("user", 1.5, ("AnyDesk",)), ("user", 14, ("AnyDesk",)), ("user", 15, ()), ("user", -1, ()), ("system", 1, ())],
)
def test_only_what_came_into_a_home_directory_within_two_weeks_is_soon(
    place: str, days: float, named: tuple[str, ...]
) -> None:
    found_at = devices.view().presence.enrolled_at + timedelta(days=days)
    facts = derive(tool("anydesk", setup=signals.ToolSetup(place=place, found_at=found_at)))
    assert facts.installed_by_user == named
    assert facts.installed_after_days == (int(days) if named else None)


def of_tenant(told: str, *tenants: str) -> tools.Tools:
    """ScreenConnect is allowed for some tenants, and the laptop has it of one."""
    found = devices.tools(tool("screenconnect", setup=signals.ToolSetup(tenant=told)))
    policy = Policy(allowed_tools=("screenconnect",), allowed_tenants={"screenconnect": tenants})
    return tools.derive(devices.given(devices.view(found), policy))


def test_a_tenant_is_allowed_by_its_name_or_its_digest_and_another_one_is_not() -> None:
    own = tenant_digest("screenconnect", "0123456789abcdef")
    for tenants in (("0123456789ABCDEF",), (own,), ("other", own)):
        assert of_tenant(own, *tenants).other_tenant == ()
    facts = of_tenant(own, "fedcba9876543210")
    assert facts.other_tenant == facts.unsanctioned_running == ("ScreenConnect",)
    assert facts.other_tenants == (own,)


def test_a_tool_that_tells_no_tenant_is_not_held_against_anybody() -> None:
    facts = of_tenant("", "0123456789abcdef")
    assert (facts.other_tenant, facts.unsanctioned_present) == ((), False)
