"""remote_tools, on whole laptops."""

from __future__ import annotations

import pytest

from agent.host import Process, Service
from agent.probe import Given, Unavailable
from agent.probes import remote_tools
from agent.wire.report import encode_signal
from agent.wire.signals import RemoteTool, RemoteTools
from tests.fakes import FakeHost, listening, program

from .catalogue import CATALOGUE


def tools_of(host: FakeHost) -> tuple[RemoteTool, ...]:
    signal = remote_tools.collect(Given(host=host, catalogue=CATALOGUE))
    assert isinstance(signal, RemoteTools)
    assert signal.catalogue_version == 7
    return signal.tools


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
        bytes(encode_signal(remote_tools.collect(Given(host=started(base), catalogue=CATALOGUE)))) for base in (11, 502)
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
