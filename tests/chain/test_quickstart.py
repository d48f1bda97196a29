"""`make run` as a newcomer meets it: it comes up, keeps its state, says what is in its way, leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector import quickstart
from collector.quickstart import QuickstartError

pytestmark = pytest.mark.slow


@contextmanager
def running(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`make run` in a folder, and what it printed until it was up or had failed."""
    command = [
        sys.executable,
        "-m",
        "collector.quickstart",
        "--folder",
        str(folder),
        "--port",
        str(port),
        "--no-landmarks",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    try:
        yield process, said
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def agent_status(folder: Path) -> dict[str, Any]:
    """What the agent of a folder says of itself."""
    command = [sys.executable, "-m", "agent", "status", "--json", "--config", str(folder / "agent.yaml")]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def is_free(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((quickstart.HOST, port)) != 0


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_leave_no_process_and_no_port_behind(tmp_path: Path, number: int) -> None:
    port = quickstart.free_port()
    with running(tmp_path, port) as (process, said):
        assert f"http://127.0.0.1:{port}/sign-in?link=" in said
        os.kill(process.pid, number)
        assert process.wait(30) == 0
    assert processes_of(tmp_path) == []
    assert is_free(port)


def test_a_second_run_finds_the_machine_enrolled_as_before_and_reporting_to_the_port_of_today(tmp_path: Path) -> None:
    names = set()
    for _ in range(2):
        port = quickstart.free_port()
        with running(tmp_path, port):
            status = agent_status(tmp_path)
            names.add(status["device_id"])
            assert status["collector"] == f"http://127.0.0.1:{port}"
    assert len(names) == 1


def test_a_port_that_is_taken_is_said_at_once_and_nothing_is_promised(tmp_path: Path) -> None:
    with socket.create_server((quickstart.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path, port) as (process, said):
            assert process.wait(30) == 1
    assert f"port {port} of 127.0.0.1 cannot be used" in said
    assert f"such as PORT={port + 1}" in said
    assert "enrolled" not in said


def test_a_number_that_is_no_port_is_told_as_one() -> None:
    with pytest.raises(quickstart.QuickstartError, match="there is no port 80000; choose one from 1 to 65535"):
        quickstart.require_free(80000)


def test_a_second_one_at_once_in_the_same_folder_says_why_it_cannot(tmp_path: Path) -> None:
    with (
        running(tmp_path, quickstart.free_port()),
        running(tmp_path, quickstart.free_port()) as (second, said),
    ):
        assert second.wait(30) == 1
        assert "another collector works with this data; stop it first" in said


def test_a_program_that_ended_is_named_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "agent.log").write_text("first\nthe disk is gone\n")
    error: QuickstartError = quickstart.ended("agent", tmp_path)
    assert str(error) == f"the agent ended: the disk is gone (see {tmp_path / 'agent.log'})"
