"""test_catalogue: the shipped catalogue, what its loader refuses, and what reaches a laptop."""

from __future__ import annotations

import copy
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent.wire.settings import Catalogue
from collector import catalogue
from collector.catalogue import SYSTEMS
from collector.knowledge import tool_infos
from collector.strict import MistakesError

DOCS = Path(__file__).parents[2] / "docs" / "catalogue.md"
# fmt: off
MUST_HAVE = {
    "anydesk", "teamviewer", "rustdesk", "chrome-remote-desktop", "splashtop", "screenconnect", "goto", "anyviewer",
    "jump-desktop", "parsec", "nomachine", "meshcentral", "dwservice", "hoptodesk", "getscreen", "remote-utilities",
    "ultraviewer", "todesk", "sunlogin", "supremo", "quick-assist", "windows-rdp", "apple-remote-desktop", "realvnc",
    "tigervnc", "x11vnc", "tightvnc", "ultravnc", "xrdp", "gnome-remote-desktop", "krdp", "sunshine", "isl-online",
    "zoho-assist", "atera", "ninjaone", "openssh-server", "openssh", "tailscale", "zerotier", "cloudflared", "ngrok",
    "frp", "vscode-tunnel", "nvda",
}
SHARED_BY_HONEST_PROGRAMS = {
    "teams.exe", "dwm.exe", "sc.exe", "osqueryi.exe", "cmd.exe", "rundll32.exe", "agent.exe", "msiexec.exe",
    "tar.exe", "7z.exe", "connect.exe", "setup.exe", "level.exe", "plink.exe", "svchost.exe", "java", "java.exe",
    "python3", "code", "service", "mstsc.exe",
}
# fmt: on
TOOL = {
    "id": "handy",
    "name": "Handy",
    "vendor_group": "handy-works",
    "role": "control",
    "inbound_control": "yes",
    "linux": {"processes": ["handyd"], "services": ["handy.service"], "paths": ["/opt/handy"]},
    "session_evidence": ["handyd forks for each session"],
    "source": "its package",
    "confirmed": True,
}


def file_with(folder: Path, *tools: dict[str, Any], **top: Any) -> Path:
    path = folder / "tools.yaml"
    path.write_text(yaml.safe_dump({"tools": list(tools), **top}))
    return path


def load(path: Path) -> tuple[catalogue.CatalogueEntry, ...]:
    """One file by itself."""
    return catalogue.load([path])


def changed(**fields: Any) -> dict[str, Any]:
    tool = copy.deepcopy(TOOL)
    tool.update(fields)
    return tool


