"""app: the collector's composition root: configuration to store, judge, publisher, routes and jobs.

The only place that reads the clock; everybody else is given the time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import estimator, knowledge
from .config import Config, geo_folder
from .enrol import Enroller
from .geo.locator import Locator
from .hashing import load_secret
from .ingest import Refused
from .instants import to_ms
from .jobs import run_jobs
from .judge import Judge
from .knowledge import Knowledge
from .metrics import Metrics
from .publishing import Publisher, publish
from .store import assessments
from .store.database import open_engine, require_current
from .store.store import Store
from .web import api_routes, console_routes, exception_handlers, middleware
from .web.agents import ECHO_PATH, ENROL_PATH, REPORTS_PATH, SETTINGS_PATH, AgentApi
from .web.errors import problem_response
from .web.keyring import KeyRing
from .web.limits import RateLimit
from .web.services import Services

ECHOES_PER_MINUTE = 1
ECHOES_AT_ONCE = 36
"""Of one laptop: three series in a row, then one in twelve minutes."""
BYTES_PER_MINUTE = 64 * 1024
"""Of reports of one laptop, compressed, which are kept until the retention: 90 MB a day. An honest one sends 0.4."""
BYTES_AT_ONCE = 64 * 1024 * 1024
"""After weeks without a connection."""
ENROLMENTS_PER_MINUTE = 60
"""From one address: a company's laptops enrol through one, a guesser of tokens gets nowhere with 256-bit secrets."""


def utc_now() -> datetime:
    """The collector's clock."""
    return datetime.now(UTC)  # noqa: TID251 - the composition root is where time comes in


def database_url(config: Config) -> str:
    """Where the database is."""
    if config.database is None:
        return f"sqlite:///{Path(config.data_dir) / 'collector.sqlite'}"
    return config.database if "://" in config.database else f"sqlite:///{config.database}"


def authorities(config: Config) -> tuple[str, ...]:
    """What senders may sign as @authority (RFC 9421 section 2.2.3): host and port, lower case, no default port."""
    found = []
    for url in config.public_urls:
        parts = urlsplit(url.lower())
        default = {"https": 443, "http": 80}[parts.scheme]
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        found.append(host if parts.port in (None, default) else f"{host}:{parts.port}")
    return tuple(dict.fromkeys(found))


def create_app(
    config: Config,
    known: Knowledge | None = None,
    now: Callable[[], datetime] = utc_now,
    *,
    jobs: bool = True,
    broke: Callable[[], None] = lambda: None,
) -> Starlette:
    """The whole collector as an ASGI application.

    Args:
        known: rules, policy, catalogue; None reads them from their files.
        now: the clock.
        jobs: False leaves out the periodic jobs, for tests that call them.
        broke: called, from another thread, if nothing can be written any more until a restart.

    Raises:
        MistakesError: rules or policy are wrong.
        StoreError: the database's tables are not current.
        HashSecretError: the file with the secret for hashes cannot be used.
    """
    known = known or knowledge.of(config)
    engine = open_engine(database_url(config))
    require_current(engine)
    metrics = Metrics()
    judge = Judge(known.context, known.intervals_s, metrics, now)
    publisher = _prepare(engine, judge, known, now)
    locator = Locator(geo_folder(config), metrics)
    store = Store(engine, judge.between_writes, locator)
    shared = Services(
        config=config,
        store=store,
        keys=KeyRing(store),
        judge=judge,
        metrics=metrics,
        locator=locator,
        tools=known.context.tools,
        now=now,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        store.start(broke)
        beside = (run_jobs(shared), estimator.run(store, metrics)) if jobs else ()
        tasks = [asyncio.create_task(each) for each in beside]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(store.stop)

    agents = _agent_api(shared, publisher, known)
    app = Starlette(
        routes=[*_agent_routes(agents), *api_routes(), *console_routes()],
        middleware=[Middleware(_ReportsFirst, report=agents.report), *middleware(config)],
        exception_handlers={**exception_handlers(), Refused: _refused},
        lifespan=lifespan,
    )
    app.state.services = shared
    return app


def _prepare(engine: Engine, judge: Judge, known: Knowledge, now: Callable[[], datetime]) -> Publisher:
    """Sign what agents get, and queue every device that was judged with other rules or another policy."""
    with engine.execution_options(writes=True).begin() as connection:
        assessments.queue_all(connection, judge.context(connection).digest)
        return publish(connection, known.settings(), known.tools, lambda: to_ms(now()), known.policy.catalogue_delays_h)


def _agent_api(shared: Services, publisher: Publisher, known: Knowledge) -> AgentApi:
    limits = shared.config.limits
    return AgentApi(
        store=shared.store,
        keys=shared.keys,
        publisher=publisher,
        enroller=Enroller(publisher, rejoin=known.policy.enrolment.rejoin_known_serial),
        metrics=shared.metrics,
        authorities=authorities(shared.config),
        max_encoded=limits.encoded_bytes,
        max_decoded=limits.decoded_bytes,
        hash_secret=load_secret(Path(shared.config.data_dir)),
        reports=RateLimit(limits.reports_per_minute, limits.reports_at_once),
        volumes=RateLimit(BYTES_PER_MINUTE, max(BYTES_AT_ONCE, 4 * limits.encoded_bytes)),
        enrolments=RateLimit(ENROLMENTS_PER_MINUTE, 10 * ENROLMENTS_PER_MINUTE),
        echoes=RateLimit(ECHOES_PER_MINUTE, ECHOES_AT_ONCE),
        ends_connections=not shared.config.trusted_proxies,
        now=shared.now,
    )


def _agent_routes(api: AgentApi) -> list[Route]:
    return [
        Route(REPORTS_PATH, _Plain(api.report), methods=["POST"]),
        Route(ENROL_PATH, api.enrol, methods=["POST"]),
        Route(ECHO_PATH, _Plain(api.echo), methods=["GET"]),
        Route(SETTINGS_PATH, api.settings, methods=["GET"]),
    ]


class _Plain:
    """Marks an ASGI callable as such: Starlette would take a function for a request handler."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _ReportsFirst:
    """Answers reports before anything made for people looks at them: a sixth of their cost.

    Their route stays in the table, which is what documents and tests read.
    """

    def __init__(self, app: ASGIApp, report: ASGIApp) -> None:
        self._app = app
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = scope["type"] == "http" and scope["path"] == REPORTS_PATH
        await (self._report if first else self._app)(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    shared: Services = request.app.state.services
    shared.metrics.refused.labels(error.problem).inc()
    return problem_response(error.problem, error.status, error.detail, error.retry_after_s)
