"""web: everything that answers over HTTP. The people's side is one table of routes, each with what it needs."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import Route

from collector.config import Config

from . import (
    agents,
    console,
    console_access,
    console_device,
    console_fleet,
    console_roster,
    health,
    openapi,
    pages,
    records,
    risk,
    roster,
    soc,
    tokens,
    travel,
    triage,
)
from .contract import Operation
from .faults import exception_handlers
from .gate import Entry, routes
from .headers import SecurityHeaders
from .sign_in import SignIn

API: tuple[Entry, ...] = (
    *soc.ENTRIES,
    *risk.ENTRIES,
    *triage.ENTRIES,
    *tokens.ENTRIES,
    *records.ENTRIES,
    *roster.ENTRIES,
    *travel.ENTRIES,
    *health.ENTRIES,
    openapi.entry(lambda: OPERATIONS),
)
OPERATIONS: tuple[Operation, ...] = (*agents.OPERATIONS, *API)
"""What the OpenAPI document says."""


def console_entries() -> tuple[Entry, ...]:
    """The pages. Each call makes a sign-in with its own memory of who tried how often."""
    return (
        *console_fleet.ENTRIES,
        *console.ENTRIES,
        *console_device.ENTRIES,
        *console_roster.ENTRIES,
        *console_access.ENTRIES,
        *pages.ENTRIES,
        *SignIn().entries(),
    )


def api_routes() -> list[Route]:
    """The REST API and the health checks."""
    return routes(API)


def console_routes() -> list[Route]:
    """The pages for people."""
    return routes(console_entries())


def middleware(_config: Config) -> list[Middleware]:
    """What every answer passes through."""
    return [Middleware(SecurityHeaders)]


__all__ = ["API", "OPERATIONS", "api_routes", "console_entries", "console_routes", "exception_handlers", "middleware"]
