"""On which kinds facts rest, held against facts themselves; and rules about what nobody asks a laptop for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agent.wire.signals import KINDS, ON_REQUEST
from collector.judgement import facts
from collector.judgement.assess import assess
from collector.judgement.engine import Comparison, Node
from collector.judgement.facts import FACTS, fact_types
from collector.judgement.needs import NEEDS, kinds_behind
from collector.judgement.policy import Group, Policy
from collector.judgement.view import DeviceView
from tests.collector import devices
from tests.collector.devices import context, failed, shipped_rules

OF_A_DAY = {
    "presence": "presence",
    "posture": "posture",
    "input_activity": "input",
    "wifi_networks": "wifi",
    "os_location": "places",
}
"""Part of a day by the kind that tells it."""


def compared(node: Node) -> Iterator[str]:
    """Facts that a condition looks at."""
    if isinstance(node, Comparison):
        yield from (".".join(each) for each in (node.fact, node.other) if each)
    for part in getattr(node, "parts", ()):
        yield from compared(part)
    if part := getattr(node, "part", None):
        yield from compared(part)


COMPARED = frozenset(name for ready in shipped_rules() for name in compared(ready.node))


def unknown(device: DeviceView) -> frozenset[str]:
    found = facts.derive(devices.given(device))
    return frozenset(name for name in COMPARED if getattr(found[name.split(".")[0]], name.split(".")[1]) is None)


def without(kind: str) -> DeviceView:
    """The laptop of which everything is known, but for one kind that was never measured."""
    device = devices.whole()
    changes: dict[str, Any] = {"newest": {name: each for name, each in device.newest.items() if name != kind}}
    if part := OF_A_DAY.get(kind):
        changes["use_days"] = tuple(msgspec.structs.replace(day, **{part: None}) for day in device.use_days)
    if kind == "landmark_rtt":
        changes["landmark_days"] = ()
    return msgspec.structs.replace(device, **changes)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_unknown_without_a_kind_is_said_to_rest_on_it(kind: str) -> None:
    lost = unknown(without(kind)) - unknown(devices.whole())
    missing = [name for name in sorted(lost) if kind not in kinds_behind([name])]
    assert not missing, f"add to {kind} in collector/judgement/needs.py: {missing}"


def test_the_table_names_kinds_and_facts_that_there_are() -> None:
    assert set(NEEDS) <= set(KINDS)
    assert {name for names in NEEDS.values() for name in names} <= set(fact_types()) | set(FACTS)


def asking(**group: Any) -> Policy:
    return Policy(home_countries=("DE",), groups={"default": Group(**group)})


def test_rules_about_what_nobody_asks_for_are_no_gap() -> None:
    """A laptop as the shipped policy asks it: without the kinds that need consent or notice."""
    days = tuple(msgspec.structs.replace(day, input=None, wifi=None, places=None) for day in devices.whole().use_days)
    device = msgspec.structs.replace(without("kvm_answers"), use_days=days)
    coverage = assess(device, context(policy=asking())).coverage
    assert coverage.unknown == ()
    assert coverage.known == coverage.total == len(shipped_rules()) - len(coverage.unasked)
    assert {kind for rule in coverage.unasked for kind in rule.kinds} == ON_REQUEST
    assert {"kvm-jiggler", "wifi-country-outside-claim", "location-outside-claim"} <= {
        each.rule_id for each in coverage.unasked
    }


def test_what_is_asked_for_and_not_told_is_a_gap() -> None:
    days = tuple(msgspec.structs.replace(day, input=None) for day in devices.whole().use_days)
    coverage = assess(devices.whole(use_days=days), context(policy=asking(probes_on=tuple(ON_REQUEST)))).coverage
    assert coverage.unasked == ()
    assert "kvm-jiggler" in {each.rule_id for each in coverage.unknown}
    assert coverage.total == len(shipped_rules())


def test_a_kind_that_the_policy_switches_off_is_no_gap_and_one_that_the_laptop_switches_off_is() -> None:
    device = devices.whole(failed("neighbours", "disabled"))
    by_policy = assess(device, context(policy=asking(probes_off=("neighbours",)))).coverage
    by_laptop = assess(device, context(policy=asking())).coverage
    rules = {"kvm-on-network", "travel-router-in-front"}
    assert rules <= {each.rule_id for each in by_policy.unasked}
    assert rules <= {each.rule_id for each in by_laptop.unknown}


def test_a_rule_that_is_decided_without_the_kind_has_its_verdict() -> None:
    """Made-up input counts beside a control tool alone: without a tool the rule says no, whatever input says."""
    known = assess(without("input_activity"), context(policy=asking())).coverage
    assert {"input-made-up", "own-keyboard-unused"}.isdisjoint(each.rule_id for each in known.unasked)


def test_a_group_that_is_not_listed_measures_like_the_default_one() -> None:
    policy = asking(probes_on=("os_location",), probes_off=("power",))
    assert policy.unasked("elsewhere") == policy.unasked("default") == ON_REQUEST - {"os_location"} | {"power"}
