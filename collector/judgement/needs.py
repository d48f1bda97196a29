"""needs: on which kinds of signals facts rest: a rule about what nobody asks a laptop for is no gap. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "clock": ("clock",),
    "platform": ("input", "posture.laptop_in_vm", "posture.remote_days"),
    "remote_tools": ("tools",),
    "remote_sessions": ("session", "hand", "login"),
    "session_timing": ("hand.sessions", "hand.least_ms", "hand.hidden_ms", "login"),
    "usb_devices": (
        *("hardware.kvm", "hardware.posing", "hardware.bridge", "hardware.rack", "hardware.gadget_keyboard"),
        *("hardware.contradictions", "hardware.two_pointers", "hardware.fast_keyboard", "hardware.place_keyboard"),
        *("hardware.came_together", "hardware.remarks"),
    ),
    "displays": (
        *("hardware.kvm", "hardware.posing", "hardware.bridge", "hardware.rack", "hardware.monitor_denied"),
        *("hardware.virtual_display", "hardware.came_together", "hardware.remarks"),
    ),
    "hardware_history": ("hardware.before",),
    "network_path": ("network", "echo.narrow_by"),
    "first_hops": ("hops",),
    "landmark_rtt": ("path",),
    "presence": ("rhythm", "input.untouched_days"),
    "posture": ("posture.shut_days", "posture.remote_days"),
    "input_activity": ("input",),
    "neighbours": ("surroundings.kvm", "surroundings.travel_router"),
    "kvm_answers": ("surroundings.kvm_answered",),
    "wifi_networks": ("location.wifi_outside_days", "location.wifi_kept_days"),
    "os_location": ("location.outside_km", "location.outside_days", "location.egress_km"),
    "sensors": ("sensors",),
    "agent_integrity": (
        *("integrity.files_changed", "integrity.traced", "integrity.preloaded", "integrity.rights_missing"),
        *("integrity.unit_changes", "integrity.stopped"),
    ),
}
"""By kind: facts that rules compare and that are unknown without it; a namespace stands for all of its facts."""


def kinds_behind(facts: Iterable[str]) -> frozenset[str]:
    """Kinds of which each is needed by one of these facts, given by their full names."""
    return frozenset().union(*map(_kinds_behind, facts))


@lru_cache(maxsize=1024)
def _kinds_behind(fact: str) -> frozenset[str]:
    namespace = fact.partition(".")[0]
    return frozenset(kind for kind, names in NEEDS.items() if fact in names or namespace in names)
