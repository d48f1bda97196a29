"""facts: what can be said about a device, as typed Python; rules compare it. Pure.

`FACTS` is the explicit table of namespaces. A fact that is None is unknown, and None means nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from collector.judgement.facts import (
    clock,
    echo,
    egress,
    expected,
    hand,
    hardware,
    hops,
    input,  # noqa: A004 - named like its facts, as all are
    integrity,
    location,
    login,
    network,
    path,
    posture,
    probes,
    rhythm,
    sensors,
    session,
    silence,
    surroundings,
    tools,
)
from collector.judgement.given import Given

FACTS: Final[dict[str, tuple[type[msgspec.Struct], Callable[[Given], msgspec.Struct]]]] = {
    "expected": (expected.Expected, expected.derive),
    "clock": (clock.Clock, clock.derive),
    "egress": (egress.Egress, egress.derive),
    "tools": (tools.Tools, tools.derive),
    "session": (session.Session, session.derive),
    "hand": (hand.Hand, hand.derive),
    "login": (login.Login, login.derive),
    "hardware": (hardware.Hardware, hardware.derive),
    "network": (network.Network, network.derive),
    "hops": (hops.Hops, hops.derive),
    "echo": (echo.Echo, echo.derive),
    "path": (path.Path, path.derive),
    "input": (input.Input, input.derive),
    "location": (location.Location, location.derive),
    "surroundings": (surroundings.Surroundings, surroundings.derive),
    "sensors": (sensors.Sensors, sensors.derive),
    "rhythm": (rhythm.Rhythm, rhythm.derive),
    "posture": (posture.Posture, posture.derive),
    "silence": (silence.Silence, silence.derive),
    "integrity": (integrity.Integrity, integrity.derive),
    "probes": (probes.Probes, probes.derive),
}
"""Struct and function of each namespace."""


def derive(given: Given) -> dict[str, msgspec.Struct]:
    """All facts of a device, by namespace."""
    return {namespace: function(given) for namespace, (_, function) in FACTS.items()}


def fact_types() -> dict[str, Any]:
    """Type of every fact, None left out, by its full name."""
    types: dict[str, Any] = {}
    for namespace, (struct, _) in FACTS.items():
        for field in msgspec.structs.fields(struct):
            known = [part for part in field.type.__args__ if part is not type(None)]
            types[f"{namespace}.{field.name}"] = known[0]
    return types
