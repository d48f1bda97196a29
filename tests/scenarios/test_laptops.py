"""Whole laptops: what each archetype and each honest twin comes to: findings, band, alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView, Integrity, Presence
from tests.collector.devices import (
    HOUR,
    NOW,
    clock,
    context,
    failed,
    tool,
    tools,
    track,
    view,
)


@dataclass(frozen=True, kw_only=True)
class Laptop:
    """One laptop and what must come of it."""

    name: str
    device: DeviceView
    findings: set[str]
    band: str
    alert: bool
    context: dict[str, Any] = field(default_factory=dict)


TUNNEL = {"peer_address": "127.0.0.1", "min_rtt_ms": 0.02, "tunnel_tool": "openssh"}

LAPTOPS = (
    Laptop(
        name="farm, VNC straight from 200 ms away",
        device=view(tools(tool("x11vnc")), sessions=(track(),)),
        findings={
            "unsanctioned-tool-running",
            "unsanctioned-session",
            "session-peer-public",
            "session-round-trip-long",
        },
        band="critical",
        alert=True,
    ),
    Laptop(
        name="farm, VNC through a reverse tunnel to a relay abroad",
        device=view(
            tools(tool("x11vnc"), tool("openssh")),
            sessions=(track(**TUNNEL, tunnel_peer_address="198.51.100.7", tunnel_min_rtt_ms=180.0),),
        ),
        findings={
            "unsanctioned-tool-running",
            "unsanctioned-session",
            "session-through-tunnel",
            "tunnel-round-trip-long",
        },
        band="high",
        alert=True,
    ),
    Laptop(
        name="farm, two tools, relay next door hides the hand, the agent was stopped meanwhile",
        device=view(
            tools(tool("anydesk"), tool("x11vnc")),
            sessions=(track(peer_address="10.0.0.5", min_rtt_ms=9.0),),
            presence=Presence(
                enrolled_at=NOW - timedelta(days=60), last_seen_at=NOW - HOUR, unreported_awake_s=6 * 3600.0
            ),
        ),
        findings={
            "unsanctioned-tool-running",
            "second-remote-tool-vendor",
            "unsanctioned-session",
            "device-ran-unreported",
        },
        band="medium",
        alert=True,
    ),
    Laptop(
        name="farm, the tool is gone but its session of yesterday was far",
        device=view(sessions=(track(last_seen=NOW - 26 * HOUR),)),
        findings={"unsanctioned-session", "session-peer-public", "session-round-trip-long"},
        band="critical",
        alert=True,
    ),
    Laptop(
        name="laptop abroad on its new local time with a second copy of its disk",
        device=view(clock("Asia/Pyongyang", 540), integrity=Integrity(interleaved_epochs=3)),
        findings={"clock-outside-claim", "report-clone"},
        band="medium",
        alert=True,
    ),
    Laptop(
        name="an honest laptop that does nothing of interest",
        device=view(),
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="IT support with the allowed tool, from another continent",
        device=view(tools(tool("anydesk")), sessions=(track(tool="anydesk", min_rtt_ms=240.0),)),
        context={"policy": Policy(home_countries=("DE",), allowed_tools=("anydesk",))},
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="developer who logs in by SSH from a journey",
        device=view(
            tools(tool("openssh-server"), tool("openssh")),
            sessions=(track(tool="openssh-server", local_port=22, min_rtt_ms=190.0),),
        ),
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="the same developer where nobody allowed SSH",
        device=view(
            tools(tool("openssh-server")),
            sessions=(track(tool="openssh-server", local_port=22, min_rtt_ms=190.0),),
        ),
        context={"policy": Policy(home_countries=("DE",))},
        findings={"login-round-trip-long"},
        band="low",
        alert=False,
    ),
    Laptop(
        name="somebody reaches the laptop from the next room",
        device=view(tools(tool("x11vnc")), sessions=(track(peer_address="192.168.1.7", min_rtt_ms=3.0),)),
        findings={"unsanctioned-tool-running", "unsanctioned-session"},
        band="medium",
        alert=False,
    ),
    Laptop(
        name="screen-reader user",
        device=view(tools(tool("nvda")), sessions=(track(tool="nvda"),)),
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="traveller whose laptop changed its clock",
        device=view(clock("Asia/Pyongyang", 540)),
        findings={"clock-outside-claim"},
        band="low",
        alert=False,
    ),
    Laptop(
        name="developer who keeps UTC",
        device=view(clock("UTC", 0)),
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="employee whose system names the zone after a neighbour's capital",
        device=view(clock("Europe/Paris", 60)),
        findings=set(),
        band="none",
        alert=False,
    ),
    Laptop(
        name="three weeks of leave",
        device=view(presence=Presence(enrolled_at=NOW - timedelta(days=90), last_seen_at=NOW - timedelta(days=21))),
        findings={"device-silent"},
        band="none",
        alert=False,
    ),
    Laptop(
        name="leftover tool on a laptop that cannot read its sessions",
        device=view(
            tools(tool("anydesk", running=False, service=True)),
            failed("remote_sessions", "denied"),
        ),
        findings={"unsanctioned-tool-service", "probe-lost"},
        band="none",
        alert=False,
    ),
)


@pytest.mark.parametrize("laptop", LAPTOPS, ids=lambda laptop: laptop.name)
def test_a_laptop(laptop: Laptop) -> None:
    assessment = assess(laptop.device, context(**laptop.context))
    assert {each.rule_id for each in assessment.findings} == laptop.findings
    assert assessment.band == laptop.band
    assert isinstance(alerting.decide(assessment, None, None), alerting.Open) is laptop.alert
