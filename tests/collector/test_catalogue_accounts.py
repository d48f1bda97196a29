"""test_catalogue_accounts: every tool of the sources is taken, or left out for a reason, and found."""

from __future__ import annotations

import json
import os
import plistlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from agent.host import Service, System
from agent.matching import find_tools
from agent.recognition import recognise
from agent.wire.settings import Artefacts, ToolEntry
from collector import catalogue
from collector.catalogue import SYSTEMS, accounts
from tests.agent.programs import windows_program
from tests.fakes import FakeHost, program

FACTS = Path(os.environ.get("FARHAND_EVAL_DATA", "../shared/data")).parent / "reference" / "facts"
ENTRIES = {entry.id: entry for entry in catalogue.load()}
WIRE = catalogue.for_wire(ENTRIES.values(), 1)
ACCOUNTS = accounts.load()
SUPPLEMENT = {
    "AnyDesk": ("anydesk",),
    "TeamViewer (full/Host/QS)": ("teamviewer",),
    "RustDesk": ("rustdesk",),
    "Chrome Remote Desktop": ("chrome-remote-desktop",),
    "Splashtop Streamer/SOS": ("splashtop",),
    "Parsec": ("parsec",),
    "ConnectWise ScreenConnect": ("screenconnect",),
    "MeshCentral agent": ("meshcentral",),
    "NoMachine": ("nomachine",),
    "Jump Desktop Connect": ("jump-desktop",),
    "Apple Screen Sharing / ARD": ("apple-remote-desktop",),
    "RealVNC / TigerVNC / x11vnc / wayvnc / TurboVNC": ("realvnc", "tigervnc", "x11vnc", "wayvnc", "turbovnc"),
    "xrdp": ("xrdp",),
    "GNOME Remote Desktop": ("gnome-remote-desktop",),
    "KDE KRdp / krfb": ("krdp",),
    "Sunshine (host) / Moonlight (client) / Apollo": ("sunshine",),
    "Tailscale": ("tailscale",),
    "ZeroTier / NetBird / WireGuard / Nebula": ("zerotier", "netbird", "wireguard", "nebula"),
    "ngrok / cloudflared / localxpose / bore / frp / chisel / sshd -R": (
        *("ngrok", "cloudflared", "localxpose", "bore", "frp", "chisel", "openssh"),
    ),
    "VS Code / Visual Studio dev tunnels, JetBrains Gateway, Cursor tunnel": ("vscode-tunnel",),
    "DWService agent": ("dwservice",),
    "HopToDesk": ("hoptodesk",),
    "Remote Utilities / RMS / LiteManager": ("remote-utilities", "litemanager"),
    "Supremo": ("supremo",),
    "UltraViewer": ("ultraviewer",),
    "ToDesk": ("todesk",),
    "Sunlogin / AweSun (Oray)": ("sunlogin",),
    "AnyViewer (AOMEI)": ("anyviewer",),
    "Windows RDP / Quick Assist / RDP Wrapper": ("windows-rdp", "quick-assist"),
    "Astrill VPN client (on operator side mostly; sometimes on company laptop)": ("astrill",),
    "Zoom remote control": (),
    'Teams / Slack huddle / Discord / Meet "take control"': (),
}
"""Tools of the supplement for macOS and Linux; meetings are left out: everybody's laptop has them."""


def facts(name: str) -> list[dict[str, Any]]:
    file = FACTS / name
    if not file.exists():
        pytest.skip(f"{file} is not here: set FARHAND_EVAL_DATA to the folder beside it")
    tools: list[dict[str, Any]] = json.loads(file.read_text())["tools"]
    return tools


def test_every_entry_of_lolrmm_was_taken_or_left_out_for_a_reason() -> None:
    assert len(ACCOUNTS.tools) == 313, "319 entries, six of them under the name of another"
    assert {account.taken for account in ACCOUNTS.tools.values() if account.taken} <= ENTRIES.keys()
    assert {account.left_out for account in ACCOUNTS.tools.values()} - {None} == ACCOUNTS.reasons.keys()


def test_the_table_lists_what_the_facts_list() -> None:
    assert {tool["name"] for tool in facts("lolrmm_facts.json")} == ACCOUNTS.tools.keys()


def test_what_was_taken_is_found_by_a_name_that_lolrmm_gives() -> None:
    named = [
        tool for tool in facts("lolrmm_facts.json") if ACCOUNTS.tools[tool["name"]].taken and tool.get("processes")
    ]
    assert len(named) > 180
    assert not [tool["name"] for tool in named if not _shares_a_name(tool)]


def _shares_a_name(tool: dict[str, Any]) -> bool:
    patterns = [pattern.lower() for pattern in ENTRIES[ACCOUNTS.tools[tool["name"]].taken or ""].windows.processes]
    names = [name.lower() for name in tool["processes"]]
    return any(fnmatchcase(name, pattern) or fnmatchcase(pattern, name) for name in names for pattern in patterns)


def test_every_tool_of_the_supplement_is_accounted_for() -> None:
    assert {tool["tool"] for tool in facts("remote_tools_macos_linux.json")} == SUPPLEMENT.keys()
    assert {tool for taken in SUPPLEMENT.values() for tool in taken} <= ENTRIES.keys()


