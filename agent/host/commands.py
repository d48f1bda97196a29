"""commands: every program this agent may start, with absolute path and fixed arguments: nothing can be slipped in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Command = tuple[str, ...]
MacHelper = Literal["input", "place"]

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

LINUX: Final[frozenset[Command]] = frozenset({SYSTEMD_DETECT_VIRT, NETWORK_MANAGER, LOGIND_IDLE})

# What a Mac says only by its own programs. All of them come with macOS and read; none of them changes anything.
# (`start_mac_helper` below starts something. Its arguments and those of `wifi_power` hold a number of the machine.)

MAC_IDLE: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "IOHIDSystem")
"""Nanoseconds since the last input of macOS (HIDIdleTime)."""

MAC_BATTERY: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "AppleSmartBattery")
"""Charger, cycles and capacity of a Mac's battery."""

MAC_LID: Final = ("/usr/sbin/ioreg", "-rd1", "-c", "IOPMrootDomain")
"""Whether a Mac is shut (AppleClamshellState)."""

MAC_SYSCTL: Final = (
    *("/usr/sbin/sysctl", "kern.bootsessionuuid", "kern.osrelease", "hw.machine", "hw.model", "kern.hv_vmm_present"),
)
"""The id of this boot, the kernel, the model, and whether this is a virtual machine."""

MAC_PLATFORM: Final = ("/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-c", "IOPlatformExpertDevice")
"""Maker, serial number and UUID of the machine, as a property list."""

MAC_PROCESSES: Final = ("/bin/ps", "-axww", "-o", "pid,ppid,uid,stat,etime,ucomm,comm")
"""All processes: ps belongs to root and is set-user-id, so it tells the paths of all users' programs to anybody."""

MAC_ARGUMENTS: Final = ("/bin/ps", "-axww", "-o", "pid,args")
"""What interpreters were told to run; only the name of the script is used."""

MAC_SOCKETS: Final = ("/usr/sbin/lsof", "-nP", "-iTCP", "-sTCP:LISTEN,ESTABLISHED", "-F", "ptnT")
"""TCP sockets with their owners, in the form that lsof keeps for programs."""

MAC_FIGURES: Final = (
    *("/usr/bin/nettop", "-L", "1", "-n", "-x", "-m", "tcp", "-J", "state,bytes_in,bytes_out,rtt_avg"),
)
"""The kernel's figures of every TCP connection, as comma-separated values."""

MAC_INTERFACES: Final = ("/sbin/ifconfig", "-a")
MAC_ROUTES: Final = ("/usr/sbin/netstat", "-rn")
MAC_NEIGHBOURS: Final = ("/usr/sbin/arp", "-an")
MAC_NEIGHBOURS_6: Final = ("/usr/sbin/ndp", "-an")
MAC_NAME_SERVERS: Final = ("/usr/sbin/scutil", "--dns")
"""Not /etc/resolv.conf, which macOS writes for others: it lacks zones of addresses and the servers of tunnels."""

MAC_WIFI: Final = ("/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-k", "IO80211CountryCode")
"""Wi-Fi interfaces as their drivers describe them, as a property list. No permission is needed, and the radio is not
told to look, as it is by `system_profiler`."""

MAC_USB: Final = ("/usr/sbin/ioreg", "-a", "-l", "-r", "-c", "IOUSBHostDevice")
"""USB devices with all that hangs below them, as a property list."""

MAC_FRAMEBUFFERS: Final = ("/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-c", "IOMobileFramebuffer")
"""Monitors of computers with Apple's processors, as a property list."""

MAC_MONITORS: Final = ("/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-c", "IODisplay")
"""Monitors of Apple's computers with Intel's processors, as a property list."""


def wifi_power(interface: str) -> Command:
    """Whether a Mac's Wi-Fi interface is switched on (networksetup(8))."""
    return ("/usr/sbin/networksetup", "-getairportpower", interface)


def start_mac_helper(user: int, name: MacHelper = "input") -> Command:
    """Start the helper of this name in the session of this user: the one that counts input, or the one that says where
    the system takes this Mac to be."""
    return ("/bin/launchctl", "kickstart", f"gui/{int(user)}/org.farhand.agent.{name}")


MACOS: Final[frozenset[Command]] = frozenset(
    {
        MAC_SYSCTL,
        MAC_PLATFORM,
        MAC_IDLE,
        MAC_BATTERY,
        MAC_LID,
        MAC_PROCESSES,
        MAC_ARGUMENTS,
        MAC_SOCKETS,
        MAC_FIGURES,
        MAC_INTERFACES,
        MAC_ROUTES,
        MAC_NEIGHBOURS,
        MAC_NEIGHBOURS_6,
        MAC_NAME_SERVERS,
        MAC_WIFI,
        MAC_USB,
        MAC_FRAMEBUFFERS,
        MAC_MONITORS,
    }
)

ALLOWED: Final = LINUX | MACOS


def is_allowed(command: Command) -> bool:
    """Whether this agent may start it."""
    last = command[-1] if command else ""
    user = last.partition("/")[2].partition("/")[0]
    if user.isdecimal() and len(user) < 11:
        return command in (start_mac_helper(int(user)), start_mac_helper(int(user), "place"))
    number = last.removeprefix("en")
    if number.isascii() and number.isdecimal() and len(number) < 4 and command == wifi_power(f"en{number}"):
        return True
    return command in ALLOWED


MAX_BYTES: Final = 64 * 1024
"""What a command may write, but for those below."""
MAX_BYTES_OF: Final[Mapping[Command, int]] = {
    MAC_PROCESSES: 8 * 1024 * 1024,
    MAC_ARGUMENTS: 16 * 1024 * 1024,
    MAC_SOCKETS: 8 * 1024 * 1024,
    MAC_FIGURES: 8 * 1024 * 1024,
    MAC_ROUTES: 256 * 1024,
    MAC_NEIGHBOURS: 256 * 1024,
    MAC_NEIGHBOURS_6: 256 * 1024,
    MAC_USB: 4 * 1024 * 1024,
    MAC_FRAMEBUFFERS: 1024 * 1024,
    MAC_MONITORS: 1024 * 1024,
}
"""A line for each of thousands of processes, connections or neighbours, and all properties of each device."""

LONGEST_LINE_OF: Final[Mapping[Command, int]] = {MAC_PROCESSES: 1280, MAC_ARGUMENTS: 4160}
"""A path has 1,024 characters, and 4,096 of arguments are looked at. Whoever starts a program chooses a megabyte of
both: cut like this, all programs that macOS lets one machine run fit into what ps may write."""
