"""Alerts: when they open, when they change, and in which words."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from collector.judgement.alerting import ClosedAlert, Disposition, Nothing, Open, OpenAlert, Update, decide
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.policy import Suppression
from collector.judgement.risk import Counts
from collector.judgement.view import Band, Integrity
from tests.collector import devices
from tests.collector.devices import HOUR, NOW, context, tool, tools, track, view

FAR = view(tools(tool("x11vnc")), sessions=(track(),))
FAR_RULES = ("session-peer-public", "session-round-trip-long", "unsanctioned-session", "unsanctioned-tool-running")
NEAR = view(tools(tool("x11vnc")), sessions=(track(min_rtt_ms=15.0),))


def judged(device: devices.DeviceView = FAR, **changes: object) -> Assessment:
    return assess(device, context(**changes))


def opened(rules: tuple[str, ...] = FAR_RULES, band: Band = "critical") -> OpenAlert:
    return OpenAlert(alert_id="a1", rules=rules, band=band)


def closed(
    rules: tuple[str, ...] = FAR_RULES, band: Band = "critical", disposition: Disposition = "benign"
) -> ClosedAlert:
    return ClosedAlert(
        alert_id="a0", rules=rules, band=band, disposition=disposition, closed_at=NOW - timedelta(days=1)
    )


def test_a_decisive_finding_opens_an_alert() -> None:
    alert = decide(judged(), None, None)
    assert isinstance(alert, Open)
    assert alert.rules == FAR_RULES
    assert (alert.band, alert.follows) == ("critical", None)


def test_the_alert_says_what_was_seen_what_else_could_explain_it_and_what_to_do() -> None:
    alert = decide(judged(), None, None)
    assert isinstance(alert, Open)
    assert alert.title == (
        "x11vnc was used from 203.0.113.9, at least 4,500 km away: no answer came back in less than 200 ms."
    )
    assert (
        alert.summary
        == """\
Observed:
- x11vnc was used from 203.0.113.9, at least 4,500 km away: no answer came back in less than 200 ms.
- x11vnc was used from 203.0.113.9 to control this laptop, last at 2026-11-20 11:00 UTC (sessions in 7 days: 1).
- A control session came straight from the public address 203.0.113.9, with a tool that is not allowed.
- Runs on this laptop and is not among the allowed tools: x11vnc.
What else could explain it:
- The other side is on a satellite line, on a congested mobile network, or behind a VPN that takes a long way
- Somebody abroad helps this person privately, or a service provider abroad supports the company
- The person travels and reaches the laptop at home
- A support case with a tool that the policy does not list yet
- The person reaches the laptop from another room or another computer of their own
Next:
- Ask the person and the help desk about this session; without a support case, speak to the person on a video call, \
have the laptop's serial number read out, and check where the laptop was shipped to.
- Ask the person and the help desk about this session; without a support case, speak to the person on a video call \
and have the laptop's serial number read out."""
    )


def test_a_decisive_finding_is_told_first_even_where_others_weigh_more() -> None:
    assessment = judged(dispositions={"session-round-trip-long": Counts(benign=12)})
    assert assessment.findings[0].rule_id == "unsanctioned-session"
    alert = decide(assessment, None, None)
    assert isinstance(alert, Open)
    assert "at least 4,500 km away" in alert.title


def test_findings_of_one_cause_open_nothing_however_many() -> None:
    assessment = judged(NEAR)
    assert {each.cause for each in assessment.findings} == {"session"}
    assert assessment.band == "medium"
    assert decide(assessment, None, None) == Nothing()


def test_findings_of_two_causes_open_an_alert() -> None:
    device = msgspec.structs.replace(NEAR, integrity=Integrity(gaps=2))
    assert isinstance(decide(judged(device), None, None), Open)


def test_weak_signs_support_a_strong_one_and_are_no_cause_beside_others() -> None:
    """A tool that nobody listed runs, and a few reports are missing."""
    running = view(tools(tool("x11vnc")), integrity=Integrity(gaps=2))
    weak = judged(running)
    assert {(each.cause, each.severity) for each in weak.findings} == {("session", "medium"), ("integrity", "low")}
    assert weak.band == "low"
    assert decide(weak, None, None) == Nothing()
    strong = decide(judged(msgspec.structs.replace(running, sessions=NEAR.sessions)), None, None)
    assert isinstance(strong, Open) and "report-gap" in strong.rules


def test_two_causes_below_the_low_band_open_nothing() -> None:
    device = view(tools(tool("anydesk", running=False, service=True)), integrity=Integrity(gaps=2))
    assessment = judged(device, dispositions={"report-gap": Counts(benign=10)})
    assert len({each.cause for each in assessment.findings}) == 2
    assert assessment.band == "none"
    assert decide(assessment, None, None) == Nothing()


def test_what_is_only_informative_is_no_second_cause() -> None:
    device = msgspec.structs.replace(NEAR, newest={**NEAR.newest, "power": devices.failed("power", "timeout")})
    assessment = judged(device)
    assert {each.cause for each in assessment.findings} == {"session", "integrity"}
    assert decide(assessment, None, None) == Nothing()


def test_a_decisive_rule_that_people_keep_finding_harmless_opens_nothing() -> None:
    device = view(sessions=(track(peer_address="10.0.0.5"),))
    harmless = {"session-round-trip-long": Counts(benign=90), "unsanctioned-session": Counts(benign=90)}
    assert isinstance(decide(judged(device), None, None), Open)
    assert decide(judged(device, dispositions=harmless), None, None) == Nothing()


def test_suppressed_findings_open_nothing() -> None:
    exceptions = tuple(
        Suppression(rule=rule, owner="help desk", reason="ticket 4711", until=NOW + HOUR) for rule in FAR_RULES
    )
    assert decide(judged(suppressions=exceptions), None, None) == Nothing()


def test_an_open_alert_with_nothing_new_is_left_alone() -> None:
    assert decide(judged(), opened(), None) == Nothing()


def test_an_open_alert_learns_a_new_rule_and_forgets_none() -> None:
    update = decide(judged(), opened(rules=("report-gap",)), None)
    assert isinstance(update, Update)
    assert update.alert_id == "a1"
    assert update.rules == tuple(sorted((*FAR_RULES, "report-gap")))


def test_an_open_alert_follows_the_band_in_both_directions() -> None:
    assert isinstance(decide(judged(), opened(band="medium"), None), Update)
    update = decide(judged(NEAR), opened(), None)
    assert isinstance(update, Update)
    assert update.band == "medium"


def test_an_alert_is_never_closed_because_the_findings_ended() -> None:
    assert decide(judged(view()), opened(), None) == Nothing()


def test_after_a_benign_close_the_same_findings_open_nothing() -> None:
    assert decide(judged(), None, closed()) == Nothing()


def test_after_a_benign_close_a_new_rule_opens_a_linked_alert() -> None:
    alert = decide(judged(), None, closed(rules=FAR_RULES[1:]))
    assert isinstance(alert, Open)
    assert alert.follows == "a0"


def test_after_a_benign_close_a_higher_band_opens_a_linked_alert() -> None:
    assert isinstance(decide(judged(), None, closed(band="high")), Open)


def test_after_a_confirmed_close_new_evidence_opens_an_alert_and_old_does_not() -> None:
    assert isinstance(decide(judged(), None, closed(disposition="confirmed")), Open)
    before = judged(as_of=NOW - timedelta(days=2))
    assert decide(before, None, closed(disposition="confirmed")) == Nothing()
