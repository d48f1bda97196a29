"""worlds: a whole collector with laptops that reported to it, for tests of what people see.

The application is the real one, the reports are signed and go through the real ingest; only the clock is the test's.
"""

from __future__ import annotations

import atexit
import gzip
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
from starlette.applications import Starlette

from agent.wire.signals import Platform, RemoteSessions, RemoteTool, RemoteTools
from collector import importing, knowledge
from collector.app import create_app
from collector.config import Config
from collector.geo.locator import shipped
from collector.knowledge import Knowledge
from collector.roster.table import HEADER
from collector.store import alerts, assessments, enrolment, users
from collector.store.alerts import Alert
from collector.store.database import migrate, open_engine
from collector.store.roster import Version
from collector.store.store import Store
from collector.store.users import Role, User
from tests.laptop import PLATFORM, Laptop, Request, session, sessions, tools

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form on the console's own pages."""
HOUR_MS = 3_600_000
HTML = "<img src=x onerror=alert(1)><script>alert(2)</script><b>"
FORMULA = '=HYPERLINK("http://elsewhere.example/","here")'
ANSI = "\x1b[31mred\x1b[0m"
RIGHT_TO_LEFT = "\u202egnp.exe\u2066"
LONG = "W" * 65536
POLICY = "home_countries: [US]\nallowed_tools: [openssh-server]\n"


