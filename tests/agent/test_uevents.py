"""What the kernel says of hardware between two cycles."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from agent import parent, uevents
from agent.host import KernelEvent
from agent.host.linux import kernel_events
from agent.lookout import Lookout
from agent.uevents import Hardware, parse, unpack
from tests.agent.processes import wait_until

MILLIS = 1_795_000_000_000
NULL = Path("/sys/devices/virtual/mem/null/uevent")


def message(action: str, path: str, subsystem: str, **values: str) -> bytes:
    said = {"ACTION": action, "DEVPATH": path, "SUBSYSTEM": subsystem, **values, "SEQNUM": "4711"}
    return b"\0".join([f"{action}@{path}".encode(), *(f"{k}={v}".encode() for k, v in said.items()), b""])


PORT = "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3"
CAME = message("add", PORT, "usb", DEVTYPE="usb_device", PRODUCT="1d6b/104/100")
WENT = message("remove", PORT, "usb", DEVTYPE="usb_device")
SCREEN = message("change", "/devices/pci0000:00/0000:00:02.0/drm/card1", "drm", DEVTYPE="drm_minor", HOTPLUG="1")


@pytest.mark.parametrize(
    ("said", "event"),
    [
        pytest.param(CAME, (MILLIS, "add", "usb", "1-2.3"), id="a device came"),
        pytest.param(WENT, (MILLIS, "remove", "usb", "1-2.3"), id="a device went"),
        pytest.param(SCREEN, (MILLIS, "change", "drm", "card1"), id="a monitor came or went"),
        pytest.param(message("add", f"{PORT}/1-2.3:1.0", "usb", DEVTYPE="usb_interface"), None, id="a part of it"),
        pytest.param(message("bind", PORT, "usb", DEVTYPE="usb_device"), None, id="a driver took it"),
        pytest.param(message("change", "/devices/x/drm/card1", "drm", LEASE="1"), None, id="graphics, no monitor"),
        pytest.param(message("add", "/devices/virtual/net/tun0", "net"), None, id="a network interface"),
        pytest.param(message("add", "/x/" + "y" * 65, "usb", DEVTYPE="usb_device"), None, id="a name too long"),
        pytest.param(message("add", "/x/1;2", "usb", DEVTYPE="usb_device"), None, id="a name that would break"),
        pytest.param(b"\xff\xfe=\0=\0\0", None, id="no message at all"),
    ],
)
def test_what_counts_as_hardware(said: bytes, event: uevents.Event | None) -> None:
    assert parse(said, MILLIS) == event


class Kernel:
    """A socket on which the kernel, or somebody else, says things."""

    def __init__(self, *said: tuple[bytes, int]) -> None:
        self._said = list(said)

    def recvfrom(self, _most: int) -> tuple[bytes, tuple[int, int]]:
        if not self._said:
            raise BlockingIOError
        text, sender = self._said.pop(0)
        if text == b"":
            raise OSError(105, "No buffer space available")
        return text, (sender, 1)


def hearing(*said: tuple[bytes, int]) -> Hardware:
    return Hardware(Kernel(*said))  # type: ignore[arg-type]


def test_what_was_heard_reaches_the_probes_with_its_time() -> None:
    hardware = hearing((CAME, 0), (WENT, 0), (SCREEN, 0), (SCREEN, 0))
    before = time.time()
    assert hardware.hear()
    events = kernel_events(hardware.text())
    assert [(each.action, each.subsystem, each.device) for each in events] == [
        ("add", "usb", "1-2.3"),
        ("remove", "usb", "1-2.3"),
        ("change", "drm", "card1"),
    ]
    assert all(abs(each.at.timestamp() - before) < 5 for each in events)
    assert not hardware.hear()


def test_a_monitor_that_comes_and_goes_an_hour_later_is_heard_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = MILLIS * 1_000_000
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _clock: now_ns)
    hardware = hearing((SCREEN, 0), (SCREEN, 0))
    assert hardware.hear()
    hardware._socket = Kernel((SCREEN, 0), (SCREEN, 0))  # type: ignore[assignment]
    now_ns += 3600 * 1_000_000_000
    assert hardware.hear()
    assert [at_ms for at_ms, *_ in unpack(hardware.text())] == [MILLIS, MILLIS + 3_600_000]


def test_only_the_kernel_is_believed() -> None:
    hardware = hearing((CAME, 4242))
    assert not hardware.hear()
    assert hardware.text() == ""


def test_a_flood_keeps_the_last_32_and_a_lost_message_ends_nothing() -> None:
    flood = [(message("add", f"/usb1/1-{number}", "usb", DEVTYPE="usb_device"), 0) for number in range(1, 200)]
    hardware = hearing(*flood[:100], (b"", 0), *flood[100:])
    assert hardware.hear()
    heard = unpack(hardware.text())
    assert [device for _, _, _, device in heard] == [f"1-{number}" for number in range(168, 200)]
    assert len(hardware.text()) < 2000


def test_what_is_no_event_is_left_out() -> None:
    assert unpack("") == unpack("x") == unpack("a:b:c:d;1:2:3") == []
    assert kernel_events("") == ()


@pytest.mark.skipif(not os.access(NULL, os.W_OK), reason="the kernel cannot be made to speak without root and /sys")
def test_the_real_kernel_is_heard_and_a_forger_is_not() -> None:
    listener = uevents.listen()
    if listener is None:
        pytest.skip("no netlink socket for the kernel's messages can be opened here")
    said: list[tuple[bytes, int]] = []

    class Recorded:
        def recvfrom(self, most: int) -> tuple[bytes, tuple[int, int]]:
            text, address = listener.recvfrom(most)
            said.append((text, address[0]))
            return text, address

    hardware = Hardware(Recorded())  # type: ignore[arg-type]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, uevents.KOBJECT_UEVENT) as forger:
        forger.bind((0, 0))
        forger.sendto(CAME, (0, uevents.FROM_KERNEL))
    NULL.write_text("change")
    wait_until(lambda: not hardware.hear() and any(b"SUBSYSTEM=mem" in text for text, _ in said))
    listener.close()
    assert (CAME, 0) not in said
    assert any(text == CAME for text, _ in said)
    assert {sender for text, sender in said if b"SUBSYSTEM=mem" in text} == {0}
    assert hardware.text() == ""


class Bell(Hardware):
    """Hardware whose news a test rings."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        super().__init__(None)

    @property
    def descriptors(self) -> list[int]:
        return [self.reader]

    def ring(self) -> None:
        os.write(self.writer, b"!")

    def hear(self) -> bool:
        return bool(os.read(self.reader, 1))

    def close(self, *more: int) -> None:
        for descriptor in (self.reader, self.writer, *more):
            os.close(descriptor)


