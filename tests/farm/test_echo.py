"""test_echo: a far laptop's own connection, and one that a relay ends near the collector, over real distances."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from collector.judgement.echoed import EchoDay
from collector.store import echo_days
from collector.store.database import open_engine
from tests.farm import programs, relays
from tests.farm.delay_line import DelayLine

pytestmark = [pytest.mark.netns, pytest.mark.slow]

ADDRESSES = {"collector": ["198.51.100.10"], "laptop": ["203.0.113.20"], "relay": ["203.0.113.30"]}
RTT_MS = {("laptop", "collector"): 90.0, ("laptop", "relay"): 60.0, ("relay", "collector"): 30.0}
ASK = """
import sys
from pathlib import Path
from urllib3.util import connection
from agent import echo, enrol, identity
from agent.disk import Folder
from agent.host.this_machine import this_machine
from agent.uplink import connect

real = connection.create_connection
if len(sys.argv) > 2:  # something on the way takes the connection, whatever address it was meant for
    relay = (sys.argv[2], int(sys.argv[3]))
    connection.create_connection = lambda _address, *more, **named: real(relay, *more, **named)
folder = Folder.open(Path(sys.argv[1]))
link = connect(folder, enrol.load(folder).collector, identity.load(folder), this_machine())
echo.ask(link)
link.close()
"""


def kept(collector: programs.Collector) -> list[EchoDay]:
    engine = open_engine(f"sqlite:///{collector.folder / 'data' / 'collector.sqlite'}")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM echo_days").scalars().all()
    engine.dispose()
    return [echo_days.day_of(row) for row in rows]


def test_packets_of_a_way_through_wireguard_are_80_bytes_shorter(tmp_path: Path) -> None:
    with (
        DelayLine(ADDRESSES, RTT_MS) as line,
        programs.running_collector(line, "collector", "198.51.100.10", tmp_path / "c", allowed_tools=[]) as collector,
    ):
        with programs.running_agent(line, "laptop", tmp_path / "a", collector):
            pass
        # As a router with WireGuard has every connection through it begin.
        narrow = "ip route change default dev tun0 src 203.0.113.20 advmss 1380"
        line.run("laptop", narrow.split())
        line.run("laptop", [sys.executable, "-c", ASK, str(tmp_path / "a" / "state")], cwd=programs.ROOT)
        (one,) = kept(collector)
        assert one.narrow_by == 80


def test_only_where_the_connection_ends_on_the_way_its_round_trip_is_shorter_than_the_echo(tmp_path: Path) -> None:
    with (
        DelayLine(ADDRESSES, RTT_MS) as line,
        programs.running_collector(line, "collector", "198.51.100.10", tmp_path / "c", allowed_tools=[]) as collector,
        relays.socat(line, "relay", "198.51.100.10", programs.PORT) as port,
    ):
        with programs.running_agent(line, "laptop", tmp_path / "a", collector):
            pass

        def ask(*way: str) -> None:
            command = [sys.executable, "-c", ASK, str(tmp_path / "a" / "state"), *way]
            line.run("laptop", command, cwd=programs.ROOT)

        ask("203.0.113.30", str(port))
        (relayed,) = kept(collector)
        assert relayed.address == "203.0.113.30"
        assert relayed.rtt_ms == pytest.approx(30, abs=3)
        assert 60 <= relayed.gap_ms < 75

        ask()
        (direct,) = kept(collector)
        assert direct.address == "203.0.113.20"
        assert direct.rtt_ms == pytest.approx(90, abs=3)
        assert 0 <= direct.gap_ms < 15
        assert direct.narrow_by == 0
        print(relayed, direct)
