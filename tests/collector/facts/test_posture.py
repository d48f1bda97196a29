"""The posture's facts: a rack, a dock, a desktop shown elsewhere, and a laptop that is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from collector.judgement.facts import posture
from collector.judgement.facts.posture import Posture
from collector.judgement.policy import Policy
from collector.judgement.view import UseDay
from tests.collector.devices import NOW, given, tool, tools, view
from tests.laptop import PLATFORM

IN_A_RACK = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144}


def day(back: int, **figures: Any) -> UseDay:
    name = (NOW - timedelta(days=back)).date().isoformat()
    return UseDay(day=name, posture=signals.Posture(day=name, **(IN_A_RACK | figures)))


def derive(*days: UseDay, machine: dict[str, Any] | None = None, more: Any = None, policy: Policy | None = None) -> Any:
    platform = msgspec.structs.replace(PLATFORM, **(machine or {}))
    device = view(platform, *([more] if more is not None else []), use_days=days)
    return posture.derive(given(device, policy) if policy is not None else given(device))


def test_a_rack_runs_shut_all_day() -> None:
    assert derive(*(day(back) for back in range(1, 12))).shut_days == 11


@pytest.mark.parametrize(
    "changes",
    [
        {"hours": 11, "looked": 66, "lid_closed": 66, "on_mains": 66},
        {"sleeps": 1, "asleep_hours": 0.5},
        {"starts": 1},
        {"lid_closed": 143},
        {"on_mains": 100},
    ],
    ids=["off at night", "slept", "was started", "was opened", "was unplugged"],
)
def test_a_day_on_which_anything_happened_is_none_of_a_rack(changes: dict[str, Any]) -> None:
    assert derive(day(1, **changes)).shut_days == 0


def test_a_machine_without_a_lid_is_unknown() -> None:
    assert derive(day(1, lid_closed=None)).shut_days is None


def test_two_hours_say_nothing_of_a_day() -> None:
    found = derive(day(1, looked=3, hours=1, lid_closed=3, on_mains=3))
    assert (found.days, found.shut_days) == (None, None)


def test_a_desktop_that_is_shown_elsewhere_most_of_the_day() -> None:
    assert derive(day(1, remote_session=100), day(2, remote_session=20)).remote_days == 1


def test_what_an_allowed_tool_shows_is_unknown() -> None:
    used = tools(tool("anydesk"))
    assert derive(day(1, remote_session=100), more=used, policy=Policy(allowed_tools=("anydesk",))).remote_days is None
    assert derive(day(1, remote_session=100), more=used).remote_days == 1


def test_a_virtual_desktop_is_shown_elsewhere_by_design() -> None:
    made = {"manufacturer": "VMware, Inc.", "product": "VMware7,1", "hypervisor": "vmware", "chassis": "other"}
    found = derive(day(1, remote_session=144), machine=made)
    assert (found.remote_days, found.laptop_in_vm) == (None, False)


def test_a_guest_with_the_identity_of_a_laptop() -> None:
    found = derive(machine={"hypervisor": "kvm"})
    assert (found.laptop_in_vm, found.laptop, found.hypervisor) == (True, "LENOVO 20XW", "kvm")


def test_a_guest_that_does_not_say_which_model_it_is_is_named_by_its_maker() -> None:
    assert derive(machine={"hypervisor": "kvm", "product": None}).laptop == "LENOVO"


@pytest.mark.parametrize("hypervisor", ["xen", "hyperv", None])
def test_a_laptops_own_system_may_run_above_some_hypervisors(hypervisor: str | None) -> None:
    """Qubes OS, and Windows that guards its secrets in a virtual machine."""
    assert derive(machine={"hypervisor": hypervisor}).laptop_in_vm is None


@pytest.mark.parametrize(
    "machine", [{"serial": None}, {"chassis": "server"}, {"manufacturer": "QEMU"}, {"manufacturer": None}]
)
def test_a_guest_that_says_less_is_an_ordinary_one(machine: dict[str, Any]) -> None:
    assert derive(machine={"hypervisor": "kvm"} | machine).laptop_in_vm is False


def test_nothing_said_is_nothing_known() -> None:
    assert posture.derive(given(view())) == Posture()
