"""recognition: programs under another name, on machines of each system."""

from __future__ import annotations

import plistlib

from agent.host import System
from agent.matching import path_digest
from agent.probe import MAX_NOTE_BYTES, Given
from agent.probes import remote_tools
from agent.recognition import NEW_FILES, recognise
from agent.wire.settings import Artefacts, Catalogue, ToolEntry
from agent.wire.signals import RemoteTools
from collector import catalogue as shipped
from tests.fakes import FakeHost, program

from .programs import windows_program

CATALOGUE = Catalogue(
    version=3,
    tools=(
        ToolEntry(
            id="anydesk",
            windows=Artefacts(processes=("AnyDesk.exe", "ad_*.exe"), identities=("AnyDesk",)),
            macos=Artefacts(processes=("AnyDesk",), identities=("com.philandro.anydesk",)),
            linux=Artefacts(processes=("anydesk",)),
        ),
        ToolEntry(id="helpdesk", needs_second_artefact=True, windows=Artefacts(processes=("agent.exe",))),
    ),
)
HIDDEN = "C:/Users/x/AppData/Local/Temp/notes.exe"


def laptop(system: System, **files: bytes) -> FakeHost:
    """A laptop that runs these programs."""
    return FakeHost(
        system=system, files=dict(files), processes=[program(pid, path) for pid, path in enumerate(files, 10)]
    )


def found(host: FakeHost) -> dict[str, str]:
    """Words by path of what runs under another name."""
    renamed = recognise(CATALOGUE, host, {}, {})[1]
    paths = {path_digest(one.path): one.path for one in host.processes() if one.path is not None}
    return {paths[digest]: word for digest, word in renamed.items()}


def test_a_windows_program_under_another_name_is_known_by_its_original_one_or_its_product() -> None:
    assert found(laptop("windows", **{HIDDEN: windows_program(OriginalFilename="ANYDESK.EXE")})) == {
        HIDDEN: "AnyDesk.exe"
    }
    assert found(laptop("windows", **{HIDDEN: windows_program(ProductName="AnyDesk")})) == {HIDDEN: "AnyDesk"}


def test_a_program_under_its_own_name_is_not_renamed_and_one_of_somebody_else_is_nothing() -> None:
    own = {"C:/Program Files/AnyDesk/AnyDesk.exe": windows_program(OriginalFilename="AnyDesk.exe")}
    assert found(laptop("windows", **own)) == {}
    assert found(laptop("windows", **{HIDDEN: windows_program(OriginalFilename="notes.exe", ProductName="N")})) == {}
    assert found(laptop("windows", **{HIDDEN: b"not a program"})) == {}


def test_a_program_on_another_machine_is_left_alone_so_that_nobody_is_shown_this_machine_s_account() -> None:
    for path in ("//198.51.100.7/share/notes.exe", r"\\198.51.100.7\share\notes.exe"):
        host = laptop("windows", **{path: windows_program(ProductName="AnyDesk")})
        assert recognise(CATALOGUE, host, {}, {}) == ({}, {})


def test_a_name_that_honest_programs_carry_is_no_identity_either() -> None:
    assert found(laptop("windows", **{HIDDEN: windows_program(OriginalFilename="agent.exe")})) == {}


def test_the_systems_own_programs_are_not_looked_into() -> None:
    path = "C:/Windows/System32/notes.exe"
    assert found(laptop("windows", **{path: windows_program(ProductName="AnyDesk")})) == {}


def test_a_mac_program_is_known_by_the_bundle_that_it_lies_in() -> None:
    path = "/Users/x/Desktop/Notes.app/Contents/MacOS/Notes"
    plist = plistlib.dumps({"CFBundleIdentifier": "com.philandro.anydesk"}, fmt=plistlib.FMT_BINARY)
    files = {path: b"", "/Users/x/Desktop/Notes.app/Contents/Info.plist": plist}
    host = FakeHost(system="macos", files=files, processes=[program(10, path)])
    assert found(host) == {path: "com.philandro.anydesk"}
    files["/Users/x/Desktop/Notes.app/Contents/Info.plist"] = b"bplist00 damaged"
    assert found(FakeHost(system="macos", files=files, processes=[program(10, path)])) == {}


