"""hardware: boxes that can drive this laptop from elsewhere, among what is or was plugged in.

What is plugged in now, what was unplugged in the last 30 days, and what was there when its probe stopped to answer are
looked at alike. What the policy allows is left out. An identity tells what a device is; that somebody far away uses it
is for the other causes to say.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final

import msgspec

from agent.wire import signals
from agent.wire.signals import Display, UsbDevice
from collector.judgement import contradictions, monitor_claims
from collector.judgement.given import Given
from collector.judgement.recognition import Sign, display_name, display_signs, usb_name, usb_signs
from collector.judgement.view import MOST_DISPLAYS, MOST_USB, Newest

MOST_TOLD: Final = 8
"""Signs of one kind that a finding quotes."""
MOST_EARLIER: Final = 64
"""No agent sends more that were unplugged."""
Seen = tuple[UsbDevice | Display, datetime]
"""A device, and when it was last there."""


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What attached hardware says. Moments tell when the newest of it was last there."""

    kvm: tuple[str, ...] | None = None
    """Names of IP-KVMs that are attached under their own names, from USB and monitors together."""
    kvm_signs: tuple[str, ...] | None = None
    """By what they are known."""
    kvm_seen_at: datetime | None = None
    """When one was last attached."""
    posing: tuple[str, ...] | None = None
    """Names of IP-KVMs that pose as another maker's keyboard, mouse or monitor."""
    posing_signs: tuple[str, ...] | None = None
    """By what they are known."""
    posing_seen_at: datetime | None = None
    """When one was last attached."""
    bridge: tuple[str, ...] | None = None
    """Chips and default descriptions that IP-KVMs are built around, in words."""
    bridge_seen_at: datetime | None = None
    """When one was last attached."""
    rack: tuple[str, ...] | None = None
    """KVMs of server rooms, in words."""
    rack_seen_at: datetime | None = None
    """When one was last attached."""
    gadget_keyboard: tuple[str, ...] | None = None
    """Keyboards that Linux plays, in words: development boards and home-made boxes."""
    gadget_keyboard_seen_at: datetime | None = None
    """When one was last attached."""
    contradictions: tuple[str, ...] | None = None
    """What devices say of themselves and their make-up denies."""
    contradictions_seen_at: datetime | None = None
    """When such a device was last attached."""
    two_pointers: tuple[str, ...] | None = None
    """Devices that are a keyboard, a mouse and a pointer to places in one; unknown on a machine that may be virtual."""
    two_pointers_seen_at: datetime | None = None
    """When one was last attached."""
    fast_keyboard: tuple[str, ...] | None = None
    """Keyboards that run at high speed and are of no maker whose keyboards do."""
    fast_keyboard_seen_at: datetime | None = None
    """When one was last attached."""
    place_keyboard: tuple[str, ...] | None = None
    """Devices that are a keyboard and a pointer to places, and no mouse; unknown on a machine that may be virtual."""
    place_keyboard_seen_at: datetime | None = None
    """When one was last attached."""
    monitor_denied: tuple[str, ...] | None = None
    """What monitors say of themselves and their descriptions deny."""
    monitor_denied_seen_at: datetime | None = None
    """When such a monitor was last attached."""
    came_together: tuple[str, ...] | None = None
    """Keyboards that came at the same moments as a monitor, alone with it."""
    came_together_seen_at: datetime | None = None
    """When one last did."""
    virtual_display: tuple[str, ...] | None = None
    """Programs that show a monitor where there is none, to serve it to elsewhere."""
    virtual_display_seen_at: datetime | None = None
    """When one was last there."""
    before: tuple[str, ...] | None = None
    """IP-KVMs, under their own or other names, and chips that they are built around, that the system remembers."""
    before_seen_at: datetime | None = None
    """When the last of them was unplugged, or when it was read where the system does not say."""
    remarks: tuple[str, ...] | None = None
    """Attached hardware that is worth a look beside other findings, and proves nothing."""
    remarks_seen_at: datetime | None = None
    """When it was last attached."""


