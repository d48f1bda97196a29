"""test_catalogue_import: from exports of LOLRMM, in both of its formats, to the administrator's own catalogue."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.host import Service
from agent.matching import find_tools
from collector import catalogue
from collector.catalogue import lolrmm, own
from collector.cli import run
from collector.strict import MistakesError
from tests.fakes import FakeHost, program

HANDY: dict[str, Any] = {
    "Name": "Handy Remote",
    "Category": "RMM",
    "Details": {
        "PEMetadata": [{"Filename": "handyd.exe", "OriginalFileName": "HandyD.exe", "Product": "Handy"}],
        "SupportedOS": ["Windows", "Linux"],
        "InstallationPaths": [
            "C:\\Program Files\\Handy Remote\\*",
            "C:\\Program Files\\Handy Remote\\bin\\1.2.3\\handyd.exe",
            "handy-setup.exe",
            "agent.exe",
            "*\\handyd.exe",
            "C:\\Users\\*\\Downloads\\handy.exe",
        ],
    },
    "Artifacts": {
        "Disk": [{"File": "/etc/systemd/system/handyd.service", "OS": "Linux"}, {"File": "/opt/handy/*"}],
        "EventLog": [{"EventID": 7045, "ServiceName": "Handy Service"}],
        "Registry": [{"Path": "HKLM\\SYSTEM\\CurrentControlSet\\Services\\HandyUpdate"}],
        "Network": [{"Domains": ["*.handy.example.com", "github.com", "10.1.2.3", "relay-[0-9].x"], "Ports": [443]}],
    },
    "CodeSigning": {"certificates": [{"signer_name": "Handy Works Ltd"}]},
}
PLAIN = {"Details": {"InstallationPaths": []}, "Artifacts": {}}


def tool(name: str, *paths: str) -> dict[str, Any]:
    return {"Name": name, "Details": {"InstallationPaths": list(paths)}, "Artifacts": {}}


def as_csv(*tools: dict[str, Any]) -> str:
    """The table that lolrmm.io offers: lists joined by commas, artefacts as JSON, the first PEMetadata alone."""
    text = io.StringIO()
    names = ["Name", "Category", "Filename", "OriginalFileName", "InstallationPaths", "Artifacts", "References"]
    table = csv.DictWriter(text, names)
    table.writeheader()
    for each in tools:
        metadata = (each["Details"].get("PEMetadata") or [{}])[0]
        table.writerow(
            {
                "Name": each["Name"],
                "Filename": metadata.get("Filename", ""),
                "OriginalFileName": metadata.get("OriginalFileName", ""),
                "InstallationPaths": ", ".join(each["Details"]["InstallationPaths"]),
                "Artifacts": json.dumps(each["Artifacts"]),
            }
        )
    return text.getvalue()


class Admin:
    """An administrator with a folder, a configuration and an own catalogue."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.own, self._capsys = folder, folder / "tools.yaml", capsys

    def imports(self, *tools: dict[str, Any], table: bool = False) -> str:
        """Import an export of these tools; returns what was printed."""
        file = self.folder / ("rmm_tools.csv" if table else "rmm_tools.json")
        file.write_text(as_csv(*tools) if table else json.dumps(list(tools)))
        assert run(["catalogue", "import", str(file), "--into", str(self.own)]) == 0
        return self._capsys.readouterr().out

    def refused(self, text: str) -> str:
        file = self.folder / "broken"
        file.write_text(text)
        assert run(["catalogue", "import", str(file), "--into", str(self.own)]) == 2
        return self._capsys.readouterr().err

    def entry(self, name: str) -> catalogue.CatalogueEntry:
        return next(entry for entry in own.merged(self.own) if entry.id == name)


@pytest.fixture
def admin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Admin:
    return Admin(tmp_path, capsys)


@pytest.mark.parametrize("table", [False, True])
def test_a_new_tool_is_taken_without_what_says_too_little(admin: Admin, table: bool) -> None:
    told = admin.imports(HANDY, table=table)
    entry = admin.entry("handy-remote")
    assert entry.windows.processes == ("HandyD.exe", "handy.exe")
    assert entry.windows.services == ("Handy Service", "HandyUpdate")
    assert entry.windows.paths == ("C:/Program Files/Handy Remote",)
    assert (entry.linux.services, entry.linux.paths) == (("handyd.service",), ("/opt/handy",))
    assert entry.domains == ("*.handy.example.com",)
    assert (entry.source, entry.confirmed, entry.inbound_control) == ("LOLRMM, imported", False, "partly")
    assert "Handy Remote: taken as handy-remote, vendor group handy-remote" in told
    for left in ("handy-setup.exe", "agent.exe", "github.com", "10.1.2.3", "Downloads"):
        assert left in told, f"{left} was left out without a word"


