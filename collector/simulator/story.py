"""story: plays a scenario through a real collector: signed reports, the real ingest, its clock set to the story's time.

The collector runs in this process and its clock jumps from report to report, so that weeks take seconds. Whoever goes
on from there gets the laptops, whose keys and sequences continue.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.applications import Starlette

from collector.app import create_app
from collector.config import Config
from collector.estimator import estimate_some, here
from collector.instants import to_ms
from collector.jobs import sweep
from collector.judgement.geometry import Point
from collector.knowledge import Knowledge
from collector.store import assessments, enrolment, users
from collector.web.services import Services

from .laptop import Laptop, Request
from .scenario import Decision, Member, Scenario
from .signals import Standing, measured, standing

HOUR_MS: Final = 3_600_000
ANALYST: Final = "it-desk"
"""Imports the roster and closes alerts: an admin."""
AT_ONCE: Final = 1000


class StoryError(Exception):
    """The collector refused what an honest laptop would say. The message holds its answer."""


@dataclass
class Actor:
    """One laptop of the story, and whether it runs."""

    member: Member
    laptop: Laptop
    on: bool = False


@dataclass
class Answer:
    """What the collector answered."""

    status: int
    body: bytes


class Story:
    """A scenario while it is played."""

    def __init__(self, scenario: Scenario, config: Config, known: Knowledge, end: datetime) -> None:
        """
        Args:
            config: of a collector whose database is migrated and holds nothing.
            known: its rules, policy and landmarks.
            end: the moment at which the story ends.
        """
        self.scenario = scenario
        self.end = end
        self.now = end - timedelta(days=scenario.days)
        self.actors: list[Actor] = []
        self._landmarks: list[tuple[str, Point]] = [
            (name, site.point) for name, site in known.context.landmarks.sites.items()
        ]
        self._authority = config.public_urls[0].partition("://")[2]
        self._app: Starlette = create_app(config, known, lambda: self.now, jobs=False)
        self._headers: dict[str, str] = {}

    @property
    def _services(self) -> Services:
        services: Services = self._app.state.services
        return services

    async def play(self, progress: Callable[[float], None]) -> None:
        """From the first day to the end.

        Args:
            progress: told the share that is done.

        Raises:
            StoryError: the collector refused something.
        """
        async with self._app.router.lifespan_context(self._app):
            self._headers = self._sign_in()
            await self._enrol()
            if any(member.person for member in self.scenario.laptops):
                await self._ask("POST", "/api/v1/roster", roster_csv(self.scenario, self.end).encode(), "text/csv")
            step = timedelta(seconds=self.scenario.interval_s)
            decisions = sorted(self.scenario.decisions, key=lambda each: -each.days)
            while self.now + step <= self.end:
                self.now += step
                for actor in self.actors:
                    for request in self.requests(actor, self.now):
                        await self._post(request, self._at(actor).line.address)
                await self._judge()
                while decisions and self.now >= self.end - timedelta(days=decisions[0].days):
                    await self._decide(decisions.pop(0))
                progress(1 - (self.end - self.now) / timedelta(days=self.scenario.days))

    def requests(self, actor: Actor, moment: datetime) -> list[Request]:
        """What a laptop sends at a moment: a report while it runs, last words when it is switched off."""
        now = self._at(actor, moment)
        laptop, was_on, actor.on = actor.laptop, actor.on, now.on
        if not now.on:
            silently = any(each.off for each in now.happening)
            if was_on and not silently:
                return [laptop.request(laptop.report(moment, occasion="stopping"), moment)]
            return []
        if not was_on:
            laptop.boot(moment - timedelta(seconds=40))
        said = laptop.changed(measured(self.scenario, now, moment, self._landmarks))
        occasion = "scheduled" if was_on else "started"
        return [laptop.request(laptop.report(moment, *said, occasion=occasion), moment)]

    def address_of(self, actor: Actor, moment: datetime) -> str:
        """Public address that a laptop reports from."""
        return self._at(actor, moment).line.address

    def _at(self, actor: Actor, moment: datetime | None = None) -> Standing:
        return standing(actor.member, moment or self.now, self.end)

    def _sign_in(self) -> dict[str, str]:
        now_ms = to_ms(self.now)

        def work(connection: Any) -> str:
            user = users.create_user(connection, ANALYST, "admin", None, now_ms)
            expires_ms = to_ms(self.end) + HOUR_MS
            scopes = ("roster:write", "alerts:read", "alerts:write")
            _, secret = users.issue(
                connection,
                "api",
                user_id=user.user_id,
                now_ms=now_ms,
                expires_ms=expires_ms,
                scopes=scopes,
                note="demo",
            )
            return secret

        return {"authorization": f"Bearer {self._services.store.write(work)}"}

    async def _enrol(self) -> None:
        now_ms, quota = to_ms(self.now), len(self.scenario.laptops)
        _, token = self._services.store.write(
            lambda connection: enrolment.create_token(
                connection, now_ms=now_ms, expires_ms=now_ms + HOUR_MS, quota=quota, note="first batch", group="default"
            )
        )
        for member in self.scenario.laptops:
            laptop = Laptop(authority=self._authority, booted_at=self.now)
            asked = laptop.enrolment(self.now, token, hostname=member.hostname, serial=member.serial)
            answer = await self._post(asked, member.line.address)
            laptop.device_id = msgspec.json.decode(answer.body)["device_id"]
            self.actors.append(Actor(member, laptop))

    async def _judge(self) -> None:
        """Judge everybody whose input changed or whose time has come, before the clock goes on."""
        await sweep(self._services)
        while await estimate_some(self._services.store, self._services.metrics, here):
            pass
        judge = self._services.judge

        def work(connection: Any) -> None:
            while waiting := assessments.waiting(connection, AT_ONCE):
                judge.judge(connection, waiting)

        await self._services.store.write_async(work)

    async def _decide(self, decision: Decision) -> None:
        """Close the open alerts about a laptop, as an analyst would."""
        device_id = next(each.laptop.device_id for each in self.actors if each.member.serial == decision.serial)
        found = await self._ask("GET", "/api/v1/alerts?status=open", b"", "")
        for alert in msgspec.json.decode(found.body)["items"]:
            if alert["subject_id"] == device_id:
                change = {"status": "closed", "disposition": decision.disposition, "note": decision.note}
                path = f"/api/v1/alerts/{alert['alert_id']}"
                await self._ask("PATCH", path, msgspec.json.encode(change), "application/json")

    async def _post(self, request: Request, address: str) -> Answer:
        return await self._call("POST", request.path, request.headers, request.body, address)

    async def _ask(self, method: str, path: str, body: bytes, media: str) -> Answer:
        return await self._call(method, path, self._headers | {"content-type": media}, body, "127.0.0.1")

    async def _call(self, method: str, path: str, headers: dict[str, str], body: bytes, address: str) -> Answer:
        """One request through the application, from an address."""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                (name.encode(), value.encode()) for name, value in (headers | {"host": self._authority}).items()
            ],
            "client": (address, 40000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        answer = Answer(0, b"")

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
            else:
                answer.body += message.get("body", b"")

        await self._app(scope, receive, send)
        if answer.status >= 300:
            raise StoryError(f"{method} {path}: {answer.status} {answer.body[:500].decode(errors='replace')}")
        return answer


def roster_csv(scenario: Scenario, end: datetime) -> str:
    """The roster of a scenario's people, as a file that is imported."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("person", "serial", "country", "home", "home_radius_km", "travel"))
    for member in scenario.laptops:
        if member.person is None:
            continue
        home = (member.home.place, str(member.home.radius_km)) if member.home else ("", "")
        trips = "; ".join(
            f"{trip.country} {_day(end, trip.from_days)}..{_day(end, trip.until_days)}" for trip in member.trips
        )
        rows.writerow((member.person, member.serial, member.country, *home, trips))
    return text.getvalue()


def _day(end: datetime, days: float) -> str:
    return (end - timedelta(days=days)).date().isoformat()
