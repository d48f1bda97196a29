"""remote_tools, on whole laptops."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET

from agent.host import Process, Service
from agent.probe import Given, Unavailable
from agent.probes import remote_tools
from agent.wire.report import encode_signal
from agent.wire.settings import Artefacts, Catalogue, Mark, ToolEntry
from agent.wire.signals import RemoteTool, RemoteTools, ToolSetup
from tests.agent.programs import windows_program
from tests.fakes import NOON, FakeHost, listening, program

from .catalogue import CATALOGUE


def tools_of(host: FakeHost) -> tuple[RemoteTool, ...]:
    """What is said of a laptop's tools, without how they are set up."""
    return tuple(msgspec.structs.replace(tool, setup=UNSET) for tool in look(host)[0])


def look(host: FakeHost, note: bytes = b"", catalogue: Catalogue = CATALOGUE) -> tuple[tuple[RemoteTool, ...], bytes]:
    """What is said of a laptop's tools, and what is noted for the next time."""
    noted = remote_tools.collect(Given(host=host, catalogue=catalogue, notes={"remote_tools": note}))
    assert isinstance(noted.signal, RemoteTools)
    assert noted.signal.catalogue_version == catalogue.version
    return noted.signal.tools, noted.note


def setup_of(tool: RemoteTool) -> ToolSetup:
    assert isinstance(tool.setup, ToolSetup)
    return tool.setup


def test_a_laptop_without_any_of_the_tools_names_nothing() -> None:
    host = FakeHost(
        files={"/usr/bin/firefox": "", "~/.config/teamviewer2/x": ""},
        processes=[program(10, "/usr/bin/firefox"), program(11, "/usr/bin/orca")],
        services=[Service(name="cups.service", enabled=True)],
        sockets=[listening(631, 10)],
    )
    assert tools_of(host) == ()


def test_teamviewer_that_is_only_installed_does_not_run() -> None:
    host = FakeHost(
        files={"/opt/teamviewer/tv_bin/teamviewerd": "", "~/.config/teamviewer/client.conf": ""},
        services=[Service(name="teamviewerd.service", enabled=False)],
    )
    assert tools_of(host) == (
        RemoteTool(
            tool="teamviewer",
            installed=True,
            service=False,
            running=False,
            evidence=("path:/opt/teamviewer/tv_bin/", "path:~/.config/teamviewer", "unit:teamviewerd.service"),
        ),
    )


def test_a_service_that_starts_by_itself_is_said_to() -> None:
    (tool,) = tools_of(FakeHost(services=[Service(name="sshd@7.service", enabled=True)]))
    assert (tool.tool, tool.service, tool.installed, tool.evidence) == (
        "openssh-server",
        True,
        True,
        ("unit:sshd@*.service",),
    )


def test_a_running_server_shows_the_lasting_ports_on_which_others_reach_it() -> None:
    host = FakeHost(
        processes=[program(10, "/usr/bin/x11vnc"), program(11, "/usr/bin/python3.11")],
        sockets=[
            listening(5900, 10),
            listening(5900, 10, "::"),
            listening(5800, 10, "192.168.1.5"),
            listening(5901, 10, "127.0.0.1"),
            listening(40123, 10),
            listening(49000, 10),
            listening(8000, 11),
        ],
    )
    (tool,) = tools_of(host)
    assert (tool.running, tool.installed, tool.listening) == (True, False, (5800, 5900, 49000))
    assert tool.evidence == ("process:x11vnc",)


def test_a_program_of_somebody_else_is_known_by_the_name_that_the_kernel_cut() -> None:
    (tool,) = tools_of(FakeHost(processes=[Process(pid=10, name="TeamViewer_Desk", path=None)]))
    assert (tool.tool, tool.running, tool.listening) == ("teamviewer", True, ())


def test_a_process_that_renamed_itself_is_known_by_its_executable() -> None:
    (tool,) = tools_of(FakeHost(processes=[program(10, "/usr/bin/x11vnc", aliases=("kworker/0:1",))]))
    assert (tool.tool, tool.running) == ("x11vnc", True)


def test_a_copied_and_renamed_program_is_not_seen_to_run_but_its_installation_is() -> None:
    host = FakeHost(files={"/usr/bin/x11vnc": ""}, processes=[program(10, "/home/user/.cache/updater")])
    (tool,) = tools_of(host)
    assert (tool.tool, tool.installed, tool.running) == ("x11vnc", True, False)


def test_a_common_process_name_counts_only_beside_a_path_or_a_service() -> None:
    process = program(10, "/opt/backup/agent")
    assert tools_of(FakeHost(processes=[process])) == ()
    (tool,) = tools_of(FakeHost(processes=[process], files={"/opt/helpdesk/agent": ""}))
    assert (tool.tool, tool.running, tool.evidence) == ("helpdesk", True, ("path:/opt/helpdesk/", "process:agent"))


def test_the_same_machine_gives_the_same_bytes_whatever_its_process_numbers() -> None:
    def started(base: int) -> FakeHost:
        processes = [program(base + 1, "/usr/sbin/sshd"), program(base, "/usr/bin/Xtigervnc")]
        sockets = [listening(22, base + 1), listening(5901, base), listening(33000 + base, base)]
        return FakeHost(processes=processes, sockets=sockets if base % 2 else sockets[::-1])

    first, second = (
        bytes(encode_signal(remote_tools.collect(Given(host=started(base), catalogue=CATALOGUE)).signal))
        for base in (11, 502)
    )
    assert first == second
    assert [tool.tool for tool in tools_of(started(11))] == ["openssh-server", "tigervnc"]


def test_without_a_catalogue_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(Unavailable, match="no catalogue") as caught:
        remote_tools.collect(Given(host=FakeHost(), catalogue=None))
    assert caught.value.failure == "unsupported"


