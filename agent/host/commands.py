"""commands: every program this agent may start, with absolute path and fixed arguments: nothing can be slipped in."""

from __future__ import annotations

from typing import Final

SYSTEMD_DETECT_VIRT: Final = ("/usr/bin/systemd-detect-virt", "--vm")
"""Names the hypervisor from the processor's own answer, which no file shows."""

ALLOWED: Final[frozenset[tuple[str, ...]]] = frozenset({SYSTEMD_DETECT_VIRT})
