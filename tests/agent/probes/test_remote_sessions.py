"""remote_sessions, on whole laptops."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agent.host import Login, Process, Socket, TcpInfo
from agent.matching import path_digest
from agent.probe import Given, Unavailable
from agent.probes import remote_sessions
from agent.tool_note import Note
from agent.wire.report import decode_signal, encode_signal
from agent.wire.settings import Artefacts, Catalogue, Live, ToolEntry
from agent.wire.signals import RelayedSession, RemoteLogin, RemoteSession, RemoteSessions, Tunnel
from tests.fakes import NOON, FakeHost, connection, figures, listening, program

from .catalogue import CATALOGUE

LAPTOP = "192.168.1.5"
OPERATOR = "203.0.113.9"
RELAY = "198.51.100.7"


def look(host: FakeHost) -> RemoteSessions:
    return remote_sessions.collect(Given(host=host, catalogue=CATALOGUE))


def laptop(processes: list[Process], sockets: dict[Socket, TcpInfo | None]) -> FakeHost:
    """A laptop with these programs and sockets, and the kernel's figures of each connection."""
    tcp = {socket: info for socket, info in sockets.items() if info is not None}
    return FakeHost(processes=processes, sockets=sockets, tcp=tcp)


def test_a_viewer_that_connects_directly_shows_its_round_trip() -> None:
    host = laptop(
        [program(10, "/usr/bin/Xtigervnc")],
        {
            listening(5901, 10): None,
            listening(5901, 10, "::"): None,
            connection(f"{LAPTOP}:5901", f"{OPERATOR}:40000", 10): figures(183.4, sent=90_000, received=700),
        },
    )
    assert look(host).sessions == (
        RemoteSession(
            tool="tigervnc",
            local_port=5901,
            peer_address=OPERATOR,
            peer_port=40000,
            age_s=None,
            bytes_sent=90_000,
            bytes_received=700,
            min_rtt_ms=183.4,
            rtt_ms=184.4,
        ),
    )


def test_a_session_through_ssh_r_names_the_relay_and_the_way_there() -> None:
    host = laptop(
        [program(10, "/usr/bin/x11vnc"), program(20, "/usr/bin/ssh")],
        {
            listening(5900, 10, "127.0.0.1"): None,
            connection("127.0.0.1:5900", "127.0.0.1:51000", 10): figures(0.02),
            connection("127.0.0.1:51000", "127.0.0.1:5900", 20): figures(0.02),
            connection(f"{LAPTOP}:42000", f"{RELAY}:22", 20): figures(24.1, sent=500_000),
            connection(f"{LAPTOP}:42002", "192.0.2.1:22", 20): figures(3.0, sent=10),
        },
    )
    (session,) = look(host).sessions
    assert (session.tool, session.peer_address, session.min_rtt_ms) == ("x11vnc", "127.0.0.1", 0.02)
    assert session.tunnel == Tunnel(tool="openssh", peer_address=RELAY, peer_port=22, min_rtt_ms=24.1)


def test_a_tunnel_may_also_connect_to_an_own_address_of_the_laptop() -> None:
    host = laptop(
        [program(10, "/usr/bin/x11vnc"), program(20, "/usr/bin/ssh")],
        {
            listening(5900, 10): None,
            connection(f"{LAPTOP}:5900", f"{LAPTOP}:51000", 10): figures(0.02),
            connection(f"{LAPTOP}:51000", f"{LAPTOP}:5900", 20): figures(0.02),
            connection(f"{LAPTOP}:42000", f"{RELAY}:443", 20): figures(24.1),
        },
    )
    (session,) = look(host).sessions
    assert session.tunnel == Tunnel(tool="openssh", peer_address=RELAY, peer_port=443, min_rtt_ms=24.1)


def test_a_desktop_forwarded_by_the_ssh_server_leads_to_the_person_who_logged_in() -> None:
    host = laptop(
        [
            program(5, "/usr/sbin/sshd"),
            program(30, "/usr/sbin/sshd", parent=5),
            program(31, "/usr/sbin/sshd", parent=30),
            program(10, "/usr/bin/x11vnc"),
        ],
        {
            listening(22, 5): None,
            listening(5900, 10, "127.0.0.1"): None,
            connection(f"{LAPTOP}:22", f"{OPERATOR}:40000", 30): figures(150.0, sent=100_000),
            connection("127.0.0.1:5900", "127.0.0.1:51000", 10): figures(0.02, sent=50_000),
            connection("127.0.0.1:51000", "127.0.0.1:5900", 31): figures(0.02),
        },
    )
    login, desktop = look(host).sessions
    assert (login.tool, login.peer_address, login.tunnel) == ("openssh-server", OPERATOR, None)
    assert desktop.tunnel == Tunnel(tool="openssh-server", peer_address=OPERATOR, peer_port=40000, min_rtt_ms=150.0)


