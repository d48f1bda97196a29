"""fake_collector: a collector on loopback that checks signatures and answers as a test tells it to."""

from __future__ import annotations

import base64
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import msgspec

from agent.wire.enrolment import EnrolRequest
from agent.wire.problems import Problem, problem_type
from agent.wire.report import Report, ReportAnswer, decode_report
from agent.wire.settings import SettingsAnswer
from agent.wire.signing import (
    FETCH_COMPONENTS,
    REPORT_COMPONENTS,
    digest_matches,
    key_id_of,
    parse_signature,
    parse_signature_input,
    signature_base,
    verify_ed25519,
)
from tests.agent.support import enrol_answer, orders

Handler = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; scripted answers are functions of it."""

    protocol_version = "HTTP/1.1"
    server: FakeCollector  # type: ignore[assignment]
    body: bytes = b""

    def setup(self) -> None:
        super().setup()
        write = self.wfile.write

        def counted(data: bytes) -> int:
            self.server.bytes_seen += len(data)
            return write(data)

        self.wfile.write = counted  # type: ignore[assignment,method-assign]

    def count_request(self) -> None:
        """Count what arrived: request line, headers, empty line, body."""
        fields = sum(len(f"{name}: {value}\r\n") for name, value in self.headers.items())
        self.server.bytes_seen += len(self.raw_requestline) + fields + 2 + len(self.body)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.handle_one(self)

    def do_GET(self) -> None:
        self.server.handle_one(self)

    def say(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        """Answer; underscores in header names stand for dashes."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, name: Any, status: int, **headers: str) -> None:
        """Answer with a problem."""
        document = Problem(type=problem_type(name), title=name, status=status)
        self.say(status, msgspec.json.encode(document), "application/problem+json", **headers)

    def version_string(self) -> str:
        return "uvicorn"

    def log_message(self, *_: object) -> None:
        pass


class FakeCollector(ThreadingHTTPServer):
    """Answers what `script` holds first, then as a collector does.

    Args:
        tls: speak https, as localhost, with this certificate.
    """

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.authority = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.authority}"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
            self.authority = f"localhost:{self.server_port}"
            self.url = f"https://{self.authority}"
        self.script: list[Handler] = []
        self.orders: SettingsAnswer = orders()
        self.tokens = {"good"}
        self.keys: dict[str, bytes] = {}
        self.reports: dict[tuple[str, int], bytes] = {}
        self.conflicts = 0
        self.duplicates = 0
        self.requests: list[str] = []
        self.bytes_seen = 0
        self.bad_signatures: list[str] = []
        self._lock = threading.Lock()

    def __enter__(self) -> FakeCollector:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed, or gave up, is what some tests are about."""

    def received(self) -> list[Report]:
        """All reports that were stored, in the order in which they came."""
        return [decode_report(zlib.decompress(body, 31)) for body in list(self.reports.values())]

    def wait_for(self, what: Callable[[], bool], seconds: float = 20.0) -> None:
        give_up_at = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < give_up_at, f"did not happen in {seconds} s; requests: {self.requests[-10:]}"
            time.sleep(0.02)

    def handle_one(self, request: Request) -> None:
        with self._lock:
            request.count_request()
            self.requests.append(f"{request.command} {request.path}")
            if self.script:
                self.script.pop(0)(request)
            else:
                self.answer(request)

    def answer(self, request: Request) -> None:
        """Answer as a collector does."""
        if request.path == "/agent/v1/enrol":
            self._enrol(request)
        elif self._signer(request, REPORT_COMPONENTS if request.command == "POST" else FETCH_COMPONENTS) is None:
            request.refuse("unknown-key", 401)
        elif request.path == "/agent/v1/reports":
            self._report(request)
        else:
            request.say(200, msgspec.json.encode(self.orders))

    def _signer(self, request: Request, components: tuple[str, ...], public_key: bytes | None = None) -> str | None:
        """Key id of a rightly signed request; None for an unknown key. A wrong signature is noted."""
        given = parse_signature_input(request.headers["Signature-Input"])
        public_key = public_key or self.keys.get(given.key_id)
        if public_key is None:
            return None
        values = {name.lower(): value for name, value in request.headers.items()}
        values |= {
            "@method": request.command,
            "@authority": self.authority,
            "@path": request.path,
        }
        base = signature_base(values, components, given.parameters)
        signature = parse_signature(request.headers["Signature"])
        good = given.components == components and verify_ed25519(public_key, base, signature)
        if request.command == "POST":
            good = good and digest_matches(request.headers["Content-Digest"], request.body)
        if not good:
            self.bad_signatures.append(request.path)
        return given.key_id

    def _enrol(self, request: Request) -> None:
        asked = msgspec.json.decode(zlib.decompress(request.body, 31), type=EnrolRequest)
        public_key = base64.b64decode(asked.public_key)
        self._signer(request, REPORT_COMPONENTS, public_key)
        if asked.receipt is None and asked.token not in self.tokens:
            request.refuse("token-refused", 403)
            return
        known = key_id_of(public_key) in self.keys
        self.keys[key_id_of(public_key)] = public_key
        request.say(200 if known else 201, msgspec.json.encode(enrol_answer(public_key, self.orders)))

    def _report(self, request: Request) -> None:
        report = decode_report(zlib.decompress(request.body, 31))
        place = (report.state_epoch, report.sequence)
        if self.reports.get(place, request.body) != request.body:
            self.conflicts += 1
            request.refuse("sequence-conflict", 409)
            return
        self.duplicates += place in self.reports
        status = "duplicate" if place in self.reports else "stored"
        self.reports[place] = request.body
        answer = ReportAnswer(status=status, settings_version=self._version(), catalogue_version=1)
        request.say(202, msgspec.json.encode(answer))

    def _version(self) -> int:
        version = msgspec.json.decode(self.orders.settings.document)["version"]
        assert isinstance(version, int)
        return version