def test_a_mac_program_that_carries_its_own_name_is_not_renamed_and_neither_are_its_helpers() -> None:
    app = "/Applications/AnyDesk.app/Contents"
    updater = f"{app}/Frameworks/Sparkle.framework/Autoupdate"
    files = {f"{app}/Info.plist": plistlib.dumps({"CFBundleIdentifier": "com.philandro.anydesk"})}
    files |= {f"{app}/MacOS/AnyDesk": b"", updater: b""}
    processes = [program(10, f"{app}/MacOS/AnyDesk"), program(11, updater)]
    assert found(FakeHost(system="macos", files=files, processes=processes)) == {}


def test_a_program_whose_file_tells_its_product_alone_is_not_renamed_under_a_name_of_that_product() -> None:
    own = {"C:/Program Files/AnyDesk/AnyDesk.exe": windows_program(ProductName="AnyDesk")}
    assert found(laptop("windows", **own)) == {}
    other = {"C:/Program Files/AnyDesk/help.exe": windows_program(ProductName="AnyDesk")}
    assert found(laptop("windows", **other)) == {"C:/Program Files/AnyDesk/help.exe": "AnyDesk"}


def test_no_tool_of_the_shipped_catalogue_is_renamed_on_a_mac_where_it_lies_as_its_maker_put_it() -> None:
    tools = [tool for tool in shipped.for_wire(shipped.load(), 1).tools if tool.macos.identities]
    assert len(tools) > 8
    for tool in tools:
        for name in tool.macos.processes:
            path = f"/Applications/{name}.app/Contents/MacOS/{name}"
            plist = plistlib.dumps({"CFBundleIdentifier": tool.macos.identities[0]})
            files = {path: b"", f"/Applications/{name}.app/Contents/Info.plist": plist}
            host = FakeHost(system="macos", files=files, processes=[program(10, path)])
            assert recognise(Catalogue(version=1, tools=tuple(tools)), host, {}, {})[1] == {}, name


def test_a_linux_program_says_nothing_of_itself() -> None:
    assert found(laptop("linux", **{"/home/x/notes": windows_program(ProductName="AnyDesk")})) == {}


def test_a_file_is_read_once_as_long_as_it_is_the_same_and_few_are_read_at_once() -> None:
    files = {f"C:/Apps/{n}.exe": windows_program(ProductName="Other") for n in range(NEW_FILES + 10)}
    host = laptop("windows", **files)
    read: list[str] = []
    whole = host.read_part

    def counted(path: str, offset: int, most: int) -> bytes | None:
        read.append(path)
        return whole(path, offset, most)

    host.read_part = counted  # type: ignore[method-assign]
    known, renamed = recognise(CATALOGUE, host, {}, {})
    assert len(set(read)) == NEW_FILES
    known, renamed = recognise(CATALOGUE, host, known, renamed)
    assert len(set(read)) == NEW_FILES + 10
    read.clear()
    recognise(CATALOGUE, host, known, renamed)
    assert read == []
    assert not any("Apps" in digest for digest in known), "no path of another program is kept"


def test_a_name_that_is_no_unicode_hides_nothing() -> None:
    """Windows lets anybody name a file with half a character, and so does every file system of Linux."""
    path = "C:/Users/x/\ud83d.exe"
    host = laptop("windows", **{path: windows_program(ProductName="AnyDesk")})
    assert found(host) == {path: "AnyDesk"}
    noted = remote_tools.collect(Given(host=host, catalogue=CATALOGUE))
    assert isinstance(noted.signal, RemoteTools)
    assert [tool.tool for tool in noted.signal.tools] == ["anydesk"]


def test_however_many_run_under_long_names_what_is_kept_fits_into_a_note() -> None:
    files = {f"C:/Users/x/{'a' * 200}{n}.exe": windows_program(ProductName="AnyDesk") for n in range(1000)}
    host, note = laptop("windows", **files), b""
    for _ in range(1000 // NEW_FILES + 1):
        noted = remote_tools.collect(Given(host=host, catalogue=CATALOGUE, notes={"remote_tools": note}))
        note = noted.note
        assert len(note) <= MAX_NOTE_BYTES
    assert isinstance(noted.signal, RemoteTools)
    assert [tool.tool for tool in noted.signal.tools] == ["anydesk"]
