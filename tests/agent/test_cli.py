"""The commands, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent.cli import main
from agent.disk import Folder
from agent.host import rights
from agent.host.linux import LinuxHost
from agent.show import declaration
from agent.status import Status, tell
from agent.wire.settings import Landmark
from agent.wire.signals import SIGNALS
from tests.agent.fake_collector import FakeCollector
from tests.agent.processes import ROOT, Agent
from tests.agent.support import enrolled, orders
from tests.fakes import FakeHost


def occasions(collector: FakeCollector) -> list[str]:
    return [report.occasion for report in collector.received()]


@pytest.fixture
def home(tmp_path: Path) -> list[str]:
    """Options that keep everything in a folder of the test."""
    config = tmp_path / "agent.yaml"
    config.write_text(yaml.safe_dump({"run_dir": str(tmp_path / "run"), "state_dir": str(tmp_path / "state")}))
    return ["--config", str(config)]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(words)
    said = capsys.readouterr()
    return status, said.out, said.err


def typed(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command as a process of its own."""
    command = [sys.executable, "-m", "agent", *words]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_once_measures_without_enrolment_and_leaves_nothing(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, *home, "once", "--json")
    assert status == 0
    measured = {measurement["kind"]: measurement for measurement in json.loads(out)["measurements"]}
    assert measured["clock"]["data"]["timezone"]
    assert measured["remote_tools"]["failure"] == "unsupported"
    assert measured["clock"]["cpu_ms"] >= 0
    assert not (tmp_path / "state").exists()
    assert "clock:" in run(capsys, *home, "once")[1]


def test_enrolment_by_command_then_status_show_and_doctor(
    home: list[str], collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "enrol", "--url", collector.url, "--token", "good", *home)[:2] == (
        0,
        "enrolled: this laptop is device 018f0000-0000-7000-8000-000000000001\n",
    )
    status, out, _ = run(capsys, *home, "status", "--json")
    assert status == 0
    standing = json.loads(out)
    assert (standing["enrolled"], standing["collector"], standing["spool_depth"]) == (True, collector.url, 0)
    assert "nothing yet" in run(capsys, *home, "status")[1]
    shown = run(capsys, *home, "show")[1]
    assert f"Reports go to {collector.url}" in shown
    status, out, _ = run(capsys, *home, "doctor")
    assert "works   collector" in out
    assert "works   enrolment" in out
    assert collector.bad_signatures == []


def test_a_refused_token_is_said_in_one_line(
    home: list[str], collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *home, "enrol", "--url", collector.url, "--token", "bad")
    assert (status, out) == (1, "")
    assert err == "farhand-agent: the collector refused: token-refused\n"


def test_any_other_refusal_keeps_its_number_and_type_for_whoever_looks_it_up(
    home: list[str], collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.script = [lambda request: request.refuse("too-many-requests", 429)]
    err = run(capsys, *home, "enrol", "--url", collector.url, "--token", "good")[2]
    told = "the collector answered 429 urn:farhand:problem:too-many-requests too-many-requests"
    assert err == f"farhand-agent: {told}\n"


def test_certificates_for_plain_http_are_refused_before_a_key_is_drawn(
    home: list[str], tmp_path: Path, collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*home, "enrol", "--url", collector.url, "--token", "good", "--ca", str(tmp_path / "ca.pem"))
    status, _, err = run(capsys, *words)
    assert (status, collector.requests) == (2, [])
    assert err.endswith("leave --ca out\n")
    assert not (tmp_path / "state").exists()


def test_a_folder_in_place_of_a_configuration_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"farhand-agent: {tmp_path}: is a folder; give the path of an agent.yaml\n"
    assert run(capsys, "--config", str(tmp_path), "status") == (2, "", said)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, ["waiting     0 reports", "given up    0 reports"]),
        (1, ["waiting     1 report", "given up    1 report", "upload      failed once; next try in 9 s or later"]),
        (
            2,
            [
                "waiting     2 reports",
                "given up    2 reports",
                "upload      failed 2 times running; next try in 9 s or later",
            ],
        ),
    ],
)
def test_the_status_counts_as_people_do(count: int, words: list[str]) -> None:
    said: list[str] = []
    tell(Status(enrolled=True, version="1", spool_depth=count, dropped=count, failures=count, backoff_s=9), said.append)
    assert [line for line in said if line.startswith(("waiting", "given up", "upload"))] == words


