"""habits: how a simulated laptop is kept and used, and what is around it: nothing unusual unless its story says so."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from agent.wire import signals as wire

from .scenario import Member

LOOKS_AN_HOUR: Final = 6
"""The probes look every ten minutes."""
LIGHTEST_NIGHT: Final = 3
"""Hours without use of a laptop that is watched around the clock."""


def habits(member: Member, moment: datetime) -> list[wire.Signal]:
    """What is said of the day before, as soon as it is over, and what changes seldom."""
    day = (moment - timedelta(days=1)).date()
    return [
        _presence(member, day),
        _posture(member, day),
        wire.Neighbours(settled=True, gateway_class="router"),
        wire.Sensors(
            sensors=tuple(wire.Sensor(name=name, state="on") for name in ("wifi", "bluetooth", "location")),
            airplane_mode=False,
        ),
        wire.AgentIntegrity(
            package="intact", package_version="0.1.0", interpreter_version="3.12.3", debugger=False, preloaded=False
        ),
    ]


def _hours(member: Member, day: date) -> int:
    """Hours for which it runs on a day."""
    first, last = member.hours
    always = (first, last) == (0, 24)
    return last - first if always or day.weekday() < 5 else 0


def _presence(member: Member, day: date) -> wire.Presence:
    hours = _hours(member, day)
    used = min(hours, 24 - LIGHTEST_NIGHT)
    return wire.Presence(
        day=day.isoformat(),
        looked=LOOKS_AN_HOUR * hours,
        active=LOOKS_AN_HOUR * used,
        active_hours=used,
        longest_pause=LOOKS_AN_HOUR * (24 - used),
        pauses_told=True,
    )


def _posture(member: Member, day: date) -> wire.Posture:
    hours = _hours(member, day)
    looked = LOOKS_AN_HOUR * hours
    return wire.Posture(
        day=day.isoformat(),
        looked=looked,
        hours=hours,
        lid_closed=looked if member.shut else 0,
        on_mains=looked,
        external_display=looked if member.shut else 0,
        own_display_off=looked if member.shut else 0,
        remote_session=0,
        asleep_hours=float(24 - hours),
        sleeps=0 if hours == 24 else 1,
    )
