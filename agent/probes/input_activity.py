"""input_activity: by which devices the laptop is operated, on which beat, and how much of it programs made up.

Supports: remote-control software makes its input up, so a laptop of a farm has no physical input for hours; a remote
console's keyboard and mouse have another beat than ones that somebody holds.
Evasion: somebody at the laptop types along; consoles that imitate a beat; what a program makes up inside the desktop
(XTEST, Wayland's portals) never becomes a device and is not seen here.
Privacy: counts per hour and device, shares and beats; no key, character, place or moment has a field. It runs only
where the collector's settings name it in `probes_on`: ask those whom it concerns first (docs/privacy.md).
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

import msgspec

from agent.host import HostError
from agent.probe import Given, Noted, Probe, Unavailable, failure_of
from agent.wire.signals import InputActivity

EVERY_S: Final = 3000.0
WATCHED_MINUTES: Final = 180
"""How long nothing may come until that is said."""
LEASE_S: Final = 3 * 3600.0
"""A helper that is not asked again within three cycles lets go of the devices."""
REMEDY: Final = {
    "linux": "start farhand-agent-input.socket",
    "macos": "log in at the screen; the helper runs in that session",
    "windows": "log in; the helper runs in that session",
}


class Answer(msgspec.Struct, frozen=True):
    """What the helper answers. It is a stranger's word until it fits the declaration."""

    counts: InputActivity
    denied: int = 0


def collect(given: Given) -> Noted:
    """Fetch the day's counts; nothing is said while nothing was added, but for a while without input and the end of a
    day: that a laptop was watched and nothing came is something to say.

    Raises:
        Unavailable: no helper answers, or none of the devices may be read.
    """
    try:
        answer = parse_answer(given.host.input_counts(LEASE_S))
    except HostError as error:
        raise Unavailable(failure_of(error), str(error), REMEDY[given.host.system]) from error
    if answer.denied and not answer.counts.devices:
        raise Unavailable("denied", f"{answer.denied} input devices may not be read", "let the helper read /dev/input")
    counts = answer.counts
    events = sum(device.events for device in counts.devices)
    note = f"{counts.day} {events} {counts.watched_minutes // WATCHED_MINUTES}".encode()
    is_over = counts.day != given.host.now().astimezone(UTC).date().isoformat()
    said_before = note == given.notes.get(InputActivity.kind) and not is_over
    return Noted(signal=None if said_before else counts, note=note)


def parse_answer(data: bytes) -> Answer:
    """The helper's answer, as far as the declaration has room for it.

    Raises:
        Unavailable: it does not fit.
    """
    try:
        return msgspec.json.decode(data, type=Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unavailable("crashed", f"the helper's answer does not fit: {error}") from error


PROBE = Probe(signal=InputActivity, collect=collect, every_s=EVERY_S)
