"""Echoes: agents' links ask a real server over real sockets, directly and through a relay that ends connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from nacl.signing import SigningKey

from agent import echo
from agent.identity import Identity
from agent.uplink import ECHO_PATH, Address, Reply, Uplink
from agent.wire.echo import EchoAnswer
from collector import serving
from collector.app import create_app
from collector.config import Config, Listen
from collector.judgement.echoed import EchoDay
from collector.store import echo_days
from collector.store.database import migrate, open_engine
from collector.store.enrolment import NewDevice, add_device
from collector.store.views import load_views
from collector.web.connection import ENOUGH
from tests.collector import devices
from tests.collector.worlds import known
from tests.fakes import FakeHost

ME = Identity(key=SigningKey(b"e" * 32), binding="b")


class Relay:
    """Ends each connection and makes another one to the collector, and passes bytes on late, one way."""

    def __init__(self, to_port: int, delay_s: float) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._to_port, self._delay_s = to_port, delay_s
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to_port)) as far:
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass_on, args=(far, near, 0.0), daemon=True)
            back.start()
            self._pass_on(near, far, self._delay_s)
            back.join()

    @staticmethod
    def _pass_on(taken: socket.socket, given: socket.socket, delay_s: float) -> None:
        with suppress(OSError):
            while data := taken.recv(65536):
                time.sleep(delay_s)
                given.sendall(data)
            given.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


class Served:
    """A collector that listens on loopback and knows one laptop's key."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.relay = Relay(self.port, 0.06)
        urls = tuple(f"http://127.0.0.1:{port}" for port in (self.port, self.relay.port))
        config = Config(data_dir=str(folder), public_urls=urls, listen=Listen(port=self.port), log_level="error")
        config = msgspec.structs.replace(config, **changes)
        database = open_engine(f"sqlite:///{folder / 'collector.sqlite'}")
        migrate(database)
        with database.execution_options(writes=True).begin() as connection:
            new = NewDevice(
                key_id=ME.key_id,
                alg="ed25519",
                public_key=bytes(ME.key.verify_key),
                protection="file",
                hostname="laptop",
                serial="S1",
            )
            add_device(connection, new, "default", 0, devices.DEVICE)
        database.dispose()
        app = create_app(config, known(), jobs=False)
        self.store = app.state.services.store
        self.server = uvicorn.Server(serving._server_config(config, app))

    def days(self) -> tuple[EchoDay, ...]:
        """What judgement is shown."""
        now_ms = int(time.time() * 1000)
        with self.store.read() as connection:
            return load_views(connection, [devices.DEVICE], now_ms, {"default": 300.0})[devices.DEVICE].echo_days

    def link(self, port: int | None = None) -> Uplink:
        address = Address.parse(f"http://127.0.0.1:{port or self.port}")
        return Uplink(address=address, identity=ME, host=FakeHost())


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Served]:
    one = Served(folder, **changes)
    thread = threading.Thread(target=one.server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 15
    while not one.server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield one
    finally:
        one.relay.close()
        one.server.should_exit = True
        thread.join(15)


def test_a_laptops_own_connection_shows_no_difference_and_a_relay_on_the_way_does(tmp_path: Path) -> None:
    with served(tmp_path) as collector:
        through = collector.link(collector.relay.port)
        echo.ask(through)
        through.close()
        (relayed,) = collector.days()
        assert (relayed.samples, relayed.address) == (ENOUGH, "127.0.0.1")
        assert relayed.rtt_ms < 15
        assert 60 <= relayed.gap_ms < 160

        direct = collector.link()
        echo.ask(direct)
        direct.close()
        (least,) = collector.days()
        assert 0 <= least.gap_ms < 15  # of a day's series the one with the least difference stays

        echo.ask(again := collector.link(collector.relay.port))
        again.close()
        assert collector.days() == (least,)


def test_behind_a_trusted_proxy_nothing_is_timed_and_the_laptop_asks_once(tmp_path: Path) -> None:
    with served(tmp_path, trusted_proxies=("127.0.0.1",)) as collector:
        link = collector.link(collector.relay.port)
        answers = [link.get(ECHO_PATH).read(EchoAnswer, 200).again for _ in range(2)]
        echo.ask(link)
        link.close()
        assert answers == [False, False]
        assert collector.days() == ()


def test_a_series_counts_on_one_connection_alone(tmp_path: Path) -> None:
    with served(tmp_path) as collector:
        for _ in range(ENOUGH + 3):
            link = collector.link()
            assert link.get(ECHO_PATH).read(EchoAnswer, 200).again
            link.close()
        assert collector.days() == ()


def test_a_laptop_that_asks_on_and_on_is_told_to_wait(tmp_path: Path) -> None:
    with served(tmp_path) as collector:
        link = collector.link()
        statuses = [link.get(ECHO_PATH).status for _ in range(40)]
        link.close()
        assert statuses.index(429) == 36


def test_whoever_delays_on_purpose_raises_only_the_own_figure(tmp_path: Path) -> None:
    with served(tmp_path) as collector:
        link = collector.link()
        while link.get(ECHO_PATH).read(EchoAnswer, 200).again:
            time.sleep(0.03)
        link.close()
        (late,) = collector.days()
        assert late.gap_ms > 15


def test_a_worse_series_replaces_nothing_on_that_day(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'collector.sqlite'}")
    migrate(engine)
    best = EchoDay(day="2026-11-20", address="192.0.2.1", echo_ms=30.0, rtt_ms=20.0, samples=11)
    with engine.execution_options(writes=True).begin() as connection:
        for day in (msgspec.structs.replace(best, echo_ms=90.0), best, msgspec.structs.replace(best, echo_ms=31.0)):
            echo_days.keep(connection, devices.DEVICE, day, devices.NOW)
        rows = connection.exec_driver_sql("SELECT body FROM echo_days").scalars().all()
    engine.dispose()
    assert [echo_days.day_of(row) for row in rows] == [best]


def test_an_address_is_written_as_that_of_the_reports_is(tmp_path: Path) -> None:
    """A socket for both internet protocols calls an IPv4 address by its name in IPv6."""
    engine = open_engine(f"sqlite:///{tmp_path / 'collector.sqlite'}")
    migrate(engine)
    day = EchoDay(day="2026-11-20", address="::ffff:192.0.2.1", echo_ms=90.0, rtt_ms=20.0, samples=11)
    with engine.execution_options(writes=True).begin() as connection:
        echo_days.keep(connection, devices.DEVICE, day, devices.NOW)
        (body,) = connection.exec_driver_sql("SELECT body FROM echo_days").scalars().all()
    engine.dispose()
    assert echo_days.day_of(body).address == "192.0.2.1"


@pytest.mark.parametrize(("drawn", "due"), [(0.0, False), (0.98, False), (0.99, True)])
def test_a_series_is_drawn_by_lot_about_three_times_a_day(drawn: float, due: bool) -> None:
    assert echo.is_due(lambda: drawn, 300) is due


class _Script:
    """A link whose collector wants to be asked for ever."""

    def __init__(self, *, through_proxy: bool) -> None:
        self.through_proxy = through_proxy
        self.asked = 0

    def get(self, path: str, limit: int) -> Any:
        self.asked += 1
        return Reply(status=200, body=b'{"again":true}')


def test_a_laptop_asks_no_longer_than_a_series_and_not_at_all_through_a_proxy_it_was_told_of() -> None:
    plain, proxied = _Script(through_proxy=False), _Script(through_proxy=True)
    echo.ask(plain)  # type: ignore[arg-type]
    echo.ask(proxied)  # type: ignore[arg-type]
    assert (plain.asked, proxied.asked) == (12, 0)