def test_a_token_may_come_in_a_file_which_is_deleted_after_use(
    home: list[str], tmp_path: Path, collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("bad\n")
    words = (*home, "enrol", "--url", collector.url, "--token-file", str(tmp_path / "token"))
    assert typed(*words).returncode == 1
    assert (tmp_path / "token").exists()
    (tmp_path / "token").write_text("good\n")
    assert typed(*words).returncode == 0
    assert not (tmp_path / "token").exists()
    assert typed(*words[:-1], "-", given="good\n").returncode == 0
    assert collector.requests == ["POST /agent/v1/enrol"] * 3


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe"])
def test_a_file_without_a_token_is_said_before_anything_is_sent(
    home: list[str], tmp_path: Path, collector: FakeCollector, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    status, _, err = run(capsys, *home, "enrol", "--url", collector.url, "--token-file", str(tmp_path / "token"))
    assert (status, collector.requests) == (2, [])
    assert "write the token alone into it" in err


def test_a_token_is_needed_and_one_is_enough(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--token", "a", "--token-file", "b")):
        with pytest.raises(SystemExit) as left:
            main([*home, "enrol", "--url", "https://farhand.example.com", *words])
        assert left.value.code == 2
    assert "--token" in capsys.readouterr().err


def test_an_enrolment_on_other_hardware_takes_a_key_of_its_own(
    home: list[str],
    tmp_path: Path,
    collector: FakeCollector,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Folder.open(tmp_path / "state")
    cloned = enrolled(folder, FakeHost(machine_binding="id:uuid:one"), collector.url)
    monkeypatch.setattr(LinuxHost, "machine_binding", lambda self: "id:uuid:two")
    assert run(capsys, *home, "enrol", "--url", collector.url, "--token", "good")[0] == 0
    assert cloned.key_id not in collector.keys
    assert len(collector.keys) == 1
    assert (tmp_path / "state" / "archive-1" / "identity.json").exists()
    folder.close()


def test_a_folder_of_somebody_else_is_never_called_not_enrolled(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state").chmod(0o777)
    status, out, err = run(capsys, *home, "status", "--json")
    assert (status, out) == (2, "")
    assert "others may write to it" in err
    status, out, _ = run(capsys, *home, "show")
    assert status == 0
    assert "clock (sent when it changes)" in out
    assert "is not for this user to see" in out
    assert "nothing was sent" not in out


@pytest.mark.parametrize("command", ["once", "doctor"])
def test_a_person_without_rights_is_told_that_the_agent_sees_more(
    home: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    folder = Folder.open(tmp_path / "state")
    enrolled(folder, FakeHost())
    folder.close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(rights, "STATUS", str(tmp_path / "status"))
    (tmp_path / "status").write_text("Name:\tpython\nCapEff:\t0000000000000000\n")
    status, out, _ = run(capsys, *home, command)
    assert status == (0 if command == "once" else 1)
    assert "without root the serial number and other users' programs stay unseen; sudo shows more" in caplog.text
    assert f"{tmp_path}/state: belongs to " in (caplog.text if command == "once" else out)
    assert "no catalogue of remote-access tools; it comes with enrolment, and only the agent's own user" in out


def test_a_state_that_is_damaged_stops_nobody_who_looks(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder.open(tmp_path / "state")
    enrolled(folder, FakeHost())
    folder.save("state.json", b"{")
    folder.close()
    assert run(capsys, *home, "status")[0] == 0
    assert "until it changes: nothing" in run(capsys, *home, "show")[1]


def test_show_names_the_collector_that_the_configuration_sets(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder.open(tmp_path / "state")
    enrolled(folder, FakeHost())
    folder.close()
    moved = {"run_dir": str(tmp_path / "run"), "state_dir": str(tmp_path / "state")}
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(moved | {"collector": {"url": "https://new.example.com"}}))
    assert "Reports go to https://new.example.com" in run(capsys, *home, "show")[1]


def test_show_names_every_landmark_of_the_signed_settings(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder.open(tmp_path / "state")
    enrolled(folder, FakeHost(), offered=orders(landmarks=(Landmark(id="own", host="probe.example.com", port=8443),)))
    folder.close()
    shown = run(capsys, *home, "show")[1]
    assert "Landmarks that connections are timed to: 1.\n  own: probe.example.com port 8443\n" in shown


def test_plain_http_to_another_machine_is_refused_before_a_key_is_drawn(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, *home, "enrol", "--url", "http://farhand.example.com", "--token", "good")
    assert status == 1
    assert "write https://" in err
    assert not (tmp_path / "state" / "identity.json").exists()


def test_a_laptop_that_is_not_enrolled_says_so(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *home, "status") == (1, "not enrolled: nothing is measured or sent\n", "")
    assert "not enrolled" in run(capsys, *home, "show")[1]


def test_doctor_goes_on_without_a_folder_and_makes_none(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *home, "doctor")
    assert (status, err) == (1, "")
    assert "works   clock" in out
    assert f"not     state folder: {tmp_path}/state is made at enrolment\n" in out
    assert "problem enrolment: not enrolled; run: farhand-agent enrol --url URL --token-file FILE\n" in out
    assert "not     collector: " in out
    assert not (tmp_path / "state").exists()


def test_a_kind_that_would_be_measured_all_the_same_is_named_by_doctor_and_at_each_start(
    tmp_path: Path, collector: FakeCollector
) -> None:
    laptop = Agent(tmp_path, collector)
    laptop.config.write_text(laptop.config.read_text() + "probes_off: [powr, clock, moon_phase]\n")
    misspelt = "probes_off: this agent knows no kind 'powr', so that switches nothing off; did you mean power?\n"
    examined = laptop.command("doctor")
    assert examined.returncode == 1
    assert f"problem agent.yaml: {misspelt}" in examined.stdout
    assert (
        "no kind 'moon_phase', so that switches nothing off; the kinds here are agent_integrity, clock"
        in examined.stdout
    )
    assert "'clock'" not in examined.stdout
    for starts in (1, 2):
        laptop.start()
        try:  # an older agent goes on under the file of a newer one
            collector.wait_for(lambda starts=starts: occasions(collector).count("started") == starts)
            assert laptop.stop() == 0
        finally:
            laptop.end()
    assert laptop.errors.read_text().count(f"farhand-agent: agent.yaml: {misspelt}") == 2


def test_show_has_a_sentence_for_every_field_that_can_leave(
    home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, *home, "show")[1]
    for signal in SIGNALS:
        assert f"{signal.kind} (" in out
        assert signal.purpose in out
        for field in signal.__struct_fields__:
            assert f"\n  {field}: " in out, f"{signal.kind}.{field} has no sentence"
    assert [line for line in declaration() if line.strip() and ":" not in line] == []
    assert "; empty where it cannot be read." in out
    assert "None" not in out  # a programmer's word
    for said_around in ("created_at", "dropped", "serial", "hostname", "token"):
        assert f"  {said_around}: " in out
    assert "\n    min_rtt_ms: " in out
    assert "\n      min_rtt_ms: " in out


def test_a_wrong_configuration_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agent.yaml").write_text("spool: {max_mb: ten}")
    status, _, err = run(capsys, "--config", str(tmp_path / "agent.yaml"), "status")
    assert status == 2
    assert err == (
        'farhand-agent: agent.yaml: spool.max_mb: expected int, got "ten"; write a number of megabytes, 1 to 1000\n'
    )


def test_a_state_folder_that_others_may_write_to_is_refused(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state").chmod(0o777)
    status, _, err = run(capsys, *home, "run")
    assert status == 2
    assert "chmod go-w" in err


def test_the_last_report_is_shown_after_it_was_delivered(
    home: list[str], tmp_path: Path, collector: FakeCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    from agent.cycle import run_cycle
    from tests.agent.support import Laptop, tools
    from tests.agent.test_cycle import ModelCollector

    folder = Folder.open(tmp_path / "state")
    host = Laptop()
    enrolled(folder, host)
    run_cycle(tools(folder, host, ModelCollector()), "scheduled")
    out = run(capsys, *home, "show")[1]
    assert '"occasion": "scheduled"' in out
    assert "is not sent again until it changes: clock, power." in out
    folder.close()
