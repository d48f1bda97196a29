"""The policy: whom an exception covers, and which parts facts look at."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from collector.judgement.policy import Group, Policy, Suppression
from tests.collector.devices import DEVICE, HOUR, NOW

EXCEPTION = Suppression(rule="a-rule", device=DEVICE, owner="help desk", reason="ticket 4711", until=NOW)


def test_an_exception_covers_its_rule_on_its_device_until_its_end() -> None:
    assert EXCEPTION.covers("a-rule", DEVICE, NOW - timedelta(seconds=1))
    assert not EXCEPTION.covers("a-rule", DEVICE, NOW)
    assert not EXCEPTION.covers("another-rule", DEVICE, NOW - HOUR)
    assert not EXCEPTION.covers("a-rule", "another device", NOW - HOUR)


def test_an_exception_without_a_device_covers_all() -> None:
    assert msgspec.structs.replace(EXCEPTION, device=None).covers("a-rule", "any device", NOW - HOUR)


def test_only_what_facts_look_at_changes_their_digest() -> None:
    policy = Policy(home_countries=("DE", "AT"), allowed_tools=("a",))
    assert policy.facts_digest == Policy(home_countries=("AT", "DE"), allowed_tools=("a",)).facts_digest
    assert policy.facts_digest == msgspec.structs.replace(policy, suppressions=(EXCEPTION,)).facts_digest
    assert policy.facts_digest != msgspec.structs.replace(policy, allowed_tools=()).facts_digest
    assert policy.facts_digest != msgspec.structs.replace(policy, allowed_hardware=("pikvm",)).facts_digest
    switched = msgspec.structs.replace(policy, groups={"default": Group(probes_off=("clock",))})
    assert policy.facts_digest != switched.facts_digest
    asked = msgspec.structs.replace(policy, groups={"default": Group(probes_on=("clock",))})
    assert policy.facts_digest != asked.facts_digest
