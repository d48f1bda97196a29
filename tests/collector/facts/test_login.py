"""The facts about shells from elsewhere: a number out of what nobody types, or none."""

from __future__ import annotations

from typing import Any

import msgspec

from collector.judgement.answer import Answer
from collector.judgement.facts import login
from collector.judgement.policy import Policy
from collector.judgement.view import TimedWindow
from tests.collector import devices
from tests.collector.devices import NOW, track


def shell(*answers: Answer, **changes: Any) -> tuple[TimedWindow, ...]:
    plain = TimedWindow(
        tool="openssh-server",
        local_port=22,
        peer_address="203.0.113.9",
        peer_port=40000,
        began_at=NOW,
        hop_ms=10.1,
        answer=Answer(method="steady"),
    )
    return tuple(msgspec.structs.replace(plain, answer=answer, **changes) for answer in answers)


def said(lag: float, method: Any = "quiet") -> Answer:
    return Answer(method=method, estimate_ms=lag, silence="")


def derive(*windows: TimedWindow, allowed: tuple[str, ...] = (), **changes: Any) -> login.Login:
    return login.derive(devices.given(devices.view(timed=windows, **changes), Policy(allowed_tools=allowed)))


def test_keep_alives_tell_how_far_a_shell_reaches() -> None:
    facts = derive(*shell(said(241), said(240), said(242)))
    assert (facts.rtt_ms, facts.hidden_ms, facts.at_least_km) == (241, 230, 5800)
    assert (facts.how, facts.through) == ("answers to single messages", "203.0.113.9, 10.1 ms away")


def test_the_first_second_tells_it_and_typing_does_not() -> None:
    assert derive(*shell(said(241, "handshake"), said(120, "steady"))).rtt_ms == 241
    typed = derive(*shell(*[said(120, "steady")] * 3))
    assert (typed.sessions, typed.rtt_ms) == (1, None)
    assert typed.why_not == "nothing in its timing answers what the laptop sends"


def test_through_a_tunnel_on_the_laptop_all_of_it_is_hidden() -> None:
    facts = derive(*shell(*[said(241)] * 3, peer_address="127.0.0.1", loopback_leg=True, hop_ms=0.02))
    assert (facts.hidden_ms, facts.through) == (240, "a program on the laptop, 0.02 ms away")


def test_allowed_shells_and_desktops_do_not_count() -> None:
    assert derive(*shell(*[said(241)] * 3), allowed=("openssh-server",)).windows is None
    assert derive(*shell(*[said(241)] * 3, tool="x11vnc")).windows is None


def test_without_logins_none_was_timed_and_one_that_was_not_timed_is_unknown() -> None:
    assert derive().sessions == 0
    assert derive(sessions=(track(tool="openssh-server"),)).sessions is None