def test_a_tunnel_without_a_tcp_connection_is_named_alone() -> None:
    host = laptop(
        [program(10, "/usr/bin/x11vnc"), program(20, "/usr/bin/ssh")],
        {
            listening(5900, 10): None,
            connection("127.0.0.1:5900", "127.0.0.1:51000", 10): figures(0.02),
            connection("127.0.0.1:51000", "127.0.0.1:5900", 20): figures(0.02),
        },
    )
    assert look(host).sessions[0].tunnel == Tunnel(tool="openssh")


def test_only_the_tunnels_own_connections_to_elsewhere_count_as_its_way_out() -> None:
    host = laptop(
        [program(10, "/usr/bin/x11vnc"), program(5, "/usr/sbin/sshd"), program(20, "/usr/bin/ssh", parent=5)],
        {
            listening(5900, 10): None,
            connection("127.0.0.1:5900", "127.0.0.1:51000", 10): figures(0.02),
            connection("127.0.0.1:51000", "127.0.0.1:5900", 20): figures(0.02),
            connection("127.0.0.1:51002", "127.0.0.1:9999", 20): figures(0.01),
            connection(f"{LAPTOP}:42000", f"{OPERATOR}:443", 5): figures(150.0),
        },
    )
    assert look(host).sessions[0].tunnel == Tunnel(tool="openssh")


def test_a_remote_control_server_that_looks_at_another_on_the_laptop_is_no_tunnel() -> None:
    host = laptop(
        [program(10, "/usr/bin/Xtigervnc"), program(20, "/usr/bin/x11vnc")],
        {
            listening(5901, 10): None,
            connection("127.0.0.1:5901", "127.0.0.1:51000", 10): figures(0.02),
            connection("127.0.0.1:51000", "127.0.0.1:5901", 20): figures(0.02),
        },
    )
    assert look(host).sessions == ()


def test_what_comes_in_to_a_tunnel_program_is_no_session() -> None:
    host = laptop(
        [program(20, "/usr/bin/ssh")],
        {listening(1080, 20): None, connection(f"{LAPTOP}:1080", "192.168.1.7:40000", 20): figures(1.0)},
    )
    assert look(host).sessions == ()


def test_a_viewer_on_the_laptop_itself_is_no_session() -> None:
    host = laptop(
        [program(10, "/usr/bin/Xtigervnc"), program(20, "/usr/bin/xtigervncviewer")],
        {
            listening(5901, 10): None,
            connection("127.0.0.1:5901", "127.0.0.1:51000", 10): figures(0.02),
            connection("127.0.0.1:51000", "127.0.0.1:5901", 20): figures(0.02),
            connection("::1:5901", "::1:51002", 10): figures(0.02),
            connection(f"{LAPTOP}:5901", f"{LAPTOP}:51004", 10): figures(0.02),
            connection(f"{LAPTOP}:51004", f"{LAPTOP}:5901", 20): figures(0.02),
        },
    )
    assert look(host).sessions == ()


def carried_by(path: str, *sockets: Socket, pid: int = 20, parent: int = 1) -> FakeHost:
    """A laptop whose VNC server is looked at, over loopback, by a program that also holds these sockets."""
    held: dict[Socket, TcpInfo | None] = {
        listening(5900, 10, "127.0.0.1"): None,
        connection("127.0.0.1:5900", "127.0.0.1:51000", 10): figures(0.02),
        connection("127.0.0.1:51000", "127.0.0.1:5900", pid): figures(0.02),
    }
    programs = [program(10, "/usr/bin/x11vnc"), program(pid, path, parent=parent), program(40, "/usr/bin/firefox")]
    return laptop(programs, held | {one: figures(24.1, sent=500_000) for one in sockets})


