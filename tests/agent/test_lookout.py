"""The lookout: which connections are timed, and when."""

from __future__ import annotations

import os
import socket
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import connections, lookout
from agent.connections import dialled_by, relevant, sockets_among
from agent.inet_diag import BYTES_SENT, CLOSED, ESTABLISHED, LISTEN, MIN_RTT, Counters, Ends, InetDiag, Row, row
from agent.lookout import Lookout, Orders
from agent.timing.flow import Flow

ORDERS = Orders.parse(
    ["timing 15 3 40 4 0", "listens tigervnc 5900,5901", "listens openssh-server 22", "dials anydesk 77"]
)
LAPTOP, FAR = socket.inet_aton("192.0.2.10"), socket.inet_aton("198.51.100.7")
NEAR = socket.inet_aton("127.0.0.1")
VNC: Ends = (5900, 40000, LAPTOP, FAR)


def door(port: int) -> Row:
    return LISTEN, (port, 0, bytes(4), bytes(4)), 1


def opened(ends: Ends, inode: int = 2) -> Row:
    return ESTABLISHED, ends, inode


def counters(sent: int, received: int, *, segments: int = 9) -> Counters:
    info = bytearray(BYTES_SENT + 8)
    struct.pack_into("=Q", info, 128, received)
    struct.pack_into("=III", info, MIN_RTT, 10_000, segments, segments)
    struct.pack_into("=Q", info, BYTES_SENT, sent)
    return Counters(bytes(info))


def compare(
    watch: Lookout,
    rows: list[Row],
    now_s: float,
    ask: Callable[[Ends], Counters | None],
    dialled: dict[int, str],
) -> None:
    doors = {ends[0] for state, ends, _ in rows if state == LISTEN}
    watch.compare([each for each in rows if each[0] == ESTABLISHED], doors, now_s, ask, dialled)


