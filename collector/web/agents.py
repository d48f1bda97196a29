"""agents: what laptops ask: enrol, report, fetch settings.

The report endpoint is plain ASGI: it is the one that has to answer thousands of times a second.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.wire.echo import EchoAnswer
from agent.wire.enrolment import EnrolAnswer, EnrolRequest
from agent.wire.report import WANT_ALL, Report, ReportAnswer
from agent.wire.settings import SettingsAnswer
from agent.wire.signing import key_id_of
from collector.enrol import Enroller
from collector.ingest import Refused, Signed, accept, check_signature, decode_body, read_signature
from collector.judgement.echoed import EchoDay
from collector.keys import DeviceKey, is_public_key
from collector.metrics import Metrics
from collector.publishing import Publisher
from collector.store import echo_days
from collector.store.store import Store
from collector.store.writer import StoreUnavailableError

from .connection import CONNECTION, Timed
from .contract import Operation
from .errors import MEDIA_TYPE, problem_body
from .keyring import KeyRing
from .limits import RateLimit, network_of

REPORTS_PATH: Final = "/agent/v1/reports"
ENROL_PATH: Final = "/agent/v1/enrol"
ECHO_PATH: Final = "/agent/v1/echo"
SETTINGS_PATH: Final = "/agent/v1/settings"
MAX_ENROL: Final = 64 * 1024
READ_S: Final = 20.0
"""Seconds in which a body must have arrived."""
MAX_QUEUE: Final = 5000
"""Reports and enrolments that may wait for the disk; more are asked to come again."""


OPERATIONS: Final = (
    Operation(
        method="POST",
        path=ENROL_PATH,
        needs="signature",
        summary="Make a key a device's key, by a token or a receipt",
        takes=EnrolRequest,
        answers=EnrolAnswer,
        statuses=(200, 201),
        problems=(401, 403, 429, 503),
    ),
    Operation(
        method="POST",
        path=REPORTS_PATH,
        needs="signature",
        summary="Take a report; 202 once it is durable",
        takes=Report,
        answers=ReportAnswer,
        statuses=(202,),
        problems=(401, 403, 409, 429, 503),
    ),
    Operation(
        method="GET",
        path=ECHO_PATH,
        needs="signature",
        summary="A question whose timing the collector measures; says whether to ask once more at once",
        answers=EchoAnswer,
        tagged=False,
        problems=(401, 403, 429, 503),
    ),
    Operation(
        method="GET",
        path=SETTINGS_PATH,
        needs="signature",
        summary="The signed settings and tool catalogue of the device's group",
        answers=SettingsAnswer,
        tagged=False,
        problems=(401, 403, 503),
    ),
)
"""What laptops ask, as the OpenAPI document tells it."""


class AgentApi:
    """The agent endpoints and what they share."""

    def __init__(
        self,
        *,
        store: Store,
        keys: KeyRing,
        publisher: Publisher,
        enroller: Enroller,
        metrics: Metrics,
        authorities: tuple[str, ...],
        max_encoded: int,
        max_decoded: int,
        hash_secret: bytes,
        reports: RateLimit,
        volumes: RateLimit,
        enrolments: RateLimit,
        echoes: RateLimit,
        ends_connections: bool,
        now: Callable[[], datetime],
    ) -> None:
        """
        Args:
            volumes: of bodies of reports, in bytes.
            ends_connections: laptops' connections end here, not at a proxy in front.
        """
        self._store = store
        self._keys = keys
        self._publisher = publisher
        self._enroller = enroller
        self._metrics = metrics
        self._authorities = authorities
        self._max_encoded = max_encoded
        self._max_decoded = max_decoded
        self._hash_secret = hash_secret
        self._reports = reports
        self._volumes = volumes
        self._enrolments = enrolments
        self._echoes = echoes
        self._ends_connections = ends_connections
        self._now = now

    async def echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /agent/v1/echo: timed from each answer to the next question on the same connection."""
        request = Request(scope, receive)
        _, key, _ = await self._authenticate("GET", ECHO_PATH, dict(request.headers), body=False)
        wait = self._echoes.wait_s(key.key_id, time.monotonic())
        if wait:
            raise Refused("too-many-requests", 429, "this device asks for more echoes than it may", wait)
        connection = scope.get("extensions", {}).get(CONNECTION) if self._ends_connections else None
        timed = connection.asked(key.key_id) if connection is not None else None
        if timed is not None and timed.is_enough:
            await self._keep(key, timed, scope["client"][0] if scope.get("client") else "")
        again = timed is not None and not timed.is_enough
        await Response(msgspec.json.encode(EchoAnswer(again=again)), media_type="application/json")(
            scope, receive, send
        )
        if connection is not None and again:
            connection.answered()

    async def _keep(self, key: DeviceKey, timed: Timed, address: str) -> None:
        found, at = timed.found, self._now()
        if found is None:
            return
        echo_ms, rtt_ms, narrow_by = found
        day = EchoDay(
            day=at.date().isoformat(),
            address=address,
            echo_ms=echo_ms,
            rtt_ms=rtt_ms,
            narrow_by=narrow_by,
            samples=timed.samples,
        )
        self._require_room()
        try:
            await self._store.write_async(lambda connection: echo_days.keep(connection, key.device_id, day, at))
        except StoreUnavailableError as error:
            raise Refused("unavailable", 503, "the figures could not be written", 30) from error

    async def report(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /agent/v1/reports: 202 once the report is durable."""
        try:
            body = await self._report(scope, receive)
            status = 202
            headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        except Refused as refused:
            self._metrics.refused.labels(refused.problem).inc()
            status, body = refused.status, problem_body(refused.problem, refused.status, refused.detail)
            headers = [(b"content-type", MEDIA_TYPE.encode())]
            if status == 405:
                headers.append((b"allow", b"POST"))
            if refused.retry_after_s is not None:
                headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        except ClientDisconnect:
            return
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _report(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise Refused("not-allowed", 405, "reports are sent with POST")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        signed, key, authority = await self._authenticate("POST", REPORTS_PATH, headers, body=True)
        wait = self._reports.wait_s(key.key_id, time.monotonic())
        if wait:
            raise Refused("too-many-requests", 429, "this device sends more reports than it may", wait)
        self._require_room()
        body = await read_body(receive, headers, self._max_encoded)
        wait = self._volumes.wait_s(key.key_id, time.monotonic(), len(body))
        if wait:
            raise Refused("too-many-requests", 429, "this device sends more than it may", wait)
        started = time.perf_counter()
        client = scope.get("client")
        heard_from = client[0] if client else ""
        arrival = accept(
            key, signed, authority, body, self._max_decoded, self._now(), heard_from, hash_secret=self._hash_secret
        )
        try:
            verdict = await self._store.post(arrival)
        except StoreUnavailableError as error:
            raise Refused("unavailable", 503, "the report could not be written; send it again", 30) from error
        self._metrics.ack_seconds.observe(time.perf_counter() - started)
        self._metrics.reports.labels(verdict.status).inc()
        if verdict.status == "conflict":
            detail = f"sequence {arrival.heard.report.sequence} of this state epoch was used for other bytes"
            raise Refused("sequence-conflict", 409, detail)
        return self._publisher.answer(key.group, verdict.status, verdict.want == WANT_ALL)

    def _require_room(self) -> None:
        if self._store.queue_depth > MAX_QUEUE:
            raise Refused("unavailable", 503, "more waits than can be written now", 5)

    async def _authenticate(
        self, method: str, path: str, headers: dict[str, str], *, body: bool
    ) -> tuple[Signed, DeviceKey, str]:
        signed = read_signature(method, path, headers, body=body)
        key = await self._keys.find(signed.given.key_id)
        if key is None:
            raise Refused("unknown-key", 401, "no device has this key; present the enrolment receipt")
        authority = check_signature(signed, key.alg, key.public_key, self._authorities)
        if key.revoked:
            raise Refused("key-revoked", 403, "the key or its device was retired by an administrator")
        return signed, key, authority

    async def settings(self, request: Request) -> Response:
        """GET /agent/v1/settings: the signed settings and catalogue of the device's group."""
        _, key, _ = await self._authenticate("GET", SETTINGS_PATH, dict(request.headers), body=False)
        published = self._publisher.documents(key.group)
        answer = SettingsAnswer(settings=published.settings, catalogue=published.catalogue)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def enrol(self, request: Request) -> Response:
        """POST /agent/v1/enrol: 201 for a new key, 200 for the same key again."""
        wait = self._enrolments.wait_s(network_of(request), time.monotonic())
        if wait:
            raise Refused("too-many-requests", 429, "too many enrolments from this address", wait)
        self._require_room()
        headers = dict(request.headers)
        signed = read_signature("POST", ENROL_PATH, headers, body=True)
        body = await read_body(request.receive, headers, MAX_ENROL)
        asked = self._read_enrolment(signed, body)
        try:
            created, answer = await self._store.write_async(
                lambda connection: self._enroller.enrol(connection, asked, self._now())
            )
        except StoreUnavailableError as error:
            raise Refused("unavailable", 503, "the enrolment could not be written; try again", 30) from error
        self._keys.forget(answer.key_id)
        return Response(msgspec.json.encode(answer), 201 if created else 200, media_type="application/json")

    def _read_enrolment(self, signed: Signed, body: bytes) -> EnrolRequest:
        decoded = decode_body(body, signed.values["content-encoding"], signed.values["content-digest"], 2 * MAX_ENROL)
        try:
            asked = msgspec.json.decode(decoded, type=EnrolRequest)
            public_key = base64.b64decode(asked.public_key, validate=True)
        except (ValueError, RecursionError) as error:
            raise Refused("bad-report", 400, f"enrolment: {error}") from error
        if not is_public_key(asked.alg, public_key):
            raise Refused("bad-report", 400, f"enrolment: public_key is not a key for {asked.alg}")
        if signed.given.key_id != key_id_of(public_key):
            raise Refused("bad-signature", 401, "keyid is not the name of the public key")
        check_signature(signed, asked.alg, public_key, self._authorities)
        return asked


async def read_body(receive: Receive, headers: dict[str, str], limit: int) -> bytes:
    """The encoded body, at most `limit` bytes, within READ_S seconds.

    Raises:
        Refused: too large or too slow.
        ClientDisconnect: the sender went away.
    """
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise Refused("too-large", 413, f"the body is larger than {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise Refused("too-large", 413, f"the body is larger than {limit} bytes")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError as error:
        raise Refused("bad-request", 408, f"the body did not arrive within {READ_S:.0f} s") from error