def told_to_stop(stop: int, delay_s: float, bell: Bell) -> bool:
    """Wait as the parent does while no connection is timed."""
    return parent._told_to_stop(stop, delay_s, bell, Lookout(no_helper), [])


def no_helper(options: list[str]) -> tuple[int, int]:
    raise AssertionError("nobody asked for a helper")


def test_hardware_shortens_the_wait_and_less_so_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uevents, "SETTLE_S", 0.05)
    monkeypatch.setattr(uevents, "SHORTEST_PATIENCE_S", 0.1)
    stop, keep = os.pipe()
    bell = Bell()
    bell.patience_s = 0.1
    waits = []
    for _ in range(3):
        bell.ring()
        began = time.monotonic()
        assert not told_to_stop(stop, 60.0, bell)
        waits.append(time.monotonic() - began)
    assert 0.05 <= waits[0] < waits[1] < waits[2] < 2.0
    assert not told_to_stop(stop, 0.01, bell)
    assert bell.patience_s == 0.1
    bell.close(stop, keep)


def test_a_plug_that_never_holds_causes_no_more_cycles_than_there_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uevents, "SETTLE_S", 0.01)
    monkeypatch.setattr(uevents, "SHORTEST_PATIENCE_S", 0.05)
    monkeypatch.setattr(uevents, "LONGEST_PATIENCE_S", 0.5)
    stop, keep = os.pipe()
    bell = Bell()
    bell.patience_s = 0.05
    waits = []
    for _ in range(7):
        bell.ring()
        began = time.monotonic()
        assert not told_to_stop(stop, 0.4, bell)
        waits.append(time.monotonic() - began)
    assert waits[0] < 0.4
    assert min(waits[4:]) >= 0.4
    bell.close(stop, keep)


def test_a_stop_is_heard_while_hardware_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, told = os.pipe()
    bell = Bell()
    bell.ring()
    os.write(told, b"!")
    began = time.monotonic()
    assert told_to_stop(stop, 60.0, bell)
    assert time.monotonic() - began < 2.0
    bell.close(stop, told)


def test_an_event_is_a_kernel_event_of_the_host() -> None:
    (event,) = kernel_events(f"{MILLIS}:add:usb:1-2.3")
    assert isinstance(event, KernelEvent)
    assert event.at.timestamp() == MILLIS / 1000
