"""displays."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.hardware.edid import HEADER, parse_edid
from agent.host import KernelEvent
from agent.probe import Given, Unavailable
from agent.probes import displays
from agent.wire.report import encode_signal
from agent.wire.signals import Display, Displays, HardwareEvent
from tests.fakes import NOON, FakeHost
from tests.hardware import display_files, edid

OFFICE = Display(
    connector="card1-DP-2",
    vendor="DEL",
    product_code="a0ec",
    serial_number=0x4C4D3042,
    serial_text="7JH2K03",
    name="DELL P2419H",
    made_week=12,
    made_year=2021,
    width_cm=53,
    height_cm=30,
    preferred="1920x1080@60.0",
    has_audio=True,
    most_clock_mhz=170,
)
PANEL = Display(
    connector="card1-eDP-1",
    internal=True,
    vendor="BOE",
    product_code="084e",
    serial_number=0,
    made_week=30,
    made_year=2019,
    width_cm=31,
    height_cm=17,
    preferred="1920x1080@60.0",
    most_clock_mhz=150,
)


def digested(display: Display) -> Display:
    """The same with what the probe adds: digests and length."""
    data = edid(display)
    return msgspec.structs.replace(
        display,
        block0_sha256=sha256(data[:128]).hexdigest(),
        edid_sha256=sha256(data).hexdigest(),
        edid_bytes=len(data),
    )


def test_every_connected_monitor_is_read_and_the_laptops_own_panel_is_marked() -> None:
    found = displays.collect(Given(host=FakeHost(files=display_files(PANEL, OFFICE)), catalogue=None))
    assert found.displays == (digested(OFFICE), digested(PANEL))


def test_a_monitor_that_says_nothing_is_still_there() -> None:
    mute = Display(connector="card1-HDMI-A-1", readable=False)
    assert displays.collect(Given(host=FakeHost(files=display_files(mute)), catalogue=None)).displays == (mute,)


def test_a_wrong_sum_is_told() -> None:
    data = bytearray(edid(OFFICE))
    data[127] ^= 1
    assert not parse_edid(bytes(data), "card1-DP-2").checksum_ok
    assert not parse_edid(edid(OFFICE)[:200], "card1-DP-2").checksum_ok


TEXTS = st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@settings(max_examples=200)
@given(
    st.builds(
        Display,
        connector=st.just("card0-HDMI-A-1"),
        vendor=st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), min_size=3, max_size=3),
        product_code=st.integers(0, 65535).map("{:04x}".format),
        serial_number=st.integers(0, 2**32 - 1),
        serial_text=TEXTS,
        name=TEXTS,
        made_week=st.integers(0, 255),
        made_year=st.integers(1990, 2245),
        width_cm=st.integers(0, 255),
        height_cm=st.integers(0, 255),
        preferred=st.sampled_from((None, "1280x720@60.0", "2560x1440@59.9", "3840x1200@30.0")),
        has_audio=st.booleans(),
        most_clock_mhz=st.integers(1, 254).map(lambda tens: tens * 10),
    )
)
def test_whatever_a_monitor_says_is_what_is_read(display: Display) -> None:
    assert parse_edid(edid(display), display.connector) == digested(display)


@settings(max_examples=300)
@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_of_a_monitor_break_the_probe(data: bytes, plausible: bool) -> None:
    encode_signal(Displays(displays=(parse_edid(HEADER + data if plausible else data, "x"),)))


def test_when_a_monitor_came_or_went_is_told() -> None:
    at = NOON - timedelta(minutes=3)
    events = (
        KernelEvent(at=at, action="change", subsystem="drm", device="card1"),
        KernelEvent(at=at, action="add", subsystem="usb", device="1-2"),
    )
    found = displays.collect(Given(host=FakeHost(files=display_files(OFFICE), events=events), catalogue=None))
    assert found.events == (HardwareEvent(at=at, action="change", device="card1"),)


def test_a_machine_without_graphics_says_so() -> None:
    with pytest.raises(Unavailable) as caught:
        displays.collect(Given(host=FakeHost(), catalogue=None))
    assert caught.value.failure == "absent"


def test_a_machine_with_nothing_connected_is_no_failure() -> None:
    assert displays.collect(Given(host=FakeHost(files=display_files()), catalogue=None)).displays == ()
