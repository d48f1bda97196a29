"""Whole laptops on which remote-access tools are used: by a help desk, by a developer, by a provider that changes, by
somebody who helps relatives, beside a screen reader; and those whose hand is elsewhere."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agent.wire import signals
from agent.wire.tenant import tenant_digest
from collector import catalogue, zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView
from collector.knowledge import tool_infos
from tests.collector.devices import HOUR, NOW, context, tool, tools, track, view
from tests.laptop import PLATFORM

KNOWN = tool_infos(catalogue.load())
OLD, NEW = (tenant_digest("screenconnect", name) for name in ("0123456789abcdef", "fedcba9876543210"))


def judged(device: DeviceView, **policy: object) -> Assessment:
    allowed = Policy(home_countries=("DE",), **policy)  # type: ignore[arg-type]
    return assess(device, msgspec.structs.replace(context(zones=zones.load(), policy=allowed, tools=KNOWN), as_of=NOW))


def matched(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.findings if each.severity != "info"}


def sign(name: str) -> dict[str, object]:
    """Fields of a track of a session through a relay."""
    return {"tool": name, "local_port": 0, "peer_address": "", "peer_port": 0, "evidence": ("process:x",)}


def test_a_help_desk_with_its_own_tool_stays_quiet() -> None:
    setup = signals.ToolSetup(unattended=True, tenant=OLD, place="system", renamed=True)
    device = view(
        PLATFORM, tools(tool("screenconnect", service=True, setup=setup)), relayed=(track(**sign("screenconnect")),)
    )
    tenants = {"screenconnect": ("0123456789abcdef",)}
    made = judged(device, allowed_tools=("screenconnect",), allowed_tenants=tenants)
    assert matched(made) == set()
    assert made.risk_score == 0


def test_a_developer_who_logs_in_by_ssh_stays_quiet() -> None:
    shell = track(tool="openssh-server", local_port=22, peer_address="127.0.0.1", tunnel_tool="tailscale")
    made = judged(
        view(PLATFORM, tools(tool("openssh-server"), tool("openssh"), tool("tailscale")), sessions=(shell,)),
        allowed_tools=("openssh-server",),
    )
    assert matched(made) == set()


def test_a_provider_that_changes_is_no_alarm_and_the_old_one_is_told_until_it_is_gone() -> None:
    both = view(PLATFORM, tools(tool("screenconnect", setup=signals.ToolSetup(tenant=NEW, place="system"))))
    before = judged(both, allowed_tools=("screenconnect",), allowed_tenants={"screenconnect": (OLD,)})
    assert "tool-of-other-tenant" in matched(before)
    assert not isinstance(alerting.decide(before, None, None), alerting.Open)
    after = judged(both, allowed_tools=("screenconnect",), allowed_tenants={"screenconnect": (OLD, NEW)})
    assert matched(after) == set()


def test_somebody_who_helps_relatives_stays_low() -> None:
    """The program lies in the home directory, runs now and then, and nobody comes in by it."""
    found_at = NOW - timedelta(days=55)
    setup = signals.ToolSetup(unattended=False, place="user", found_at=found_at)
    made = judged(view(PLATFORM, tools(tool("anydesk", setup=setup, running=True))))
    assert matched(made) == {"unsanctioned-tool-running", "tool-installed-by-user"}
    assert made.band in ("low", "medium")
    assert not isinstance(alerting.decide(made, None, None), alerting.Open)


def test_a_screen_reader_is_nothing_whatever_it_does() -> None:
    setup = signals.ToolSetup(unattended=True, renamed=True, place="user", found_at=NOW - timedelta(days=55))
    made = judged(view(PLATFORM, tools(tool("nvda", setup=setup)), relayed=(track(**sign("nvda")),)))
    assert matched(made) == set()


@pytest.mark.parametrize("name", ["anydesk", "teamviewer", "rustdesk", "chrome-remote-desktop"])
def test_a_hand_behind_a_relay_is_seen_by_the_sign_of_its_session(name: str) -> None:
    setup = signals.ToolSetup(unattended=True, place="user", found_at=NOW - timedelta(days=59))
    made = judged(
        view(PLATFORM, tools(tool(name, setup=setup, running=True)), relayed=(track(**sign(name), sightings=9),))
    )
    assert {"session-by-sign", "unsanctioned-tool-unattended", "tool-installed-by-user"} <= matched(made)
    assert made.band in ("medium", "high")
    hand = next(place for place in made.places if place.place == "hand")
    assert (hand.known, "relay" in hand.sentence) == (False, True)


def test_a_tool_under_another_name_is_told() -> None:
    made = judged(view(PLATFORM, tools(tool("teamviewer", setup=signals.ToolSetup(renamed=True)))))
    assert "tool-renamed" in matched(made)


def test_a_session_by_a_sign_counts_for_a_week_after_it_was_seen() -> None:
    seen = track(**sign("rustdesk"), last_seen=NOW - timedelta(days=6))
    assert "session-by-sign" in matched(judged(view(PLATFORM, relayed=(seen,))))
    gone = track(**sign("rustdesk"), last_seen=NOW - timedelta(days=8))
    assert "session-by-sign" not in matched(judged(view(PLATFORM, relayed=(gone,))))


def test_a_shell_through_a_tunnel_that_nobody_allowed_is_told_with_its_carrier() -> None:
    shell = track(tool="openssh-server", peer_address="127.0.0.1", tunnel_tool="cloudflared", last_seen=NOW - HOUR)
    made = judged(view(PLATFORM, sessions=(shell,)))
    (finding,) = (each for each in made.findings if each.rule_id == "login-through-tunnel")
    assert "Cloudflare Tunnel" in finding.sentence
