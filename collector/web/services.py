"""services: what the request handlers work with, put together once by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from collector.config import Config
from collector.geo.locator import Locator
from collector.instants import to_ms
from collector.judge import Judge
from collector.judgement.given import ToolInfo
from collector.metrics import Metrics
from collector.store.store import Store

from .keyring import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that handlers share. It hangs on `app.state.services`."""

    config: Config
    store: Store
    keys: KeyRing
    judge: Judge
    metrics: Metrics
    locator: Locator
    tools: Mapping[str, ToolInfo]
    now: Callable[[], datetime]

    def now_ms(self) -> int:
        """Collector time, milliseconds since 1970."""
        return to_ms(self.now())


def services(request: Request) -> Services:
    """The services of the application that a request came to."""
    found: Services = request.app.state.services
    return found
