"""web: what the collector answers: agents, programs, people."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ExceptionHandler

from collector.config import Config


def api_routes() -> list[Route]:
    """REST."""
    return []


def console_routes() -> list[Route]:
    """Pages."""
    return []


def middleware(config: Config) -> list[Middleware]:
    """What surrounds every request."""
    del config
    return []


def exception_handlers() -> dict[type[Exception] | int, ExceptionHandler]:
    """Errors as answers."""
    return {}
