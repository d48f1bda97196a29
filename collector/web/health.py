"""health: what supervisors, load balancers and Prometheus ask."""

from __future__ import annotations

from typing import Final

from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from collector.judgement.address import address_class

from .errors import ApiError
from .gate import Call, Entry

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


def healthz(_call: Call) -> Response:
    """GET /healthz: the process answers."""
    return JSONResponse({"status": "ok"})


def readyz(call: Call) -> Response:
    """GET /readyz: the store takes writes; 503 with the reason while it does not."""
    store = call.services.store
    if not store.healthy:
        raise ApiError("unavailable", 503, f"the store cannot write: {store.last_error}", 10)
    return JSONResponse({"status": "ok"})


def metrics(call: Call) -> Response:
    """GET /metrics: Prometheus text."""
    return Response(
        generate_latest(call.services.metrics.registry), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


def from_this_machine(request: Request) -> bool:
    """True when the request was made on this machine and no proxy passed it on."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    return address_class(request.client.host) == "loopback"


ENTRIES: Final = (
    Entry(method="GET", path="/healthz", handler=healthz, needs="nothing"),
    Entry(method="GET", path="/readyz", handler=readyz, needs="nothing"),
    Entry(method="GET", path="/metrics", handler=metrics, needs="metrics:read", or_if=from_this_machine),
)