class _Found:
    """Findings by the name of their fact, each with the moments of the devices that it rests on."""

    def __init__(self) -> None:
        self.words: dict[str, dict[str, None]] = defaultdict(dict)
        self.at: dict[str, datetime] = {}

    def add(self, fact: str, words: str, at: datetime) -> None:
        self.words[fact].setdefault(words)
        self.at[fact] = max(at, self.at.get(fact, at))

    def told(self, fact: str, known: bool) -> tuple[str, ...] | None:
        """What was found; nothing is only known where everything could be looked at."""
        words = tuple(self.words.get(fact, ()))[:MOST_TOLD]
        return words if words or known else None


def derive(given: Given) -> Hardware:
    """Look at every device with the tables, then at its make-up."""
    usb_known, usb = _devices(given, signals.UsbDevices.kind)
    displays_known, displays = _devices(given, signals.Displays.kind)
    found = _Found()
    for device, at in usb:
        if isinstance(device, UsbDevice):
            _look_at_usb(given, device, at, found)
    for display, at in displays:
        if isinstance(display, Display):
            _look_at_display(given, display, at, found)
    history_known = _look_back(given, found)
    _look_at_events(given, found)
    both = usb_known and displays_known
    bare = _on_bare_metal(given)
    return Hardware(
        kvm=found.told("kvm", both),
        kvm_signs=found.told("kvm_signs", both),
        kvm_seen_at=found.at.get("kvm"),
        posing=found.told("posing", both),
        posing_signs=found.told("posing_signs", both),
        posing_seen_at=found.at.get("posing"),
        bridge=found.told("bridge", both),
        bridge_seen_at=found.at.get("bridge"),
        rack=found.told("rack", both),
        rack_seen_at=found.at.get("rack"),
        gadget_keyboard=found.told("gadget_keyboard", usb_known),
        gadget_keyboard_seen_at=found.at.get("gadget_keyboard"),
        contradictions=found.told("contradictions", usb_known),
        contradictions_seen_at=found.at.get("contradictions"),
        two_pointers=_bare(found.told("two_pointers", usb_known), bare),
        two_pointers_seen_at=found.at.get("two_pointers"),
        fast_keyboard=found.told("fast_keyboard", usb_known),
        fast_keyboard_seen_at=found.at.get("fast_keyboard"),
        place_keyboard=_bare(found.told("place_keyboard", usb_known), bare),
        place_keyboard_seen_at=found.at.get("place_keyboard"),
        monitor_denied=found.told("monitor_denied", displays_known),
        monitor_denied_seen_at=found.at.get("monitor_denied"),
        came_together=found.told("came_together", both),
        came_together_seen_at=found.at.get("came_together"),
        virtual_display=found.told("virtual_display", displays_known),
        virtual_display_seen_at=found.at.get("virtual_display"),
        before=found.told("before", history_known),
        before_seen_at=found.at.get("before"),
        remarks=found.told("remarks", both),
        remarks_seen_at=found.at.get("remarks"),
    )


def _devices(given: Given, kind: str) -> tuple[bool, list[Seen]]:
    """Whether this kind was read, and what is and was attached."""
    newest = given.view.newest.get(kind)
    if newest is None or kind in given.policy.unasked(given.view.group):
        return False, []
    seen: list[Seen] = []
    if isinstance(newest.signal, signals.UsbDevices):
        seen = [(device, given.as_of) for device in newest.signal.devices[:MOST_USB]]
    elif isinstance(newest.signal, signals.Displays):
        seen = [(display, given.as_of) for display in newest.signal.displays[:MOST_DISPLAYS]]
    for each in given.view.attachments:
        body = each.usb if kind == signals.UsbDevices.kind else each.display
        if body is not None and (each.removed_at is not None or newest.signal is None):
            seen.append((body, each.removed_at or newest.measured_at))
    return _is_whole(newest), seen


def _is_whole(newest: Newest) -> bool:
    """Everything that is there was listed, and could be read."""
    if isinstance(newest.signal, signals.UsbDevices):
        return not newest.signal.omitted and len(newest.signal.devices) <= MOST_USB
    if isinstance(newest.signal, signals.Displays):
        return all(each.readable or each.internal or each.virtual for each in newest.signal.displays)
    return newest.failure == "absent"


