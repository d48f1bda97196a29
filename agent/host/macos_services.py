"""macos_services: what launchd starts, out of its property lists.

Of Apple's own services, which every Mac has, only those are told of that somebody switched on, such as screen sharing
and remote login. What an app registers out of its own bundle (SMAppService) stands in none of these folders.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .plists import read_plist, table, text
from .things import Service

FOLDERS: Final = ("/Library/LaunchDaemons", "/Library/LaunchAgents", "~/Library/LaunchAgents")
SWITCHES: Final = "/var/db/com.apple.xpc.launchd/disabled.plist"
"""What was switched on or off since, by label; True is off. `launchctl print-disabled system` shows the same."""
SUFFIX: Final = ".plist"
MAX_LISTS: Final = 2000
MAX_LIST_BYTES: Final = 64 * 1024


def parse_switches(data: bytes) -> dict[str, bool]:
    """Whether each label was switched off, for those that were switched at all."""
    return {label: off for label, off in table(read_plist(data)).items() if isinstance(off, bool)}


def services(lists: Iterable[tuple[str, bytes]], switches: dict[str, bool]) -> tuple[Service, ...]:
    """Services sorted by name.

    Args:
        lists: name and content of each property list; one that cannot be understood goes by its name.
    """
    found = {label: True for label, off in switches.items() if not off}
    for name, data in lists:
        declared = table(read_plist(data))
        label = text(declared.get("Label")) or name.removesuffix(SUFFIX)
        enabled = not switches.get(label, declared.get("Disabled") is True)
        found[label] = found.get(label, False) or enabled
    return tuple(Service(name=label, enabled=found[label]) for label in sorted(found))
