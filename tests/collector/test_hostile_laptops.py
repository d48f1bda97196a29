"""Laptops that say whatever the wire lets them say: the limits of every field, lists without an end, moments of other
ages. Each is judged, quickly, and what is said of it stays short."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from agent.wire.report import WireError, decode_signal
from agent.wire.signals import KINDS, Signal
from collector import use_days
from collector.judgement.assess import assess
from collector.judgement.policy import Group, Policy
from collector.judgement.view import DeviceView, UseDay
from tests.collector import devices
from tests.collector.devices import NOW, context

MOMENTS: Final = (
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "2026-11-19T10:00:00Z",
    "2026-11-19T10:00:00",
    "9999-12-31T23:59:59-12:00",
)
TEXTS: Final = (
    "",
    "x",
    "x11vnc",
    "\x1b[2J<script>",
    "{tools.renamed}",
    "y" * 5000,
    "\udfff".encode("utf-8", "replace").decode(),
)
DAYS: Final = ("2026-11-19", "2026-11-20", "2026-02-30", "0001-01-01", "9999-12-31", "2026-11-19\n")
POLICY: Final = Policy(
    home_countries=("DE",),
    allowed_tools=("x11vnc",),
    allowed_tenants={"x11vnc": ("x",)},
    groups={"default": Group(probes_on=("input_activity", "wifi_networks", "os_location"))},
)
LONGEST_ASSESSMENT: Final = 150_000
"""Bytes: some ninety rules, each with its words and reasons."""


def values(kind: inspect.Type, most: int = 700) -> st.SearchStrategy[Any]:
    """What a laptop may send where a type is expected: its limits, and some beyond."""
    match kind:
        case inspect.StructType():
            fields = {field.encode_name: values(field.type, most) for field in kind.fields}
            asked = {field.encode_name for field in kind.fields if field.required}
            return st.fixed_dictionaries(
                {name: value for name, value in fields.items() if name in asked},
                optional={name: value for name, value in fields.items() if name not in asked},
            )
        case inspect.VarTupleType() | inspect.ListType():
            inner = values(kind.item_type, most=9)
            many = st.builds(lambda one: [one] * min(most, kind.max_length or most), inner)
            return many | st.lists(inner, max_size=min(3, kind.max_length or 3))
        case inspect.UnionType():
            return st.one_of(*(values(each, most) for each in kind.types))
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType() | inspect.FloatType():
            least = kind.ge if kind.ge is not None else -(10**15)
            most = kind.le if kind.le is not None else 10**15
            return st.sampled_from([least, min(1, most), min(600, most), most])
        case inspect.DateTimeType():
            return st.sampled_from(MOMENTS)
        case inspect.StrType(pattern=pattern) if pattern and "[0-9]{4}-" in pattern:
            return st.sampled_from(DAYS)
        case inspect.StrType(pattern=pattern) if pattern:
            return st.from_regex(pattern, fullmatch=True)
        case inspect.StrType():
            return st.sampled_from([text for text in TEXTS if len(text) <= (kind.max_length or len(text))])
        case _:
            raise AssertionError(f"no values for {kind}")


def said(kind: str, data: Any) -> Signal | None:
    """What the collector reads; None where it refuses the data as malformed."""
    try:
        return decode_signal(kind, msgspec.json.encode(data))
    except WireError:
        return None


def laptop(signal: Signal) -> DeviceView:
    """Everything else is known of it; days are folded as ingest folds them."""
    device = devices.whole(signal)
    if isinstance(signal, use_days.OfADay) and not use_days.problem(signal, NOW):
        day = msgspec.json.decode(msgspec.json.encode(use_days.folded(None, signal)), type=UseDay)
        others = [each for each in device.use_days if each.day != day.day]
        device = msgspec.structs.replace(device, use_days=tuple(sorted((*others, day), key=lambda each: each.day)))
    return device


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_whatever_a_kind_may_hold_is_judged_and_what_is_said_of_it_stays_short(kind: str, data: Any) -> None:
    signal = said(kind, data.draw(values(inspect.type_info(KINDS[kind]))))
    if signal is None:
        return
    made = assess(laptop(signal), context(policy=POLICY))
    assert 0 <= made.risk_score <= 100
    assert len(msgspec.json.encode(made)) < LONGEST_ASSESSMENT
    assert all(len(each.sentence) < 4000 for each in made.findings)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("agent_integrity", {"package": "intact", "stops": [{"at": "2026-11-19T10:00:00", "seconds": 9000}]}),
        (
            "remote_tools",
            {
                "catalogue_version": 1,
                "tools": [
                    {
                        "tool": "anydesk",
                        "installed": True,
                        "service": False,
                        "running": True,
                        "setup": {"found_at": "2026-10-01T10:00:00"},
                    }
                ],
            },
        ),
        ("usb_devices", {"devices": [], "events": [{"at": "2026-11-19T10:00:00", "action": "add", "device": "1-4"}]}),
    ],
)
def test_a_moment_without_a_time_zone_is_no_moment(kind: str, data: Any) -> None:
    assert said(kind, data) is None
    text = msgspec.json.encode(data).replace(b'10:00:00"', b'10:00:00Z"')
    assert said(kind, msgspec.json.decode(text)) is not None


def test_a_stop_that_has_not_come_yet_is_none() -> None:
    ahead = datetime(9999, 12, 31, tzinfo=UTC).isoformat()
    signal = said("agent_integrity", {"package": "intact", "stops": [{"at": ahead, "seconds": 9000}] * 8})
    assert signal is not None
    assert assess(devices.whole(signal), context()).findings == ()


def test_thousands_of_tools_are_judged_soon_and_not_all_of_them_named() -> None:
    many = devices.tools(*(devices.tool(f"tool-{number}") for number in range(20_000)))
    device = devices.whole(many)
    assess(devices.whole(), context())  # what is read once is read
    began = time.process_time()
    made = assess(device, context(policy=POLICY))
    assert time.process_time() - began < 1.0
    (running,) = (each for each in made.findings if each.rule_id == "unsanctioned-tool-running")
    assert running.sentence.endswith(" and 1,008 more.")
    assert len(msgspec.json.encode(made)) < LONGEST_ASSESSMENT


def test_thousands_of_devices_and_as_many_messages_as_there_may_be_are_judged_soon() -> None:
    key = {"number": 0, "interface_class": "03", "subclass": "01", "protocol": "01"}
    keyboard = {"port": "1-2", "vendor_id": "046d", "product_id": "c31c", "interfaces": [key]}
    came = [{"at": f"2026-11-19T10:{n:02}:00Z", "action": "add", "device": "1-2"} for n in range(16)]
    others = [{"at": f"2026-11-19T11:{n:02}:00Z", "action": "add", "device": "1-3"} for n in range(16)]
    usb = said("usb_devices", {"devices": [keyboard] * 20_000, "events": [*came, *others]})
    shown = said("displays", {"displays": [{"connector": "a"}] * 20_000, "events": others + came})
    assert usb is not None and shown is not None
    device = devices.whole(usb, shown)
    assess(devices.whole(), context())
    began = time.process_time()
    made = assess(device, context(policy=POLICY))
    assert time.process_time() - began < 0.5
    assert "hardware.kvm is unknown" in {why for each in made.coverage.unknown for why in each.why}


def test_countries_of_access_points_are_kept_as_many_as_an_agent_sends() -> None:
    told = [{"country": "KP", "boxes": 5, "makers": 5}] * 8
    day = {"day": "2026-11-19", "looks": 9, "heard": 9, "countries": told}
    honest = said("wifi_networks", day)
    assert isinstance(honest, use_days.OfADay)
    assert use_days.problem(honest, NOW) == ""
    for more in ({"countries": told * 100}, {"kept": ["KP"] * 5}, {"heard": None}):
        flood = said("wifi_networks", day | more)
        assert isinstance(flood, use_days.OfADay)
        assert use_days.problem(flood, NOW) == "wifi_networks: an absurd value", more


def test_a_day_of_which_no_networks_were_told_is_not_one_on_which_none_were_heard() -> None:
    day = {"day": "2026-11-19", "looks": 9, "heard": None, "kept": ["BR"]}
    untold, none = said("wifi_networks", day), said("wifi_networks", day | {"heard": 0, "kept": []})
    assert isinstance(untold, use_days.OfADay) and isinstance(none, use_days.OfADay)
    assert use_days.folded(None, untold) == UseDay(day="2026-11-19", wifi_kept=("BR",))
    assert use_days.folded(None, none) == UseDay(day="2026-11-19", wifi=())
