"""A real collector in a folder of its own, with a clock that the test moves, and laptops that enrol over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from agent.wire.enrolment import EnrolAnswer
from agent.wire.report import ReportAnswer
from agent.wire.signals import Signal
from collector import knowledge
from collector.app import create_app, database_url
from collector.config import Config
from collector.instants import to_ms
from collector.judgement.findings import Assessment
from collector.judgement.view import DeviceView
from collector.knowledge import Knowledge
from collector.store import alerts, assessments
from collector.store.database import migrate, open_engine
from collector.store.enrolment import create_token
from collector.store.store import Store
from collector.store.views import load_views
from tests.laptop import Laptop, Request

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Collector:
    """A running collector and everything a test asks of it."""

    config: Config
    known: Knowledge
    time: datetime = NOON
    app: Starlette = field(init=False)
    client: TestClient = field(init=False)

    def start(self) -> None:
        """Migrate and begin to answer, as after a reboot."""
        engine = open_engine(database_url(self.config))
        migrate(engine)
        engine.dispose()
        self.app = create_app(self.config, self.known, lambda: self.time, jobs=False)
        self.client = TestClient(self.app, base_url="http://collector.test", raise_server_exceptions=True)
        self.client.__enter__()

    def stop(self) -> None:
        """End in an orderly way."""
        self.client.__exit__(None, None, None)

    @property
    def store(self) -> Store:
        found: Store = self.app.state.services.store
        return found

    def later(self, **step: float) -> datetime:
        """Let time pass."""
        self.time += timedelta(**step)
        return self.time

    def token(self, **changes: Any) -> str:
        values: dict[str, Any] = {
            "now_ms": to_ms(self.time),
            "expires_ms": to_ms(self.time) + 3_600_000,
            "quota": 100,
            "note": "",
            "group": "default",
        }
        return self.store.write(lambda connection: create_token(connection, **(values | changes))[1])

    def enrol(self, laptop: Laptop | None = None, **changes: Any) -> Laptop:
        """A laptop that enrolled over HTTP."""
        laptop = laptop or Laptop()
        answer = self.post(laptop.enrolment(self.time, self.token(), **changes))
        assert answer.status_code == 201, answer.text
        laptop.device_id = msgspec.json.decode(answer.content, type=EnrolAnswer).device_id
        return laptop

    def post(self, request: Request) -> Any:
        """Send exactly these bytes."""
        return self.client.post(request.path, content=request.body, headers=request.headers)

    def send(self, laptop: Laptop, *signals: Signal, **changes: Any) -> ReportAnswer:
        """The laptop's next report, which must be taken."""
        answer = self.post(laptop.request(laptop.report(self.time, *signals, **changes), self.time))
        assert answer.status_code == 202, answer.text
        return msgspec.json.decode(answer.content, type=ReportAnswer)

    def send_first(self, laptop: Laptop, *changed: Signal) -> ReportAnswer:
        """A report with everything, which must be taken."""
        answer = self.post(laptop.request(laptop.first_report(self.time, *changed), self.time))
        assert answer.status_code == 202, answer.text
        return msgspec.json.decode(answer.content, type=ReportAnswer)

    def judged(self, laptop: Laptop) -> Assessment:
        """The newest assessment, once nothing waits to be judged."""
        judge = self.app.state.services.judge

        def now(connection: Any) -> Assessment | None:
            waiting = assessments.waiting(connection, 1000)
            if waiting:
                judge.judge(connection, waiting)
            return assessments.load(connection, laptop.device_id)

        made = self.store.write(now)
        assert made is not None
        return made

    def view(self, laptop: Laptop) -> DeviceView:
        """What judgement sees."""
        with self.store.read() as connection:
            views = load_views(connection, [laptop.device_id], to_ms(self.time), self.known.intervals_s)
        return views[laptop.device_id]

    def alerts(self, laptop: Laptop) -> list[alerts.Alert]:
        """Alerts about a laptop, newest first."""
        with self.store.read() as connection:
            return alerts.listing(connection, subject_id=laptop.device_id)

    def rows(self, table: Any) -> list[Any]:
        """All rows of a table."""
        with self.store.read() as connection:
            return list(connection.execute(table.select()))


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Rules, catalogue and zones as shipped; a policy of a company in the United States."""
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text("home_countries: [US]\nallowed_tools: [openssh-server]\n")
    return knowledge.load(policy)


@pytest.fixture
def make_collector(tmp_path: Path, known: Knowledge) -> Iterator[Callable[..., Collector]]:
    """Collectors that end with the test."""
    made: list[Collector] = []

    def make(**changes: Any) -> Collector:
        config = Config(public_urls=("http://collector.test",), data_dir=str(tmp_path))
        collector = Collector(msgspec.structs.replace(config, **changes), known)
        collector.start()
        made.append(collector)
        return collector

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def collector(make_collector: Callable[..., Collector]) -> Collector:
    return make_collector()