def test_a_renamed_tunnel_is_known_by_its_connection_to_elsewhere_and_not_named() -> None:
    host = carried_by(
        "/home/user/.cache/updater",
        connection(f"{LAPTOP}:42000", f"{RELAY}:443", 20),
        connection(f"{LAPTOP}:42002", "192.0.2.80:443", 40),
    )
    (session,) = look(host).sessions
    assert (session.tool, session.peer_address) == ("x11vnc", "127.0.0.1")
    assert session.tunnel == Tunnel(tool="unknown", peer_address=RELAY, peer_port=443, min_rtt_ms=24.1)
    assert b"updater" not in bytes(encode_signal(look(host)))


@pytest.mark.parametrize(
    "sockets",
    [
        (),
        (connection("127.0.0.1:51002", "127.0.0.1:6010", 20),),
        (listening(8080, 20),),
        (connection(f"{LAPTOP}:42002", "192.0.2.80:443", 40),),
    ],
    ids=["nothing else", "a display on the laptop", "a door that nobody came through", "somebody else's connection"],
)
def test_a_viewer_without_a_connection_to_elsewhere_is_no_tunnel(sockets: tuple[Socket, ...]) -> None:
    assert look(carried_by("/usr/bin/remmina", *sockets)).sessions == ()


def test_a_stranger_into_which_the_agent_may_not_look_is_taken_for_a_viewer() -> None:
    host = carried_by("/usr/bin/remmina", connection(f"{LAPTOP}:42000", f"{RELAY}:443", 20))
    closed = [Process(pid=20, name="updater", path=None), program(10, "/usr/bin/x11vnc")]
    sockets = host.tcp_sockets([10, 20])
    assert look(FakeHost(processes=closed, sockets=sockets)).sessions == ()


