"""doctor: what it says of headers of packets, where the collector's policy wants them, and of helpers in sessions."""

from __future__ import annotations

import pytest

from agent import doctor
from agent.config import Config
from agent.host import System, rights
from agent.host.macos_place import PLACE_HELPER
from tests.fakes import INPUT_HELPERS, FakeHost


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        pytest.param(FakeHost(files={rights.STATUS: "CapEff:\t0000000000002000\n"}), "works", id="the unit allows it"),
        pytest.param(FakeHost(files={rights.STATUS: "CapEff:\t0000000000080004\n"}), "partly", id="as shipped"),
        pytest.param(FakeHost(system="windows"), "partly", id="another system"),
    ],
)
def test_headers_of_packets_need_a_right_that_the_unit_does_not_give(host: FakeHost, verdict: str) -> None:
    found = doctor._about_headers(host)
    assert found.verdict == verdict
    assert ("CAP_NET_RAW" in found.words) is (verdict == "partly")


@pytest.mark.parametrize(
    ("system", "what_helps"),
    [
        ("linux", "start farhand-agent-input.socket"),
        ("macos", "install the package again"),
        ("windows", "install the package again"),
    ],
)
def test_the_helper_has_a_line_of_its_own_and_is_not_asked(system: System, what_helps: str) -> None:
    there = doctor._about_helper(FakeHost(system=system, files={INPUT_HELPERS[system]: ""}))
    assert (there.subject, there.verdict) == ("input helper", "works")
    assert "counts nothing until the policy names input_activity" in there.words
    missing = doctor._about_helper(FakeHost(system=system))
    assert missing.verdict == "not"
    assert INPUT_HELPERS[system] in missing.words
    assert what_helps in missing.words


def test_a_mac_has_a_line_for_the_helper_that_may_know_the_location_and_others_have_none() -> None:
    there = doctor._about_place_helper(FakeHost(system="macos", files={PLACE_HELPER: ""}))
    assert (there.subject, there.verdict) == ("location helper", "works")
    assert "macOS asks the person" in there.words
    missing = doctor._about_place_helper(FakeHost(system="macos"))
    assert (missing.verdict, "install the package again" in missing.words) == ("not", True)
    said: dict[System, list[str]] = {"macos": [], "linux": []}
    for system, lines in said.items():
        doctor.examine(Config(), FakeHost(system=system), [], None, "", lines.append)
    assert [any("location helper" in line for line in lines) for lines in said.values()] == [True, False]
