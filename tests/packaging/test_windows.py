"""The installer for Windows, and the agent that it installs, under wine, with a real collector."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import __version__
from agent.probes.agent_integrity import parse_manifest
from tests.packaging.built import ROOT, WHEELS
from tests.packaging.container import until
from tests.packaging.wine import Collector, Wine, installer, why_not, windows_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OWN_FILES = (
    "from agent.host.this_machine import this_machine; from agent.probes.agent_integrity import compare; "
    "print(compare(this_machine()).package)"
)
NEEDS_WINE = pytest.mark.skipif(why_not() is not None, reason=f"no Windows can be played here: {why_not()}")


@pytest.fixture(scope="module")
def built() -> Path:
    missing = [name for name in ("wixl", "msibuild", "msiinfo", "msiextract") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return installer()


def table(built: Path, name: str) -> list[list[str]]:
    """Rows of a table of the installer."""
    done = subprocess.run(["msiinfo", "export", str(built), name], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()[3:]]


def test_the_installer_says_what_it_is(built: Path) -> None:
    said = dict(table(built, "Property"))
    assert (said["ProductName"], said["Manufacturer"], said["ALLUSERS"]) == ("Farhand agent", "Farhand", "1")
    assert said["MsiHiddenProperties"] == "TOKEN"
    assert {"SERVERURL", "TOKEN"} <= set(said["SecureCustomProperties"].split(";"))
    ((_, name, *_, start_name, _, arguments, _, _),) = table(built, "ServiceInstall")
    assert (name, start_name, arguments) == ("FarhandAgent", "LocalSystem", "-I -X utf8 -m agent.windows_service")
    assert {row[-1] for row in table(built, "Upgrade")} == {"WIX_UPGRADE_DETECTED", "WIX_DOWNGRADE_DETECTED"}


def test_it_holds_the_agent_and_no_rule_and_every_file_has_its_own_lasting_id(built: Path) -> None:
    names = [row[2].rpartition("|")[2] for row in table(built, "File")]
    assert {"python.exe", "pythonw.exe", "farhand-agent.cmd", "windows_service.py", "python311._pth"} <= set(names)
    assert not [name for name in names if name.endswith((".yaml", ".pyc"))]
    ids = [row[1] for row in table(built, "Component")]
    assert len(ids) == len(set(ids)) > 100
    # Windows Installer takes two installers for the same product's by these: they never change.
    assert "{5B8F9C0E-7E0B-4B1F-8F4C-0B7F3C7C2A11}" in ids


def test_the_list_of_the_agents_files_is_that_of_the_files_in_it(built: Path, tmp_path: Path) -> None:
    subprocess.run(["msiextract", "--directory", str(tmp_path), str(built)], capture_output=True, check=True)
    (site,) = (path for path in tmp_path.rglob("site") if path.is_dir())
    version, listed = parse_manifest((site.parent / "manifest.sha256").read_text())
    files = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.is_file()}
    assert version == __version__
    assert listed == {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert {"agent/windows_service.py", "msgspec/__init__.py"} <= set(listed)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--msi-sha256", "0" * 64], "not the one that was given; find out where it came from"),
        ([], "give the .zip of a Python for Windows, and its digest"),
    ],
)
def test_a_python_that_nobody_vouched_for_is_refused(tmp_path: Path, given: list[str], words: str) -> None:
    command = [sys.executable, str(ROOT / "packaging" / "build.py"), "--only-msi", "--to", str(tmp_path / "dist")]
    command += ["--cache", str(WHEELS), "--msi", str(windows_python(tmp_path)), *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.fixture(scope="module")
def laptop(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Windows on which the agent was installed with a collector's address and a token."""
    folder = tmp_path_factory.mktemp("wine")
    wine, collector = Wine(folder / "prefix"), Collector(folder / "collector")
    (folder / "prefix").mkdir()
    with collector.serving(), wine.on():
        wine.msiexec("/i", built, f"SERVERURL={collector.url}", f"TOKEN={collector.token}")
        yield SimpleNamespace(wine=wine, collector=collector, built=built)


@NEEDS_WINE
def test_the_service_enrols_reports_and_says_last_words_and_removal_leaves_the_state(laptop: SimpleNamespace) -> None:
    wine, collector = laptop.wine, laptop.collector
    wanted = {"platform", "clock", "power", "remote_tools", "remote_sessions", "network_path"}
    measured = until(lambda: wanted <= collector.measured().keys() and collector.measured(), within_s=90)
    assert measured["platform"]["system"] == "windows"
    assert measured["network_path"]["interfaces"]
    assert "RUNNING" in wine.run("sc", "query", "FarhandAgent")[1]
    assert "EnrolmentToken" not in wine.run("reg", "query", r"HKLM\SOFTWARE\Farhand\Agent")[1]
    assert not (wine.state / "enrolment-token").exists()

    status, said = wine.agent("status", "--json")
    assert (status, json.loads(said)["enrolled"]) == (0, True)
    status, said = wine.agent("doctor")
    assert "works   collector" in said, said
    # wine opens a file so slowly that the agent's look at its own may break its budget.
    problems = [line for line in said.splitlines() if "problem" in line]
    assert all("agent_integrity: over_budget" in line for line in problems), said
    status, said = wine.agent("once", "--json")
    kinds = {one["kind"]: one for one in json.loads(said)["measurements"]}
    assert kinds["clock"]["data"]["timezone"].count("/") >= 1
    assert kinds["remote_tools"]["data"]["catalogue_version"] >= 1
    assert wine.python(OWN_FILES) == (0, "intact")

    status, said = wine.agent("run")
    assert status == 2
    assert "another agent is at work here" in said

    wine.run("net", "stop", "FarhandAgent")
    until(lambda: "STOPPED" in wine.run("sc", "query", "FarhandAgent")[1])
    assert collector.last_occasion() == "stopping"

    wine.msiexec("/x", laptop.built)
    assert not wine.program_files.exists(), sorted(wine.program_files.rglob("*"))
    assert "FarhandAgent" not in wine.run("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\FarhandAgent")[1]
    assert (wine.state / "identity.json").exists()