def _look_at_usb(given: Given, device: UsbDevice, at: datetime, found: _Found) -> None:
    tables = given.hardware
    signs = usb_signs(device, tables)
    if signs and any(given.hardware_allowed(sign.products) for sign in signs):
        return
    _tell(given, signs, at, found)
    if signs and any(sign.tier == "gadget" for sign in signs):
        if contradictions.has_keyboard(device):
            found.add("gadget_keyboard", f"{usb_name(device)}, a keyboard", at)
        else:
            found.add("remarks", f"{usb_name(device)}, which Linux plays", at)
    for words in contradictions.claims_denied(device, tables):
        found.add("contradictions", words, at)
    if contradictions.has_two_pointers(device):
        found.add("two_pointers", usb_name(device), at)
    if contradictions.has_place_pointer_alone(device):
        found.add("place_keyboard", usb_name(device), at)
    if contradictions.is_fast_keyboard(device, tables):
        found.add("fast_keyboard", f"{usb_name(device)} at {device.speed_mbps:g} Mb/s", at)


def _look_at_display(given: Given, display: Display, at: datetime, found: _Found) -> None:
    signs = display_signs(display, given.hardware)
    if signs and any(given.hardware_allowed(sign.products) for sign in signs):
        return
    _tell(given, signs, at, found)
    if contradictions.description_broken(display):
        found.add("remarks", f"{display_name(display)}, whose description does not add up", at)
    for words in monitor_claims.monitor_denied(display, given.hardware):
        found.add("monitor_denied", words, at)
    driver = monitor_claims.virtual_words(display, given.hardware)
    if driver is not None:
        found.add("virtual_display", driver, at)


def _look_back(given: Given, found: _Found) -> bool:
    """What the system remembers and what is not there any more; whether that is known. A system that remembers nothing
    has nothing to tell."""
    kind = signals.HardwareHistory.kind
    newest = given.view.newest.get(kind)
    if newest is None or kind in given.policy.unasked(given.view.group):
        return False
    if not isinstance(newest.signal, signals.HardwareHistory):
        return newest.failure in ("absent", "unsupported")
    told = [(usb_signs(each, given.hardware), each.removed_at) for each in newest.signal.usb_devices[:MOST_EARLIER]]
    told += [(display_signs(each, given.hardware), each.removed_at) for each in newest.signal.displays[:MOST_EARLIER]]
    for signs, removed_at in told:
        if any(given.hardware_allowed(sign.products) for sign in signs):
            continue
        for sign in signs:
            if sign.tier in ("exact", "masquerade", "bridge"):
                # The laptop's claim: a moment that has not come yet is none.
                at = min(removed_at or newest.measured_at, newest.measured_at)
                found.add("before", f"{sign.words} ({given.hardware.names(sign.products)})", at)
    return True


def _look_at_events(given: Given, found: _Found) -> None:
    newest = given.view.newest
    usb, displays = newest.get(signals.UsbDevices.kind), newest.get(signals.Displays.kind)
    if usb is None or displays is None:
        return
    if isinstance(usb.signal, signals.UsbDevices) and isinstance(displays.signal, signals.Displays):
        for words, at in monitor_claims.came_together(usb.signal, displays.signal):
            found.add("came_together", words, min(at, usb.measured_at))


def _tell(given: Given, signs: list[Sign], at: datetime, found: _Found) -> None:
    """Add the signs of one device. A box that poses as another in one way poses in all: its own names tell only which
    box it is."""
    posing = "masquerade" in [sign.tier for sign in signs]
    for sign in signs:
        if sign.tier in ("exact", "masquerade"):
            fact = "posing" if posing else "kvm"
            found.add(fact, given.hardware.names(sign.products), at)
            found.add(f"{fact}_signs", sign.words, at)
        elif sign.tier in ("bridge", "rack"):
            found.add(sign.tier, f"{sign.words} ({given.hardware.names(sign.products)})", at)
        elif sign.tier == "context":
            found.add("remarks", f"{sign.words} ({given.hardware.names(sign.products)})", at)


def _bare(found: tuple[str, ...] | None, bare: bool | None) -> tuple[str, ...] | None:
    """What counts on bare metal alone: virtual machines have pointers to places."""
    return found if bare or not found else () if bare is False else None


def _on_bare_metal(given: Given) -> bool | None:
    """Whether this is a machine and no virtual one; None where that could not be told."""
    newest = given.view.newest.get(signals.Platform.kind)
    platform = newest.signal if newest is not None else None
    if not isinstance(platform, signals.Platform) or platform.hypervisor is None:
        return None
    return platform.hypervisor == "none"