def test_what_was_imported_is_found_on_a_laptop(admin: Admin) -> None:
    admin.imports(HANDY)
    wire = catalogue.for_wire(own.merged(admin.own), 1)
    for host in (
        FakeHost(system="windows", processes=[program(10, "C:/x/handyd.exe")]),
        FakeHost(services=[Service(name="handyd.service", enabled=True)]),
    ):
        assert [one.tool.id for one in find_tools(wire, host)] == ["handy-remote"]


def test_the_same_export_again_changes_not_a_byte(admin: Admin) -> None:
    admin.imports(HANDY, tool("Other", "otherd.exe"))
    before = admin.own.read_bytes()
    told = admin.imports(HANDY, tool("Other", "otherd.exe"))
    assert admin.own.read_bytes() == before
    assert "unchanged as handy-remote" in told


def test_a_newer_export_changes_what_it_changed_and_keeps_the_rest(admin: Admin) -> None:
    admin.imports(tool("Handy", "handyd.exe"), tool("Other", "otherd.exe"))
    told = admin.imports(tool("Handy", "handyd.exe", "handyshow.exe"))
    assert "Handy: changed as handy" in told
    assert admin.entry("handy").windows.processes == ("handyd.exe", "handyshow.exe")
    assert admin.entry("other").windows.processes == ("otherd.exe",)


def test_what_people_wrote_stays_as_they_wrote_it(admin: Admin) -> None:
    written = "# ours, do not touch\ntools:\n  []   # nothing yet\ndisabled: [ammyy]\n"
    admin.own.write_text(written)
    admin.imports(HANDY)
    admin.imports(HANDY, tool("Other", "otherd.exe"))
    text = admin.own.read_text()
    assert text.startswith(written)
    assert text.count("Rewritten by") == text.count("imported:") == 1


def test_the_table_of_the_catalogue_decides_about_what_it_knows(admin: Admin) -> None:
    told = admin.imports(tool("PuTTY", "putty.exe"), tool("anydesk", "anydesk.exe"), tool("NVDA", "nvda.exe"))
    assert "PuTTY: left out: looks at or logs in to other machines" in told
    assert "anydesk: known as anydesk" in told
    assert "NVDA: known as nvda" in told
    assert own.read(admin.own).imported == ()


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (tool("Nameless"), "needs a process, service or path"),
        (tool("Common", "cmd.exe", "rundll32.exe"), "honest programs carry the name: cmd.exe, rundll32.exe"),
        (tool("Thief", "TeamViewer.exe"), "'TeamViewer.exe' belongs to teamviewer already"),
        (tool("Reader", "nvda.exe"), "'nvda.exe' belongs to nvda already"),
        (tool("Setup", "handy_installer.exe"), "installs, but does not stay: handy_installer.exe"),
        (tool("Wide", "a*.exe"), "fits too many names: a*.exe"),
        (tool("???", "x1.exe"), "its name gives no id"),
    ],
)
def test_what_cannot_be_told_apart_is_refused_with_its_reason(admin: Admin, one: dict[str, Any], why: str) -> None:
    told = admin.imports(one, tool("Good", "goodd.exe"))
    assert f"{one['Name']}: refused: " in told
    assert why in told
    assert [entry.id for entry in own.read(admin.own).imported] == ["good"]


def test_a_common_name_counts_beside_a_folder_of_its_own(admin: Admin) -> None:
    admin.imports(tool("Spread", "launcher.exe", "C:\\Program Files\\Spread\\*"))
    entry = admin.entry("spread")
    assert (entry.needs_second_artefact, entry.windows.processes) == (True, ("launcher.exe",))


def test_a_known_maker_stays_one_vendor(admin: Admin) -> None:
    told = admin.imports(tool("Splashtop Orbit", "orbitd.exe"), tool("ConnectWise Nova", "novad.exe"))
    assert "as splashtop-orbit, vendor group splashtop" in told
    assert "as connectwise-nova, vendor group connectwise" in told


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "{not json", "\x00\x01", "- yaml: list\n", '{"a": 1}', "[]"])
def test_what_is_no_export_is_refused_in_one_line(admin: Admin, text: str) -> None:
    told = admin.refused(text)
    assert "write the JSON or the CSV that lolrmm.io offers" in told
    assert len(told.splitlines()) == 1
    assert not admin.own.exists()