def _folder() -> Path:
    """A folder that goes when the tests end."""
    folder = Path(mkdtemp(prefix="farhand-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def template_database() -> Path:
    """An empty database of the current shape, to be copied."""
    path = _folder() / "collector.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@cache
def known() -> Knowledge:
    """The shipped rules and catalogue with the tests' policy."""
    path = _folder() / "policy.yaml"
    path.write_text(POLICY)
    return knowledge.load(path)


place_data = cache(shipped)
"""Kept from one collector to the next: reading it takes half a second."""


class World:
    """A collector, its clock, and shortcuts to what tests need. Laptops post through `client`.

    `client` is set by whoever starts the application: Starlette's test client, or an HTTP client of a real server.
    """

    client: Any
    laptops: dict[str, Laptop]

    def __init__(self, folder: Path, url: str = "http://collector.test", **config: Any) -> None:
        shutil.copy(template_database(), folder / "collector.sqlite")
        self.config = Config(data_dir=str(folder), public_urls=(url,), **config)
        place_data()
        self.authority = url.partition("://")[2]
        self.now = START
        self.app: Starlette = create_app(self.config, known(), lambda: self.now, jobs=False)
        self.store: Store = self.app.state.services.store

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)

    def write(self, work: Callable[[Any], Any]) -> Any:
        return self.store.write(work)

    def user(self, name: str, role: Role, password: str | None = None) -> User:
        made: User = self.write(lambda connection: users.create_user(connection, name, role, password, self.now_ms))
        return made

    def link(self, user: User, valid_ms: int = HOUR_MS) -> str:
        """Secret of a one-time sign-in link."""
        return self._secret("link", user.user_id, valid_ms)

    def session(self, user: User) -> str:
        """Secret of a browser session."""
        return self._secret("session", user.user_id, 12 * HOUR_MS)

    def token(self, *scopes: str, user: User | None = None) -> dict[str, str]:
        """Headers of a program with these scopes."""
        secret = self._secret("api", user.user_id if user else None, HOUR_MS, scopes=scopes)
        return {"Authorization": f"Bearer {secret}"}

    def _secret(self, kind: Any, user_id: str | None, valid_ms: int, **more: Any) -> str:
        expires_ms = self.now_ms + valid_ms
        _, secret = self.write(
            lambda connection: users.issue(
                connection, kind, user_id=user_id, now_ms=self.now_ms, expires_ms=expires_ms, **more
            )
        )
        return str(secret)

    def enrol(self, hostname: str = "nyc-0042", serial: str = "PF3ABCDE") -> Laptop:
        """A laptop that enrolled by a fresh token."""
        _, token = self.write(
            lambda connection: enrolment.create_token(
                connection, now_ms=self.now_ms, expires_ms=self.now_ms + HOUR_MS, quota=1, note="", group="default"
            )
        )
        laptop = Laptop(authority=self.authority, booted_at=self.now - timedelta(hours=4))
        request = laptop.enrolment(self.now, token)
        asked = msgspec.json.decode(gzip.decompress(request.body)) | {"hostname": hostname, "serial": serial}
        request = laptop.request(msgspec.json.encode(asked), self.now, request.path)
        answer = self._post(request)
        assert answer.status_code == 201, answer.text
        laptop.device_id = answer.json()["device_id"]
        return laptop

    def report(self, laptop: Laptop, *changed: Any) -> None:
        """A full report, stored and judged when this returns."""
        answer = self._post(laptop.request(laptop.first_report(self.now, *changed), self.now))
        assert answer.status_code == 202, answer.text
        self.wait_until_judged()

    def _post(self, request: Request) -> Any:
        return self.client.post(request.path, content=request.body, headers=request.headers)

    def wait_until_judged(self) -> None:
        """Judging runs beside the answers."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with self.store.read() as connection:
                if not assessments.waiting(connection, 1):
                    return
            time.sleep(0.005)
        raise AssertionError("the judge did not finish in 10 s")

    def roster(self, *lines: str) -> Version:
        """A roster that holds, of these lines below the usual header."""
        made = importing.read("\n".join((HEADER, *lines)).encode())
        staged = importing.stage(self.store, made, "hr.csv", "ada", lambda: self.now_ms)
        return importing.activate(self.store, staged.version, "ada", lambda: self.now_ms)

    def alert_of(self, laptop: Laptop) -> Alert:
        """The newest alert about a laptop."""
        with self.store.read() as connection:
            return alerts.listing(connection, subject_id=laptop.device_id)[0]

    def alert_of_id(self, alert_id: str) -> Alert:
        """The alert as it stands now."""
        with self.store.read() as connection:
            found = alerts.find(connection, alert_id)
        assert found is not None
        return found

    def farm_laptop(self) -> Laptop:
        """Somebody 200 ms away works on it through VNC."""
        laptop = self.enrol("nyc-0042")
        live = session("tigervnc", "203.0.113.9", 200.2), session("x11vnc", "203.0.113.9", 201.5)
        self.report(laptop, tools("tigervnc", "x11vnc"), sessions(*live))
        return laptop

    def quiet_laptop(self, hostname: str = "bos-0007") -> Laptop:
        """Nothing is wrong with it."""
        laptop = self.enrol(hostname, "PF3QUIET")
        self.report(laptop)
        return laptop

    def hostile_laptop(self) -> Laptop:
        """Its owner chose every text to harm whoever reads it."""
        laptop = self.enrol(f"{HTML}{FORMULA}{ANSI}{RIGHT_TO_LEFT}\0", HTML)
        self.report(laptop, _hostile_platform(), _hostile_tools(), _hostile_sessions())
        return laptop


def _hostile_platform() -> Platform:
    return msgspec.structs.replace(
        PLATFORM, hostname=HTML, os_name=ANSI, manufacturer=RIGHT_TO_LEFT, product=LONG, serial="a\0b", kernel=FORMULA
    )


def _hostile_tools() -> RemoteTools:
    found = [
        RemoteTool(tool=name, installed=True, service=True, running=True, evidence=(f"process:{name}",))
        for name in (HTML, FORMULA, ANSI, RIGHT_TO_LEFT, "nul\0", LONG)
    ]
    return RemoteTools(catalogue_version=1, tools=tuple(found))


def _hostile_sessions() -> RemoteSessions:
    live = [
        session(HTML, f"<svg/onload=alert(3)>{ANSI}", 250.0),
        session(RIGHT_TO_LEFT, LONG, 220.0),
        session("x11vnc", "203.0.113.66", 180.0),
    ]
    return sessions(*live)


def build_fleet(world: World) -> dict[str, Laptop]:
    """The three laptops that every page should have met."""
    return {"farm": world.farm_laptop(), "quiet": world.quiet_laptop(), "hostile": world.hostile_laptop()}