@pytest.mark.parametrize(
    ("path", "times"), [("/usr/bin/ssh", 1), ("/home/user/.cache/updater", 2)], ids=["a tool", "a stranger"]
)
def test_every_process_is_looked_into_only_where_a_stranger_holds_the_near_end(
    path: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = carried_by(path, connection(f"{LAPTOP}:42000", f"{RELAY}:443", 20))
    asked: list[set[int]] = []
    look_up = host.tcp_sockets
    monkeypatch.setattr(host, "tcp_sockets", lambda owners: asked.append(set(owners)) or look_up(asked[-1]))
    look(host)
    assert asked[1:] == [{20, 40}][: times - 1]


def test_a_developer_who_logs_in_elsewhere_is_not_controlled() -> None:
    host = laptop(
        [program(5, "/usr/sbin/sshd"), program(20, "/usr/bin/ssh"), program(40, "/usr/bin/firefox")],
        {
            listening(22, 5): None,
            connection(f"{LAPTOP}:42000", f"{RELAY}:22", 20): figures(12.0),
            connection(f"{LAPTOP}:42002", f"{RELAY}:443", 40): figures(12.0),
        },
    )
    assert look(host) == RemoteSessions(sessions=(), logins=())


def test_a_tool_that_dials_out_is_no_accepted_session() -> None:
    host = laptop(
        [program(10, "/opt/teamviewer/tv_bin/teamviewerd")],
        {
            listening(5938, 10, "192.168.1.99"): None,
            connection(f"{LAPTOP}:42000", f"{RELAY}:5938", 10): figures(12.0),
            connection(f"{LAPTOP}:5938", f"{RELAY}:443", 10): figures(12.0),
        },
    )
    assert look(host).sessions == ()


def test_the_age_is_that_of_a_process_started_for_the_session() -> None:
    host = FakeHost(
        processes=[program(5, "/usr/sbin/sshd"), program(30, "/usr/sbin/sshd", parent=5)],
        sockets=[
            listening(22, 5),
            listening(6010, 30, "127.0.0.1"),
            connection(f"{LAPTOP}:22", f"{OPERATOR}:40000", 30),
            connection(f"{LAPTOP}:51000", f"{RELAY}:443", 30),
        ],
        started={30: NOON - timedelta(minutes=5)},
    )
    assert look(host).sessions[0].age_s == 300.0


def test_a_process_that_serves_two_connections_has_no_age() -> None:
    host = FakeHost(
        processes=[program(5, "/usr/sbin/sshd"), program(30, "/usr/sbin/sshd", parent=5)],
        sockets=[
            listening(22, 5),
            connection(f"{LAPTOP}:22", f"{OPERATOR}:40000", 30),
            connection(f"{LAPTOP}:22", f"{OPERATOR}:40001", 30),
        ],
    )
    assert [session.age_s for session in look(host).sessions] == [None, None]


def test_a_server_that_systemd_listens_for_is_known_by_its_own_process() -> None:
    host = laptop(
        [program(1, "/usr/lib/systemd/systemd"), program(30, "/usr/sbin/sshd-session")],
        {listening(22, None, "::"): None, connection(f"{LAPTOP}:22", f"{OPERATOR}:40000", 30): figures(60.0)},
    )
    (session,) = look(host).sessions
    assert (session.tool, session.age_s) == ("openssh-server", 3600.0)


def test_a_child_of_another_name_is_known_by_who_listens() -> None:
    host = laptop(
        [program(10, "/usr/bin/Xvnc"), program(11, "/opt/helper", parent=10)],
        {listening(5900, 10): None, connection(f"{LAPTOP}:5900", f"{OPERATOR}:40000", 11): figures(70.0)},
    )
    (session,) = look(host).sessions
    assert (session.tool, session.min_rtt_ms, session.age_s) == ("tigervnc", 70.0, None)


def test_a_connection_that_ended_while_we_looked_has_no_figures() -> None:
    host = laptop(
        [program(10, "/usr/bin/Xvnc")],
        {listening(5900, 10): None, connection(f"{LAPTOP}:5900", f"{OPERATOR}:40000", 10): None},
    )
    (session,) = look(host).sessions
    assert (session.min_rtt_ms, session.bytes_sent) == (None, None)


def test_of_too_many_sessions_the_busiest_are_kept_and_the_rest_counted() -> None:
    sockets: dict[Socket, TcpInfo | None] = {listening(5900, 10): None}
    for number in range(100):
        sockets[connection(f"{LAPTOP}:5900", f"{OPERATOR}:{40000 + number}", 10)] = figures(70.0, sent=number)
    signal = look(laptop([program(10, "/usr/bin/Xvnc")], sockets))
    assert [session.bytes_sent for session in signal.sessions] == list(range(99, 35, -1))
    assert signal.omitted == 36


def test_connections_that_may_not_be_seen_are_not_taken_for_none() -> None:
    host = FakeHost(processes=[Process(pid=10, name="sshd", path=None)], sockets=[listening(22)])
    with pytest.raises(Unavailable, match="openssh-server") as caught:
        look(host)
    assert (caught.value.failure, caught.value.remedy) == ("denied", "run the agent as root")


def test_without_a_catalogue_there_is_nothing_to_look_for() -> None:
    with pytest.raises(Unavailable) as caught:
        remote_sessions.collect(Given(host=FakeHost(), catalogue=None))
    assert caught.value.failure == "unsupported"


def test_a_screen_reader_and_a_browser_are_no_sessions() -> None:
    host = laptop(
        [program(10, "/usr/bin/python3.11", aliases=("orca",)), program(11, "/usr/bin/firefox")],
        {
            listening(4242, 10, "127.0.0.1"): None,
            connection(f"{LAPTOP}:42000", f"{RELAY}:443", 11): figures(12.0),
        },
    )
    assert look(host) == RemoteSessions(sessions=(), logins=())


def test_logins_carry_address_terminal_and_age_the_newest_first() -> None:
    logins = [
        Login(terminal="pts/0", peer=OPERATOR, started_at=NOON - timedelta(hours=2)),
        Login(terminal="pts/1", peer="gateway.example", started_at=NOON + timedelta(minutes=1)),
    ]
    assert look(FakeHost(logins=logins)).logins == (
        RemoteLogin(peer_address="gateway.example", terminal="pts/1", age_s=0.0),
        RemoteLogin(peer_address=OPERATOR, terminal="pts/0", age_s=7200.0),
    )
    crowd = [Login(terminal=f"pts/{n}", peer=OPERATOR, started_at=NOON - timedelta(seconds=n)) for n in range(70)]
    signal = look(FakeHost(logins=crowd))
    assert (len(signal.logins), signal.omitted, signal.logins[0].age_s) == (64, 6, 0.0)


@pytest.mark.parametrize("text", ["\udcff\udcfe", "\x1b[31mred\x1b[0m", "\u202egnp.exe", "a\x00b", "é" * 300])
def test_whatever_a_machine_calls_itself_can_be_sent(text: str) -> None:
    host = FakeHost(
        processes=[program(10, f"/usr/bin/{text}", aliases=(text,))],
        logins=[Login(terminal=text, peer=text, started_at=NOON)],
    )
    signal = look(host)
    decoded = decode_signal("remote_sessions", encode_signal(signal))
    assert decoded == signal
    assert len(signal.logins[0].peer_address) == min(len(text), 256)


SIGNED = Catalogue(
    version=8,
    tools=(
        ToolEntry(
            id="desk",
            linux=Artefacts(processes=("deskd", "desk-show"), live=(Live(process="desk-show", arguments=("--on",)),)),
            windows=Artefacts(processes=("desk.exe",), identities=("Desk",), live=(Live(process="desk.exe"),)),
        ),
    ),
)


def test_a_session_through_its_makers_relay_is_told_by_what_it_leaves() -> None:
    host = FakeHost(
        processes=[program(10, "/opt/deskd"), program(20, "/opt/desk-show")],
        arguments={20: ("desk-show", "--on", "--name=somebody")},
        started={20: NOON - timedelta(minutes=7)},
        sockets=[connection(f"{LAPTOP}:40000", f"{RELAY}:443", 10)],
    )
    found = remote_sessions.collect(Given(host=host, catalogue=SIGNED))
    assert found.by_evidence == (
        RelayedSession(tool="desk", evidence=("process:desk-show", "argument:--on"), age_s=420.0),
    )
    assert found.sessions == ()
    assert "somebody" not in str(msgspec.json.encode(found))


def test_a_session_that_shows_its_connection_is_told_once() -> None:
    host = FakeHost(
        processes=[program(20, "/opt/desk-show")],
        arguments={20: ("desk-show", "--on")},
        sockets=[listening(5900, 20), connection(f"{LAPTOP}:5900", f"{OPERATOR}:443", 20)],
    )
    found = remote_sessions.collect(Given(host=host, catalogue=SIGNED))
    assert (len(found.sessions), found.by_evidence) == (1, ())


def test_a_tool_without_a_session_adds_nothing_to_what_is_sent() -> None:
    found = remote_sessions.collect(Given(host=FakeHost(processes=[program(10, "/opt/deskd")]), catalogue=SIGNED))
    assert b"relayed" not in msgspec.json.encode(found)


def test_a_program_under_another_name_is_known_from_the_note_about_tools() -> None:
    note = msgspec.msgpack.encode(Note(version=8, renamed={path_digest("C:\\x\\notes.exe"): "Desk"}))
    hidden = program(10, "C:/x/notes.exe")
    sockets = [listening(7070, 10), connection(f"{LAPTOP}:7070", f"{OPERATOR}:50000", 10)]
    host = FakeHost(system="windows", processes=[hidden], sockets=sockets)
    found = remote_sessions.collect(Given(host=host, catalogue=SIGNED, notes={"remote_tools": note}))
    assert [(one.tool, one.peer_address) for one in found.sessions] == [("desk", OPERATOR)]


def through(carrier: str, port: int, *, served: str = "/home/user/.cache/notes") -> RemoteSessions:
    """A laptop on which a tunnel brings a connection to a port of a program that nobody knows."""
    return look(
        laptop(
            [program(10, served), program(20, carrier)],
            {
                listening(port, 10, "127.0.0.1"): None,
                connection(f"127.0.0.1:{port}", "127.0.0.1:51000", 10): figures(0.02),
                connection("127.0.0.1:51000", f"127.0.0.1:{port}", 20): figures(0.02),
                connection(f"{LAPTOP}:42000", f"{RELAY}:443", 20): figures(24.1, sent=500_000),
            },
        )
    )


@pytest.mark.parametrize("port", [3389, 5900, 5903])
def test_a_tunnel_to_a_port_of_remote_desktops_is_a_session_whatever_listens_there(port: int) -> None:
    (session,) = through("/usr/bin/ssh", port).sessions
    assert (session.tool, session.local_port, session.peer_address) == ("unknown", port, "127.0.0.1")
    assert session.tunnel == Tunnel(tool="openssh", peer_address=RELAY, peer_port=443, min_rtt_ms=24.1)


def test_a_tunnel_to_another_port_or_a_program_that_is_no_tunnel_is_none() -> None:
    assert through("/usr/bin/ssh", 8080).sessions == ()
    assert through("/usr/bin/firefox", 5900).sessions == ()


def test_a_tool_of_the_catalogue_behind_a_tunnel_is_told_once_under_its_name() -> None:
    assert [one.tool for one in through("/usr/bin/ssh", 5900, served="/usr/bin/x11vnc").sessions] == ["x11vnc"]
