"""health: what supervisors, load balancers and Prometheus ask."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import Response

from collector.judgement.address import address_class

from .contract import JSON
from .errors import ApiError
from .gate import Call, Entry

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """All is well."""

    status: Literal["ok"]


def healthz(_call: Call) -> Response:
    """GET /healthz: the process answers."""
    return Response(msgspec.json.encode(Health(status="ok")), media_type=JSON)


def readyz(call: Call) -> Response:
    """GET /readyz: the store takes writes; 503 with the reason while it does not."""
    store = call.services.store
    if not store.healthy:
        raise ApiError("unavailable", 503, f"the store cannot write: {store.last_error}", 10)
    return Response(msgspec.json.encode(Health(status="ok")), media_type=JSON)


def metrics(call: Call) -> Response:
    """GET /metrics: Prometheus text."""
    return Response(generate_latest(call.services.metrics.registry), media_type=PROMETHEUS)


def from_this_machine(request: Request) -> bool:
    """True when the request was made on this machine and no proxy passed it on."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    return address_class(request.client.host) == "loopback"


ENTRIES: Final = (
    Entry(method="GET", path="/healthz", handler=healthz, needs="nothing", asks=(), answers=Health, tagged=False),
    Entry(
        method="GET",
        path="/readyz",
        handler=readyz,
        needs="nothing",
        asks=(),
        answers=Health,
        tagged=False,
        problems=(503,),
    ),
    Entry(
        method="GET",
        path="/metrics",
        handler=metrics,
        needs="metrics:read",
        or_if=from_this_machine,
        asks=(),
        answers=str,
        media="text/plain",
    ),
)