def test_many_ports_are_cut_to_sixteen() -> None:
    host = FakeHost(
        processes=[program(10, "/usr/bin/Xvnc")], sockets=[listening(port, 10) for port in range(6000, 5900, -1)]
    )
    (tool,) = tools_of(host)
    assert tool.listening == tuple(range(5901, 5917))


def test_a_vpn_client_is_no_remote_access_tool_however_much_of_it_is_there() -> None:
    host = FakeHost(
        files={"/opt/Mullvad VPN/mullvad-vpn": ""},
        processes=[program(10, "/usr/bin/mullvad-daemon")],
        services=[Service(name="mullvad-daemon.service", enabled=True)],
        sockets=[listening(5900, 10)],
    )
    assert tools_of(host) == ()


DESK = ToolEntry(
    id="desk",
    linux=Artefacts(
        processes=("desk",),
        paths=("/opt/desk", "~/.desk"),
        unattended=(Mark(file="/etc/desk.conf", key="password"),),
        tenant=(Mark(file="/etc/desk.conf", key="server"),),
    ),
    windows=Artefacts(processes=("desk.exe",), identities=("Desk",)),
)
DESKS = Catalogue(version=9, tools=(DESK,))


def test_files_are_looked_at_once_an_hour_and_at_once_where_a_tool_is_new() -> None:
    host = FakeHost(files={"/opt/desk/desk": ""})
    (tool,), note = look(host, catalogue=DESKS)
    assert tool.evidence == ("path:/opt/desk",)
    gone = FakeHost()
    gone.pass_time(600)
    assert look(gone, note, DESKS)[0] == (tool,), "its folder is not looked for again so soon"
    gone.pass_time(3000)
    assert look(gone, note, DESKS)[0] == ()
    empty = look(FakeHost(), catalogue=DESKS)[1]
    came = FakeHost(files={"/opt/desk/desk": ""}, processes=[program(10, "/opt/desk/desk")])
    assert look(came, empty, DESKS)[0][0].evidence == ("path:/opt/desk", "process:desk")


def test_a_newer_catalogue_or_another_boot_has_all_files_looked_at_anew() -> None:
    note = look(FakeHost(files={"/opt/desk/desk": ""}), catalogue=DESKS)[1]
    assert look(FakeHost(), note, Catalogue(version=10, tools=(DESK,)))[0] == ()
    rebooted = FakeHost(boot_id="11111111-2222-4333-8444-666666666666")
    assert look(rebooted, note, DESKS)[0] == ()


def test_the_same_laptop_says_the_same_hour_after_hour() -> None:
    host = FakeHost(files={"/opt/desk/desk": "", "/etc/desk.conf": "password=x\nserver=y\n"})
    first, note = look(host, catalogue=DESKS)
    for _ in range(20):
        host.pass_time(301)
        again, note = look(host, note, DESKS)
        assert again == first


def test_how_a_tool_is_set_up_is_told_without_what_it_is_set_to() -> None:
    host = FakeHost(files={"/opt/desk/x": "", "/etc/desk.conf": "password = secret\nserver = desk.example.org\n"})
    (tool,), note = look(host, catalogue=DESKS)
    setup = setup_of(tool)
    assert (setup.unattended, len(setup.tenant), setup.place, setup.renamed) == (True, 16, "system", False)
    kept = msgspec.json.encode(tool) + note
    assert b"secret" not in kept
    assert b"desk.example.org" not in kept


def test_where_a_tool_lies_is_told_by_its_programs_before_its_files() -> None:
    def place(*paths: str, runs: str = "") -> str:
        files = dict.fromkeys((*paths, *([runs] if runs else [])), "")
        host = FakeHost(files=files, processes=[program(10, runs)] if runs else ())
        return setup_of(look(host, catalogue=DESKS)[0][0]).place

    assert place("/opt/desk/desk") == place("/opt/desk/desk", "~/.desk/conf") == "system"
    assert place("~/.desk/conf") == place("/opt/desk/desk", runs="/home/user/Downloads/desk") == "user"


def test_when_a_tool_came_is_told_unless_it_was_there_from_the_start() -> None:
    there = FakeHost(files={"/opt/desk/desk": ""})
    assert setup_of(look(there, catalogue=DESKS)[0][0]).found_at is None
    note = look(FakeHost(), catalogue=DESKS)[1]
    assert look(there, note, DESKS)[0] == (), "files alone are found with the next look at files"
    runs = FakeHost(files={"/opt/desk/desk": ""}, processes=[program(10, "/opt/desk/desk")])
    runs.pass_time(600)
    (tool,), note = look(runs, note, DESKS)
    assert setup_of(tool).found_at == NOON + timedelta(minutes=10)
    runs.pass_time(7200)
    assert setup_of(look(runs, note, DESKS)[0][0]).found_at == NOON + timedelta(minutes=10)


def test_a_windows_program_under_another_name_runs_and_its_own_name_stays_here() -> None:
    hidden = "C:/Users/x/Downloads/notes.exe"
    files = {hidden: windows_program(ProductName="Desk")}
    host = FakeHost(system="windows", files=files, processes=[program(10, hidden)])
    (tool,), note = look(host, catalogue=DESKS)
    assert (tool.running, tool.installed, tool.evidence) == (True, False, ("identity:Desk",))
    assert (setup_of(tool).renamed, setup_of(tool).place) == (True, "user")
    assert b"notes" not in msgspec.json.encode(tool)
    assert b"notes" not in note, "not even there"


def test_a_note_of_another_agent_is_no_stumbling_block() -> None:
    assert look(FakeHost(files={"/opt/desk/x": ""}), b"\xc1 nothing", DESKS)[0][0].tool == "desk"
