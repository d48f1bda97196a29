"""The uplink against a real server on loopback that misbehaves in every way that networks know."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme
from nacl.signing import SigningKey

from agent.config import CollectorConfig
from agent.disk import Folder
from agent.identity import Identity
from agent.uplink import ANSWER_BYTES, REPORTS_PATH, SETTINGS_PATH, Address, Uplink, UplinkError, connect
from agent.wire.report import ReportAnswer
from tests.agent.fake_collector import FakeCollector, Request
from tests.fakes import FakeHost

ME = Identity(key=SigningKey(b"k" * 32), binding="b")


@pytest.fixture
def uplink(collector: FakeCollector) -> Iterator[Uplink]:
    collector.keys[ME.key_id] = ME.public_key
    made = Uplink(address=Address.parse(collector.url), identity=ME, host=FakeHost(), read_s=0.5)
    yield made
    made.close()


def test_every_request_is_signed_over_what_the_contract_names(collector: FakeCollector, uplink: Uplink) -> None:
    assert uplink.get(SETTINGS_PATH).status == 200
    collector.script = [lambda request: request.say(202, b"{}")]
    assert uplink.post(REPORTS_PATH, b"\x1f\x8b").status == 202
    assert collector.bad_signatures == []


def test_a_sign_in_page_is_never_taken_for_an_answer(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: request.say(202, b"<html>Welcome", "text/html; charset=utf-8")]
    with pytest.raises(UplinkError, match="got text/html in place of JSON"):
        uplink.post(REPORTS_PATH, b"")


def test_a_redirect_is_not_followed(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: request.say(302, b"{}", Location=collector.url + "/portal")]
    with pytest.raises(UplinkError, match="redirect"):
        uplink.post(REPORTS_PATH, b"")
    assert collector.requests == ["POST /agent/v1/reports"]


def test_an_answer_that_is_too_long_is_not_read(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: request.say(202, b" " * (ANSWER_BYTES + 1))]
    with pytest.raises(UplinkError, match="longer than"):
        uplink.post(REPORTS_PATH, b"")


def test_half_an_answer_is_no_answer(collector: FakeCollector, uplink: Uplink) -> None:
    def cut_off(request: Request) -> None:
        request.say(202, b'{"status":"stored","settings_version":1,"catalogue_version":1}', Content_Length="200")
        request.close_connection = True

    collector.script = [cut_off]
    with pytest.raises(UplinkError):
        uplink.post(REPORTS_PATH, b"")


def test_a_collector_that_cannot_be_reached_is_told_in_the_words_of_the_system() -> None:
    uplink = Uplink(address=Address.parse("http://127.0.0.1:1"), identity=ME, host=FakeHost())
    with pytest.raises(UplinkError) as refused:
        uplink.get(SETTINGS_PATH)
    assert str(refused.value) == "http://127.0.0.1:1: Connection refused"


def test_json_that_no_collector_says_is_no_answer(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: request.say(202, b'{"status":"thanks"}')]
    with pytest.raises(UplinkError, match="not what a collector says"):
        uplink.post(REPORTS_PATH, b"").read(ReportAnswer, 202)


def test_a_server_that_says_nothing_costs_a_bounded_time(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: time.sleep(1.0)]
    started = time.monotonic()
    with pytest.raises(UplinkError, match="timed out"):
        uplink.post(REPORTS_PATH, b"")
    assert time.monotonic() - started < 0.9


def test_an_answer_that_comes_byte_by_byte_costs_a_bounded_time(collector: FakeCollector) -> None:
    fed_up = threading.Event()

    def drip(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 202 Accepted\r\n")
        while not fed_up.wait(0.05):
            request.wfile.write(b"x: y\r\n")

    collector.script = [drip]
    uplink = Uplink(address=Address.parse(collector.url), identity=ME, host=FakeHost(), read_s=5.0, whole_s=0.4)
    started = time.monotonic()
    try:
        with pytest.raises(UplinkError, match=r"no whole answer in 0\.4 s"):
            uplink.post(REPORTS_PATH, b"")
        assert time.monotonic() - started < 2.0
    finally:
        fed_up.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 202 Accepted\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 99999999999 \xff\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_whatever_bytes_come_back_an_ordinary_error_comes_of_them(
    collector: FakeCollector, uplink: Uplink, answer: bytes
) -> None:
    def say(request: Request) -> None:
        request.wfile.write(answer)
        request.close_connection = True

    collector.script = [say]
    with pytest.raises(UplinkError):
        uplink.post(REPORTS_PATH, b"").read(ReportAnswer, 202)


def test_json_that_is_nested_without_end_is_no_answer(collector: FakeCollector, uplink: Uplink) -> None:
    deep = b'{"status":"stored","more":' + b"[" * 60_000
    collector.script = [
        lambda request: request.say(202, deep),
        lambda request: request.say(500, deep, "application/problem+json"),
    ]
    with pytest.raises(UplinkError, match="not what a collector says"):
        uplink.post(REPORTS_PATH, b"").read(ReportAnswer, 202)
    with pytest.raises(UplinkError, match="problem is not readable"):
        uplink.post(REPORTS_PATH, b"")


def test_a_strangers_words_do_nothing_to_log_and_terminal(collector: FakeCollector, uplink: Uplink) -> None:
    document = msgspec.json.encode(
        {"type": "x", "title": "t", "status": 500, "detail": "\x1b[2J\nroot: ok" + "z" * 999}
    )
    collector.script = [
        lambda request: request.say(500, document, "application/problem+json"),
        lambda request: request.say(200, b"", "text/\x1b[2Jhtml"),
    ]
    detail = uplink.post(REPORTS_PATH, b"").detail
    assert detail.startswith(r"\x1b[2J\nroot: ok")
    assert len(detail) < 320
    with pytest.raises(UplinkError, match=r"got text/\\x1b\[2jhtml"):
        uplink.post(REPORTS_PATH, b"")


def test_a_server_that_is_not_there_is_an_ordinary_error(collector: FakeCollector) -> None:
    collector.server_close()
    uplink = Uplink(address=Address.parse(collector.url), identity=ME, host=FakeHost())
    with pytest.raises(UplinkError):
        uplink.get(SETTINGS_PATH)
    uplink.close()


def test_a_problem_and_its_wait_are_read(collector: FakeCollector, uplink: Uplink) -> None:
    collector.script = [lambda request: request.refuse("too-many-requests", 429, Retry_After="7")]
    reply = uplink.post(REPORTS_PATH, b"")
    assert (reply.status, reply.problem, reply.retry_after_s) == (429, "urn:farhand:problem:too-many-requests", 7.0)
    with pytest.raises(UplinkError) as refused:
        reply.read(ReportAnswer, 202)
    assert refused.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("status", "words", "wait_s"),
    [
        (503, "0", 0.0),
        (503, "-1", None),
        (503, "1e9", None),
        (503, "9" * 400, float("inf")),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (500, "7", None),
    ],
)
def test_only_an_overloaded_collector_names_a_wait_and_only_in_seconds(
    collector: FakeCollector, uplink: Uplink, status: int, words: str, wait_s: float | None
) -> None:
    collector.script = [lambda request: request.refuse("unavailable", status, Retry_After=words)]
    assert uplink.post(REPORTS_PATH, b"").retry_after_s == wait_s


def test_credentials_and_certificates_are_not_taken_from_the_environment(
    collector: FakeCollector, uplink: Uplink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login who password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[str | None] = []

    def note(request: Request) -> None:
        seen.append(request.headers.get("Authorization"))
        request.say(200, b"{}")

    collector.script = [note]
    uplink.get(SETTINGS_PATH)
    assert seen == [None]


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Farhand.Example.com", "farhand.example.com"),
        ("https://farhand.example.com:443/", "farhand.example.com"),
        ("https://farhand.example.com:8443", "farhand.example.com:8443"),
        ("http://127.0.0.1:8470", "127.0.0.1:8470"),
        ("http://localhost:80", "localhost"),
        ("https://[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
        ("http://[::1]:8470", "[::1]:8470"),
    ],
)
def test_an_address_is_signed_in_its_normal_form(url: str, authority: str) -> None:
    assert Address.parse(url).authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "http://farhand.example.com",
        "http://127.0.0.1.example.com",
        "ftp://farhand.example.com",
        "farhand.example.com",
        "https://user:secret@farhand.example.com",
        "https://farhand.example.com/hand",
        "https://farhand.example.com/?a=b",
        "https://farhand.example.com:port",
        "https://",
        "https://münchen.example",
    ],
)
def test_an_address_that_would_not_be_safe_is_refused(url: str) -> None:
    with pytest.raises(UplinkError):
        Address.parse(url)


def test_two_certificate_files_are_trusted_together(folder: Folder, tmp_path: Path) -> None:
    for name in ("old", "new"):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    link = CollectorConfig(
        url="https://farhand.example.com", ca_file=str(tmp_path / "old.pem"), extra_ca_file=str(tmp_path / "new.pem")
    )
    connect(folder, link, ME, FakeHost())
    both = [(tmp_path / f"{name}.pem").read_bytes() for name in ("old", "new")]
    assert folder.read("ca-bundle.pem") == b"\n".join(both)


def test_a_certificate_file_that_is_missing_is_named(folder: Folder) -> None:
    link = CollectorConfig(url="https://farhand.example.com", ca_file="/nowhere/ca.pem")
    with pytest.raises(UplinkError, match=r"/nowhere/ca\.pem"):
        connect(folder, link, ME, FakeHost())
