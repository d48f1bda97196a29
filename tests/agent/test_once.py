"""once: what a person sees who measures now, of a laptop that is described."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from msgspec.structs import replace

from agent.disk import Disk
from agent.once import once
from agent.probe import Given, Probe, Unavailable
from agent.wire.report import Measurement
from agent.wire.signals import Clock, Power, RemoteTools, Signal
from tests.agent.fake_disk import FakeDisk, Machine
from tests.agent.support import CLOCK, Laptop, enrolled, orders


def no_power(given: Given) -> Signal:
    raise Unavailable("denied", "/sys/secret: permission denied", "run the agent as root")


def tools(given: Given) -> Signal:
    if given.catalogue is None:
        raise Unavailable("absent", "no catalogue")
    return RemoteTools(catalogue_version=given.catalogue.version, tools=())


PROBES = (
    CLOCK,
    Probe(signal=Power, collect=no_power, every_s=0),
    Probe(signal=RemoteTools, collect=tools, every_s=86400),
)


class Shy(Clock, frozen=True, kw_only=True):
    """A kind that is measured on request alone."""

    on_request: ClassVar[bool] = True


def measured(disk: Disk | None) -> list[dict[str, Any]]:
    said: list[str] = []
    once(Laptop(), PROBES, disk, said.append, as_json=True)
    (text,) = said
    found: list[dict[str, Any]] = json.loads(text)["measurements"]
    return found


def test_the_json_holds_every_measurement_as_it_would_be_sent_and_what_it_cost() -> None:
    clock, power, remote_tools = measured(None)
    assert clock["data"] == {"timezone": "Europe/Berlin", "utc_offset_minutes": 60}
    assert (clock["kind"], clock["stable"], clock["uptime_s"]) == ("clock", True, 7200.0)
    assert clock["started_at"] == "2026-11-21T12:00:00Z"
    assert clock["cpu_ms"] >= 0
    assert clock["runtime_ms"] >= 0
    assert "failure" not in clock
    assert (remote_tools["kind"], remote_tools["failure"]) == ("remote_tools", "absent")
    assert power["failure"] == "denied"


def test_the_json_tells_a_person_why_there_is_no_signal_and_what_would_help() -> None:
    power = measured(None)[1]
    assert power["detail"] == "/sys/secret: permission denied"
    assert power["remedy"] == "run the agent as root"
    assert not {"detail", "remedy"} & set(Measurement.__struct_fields__)  # neither can leave the laptop


def test_on_an_enrolled_laptop_the_signed_catalogue_is_compared_with_and_nothing_is_kept() -> None:
    disk = FakeDisk(Machine())
    enrolled(disk, Laptop())
    before = dict(disk.names)
    assert measured(disk)[2]["data"] == {"catalogue_version": 1, "tools": []}
    assert disk.names == before
    assert not disk.has("spool")


def test_what_is_switched_off_is_not_measured_for_a_person_either() -> None:
    disk = FakeDisk(Machine())
    enrolled(disk, Laptop(), offered=orders(probes_off=("power",)))
    said: list[str] = []
    once(Laptop(), PROBES, disk, said.append, off=["clock"], as_json=True)
    assert [one.get("failure") for one in json.loads(said[0])["measurements"]] == ["disabled", "disabled", None]


def test_a_folder_that_is_damaged_counts_as_not_enrolled() -> None:
    disk = FakeDisk(Machine())
    disk.save("enrolment.json", b"{")
    assert measured(disk)[2]["failure"] == "absent"


def test_the_words_hold_the_same() -> None:
    said: list[str] = []
    once(Laptop(), PROBES, None, said.append, as_json=False)
    text = "\n".join(said)
    assert '"timezone": "Europe/Berlin"' in text
    assert "denied: /sys/secret: permission denied; run the agent as root" in text


def test_what_runs_on_request_alone_says_so_to_a_person() -> None:
    said: list[str] = []
    once(Laptop(), [replace(PROBES[0], signal=Shy)], None, said.append, as_json=False)
    assert "disabled: runs only where the collector's policy names it in probes_on" in said[0] + said[1]
