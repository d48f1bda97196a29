"""commands: every program this agent may start, with absolute path and fixed arguments: nothing can be slipped in."""

from __future__ import annotations

from typing import Final

SYSTEMD_DETECT_VIRT: Final = ("/usr/bin/systemd-detect-virt", "--vm")
"""Names the hypervisor from the processor's own answer, which no file shows."""

NETWORK_MANAGER: Final = (
    *("/usr/bin/busctl", "--system", "--auto-start=no", "--timeout=1", "get-property"),
    *("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager"),
    *("Metered", "Connectivity"),
)
"""Whether NetworkManager takes the network for one that is paid by the byte, or for one behind a sign-in page."""

LOGIND_IDLE: Final = (
    *("/usr/bin/busctl", "--system", "--auto-start=no", "--timeout=1", "get-property"),
    *("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"),
    *("IdleHint", "IdleSinceHint"),
)
"""Whether all sessions are idle, and since when."""

MAC_IDLE: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "IOHIDSystem")
"""Nanoseconds since the last input of macOS (HIDIdleTime)."""

MAC_BATTERY: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "AppleSmartBattery")
"""Charger, cycles and capacity of a Mac's battery."""

MAC_LID: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "IOPMrootDomain")
"""Whether a Mac is shut (AppleClamshellState)."""

ALLOWED: Final[frozenset[tuple[str, ...]]] = frozenset(
    {SYSTEMD_DETECT_VIRT, NETWORK_MANAGER, LOGIND_IDLE, MAC_IDLE, MAC_BATTERY, MAC_LID}
)