def test_the_shipped_catalogue_knows_the_tools_that_matter_most() -> None:
    assert not MUST_HAVE - {entry.id for entry in catalogue.load()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_its_tools(system: str) -> None:
    counts = {"linux": 80, "macos": 70, "windows": 200}
    known = [e.id for e in catalogue.load() if any(msgspec.structs.astuple(getattr(e, system)))]
    assert len(known) >= counts[system], known


def test_tigervnc_on_linux_is_known_by_its_servers_and_not_by_its_viewer() -> None:
    tigervnc = next(entry for entry in catalogue.load() if entry.id == "tigervnc")
    assert set(tigervnc.linux.processes) == {"Xvnc", "Xtigervnc", "x0vncserver", "x0tigervncserver", "vncserver"}


@pytest.mark.parametrize(
    "viewer", ["xvncviewer", "vncviewer.exe", "mstsc.exe", "xfreerdp", "rutview.exe", "tvnviewer.exe"]
)
def test_no_program_that_only_looks_at_other_machines_is_listed(viewer: str) -> None:
    assert not [e.id for e in catalogue.load() if viewer in processes(e)]


@pytest.mark.parametrize("name", sorted(SHARED_BY_HONEST_PROGRAMS))
def test_a_name_that_honest_programs_carry_never_counts_alone(name: str) -> None:
    for tool in catalogue.for_wire(catalogue.load(), version=1).tools:
        if any(fnmatchcase(name, pattern.lower()) for pattern in processes(tool)):
            assert tool.needs_second_artefact, f"{tool.id} takes {name} for itself"


def test_the_stop_list_of_the_file_holds_every_such_name() -> None:
    assert not SHARED_BY_HONEST_PROGRAMS - set(catalogue.too_common())


def test_a_laptop_never_learns_that_screen_readers_exist() -> None:
    entries = catalogue.load()
    readers = [entry.id for entry in entries if entry.accessibility]
    assert "nvda" in readers
    wire = msgspec.json.encode(catalogue.for_wire(entries, version=1)).decode().lower()
    assert "nvda" not in wire


def test_laptops_get_what_they_match_by_and_nothing_else() -> None:
    wire = catalogue.for_wire(catalogue.load(), version=7)
    assert wire.version == 7
    assert [tool.id for tool in wire.tools] == sorted(tool.id for tool in wire.tools)
    assert msgspec.json.decode(msgspec.json.encode(wire), type=Catalogue) == wire
    sent = {key for tool in msgspec.to_builtins(wire)["tools"] for key in tool}
    assert sent == {"id", "role", "ports", "needs_second_artefact", "linux", "macos", "windows"}


def test_what_reaches_every_laptop_stays_small() -> None:
    assert len(msgspec.json.encode(catalogue.for_wire(catalogue.load(), version=1))) < 64_000


def test_a_vpn_client_is_known_by_its_processes_and_controls_nothing() -> None:
    entries = catalogue.load()
    clients = {entry.id: entry for entry in entries if entry.role == "vpn"}
    assert {"astrill", "openvpn", "wireguard", "mullvad", "cisco-secure-client", "zscaler"} <= clients.keys()
    assert "tailscale" not in clients, "it brings sessions of other tools to the laptop, and stays a tunnel"
    for name, entry in clients.items():
        assert processes(entry), name
        assert not tool_infos(entries)[name].controls, name


def test_nine_products_of_one_maker_count_as_one() -> None:
    groups = {entry.id: entry.vendor_group for entry in catalogue.load()}
    assert groups["quick-assist"] == groups["windows-rdp"] == groups["vscode-tunnel"]
    assert groups["openssh"] == groups["openssh-server"]


def test_a_correct_file_loads(tmp_path: Path) -> None:
    (entry,) = load(file_with(tmp_path, TOOL))
    assert entry.linux.services == ("handy.service",)
    assert entry.windows.processes == ()


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (changed(rolle="control"), "tools[0].rolle (line 14): unknown key; did you mean role?"),
        (changed(inbound_control=3), "tools[0].inbound_control (line 4): expected one of yes, no, partly, got"),
        (changed(role="spy"), "tools[0].role (line 13): expected one of control, login, tunnel, vpn, got"),
        (changed(ports=[70000]), "tools[0].ports[0] (line 14): expected int <= 65535, got 70000"),
        (changed(linux={"proceses": ["x"]}), "tools[0].linux.proceses (line 7): unknown key; did you mean processes?"),
        (changed(id="Handy"), "tools[0].id (line 3): expected str matching regex"),
        (changed(linux={}), "tools[0].id (line 3): handy: needs a process, service or path on at least one of"),
        (
            changed(linux={"processes": ["/bin/handyd"]}),
            "linux.processes (line 7): handy: '/bin/handyd' must be a base name",
        ),
        (changed(linux={"paths": ["opt/handy"]}), "linux.paths (line 7): handy: 'opt/handy' must begin with /"),
        (changed(windows={"paths": ["C:\\Handy"]}), "windows.paths (line 20): handy: 'C:\\\\Handy' must begin with /"),
        (changed(linux={"processes": ["agent"]}), "linux.processes (line 7): handy: 'agent' fits 'agent' too"),
        (changed(windows={"processes": ["Age*.exe"]}), "processes (line 20): handy: 'Age*.exe' fits 'agent.exe' too"),
        (
            changed(linux={"processes": ["agent"]}, needs_second_artefact=True),
            "tools[0].linux (line 6): handy: needs_second_artefact is set, but there is no path and no service",
        ),
        (
            changed(linux={"paths": ["/opt/handy"], "live": [{"arguments": ["--on"]}]}),
            "linux.live[0] (line 7): handy: needs",
        ),
        (
            changed(linux={"paths": ["/x"], "live": [{"file": "x.log"}]}),
            "linux (line 6): handy: 'x.log' must begin with /",
        ),
        (changed(linux={"paths": ["/x"], "tenant": [{"key": "id"}]}), "linux.tenant[0] (line 9): handy: needs one of"),
        ({"name": "nameless"}, "tools[0].id (line 2): missing"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_line(tmp_path: Path, tool: dict[str, Any], message: str) -> None:
    with pytest.raises(MistakesError) as refused:
        load(file_with(tmp_path, tool))
    assert message in str(refused.value)


def test_one_artefact_cannot_stand_for_two_tools(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"tools\[1\].linux .*second: 'handyd' belongs to handy already"):
        load(file_with(tmp_path, TOOL, changed(id="second", linux={"processes": ["handyd"]})))


def test_one_id_cannot_stand_for_two_tools(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"tools\[1\].id .*handy is used twice"):
        load(file_with(tmp_path, TOOL, TOOL))


def test_a_misspelt_top_level_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"tools.yaml: extra .*unknown key"):
        load(file_with(tmp_path, TOOL, extra=[]))


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text("tools: [\n")
    with pytest.raises(MistakesError, match=r"^tools.yaml: line 2: is not YAML"):
        load(path)


def test_the_page_about_the_catalogue_explains_every_field_and_lists_every_tool() -> None:
    page = DOCS.read_text(encoding="utf-8")
    fields = [field.name for field in msgspec.structs.fields(catalogue.CatalogueEntry)]
    missing = [name for name in [*fields, *(entry.id for entry in catalogue.load())] if f"`{name}`" not in page]
    assert not missing


def processes(tool: Any) -> tuple[str, ...]:
    return tuple(tool.linux.processes + tool.macos.processes + tool.windows.processes)