@pytest.mark.parametrize(
    "one",
    [
        tool("Ev\x1b[2Jil \ud800 tool", "C:\\Program Files\\Evil\x07Tool"),
        {"Name": "Odd names", "Details": {"PEMetadata": [{"Filename": "odd\ud800name.exe"}]}},
        tool("Endless folder", "C:/Program Files/a" + "/*" * 200_000 + "x"),
        tool("Endless folders", *(f"C:/Program Files/{number:06}*" for number in range(20_000))),
        tool("(" * 200_000),
    ],
    ids=["signs", "surrogate", "long", "many", "brackets"],
)
def test_a_hostile_export_takes_no_time_sends_no_signs_to_the_terminal_and_harms_no_file(
    admin: Admin, one: dict[str, Any]
) -> None:
    admin.own.write_text(OWN)
    told = admin.imports(one)
    assert all(sign.isprintable() or sign == "\n" for sign in told)
    assert len(told) < 20_000
    assert admin.own.read_text().startswith(OWN.rstrip("\n"))
    assert own.read(admin.own).disabled == ("atera",)


def test_an_export_of_thousands_of_tools_is_refused(admin: Admin) -> None:
    told = admin.refused(json.dumps([{"Name": f"Tool {number}"} for number in range(2001)]))
    assert "2001 tools, at most 2000" in told
    table = 'Name,InstallationPaths,Artifacts\nx,"' + "y" * 5_000_000 + '",\n'
    assert "after line 1: field larger than field limit" in admin.refused(table)


def test_an_export_of_nonsense_never_breaks_the_reader() -> None:
    odd = [1, None, {"Name": "x", "Details": 7, "Artifacts": [1]}, {"Name": "y", "Details": {"PEMetadata": "z"}}, {}]
    assert [one.name for one in lolrmm.read(json.dumps(odd))] == ["x", "y"]


OWN = """\
tools:
  - id: anydesk
    name: AnyDesk of ours
    vendor_group: anydesk
    role: control
    inbound_control: yes
    windows: {processes: [AnyDesk.exe, ad_ours.exe]}
    source: our help desk
    confirmed: true
disabled: [atera]
"""


def test_an_own_entry_stands_in_the_place_of_a_shipped_one_and_others_can_be_switched_off(tmp_path: Path) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(OWN)
    entries = {entry.id: entry for entry in own.merged(path)}
    assert entries["anydesk"].windows.processes == ("AnyDesk.exe", "ad_ours.exe")
    assert entries["anydesk"].linux.processes == ()
    assert "atera" not in entries
    assert len(entries) == len(catalogue.load()) - 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("disabled: [attera]\n", 'disabled[0] (line 1): expected a shipped tool, got "attera"; did you mean atera?'),
        ("tolls: []\n", "tolls (line 1): unknown key; did you mean tools?"),
        (OWN.replace("ad_ours.exe", "TeamViewer.exe"), "'TeamViewer.exe' belongs to teamviewer already"),
        (OWN.replace("id: anydesk", "id: nvda"), "tools[0].id (line 2): nvda: people with disabilities work with it"),
        (OWN.replace("ad_ours.exe", "cmd.exe"), "tools[0].windows.processes (line 7): anydesk: 'cmd.exe' fits"),
    ],
)
def test_a_mistake_in_the_own_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(text)
    with pytest.raises(MistakesError) as refused:
        own.merged(path)
    assert message in str(refused.value)


def test_check_covers_the_own_catalogue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "tools.yaml").write_text("disabled: [attera]\n")
    config = tmp_path / "collector.yaml"
    config.write_text(f"policy: {root / 'configs/policy.yaml'}\ncatalogue: {tmp_path / 'tools.yaml'}\n")
    assert run(["--config", str(config), "check"]) == 2
    assert "tools.yaml: disabled[0] (line 1)" in capsys.readouterr().out
    (tmp_path / "tools.yaml").unlink()
    assert run(["--config", str(config), "check"]) == 2
    assert "tools.yaml: cannot be read: No such file" in capsys.readouterr().out