def found_by(tool: ToolEntry, system: System, kind: str, artefact: str) -> bool:
    """True where a machine that shows this artefact and nothing else has the tool, and no other tool."""
    name = artefact.replace("*", "7f3a")
    host = FakeHost(
        system=system,
        files={f"{name}/x": ""} if kind == "paths" else {},
        processes=[program(7, f"/somewhere/{name}")] if kind == "processes" else (),
        services=[Service(name=name, enabled=True)] if kind == "services" else (),
    )
    return [one.tool.id for one in find_tools(WIRE, host)] == [tool.id]


ARTEFACTS = [
    (tool.id, system, kind, artefact)
    for tool in WIRE.tools
    for system in SYSTEMS
    for kind in ("processes", "services", "paths")
    for artefact in getattr(getattr(tool, system), kind)
]


def test_each_tool_is_found_from_each_of_its_artefacts_alone_and_no_other_tool_is() -> None:
    tools = {tool.id: tool for tool in WIRE.tools}
    assert len(ARTEFACTS) > 1000
    for tool_id, system, kind, artefact in ARTEFACTS:
        alone = kind != "processes" or not tools[tool_id].needs_second_artefact
        assert found_by(tools[tool_id], system, kind, artefact) == alone, (tool_id, system, kind, artefact)


@pytest.mark.parametrize("system", SYSTEMS)
def test_names_that_honest_programs_carry_and_screen_readers_give_nothing(system: System) -> None:
    common = [name.replace("*", "x") for name in catalogue.too_common()]
    readers = [entry for entry in ENTRIES.values() if entry.accessibility]
    assert len(readers) >= 6
    names = [*common, *(name for entry in readers for name in entry.known_by(system).processes)]
    host = FakeHost(system=system, processes=[program(pid, f"/x/{name}") for pid, name in enumerate(names, 10)])
    assert find_tools(WIRE, host) == ()


def test_no_vendor_has_two_names() -> None:
    groups: dict[str, set[str]] = {}
    for entry in ENTRIES.values():
        groups.setdefault(entry.vendor_group.replace("-", "").replace("software", ""), set()).add(entry.vendor_group)
    assert not [names for names in groups.values() if len(names) > 1]


@pytest.mark.parametrize(
    "names",
    [
        "247ithelp.com (ConnectWise)|ConnectWise|ConnectWise Control|Connectwise Automate (LabTech)|ScreenConnect|"
        "ITSupport247 (ConnectWise)|LabTech RMM (Now ConnectWise Automate)",
        "Splashtop|Splashtop Remote",
        "Level|Level.io",
        "Microsoft Quick Assist|Quick Assist",
    ],
)
def test_one_vendor_with_many_entries_is_one_vendor(names: str) -> None:
    taken = [ACCOUNTS.of(name) for name in names.split("|")]
    assert None not in taken, [name for name, account in zip(names.split("|"), taken, strict=True) if account is None]
    assert len({ENTRIES[account.taken or ""].vendor_group for account in taken if account}) == 1


def test_hosts_are_the_makers_own() -> None:
    for entry in ENTRIES.values():
        for domain in entry.domains:
            assert not domain.replace(".", "").replace("*", "").isdigit(), f"{entry.id}: {domain} is a bare address"
            assert domain.removeprefix("*.") not in ("github.com", "zoho.com", "connectwise.com"), entry.id


def test_an_entry_says_by_what_else_it_is_known_on_the_wire() -> None:
    anydesk = next(tool for tool in WIRE.tools if tool.id == "anydesk")
    assert anydesk.macos.identities == ("com.philandro.anydesk",)
    assert isinstance(anydesk.linux, Artefacts)
    assert anydesk.linux.unattended[0].key == "ad.anynet.pwd_hash"


def renamed_tools(system: System, path: str, files: dict[str, bytes]) -> list[str]:
    """Tools that are found on a machine that runs this one program, whose name says nothing."""
    host = FakeHost(system=system, files=files, processes=[program(7, path)])
    _, renamed = recognise(WIRE, host, {}, {})
    return [one.tool.id for one in find_tools(WIRE, host, renamed=renamed) if one.renamed]


def test_each_windows_tool_is_found_under_another_name_by_what_its_file_says() -> None:
    path = "C:/Users/x/notes.exe"
    told = 0
    for tool in WIRE.tools:
        exact = [name for name in tool.windows.processes if "*" not in name and not tool.needs_second_artefact]
        for key, words in (("OriginalFilename", exact), ("ProductName", tool.windows.identities)):
            for word in words:
                told += 1
                assert renamed_tools("windows", path, {path: windows_program(**{key: word})}) == [tool.id], word
    assert told > 400


def test_each_mac_bundle_is_found_under_another_name() -> None:
    folder = "/Users/x/Notes.app/Contents"
    bundles = [(tool.id, word) for tool in WIRE.tools for word in tool.macos.identities]
    assert len(bundles) >= 14
    for tool_id, word in bundles:
        plist = plistlib.dumps({"CFBundleIdentifier": word})
        files = {f"{folder}/MacOS/Notes": b"", f"{folder}/Info.plist": plist}
        assert renamed_tools("macos", f"{folder}/MacOS/Notes", files) == [tool_id], word


def test_honest_programs_and_screen_readers_are_no_tool_under_any_name() -> None:
    path = "C:/Users/x/notes.exe"
    readers = [name for entry in ENTRIES.values() if entry.accessibility for name in entry.windows.processes]
    for name in [*(name for name in catalogue.too_common() if "*" not in name), *readers]:
        assert renamed_tools("windows", path, {path: windows_program(OriginalFilename=name)}) == [], name
