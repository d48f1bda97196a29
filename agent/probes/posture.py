"""posture: how the laptop is kept: shut or open, on mains power, asleep at night, its desktop shown elsewhere.

Supports: a laptop in a farm runs shut and plugged in, day and night, for weeks, and never sleeps.
Evasion: open the lid, unplug it now and then. Docked laptops are kept alike by day, so it only ever adds to others.
Privacy: counts of a whole day, said once the day is over. Not when in the day, and not how full the battery is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Final

import msgspec

from agent import supplies
from agent.host import Host, HostError
from agent.probe import Given, Noted, Probe, to_tell
from agent.wire.signals import Posture

CONNECTORS: Final = "/sys/class/drm"
OWN: Final = ("-eDP-", "-LVDS-", "-DSI-")
SESSIONS: Final = "/run/systemd/sessions"
MOST_SESSIONS: Final = 64
MOST_LOOKS: Final = 144
ASLEEP_S: Final = 60.0
"""Less sleep than this between two looks is an error of the clocks."""
COUNTED: Final = ("lid_closed", "on_mains", "external_display", "own_display_off", "remote_session")


class Tally(msgspec.Struct):
    """The note of this probe: the day so far."""

    day: str = ""
    looked: int = 0
    hours: int = 0
    """A bit per hour, the first one lowest."""
    counts: dict[str, int] = {}
    asleep_s: float = 0.0
    sleeps: int = 0
    starts: int = 0
    boot_id: str = ""
    slept_s: float = 0.0
    """Seconds of this boot that it had slept at the last look."""
    battery: tuple[int | None, int | None] = (None, None)


def collect(given: Given) -> Noted:
    """Look once. A signal is only given of a day that is over, and the first time."""
    host = given.host
    now = host.now().astimezone(UTC)
    before = given.noted(Posture, Tally)
    day = now.date().isoformat()
    tally = before
    if before.day != day:
        tally = Tally(day=day, boot_id=before.boot_id, slept_s=before.slept_s)
    _look(host, tally, now.hour)
    due = to_tell(before, tally)
    signal = signal_of(due) if due is not None else None
    return Noted(signal=signal, note=msgspec.json.encode(tally))


def signal_of(tally: Tally) -> Posture:
    """What is said of a day."""
    said = {name: min(count, MOST_LOOKS) for name, count in tally.counts.items() if name in COUNTED}
    cycles, holds = tally.battery
    return Posture(
        day=tally.day,
        looked=min(tally.looked, MOST_LOOKS),
        hours=(tally.hours & (1 << 24) - 1).bit_count(),
        asleep_hours=round(tally.asleep_s / 3600, 1),
        sleeps=tally.sleeps,
        starts=tally.starts,
        battery_cycles=cycles,
        battery_holds_percent=holds,
        **said,
    )


def _look(host: Host, tally: Tally, hour: int) -> None:
    supplied = supplies.read(host)
    external, own_off = _displays(host)
    told = {
        "lid_closed": supplied.lid_closed,
        "on_mains": supplied.on_mains,
        "external_display": external,
        "own_display_off": own_off,
        "remote_session": _shown_elsewhere(host),
    }
    tally.looked, tally.hours = tally.looked + 1, tally.hours | 1 << hour
    for name, value in told.items():
        if value is not None:
            tally.counts[name] = tally.counts.get(name, 0) + value
    _count_sleep(host, tally)
    if supplied.has_battery:
        tally.battery = supplies.wear(host, supplied)


def _count_sleep(host: Host, tally: Tally) -> None:
    """Uptime counts sleep and waking time does not: their difference grew while the laptop slept."""
    boot_id, slept_s = host.boot_id(), host.uptime_s() - host.awake_s()
    if tally.boot_id != boot_id:
        tally.starts += bool(tally.boot_id)
        tally.slept_s = 0.0
    if slept_s - tally.slept_s >= ASLEEP_S and tally.boot_id:
        tally.asleep_s += slept_s - tally.slept_s
        tally.sleeps += 1
    tally.boot_id, tally.slept_s = boot_id, slept_s


def _displays(host: Host) -> tuple[bool | None, bool | None]:
    """Whether another monitor is connected, and whether the own screen is switched off."""
    connected = []
    for name in host.list_dir(CONNECTORS):
        status = (host.read_text(f"{CONNECTORS}/{name}/status") or "").strip()
        if status == "connected":
            enabled = (host.read_text(f"{CONNECTORS}/{name}/enabled") or "").strip()
            connected.append((any(part in f"-{name}-" for part in OWN), enabled == "enabled"))
    if not connected:
        return None, None
    own = [lit for internal, lit in connected if internal]
    return len(own) < len(connected), not any(own) if own else None


def _shown_elsewhere(host: Host) -> bool | None:
    """Whether a desktop session that came from elsewhere is in use; None where the system does not tell."""
    try:
        if host.system == "windows":
            return any(login.terminal.startswith("RDP") for login in host.logins())
        names = host.list_dir(SESSIONS)[:MOST_SESSIONS]
        texts = [host.read_text(f"{SESSIONS}/{name}") or "" for name in names if name.isalnum()]
    except HostError:
        return None
    return parse_sessions(texts) if texts else None


def parse_sessions(texts: Iterable[str]) -> bool:
    """Whether one of logind's notes is of an active desktop session from elsewhere. A shell from elsewhere is none."""
    for text in texts:
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        desktop = fields.get("TYPE") in ("x11", "wayland", "mir")
        if fields.get("REMOTE") == "1" and desktop and fields.get("STATE") in ("active", "online"):
            return True
    return False


PROBE = Probe(signal=Posture, collect=collect, every_s=540)