class Helpers:
    """Helpers that were started, and what each says."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []
        self.writer = -1

    def start(self, options: list[str]) -> tuple[int, int]:
        self.started.append(options)
        reader, self.writer = os.pipe()
        return os.posix_spawn("/bin/true", ["true"], {}), reader

    def say(self, text: bytes) -> None:
        os.write(self.writer, text)
        os.close(self.writer)


@pytest.fixture
def helpers() -> Helpers:
    return Helpers()


def test_the_orders_are_read_and_what_is_none_is_left_out() -> None:
    orders = Orders.parse(
        ["timing 10 2 20 6 1", "listens x11vnc 5900,none", "listens", "dials rustdesk 4,5", "more", ""]
    )
    assert (orders.on, orders.window_s, orders.first, orders.first_every_s) == (True, 10.0, 2, 20.0)
    assert (orders.per_hour, orders.headers) == (6, True)
    assert orders.dialling == [("rustdesk", [4, 5])]
    assert not Orders.parse(["timing soon 2 20 6 1"]).on


def test_a_session_that_comes_in_is_timed_three_times_and_then_four_times_an_hour(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    compare(watch, [door(5900)], 1000.0, never_asked, {})
    starts = []
    now_s = 1020.0
    while now_s < 1020 + 3600:
        compare(watch, [door(5900), opened(VNC)], now_s, never_asked, {})
        before = len(helpers.started)
        watch._have_timed(now_s)
        if len(helpers.started) > before:
            starts.append(now_s)
            helpers.say(b'{"window":1}\n')
            news = False
            while watch._helper is not None:
                news = watch.hear() or news
            assert news is (len(starts) == 3)
        now_s += 20.0
    assert starts == [1020.0, 1060.0, 1100.0, 2000.0, 2900.0, 3800.0]
    assert helpers.started[0] == ["--seconds", "15", "tigervnc,192.0.2.10,5900,198.51.100.7,40000,others,0.0"]
    assert Flow.parse(helpers.started[1][-1]) == Flow("tigervnc", VNC, "others", 40.0)
    assert watch.hand_over() == b'{"window":1}\n' * 6


def test_a_session_that_was_there_before_the_agent_has_no_beginning(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    compare(watch, [door(5900), opened(VNC)], 1000.0, never_asked, {})
    watch._have_timed(1000.0)
    assert helpers.started[0][-1].endswith(",others,")
    assert Flow.parse(helpers.started[0][-1]).began_s is None
    watch.end()


def test_what_the_laptop_s_own_programs_do_is_not_timed(helpers: Helpers) -> None:
    browsing = (51000, 443, LAPTOP, FAR)
    own_page = (8080, 52000, NEAR, NEAR)
    outward_ssh = (53000, 22, LAPTOP, FAR)
    vnc_elsewhere = (54000, 5900, LAPTOP, FAR)
    watch = Lookout(helpers.start, ORDERS)
    rows = [door(5900), door(8080), *map(opened, (browsing, own_page, outward_ssh, vnc_elsewhere))]
    for now_s in (1000.0, 1020.0, 1040.0):
        compare(watch, rows, now_s, never_asked, {})
    assert watch.sessions == {}


def test_an_unlisted_program_counts_where_it_sends_as_one_that_shows_a_screen(helpers: Helpers) -> None:
    renamed, syncing = (9000, 40000, LAPTOP, FAR), (9001, 40001, LAPTOP, FAR)
    sent = {renamed: 0, syncing: 0}

    def ask(ends: Ends) -> Counters:
        sent[ends] += 500_000
        return counters(sent[ends], sent[ends] // (50 if ends == renamed else 2))

    watch = Lookout(helpers.start, ORDERS)
    rows = [door(9000), door(9001), opened(renamed), opened(syncing)]
    compare(watch, rows, 1000.0, ask, {})
    assert watch.sessions == {}
    compare(watch, rows, 1020.0, ask, {})
    assert [(ends, each.tool, each.opened_by) for ends, each in watch.sessions.items()] == [
        (renamed, "unknown", "unlisted")
    ]


def test_a_tool_that_dials_out_counts_once_it_shows_the_screen(helpers: Helpers) -> None:
    relayed = (51000, 443, LAPTOP, FAR)
    sent = [0]

    def ask(ends: Ends) -> Counters:
        sent[0] += 10 if len(watch.sessions) == 0 and sent[0] < 25 else 300_000
        return counters(sent[0], 100)

    watch = Lookout(helpers.start, ORDERS)
    for now_s in (1000.0, 1020.0, 1040.0):
        compare(watch, [opened(relayed)], now_s, ask, {2: "anydesk"})
        assert watch.sessions == {}
    compare(watch, [opened(relayed)], 1060.0, ask, {2: "anydesk"})
    assert [(each.tool, each.opened_by) for each in watch.sessions.values()] == [("anydesk", "tool")]


def test_udp_ports_of_tools_are_timed_by_headers_and_forgotten_when_they_close(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, Orders.parse(["timing 15 3 40 4 1", "dials rustdesk 77"]))
    dialled = {5: "rustdesk"}
    open_to_all, of_another, inside = (
        (50000, 0, bytes(4), bytes(4)),
        (50001, 0, LAPTOP, bytes(4)),
        (50002, 0, NEAR, NEAR),
    )
    watch.compare_ports([(CLOSED, open_to_all, 5), (CLOSED, of_another, 6), (CLOSED, inside, 5)], 1000.0, dialled)
    compare(watch, [], 1000.0, never_asked, dialled)
    assert [(ends, each.opened_by) for ends, each in watch.sessions.items()] == [(open_to_all, "udp")]
    watch._have_timed(1000.0)
    assert helpers.started == [["--seconds", "15", "--headers", "rustdesk,0.0.0.0,50000,0.0.0.0,0,udp,"]]
    watch.end()
    watch.compare_ports([], 1020.0, dialled)
    assert watch.sessions == {}


@pytest.mark.parametrize("headers", [0, 1])
def test_a_udp_port_is_let_go_of_once_its_tool_or_the_policy_is_gone(helpers: Helpers, headers: int) -> None:
    watch = Lookout(helpers.start, Orders.parse([f"timing 15 3 40 4 {headers}"]))
    watch.compare_ports([(CLOSED, (50000, 0, bytes(4), bytes(4)), 5)], 1000.0, {5: "rustdesk"})
    assert len(watch.sessions) == 1
    watch.look(1000.0)
    assert (watch.sessions, helpers.started) == ({}, [])


def test_the_sockets_of_a_process_are_found_by_its_open_files() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        orders = Orders.parse([f"dials anydesk {os.getpid()},999999"])
        assert dialled_by(orders.dialling)[os.fstat(server.fileno()).st_ino] == "anydesk"


def test_a_process_with_a_crowd_of_open_files_costs_no_more_than_those_that_are_looked_at(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / str(number)).symlink_to(f"socket:[{number}]")
    tracemalloc.start()
    inodes, looked_at = sockets_among(str(tmp_path), 100)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(inodes), looked_at) == (100, 100)
    assert most < 100_000
    assert sockets_among(str(tmp_path / "gone"), 100) == ([], 0)


def message(ends: Ends, inode: int = 2) -> bytes:
    """struct inet_diag_msg as the kernel writes it."""
    local_port, peer_port, local, peer = ends
    head = struct.pack("=BBBB", socket.AF_INET, ESTABLISHED, 0, 0)
    return head + struct.pack("!HH16s16s", local_port, peer_port, local, peer) + bytes(28) + struct.pack("=I", inode)


def test_of_tens_of_thousands_of_connections_those_are_kept_that_matter(helpers: Helpers) -> None:
    """A server under test on the laptop, a stranger who opens all that he can, a browser, and one session."""
    own = [message((8080, 1 + n, NEAR, NEAR)) for n in range(20_000)]
    stranger = [message((8080, 1 + n, LAPTOP, FAR)) for n in range(20_000)]
    browser = [message((50_000, 1 + n, LAPTOP, FAR)) for n in range(20_000)]
    dialled = (50_000, 443, LAPTOP, socket.inet_aton("203.0.113.4"))
    everything = [*own, *browser, message(dialled, 77), *stranger, message(VNC)]
    found = relevant(everything, {VNC: None}, {5900, 8080}, ORDERS.ports, {77: "anydesk"})
    assert len(found) == connections.MOST_WATCHED + 2
    assert {opened(VNC), opened(dialled, 77)} <= set(found)
    assert not any(ends[2] == NEAR for _, ends, _ in found)


def test_whoever_connects_hundreds_of_times_to_another_program_hides_nobody_who_comes_to_a_tool() -> None:
    crowd = [message((8080, 1 + n, LAPTOP, FAR)) for n in range(5000)]
    found = relevant([*crowd, message(VNC)], {}, {5900, 8080}, ORDERS.ports, {})
    assert opened(VNC) in found
    pressing = [message((5900, 1 + n, LAPTOP, FAR)) for n in range(5000)]
    assert len(relevant(pressing, {}, {5900}, ORDERS.ports, {})) == connections.MOST_WATCHED


def test_a_tunnel_to_a_tool_on_this_machine_matters() -> None:
    tunnelled = (5900, 40000, NEAR, NEAR)
    assert relevant([message(tunnelled)], {}, {5900}, ORDERS.ports, {}) == [opened(tunnelled)]


def test_however_many_are_connected_the_windows_of_an_hour_are_bounded(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    many = [opened((5900, 1 + n, LAPTOP, FAR)) for n in range(400)]
    timed = 0
    for now_s in range(1000, 1000 + 7200, 20):
        compare(watch, [door(5900), *many], now_s, never_asked, {})
        before = len(helpers.started)
        watch._looked_s = now_s
        watch._have_timed(now_s)
        if len(helpers.started) > before:
            timed += len(watch._timing)
            watch.end()
            os.close(helpers.writer)
        else:
            assert watch.wait_s(now_s) > 10, "it does not ask again and again"
    assert timed == 2 * lookout.MOST_AN_HOUR


def test_the_dearer_a_look_the_rarer_it_is(helpers: Helpers, monkeypatch: pytest.MonkeyPatch) -> None:
    spent_s = [0.0]

    def clock() -> float:
        spent_s[0] += 0.028
        return spent_s[0]

    watch = Lookout(helpers.start, Orders.parse(["timing 15 3 40 4 0"]))
    watch.look(1000.0)
    assert 15 < watch.wait_s(1000.0) <= 120
    monkeypatch.setattr("agent.lookout.time.process_time", clock)
    watch.look(2000.0)
    assert watch.wait_s(2000.0) == pytest.approx(56.0)


def test_a_session_that_ends_is_forgotten_and_its_windows_are_news(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    compare(watch, [door(5900)], 1000.0, never_asked, {})
    compare(watch, [door(5900), opened(VNC)], 1020.0, never_asked, {})
    watch._have_timed(1020.0)
    compare(watch, [door(5900)], 1040.0, never_asked, {})
    assert watch.sessions == {}
    helpers.say(b"{}\n")
    assert not watch.hear()
    assert watch.hear()


def test_many_short_sessions_do_not_have_the_laptop_timed_all_day(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    compare(watch, [door(22)], 0.0, never_asked, {})
    for number in range(60):
        compare(watch, [door(22), opened((22, 40000 + number, LAPTOP, FAR))], 20.0 * number, never_asked, {})
    assert len(watch._series) == lookout.MOST_SERIES


def test_a_helper_that_cannot_be_started_is_tried_again_later() -> None:
    def no_room(options: list[str]) -> tuple[int, int]:
        raise BlockingIOError

    watch = Lookout(no_room, ORDERS)
    compare(watch, [door(5900), opened(VNC)], 1000.0, never_asked, {})
    watch._looked_s = 1000.0
    watch._have_timed(1000.0)
    assert watch.wait_s(1000.0) > 10


def test_without_orders_nothing_is_looked_at(helpers: Helpers) -> None:
    watch = Lookout(helpers.start)
    watch.look(1000.0)
    assert watch.wait_s(1000.0) == 3600.0
    watch.obey(b"300.000\ntiming 15 3 40 4 0\nlistens tigervnc 5900")
    assert watch.wait_s(1000.0) == 0.0
    watch.obey(b"300.000\n")
    assert watch.wait_s(1000.0) == 3600.0


def test_too_much_that_waits_makes_room_for_the_newest(helpers: Helpers) -> None:
    watch = Lookout(helpers.start, ORDERS)
    watch.windows = [b"x" * 7000 for _ in range(8)]
    compare(watch, [door(5900), opened(VNC)], 1000.0, never_asked, {})
    watch._have_timed(1000.0)
    helpers.say(b"y" * 20_000 + b"\n")
    while watch._helper is not None:
        watch.hear()
    assert sum(map(len, watch.windows)) <= lookout.MOST_BYTES
    assert watch.windows[-1] == b"y" * 20_000


def test_this_machine_s_kernel_tells_doors_connections_and_counters() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        far.sendall(b"x" * 1000)
        assert near.recv(1000, socket.MSG_WAITALL)
        ends = (server.getsockname()[1], near.getsockname()[1], NEAR, NEAR)
        kernel = InetDiag()
        rows = list(map(row, kernel.messages(LISTEN, ESTABLISHED)))
        assert (LISTEN, server.getsockname()[1]) in {(state, each[0]) for state, each, _ in rows}
        assert (ESTABLISHED, ends, os.fstat(far.fileno()).st_ino) in rows
        told = kernel.counters(ends)
        assert told is not None
        assert (told.sent, told.received) == (1000, 0)
        near.close()
        far.close()
        assert kernel.counters(ends) is None
        kernel.close()


def never_asked(ends: Ends) -> Counters:
    raise AssertionError(f"the counters of {ends} were asked for")
