"""presenters: judgements, failures and alerts in the words of the pages. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from agent.wire.report import Failure
from agent.wire.signals import KINDS
from collector.judgement.findings import Coverage
from collector.judgement.needs import kinds_behind
from collector.judgement.view import NetworkClass, Newest
from collector.store.attachments import Listed
from collector.store.devices import RawSignal

PLACES: Final = {
    "claim": "Where it should be",
    "machine": "Where the machine is",
    "hand": "Where the hand is",
}
MEASURED: Final = {
    "clock": "The time zone",
    "platform": "The kind of machine",
    "power": "Power and lid",
    "remote_tools": "Remote-access tools",
    "remote_sessions": "Control sessions",
    "usb_devices": "USB devices",
    "displays": "Monitors",
    "hardware_history": "What was attached before",
    "network_path": "The way to the network",
    "landmark_rtt": "Times to known places",
    "first_hops": "Times to the first routers",
    "presence": "Hours of use",
    "posture": "How it is kept",
    "input_activity": "Counts of input",
    "session_timing": "Timing of control sessions",
    "neighbours": "Devices in its network",
    "kvm_answers": "What boxes in its network say they are",
    "wifi_networks": "Wi-Fi networks around it",
    "os_location": "Where the system says it is",
    "sensors": "Radios and location service",
    "agent_integrity": "The agent itself",
}
SEEN: Final = {
    "echo": "How soon it asks again, which the collector sees where no proxy stands before it",
    "egress": "Its public address, as the collector sees it",
    "expected": "Where it should be",
}
"""What facts rest on that no laptop measures, by namespace."""
FAILURES: Final[Mapping[Failure, str]] = {
    "unsupported": "this system has no such thing",
    "denied": "the agent lacks a permission",
    "absent": "there was nothing to measure",
    "timeout": "it took too long",
    "over_budget": "it cost too much and rests for a while",
    "crashed": "the probe broke",
    "disabled": "it is switched off",
}
UNREADABLE: Final = {
    "unknown_kind": "the agent is newer than this collector",
    "malformed": "what was sent cannot be read",
}


NETWORKS: Final[Mapping[NetworkClass, str]] = {
    "access": "homes and offices",
    "mobile": "mobile",
    "satellite": "satellite",
    "hosting": "data centre",
    "vpn": "VPN provider",
    "tor": "Tor exit",
    "relay": "privacy relay",
    "gateway": "company gateway",
    "anycast": "anycast: its place means nothing",
    "private": "not on the internet",
    "unknown": "unknown use",
}


LONGEST: Final = 200
"""Characters that are shown of one text in raw signals."""


_FACT: Final = re.compile(r"\b[a-z_]+\.[a-z_0-9]+\b")


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be measured or told."""

    what: str
    why: tuple[str, ...]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an alert's summary."""

    heading: str
    points: tuple[str, ...]


def measured(kind: str) -> str:
    """A kind of signal in words."""
    return MEASURED.get(kind, kind.replace("_", " ").capitalize())


def probe_gaps(newest: Iterable[Newest], unasked: Container[str] = ()) -> list[Gap]:
    """Probes without a signal, and kinds that were never heard of.

    Args:
        unasked: kinds that the policy does not ask the laptop for: nothing of them is missing.
    """
    heard = {each.kind: each for each in newest}
    silent = [each for each in heard.values() if each.signal is None and each.kind not in unasked]
    gaps = [Gap(what=measured(each.kind), why=(_why(each),)) for each in silent]
    missing = [kind for kind in KINDS if kind not in heard and kind not in unasked]
    return gaps + [Gap(what=measured(kind), why=("the laptop has not reported it",)) for kind in missing]


def _why(newest: Newest) -> str:
    if newest.failure is not None:
        return FAILURES[newest.failure]
    return UNREADABLE.get(newest.unreadable, "nothing was sent")


def rule_gaps(coverage: Coverage, titles: Mapping[str, str]) -> list[Gap]:
    """Rules without a verdict, by their titles, with what they rest on."""
    return [
        Gap(what=titles.get(each.rule_id, each.rule_id), why=(*_rests_on(each.why), *each.why))
        for each in coverage.unknown
    ]


def _rests_on(why: Sequence[str]) -> tuple[str, ...]:
    """What would have to be known, in words, for reasons such as `hops.inside_ms is unknown`."""
    facts = [fact for each in why for fact in _FACT.findall(each)]
    seen = {SEEN[namespace] for fact in facts if (namespace := fact.partition(".")[0]) in SEEN}
    words = sorted(seen | set(map(measured, kinds_behind(facts))))
    return (f"rests on: {', '.join(words)}",) if words else ()


def summary_blocks(summary: str) -> list[Block]:
    """An alert's summary: headings end with a colon, points begin with a dash."""
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for line in filter(None, summary.split("\n")):
        if line.startswith("- "):
            blocks[-1][1].append(line[2:])
        elif line.endswith(":"):
            blocks.append((line[:-1], []))
        else:
            blocks[-1][1].append(line)
    return [Block(heading=heading, points=tuple(points)) for heading, points in blocks if heading or points]


def indented(signals: Sequence[RawSignal]) -> list[tuple[RawSignal, str]]:
    """Signals with their JSON spread over lines; what is no JSON stays as it is."""
    return [(signal, _spread(signal.text)) for signal in signals]


def _spread(text: str) -> str:
    try:
        return json.dumps(_shortened(json.loads(text)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _shortened(value: Any) -> Any:
    """JSON whose long texts are cut, such as the packed moments of a window of session timing."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(_shortened, value))
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value):,} characters)"
    return value


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is or was plugged in, in words. The names are the hardware's own."""

    what: str
    name: str
    ids: str
    """Vendor and product, and the serial number where there is one."""
    where: str
    """Port or connector."""
    first_seen: datetime
    removed_at: datetime | None


def hardware(listed: Listed) -> Hardware:
    """An attachment as the page shows it."""
    found = listed.attachment
    what, name, ids, where = "USB device, gone before it was read", "", "", ""
    if found.usb is not None:
        usb = found.usb
        what, where = "USB device", usb.port
        name = " ".join(filter(None, (usb.manufacturer, usb.product)))
        ids = f"{usb.vendor_id}:{usb.product_id}" + (f", serial {usb.serial}" if usb.serial else "")
    elif found.display is not None:
        display = found.display
        what = "Built-in display" if display.internal else "Monitor"
        name = display.name or ("" if display.readable else "its description cannot be read")
        where = display.connector
        ids = " ".join(filter(None, (display.vendor, display.product_code, display.serial_text)))
    elif found.brief is not None:
        where = found.brief.device
    return Hardware(
        what=what, name=name, ids=ids, where=where, first_seen=found.first_seen, removed_at=found.removed_at
    )
