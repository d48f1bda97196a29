"""disk: the agent's folder, and the few operations on it whose order decides what a power cut leaves behind.

`Folder` is the real one of this operating system; `Disk` is what the rest of the agent knows of it.
"""

from __future__ import annotations

import sys

from .base import AGENT_LOCK, WORK_LOCK, Disk, DiskError

if sys.platform == "win32":
    from .windows import Folder, trust_place_of
    from .windows_marks import marks_at
else:
    from .posix import Folder, marks_at, trust_place_of

__all__ = ["AGENT_LOCK", "WORK_LOCK", "Disk", "DiskError", "Folder", "marks_at", "trust_place_of"]
