"""What could not be measured, and raw signals, in the words of the pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from collector.judgement.findings import Coverage, UnknownRule
from collector.judgement.view import Newest
from collector.store.devices import RawSignal
from collector.web.presenters import LONGEST, indented, rule_gaps


def test_a_rule_without_a_verdict_says_in_words_what_it_rests_on() -> None:
    why = {
        "router": ("hops.inside_ms is unknown", "hops.between_ms is unknown"),
        "way": ("echo.terminated_days and egress.exits are unknown",),
        "new": ("someday.fact is unknown",),
    }
    unknown = tuple(UnknownRule(rule_id=rule, why=facts) for rule, facts in why.items())
    gaps = rule_gaps(Coverage(known=0, total=3, unknown=unknown), {"router": "The router is far"})
    assert [(gap.what, gap.why[0]) for gap in gaps] == [
        ("The router is far", "rests on: Times to the first routers"),
        (
            "way",
            "rests on: How soon it asks again, which the collector sees where no proxy stands before it, "
            "Its public address, as the collector sees it",
        ),
        ("new", "someday.fact is unknown"),
    ]
    assert gaps[0].why[1:] == why["router"]


def test_a_long_text_of_a_signal_is_cut_with_its_length() -> None:
    text = json.dumps({"windows": [{"events": "x" * 1500, "tool": "x11vnc"}]})
    at = datetime(2026, 11, 21, tzinfo=UTC)
    raw = RawSignal(newest=Newest(kind="session_timing", measured_at=at), text=text)
    ((_, shown),) = indented([raw])
    assert "x" * LONGEST + "… (1,500 characters)" in shown and "x" * (LONGEST + 1) not in shown
    assert '"tool": "x11vnc"' in shown
