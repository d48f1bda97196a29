"""marks: signs of sessions, unattended set-up and whose installation it is, where they are and where they are not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.host import Process, Service, Socket
from agent.marks import live_signs, tenant, unattended
from agent.matching import find_tools
from agent.probe import Given
from agent.probes import remote_sessions
from agent.wire.tenant import tenant_digest
from collector import catalogue
from tests.fakes import NOON, FakeHost, connection, program

WIRE = catalogue.for_wire(catalogue.load(), 1)


def words(host: FakeHost, tool: str) -> list[tuple[str, ...]]:
    """The signs that hold on a machine, of one tool."""
    (found,) = (one for one in find_tools(WIRE, host) if one.tool.id == tool)
    return [sign.words for sign in live_signs(found, host, host.tcp_sockets())]


def running(system: str, path: str, *arguments: str, also: tuple[Process, ...] = ()) -> FakeHost:
    return FakeHost(
        system=system,  # type: ignore[arg-type]
        processes=[program(10, path), *also],
        arguments={10: (path, *arguments)},
    )


@pytest.mark.parametrize(
    ("tool", "system", "path", "arguments", "sign"),
    [
        ("teamviewer", "linux", "/opt/tv/TeamViewer_Desktop", ("--IPCport", "5939", "--Module", "1"), "argument:1"),
        ("teamviewer", "macos", "/x/TeamViewer_Desktop", ("--IPCport", "5939", "--Module", "1"), "argument:1"),
        ("teamviewer", "windows", "C:/x/TeamViewer_Desktop.exe", ("--Module", "1"), "argument:1"),
        ("rustdesk", "linux", "/usr/bin/rustdesk", ("--cm",), "argument:--cm"),
        ("rustdesk", "macos", "/x/RustDesk", ("--cm",), "argument:--cm"),
        ("rustdesk", "windows", "C:/x/rustdesk.exe", ("--cm",), "argument:--cm"),
        ("chrome-remote-desktop", "windows", "C:/x/remoting_desktop.exe", (), "process:remoting_desktop.exe"),
        ("splashtop", "windows", "C:/x/SRFeature.exe", (), "process:SRFeature.exe"),
        ("screenconnect", "windows", "C:/x/ScreenConnect.WindowsClient.exe", ("RunRole", "7"), "argument:RunRole"),
        ("nomachine", "linux", "/usr/NX/bin/nxcodec.bin", (), "process:nxcodec.bin"),
        ("xrdp", "linux", "/usr/sbin/xrdp-chansrv", (), "process:xrdp-chansrv"),
        ("windows-rdp", "windows", "C:/Windows/System32/rdpclip.exe", (), "process:rdpclip.exe"),
        ("anyviewer", "windows", "C:/x/ScreanCap.exe", (), "process:ScreanCap.exe"),
        ("todesk", "linux", "/opt/todesk/ToDesk_Session", (), "process:ToDesk_Session"),
    ],
)
def test_a_session_leaves_its_sign(tool: str, system: str, path: str, arguments: tuple[str, ...], sign: str) -> None:
    (held,) = words(running(system, path, *arguments), tool)
    assert sign in held


@pytest.mark.parametrize(
    ("tool", "path", "arguments"),
    [
        ("teamviewer", "/opt/tv/TeamViewer_Desktop", ("--IPCport", "5939", "--Module", "2")),
        ("teamviewer", "/opt/tv/TeamViewer_Desktop", ("1", "--Module")),
        ("teamviewer", "/opt/tv/teamviewerd", ("-d",)),
        ("rustdesk", "/usr/bin/rustdesk", ("--service",)),
        ("rustdesk", "/usr/bin/rustdesk", ("--cm-is-something-else",)),
        ("xrdp", "/usr/sbin/xrdp-sesman", ()),
    ],
)
def test_a_tool_that_waits_shows_no_session(tool: str, path: str, arguments: tuple[str, ...]) -> None:
    assert words(running("linux", path, *arguments), tool) == []


def test_anydesk_accepted_a_session_when_its_list_was_written_to_within_a_quarter_of_an_hour() -> None:
    trace = "~/.anydesk/connection_trace.txt"

    def at(minutes: float) -> FakeHost:
        written = {trace: NOON - timedelta(minutes=minutes)}
        return FakeHost(files={trace: "x"}, changed=written, processes=[program(10, "/usr/bin/anydesk")])

    assert words(at(5), "anydesk") == [(f"file:{trace}",)]
    assert words(at(16), "anydesk") == words(at(-5), "anydesk") == []


def test_screen_sharing_is_live_while_somebody_is_connected() -> None:
    def mac(*sockets: str) -> FakeHost:
        ends = [connection(local, "203.0.113.9:50000") for local in sockets]
        return FakeHost(system="macos", processes=[program(10, "/x/screensharingd")], sockets=ends)

    assert words(mac("192.168.1.5:5900"), "apple-remote-desktop") == [("process:screensharingd", "port:5900")]
    assert words(mac("127.0.0.1:5900"), "apple-remote-desktop") == words(mac("192.168.1.5:22"), "apple-remote-desktop")
    assert words(mac(), "apple-remote-desktop") == []


def test_a_tunnel_of_vscode_is_used_while_its_server_runs_below_it() -> None:
    tunnel = program(9, "/usr/bin/code-tunnel")
    server = program(10, "/home/x/.vscode/node", parent=9)
    assert words(FakeHost(processes=[tunnel, server]), "vscode-tunnel") == [("process:node",)]
    assert words(FakeHost(processes=[tunnel, program(10, "/usr/bin/node")]), "vscode-tunnel") == []


def asked(tool: str, system: str, **host: object) -> bool | None:
    machine = FakeHost(system=system, **host)  # type: ignore[arg-type]
    return unattended(next(one for one in find_tools(WIRE, machine) if one.tool.id == tool), machine)


def test_a_password_that_is_set_is_told_and_one_that_is_empty_is_not() -> None:
    conf = "/etc/anydesk/service.conf"
    tool = [program(10, "/usr/bin/anydesk")]
    assert asked("anydesk", "linux", processes=tool, files={conf: "ad.x=1\nad.anynet.pwd_hash=ab12\n"}) is True
    assert asked("anydesk", "linux", processes=tool, files={conf: "ad.anynet.pwd_hash=\n"}) is False
    assert asked("anydesk", "linux", processes=tool, files={conf: "not.ad.anynet.pwd_hash.old=1\n"}) is False
    assert asked("anydesk", "linux", processes=tool) is False
    assert asked("anydesk", "linux", processes=tool, files={conf: "x"}, denied=[conf]) is None
    assert asked("parsec", "linux", processes=[program(10, "/usr/bin/parsecd")]) is None


def test_each_format_of_settings_is_read() -> None:
    toml = {"/home/user/.config/rustdesk/RustDesk.toml": "id = 'x'\npassword = 'y'\n"}
    host = {"~/.config/chrome-remote-desktop/host#1.json": '{"host_id":"1","host_secret_hash":"hmac:x"}'}
    values = {r"HKLM\SOFTWARE\TeamViewer": {"PermanentPassword": b"\x01"}}
    assert asked("rustdesk", "linux", processes=[program(10, "/usr/bin/rustdesk")], files=toml) is True
    assert asked("chrome-remote-desktop", "linux", files=host) is True
    viewer = [program(10, "C:/x/TeamViewer.exe")]
    assert asked("teamviewer", "windows", processes=viewer, registry=values) is True
    assert asked("teamviewer", "windows", processes=viewer, registry={}) is False


def test_a_pin_on_a_command_line_is_told_and_never_read_out() -> None:
    path = "C:/x/remoting_start_host.exe"
    machine = running("windows", path, "--code=x", "--pin=123456")
    (found,) = find_tools(WIRE, machine)
    assert unattended(found, machine) is True
    assert unattended(found, running("windows", path, "--code=x")) is False


def whose(tool: str, host: FakeHost) -> str:
    return tenant(next(one for one in find_tools(WIRE, host) if one.tool.id == tool), host, host.services())


def test_whose_installation_it_is_is_a_digest() -> None:
    instance = Service(name="ScreenConnect Client (0123456789abcdef)", enabled=True)
    assert whose("screenconnect", FakeHost(system="windows", services=[instance])) == tenant_digest(
        "screenconnect", "0123456789abcdef"
    )
    mesh = {"/usr/local/mesh_services/meshagent/meshagent.msh": "MeshName=x\nMeshServer=wss://mesh.example.org/a\n"}
    assert whose("meshcentral", FakeHost(files=mesh)) == tenant_digest("meshcentral", "wss://mesh.example.org/a")
    assert whose("anydesk", FakeHost(files={"/usr/bin/anydesk": ""})) == ""


def test_of_an_account_only_its_organisation_counts() -> None:
    files = {"~/.config/chrome-remote-desktop/host#1.json": '{"host_owner": "Somebody@Example.org"}'}
    assert whose("chrome-remote-desktop", FakeHost(files=files)) == tenant_digest(
        "chrome-remote-desktop", "example.org"
    )


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ("openssh", "/usr/bin/ssh"),
        ("cloudflared", "/usr/bin/cloudflared"),
        ("ngrok", "/usr/local/bin/ngrok"),
        ("frp", "/usr/bin/frpc"),
        ("tailscale", "/usr/sbin/tailscaled"),
        ("vscode-tunnel", "/usr/bin/code-tunnel"),
        ("vscode-tunnel", "/usr/bin/devtunnel"),
        ("chisel", "/usr/bin/chisel"),
        ("zerotier", "/usr/sbin/zerotier-one"),
        ("netbird", "/usr/bin/netbird"),
        ("localxpose", "/usr/local/bin/loclx"),
        ("bore", "/usr/bin/bore"),
        ("nebula", "/usr/bin/nebula"),
        ("code-server", "/usr/bin/code-server"),
    ],
)
def test_each_tunnel_that_brings_a_session_to_the_loopback_address_is_named(tool: str, path: str) -> None:
    sockets = [
        Socket(state="listen", local_address="127.0.0.1", local_port=5900, pid=10),
        connection("127.0.0.1:5900", "127.0.0.1:51000", 10),
        connection("127.0.0.1:51000", "127.0.0.1:5900", 20),
        connection("192.168.1.5:42000", "198.51.100.7:443", 20),
    ]
    host = FakeHost(processes=[program(10, "/usr/bin/x11vnc"), program(20, path)], sockets=sockets)
    (session,) = remote_sessions.collect(Given(host=host, catalogue=WIRE)).sessions
    assert session.tunnel is not None
    assert (session.tool, session.tunnel.tool, session.tunnel.peer_address) == ("x11vnc", tool, "198.51.100.7")


def test_a_unit_whose_name_is_no_unicode_is_whose_it_is() -> None:
    """Anybody may put a file of any name among the units of their own."""
    named = "screenconnect-\udcff.service"
    assert len(whose("screenconnect", FakeHost(services=[Service(name=named, enabled=True)]))) == 16
