"""What a laptop, or somebody who poses as one, could send: each gets its own answer, and harms nobody else."""

from __future__ import annotations

import gzip
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.wire import signing
from agent.wire.problems import PREFIX
from agent.wire.report import encode_report, outcome_digest
from collector import app
from collector.config import Limits
from collector.store import schema
from tests.collector.ingest.conftest import Collector
from tests.laptop import CLOCK, NO_SESSIONS, Laptop, Request


def problem(answer: Any) -> tuple[int, str]:
    """Status and name of an error answer, which must be a whole problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    return answer.status_code, body["type"].removeprefix(PREFIX)


def spoiled(change: Callable[[Laptop, Request], None]) -> Callable[[Laptop, Any], Request]:
    def make(laptop: Laptop, at: Any) -> Request:
        request = laptop.request(laptop.first_report(at), at)
        change(laptop, request)
        return request

    return make


def change_a_byte(_: Laptop, request: Request) -> None:
    request.body = request.body[:-1] + bytes([request.body[-1] ^ 1])


def cut_the_body(_: Laptop, request: Request) -> None:
    request.body = request.body[:40]


def forge_the_signature(_: Laptop, request: Request) -> None:
    other = Laptop()
    values = {"@method": "POST", "@authority": other.authority, "@path": request.path}
    values |= {name: request.headers[name] for name in ("content-digest", "content-encoding", "farhand-sending")}
    key_id = request.headers["signature-input"].partition('keyid="')[2].partition('"')[0]
    made = signing.sign_request(other.key, key_id, values, signing.REPORT_COMPONENTS, 1)
    request.headers |= {name.lower(): value for name, value in made.items()}


def sign_for_another_collector(laptop: Laptop, request: Request) -> None:
    values = {"@method": "POST", "@authority": "elsewhere.test", "@path": request.path}
    values |= {name: request.headers[name] for name in ("content-digest", "content-encoding", "farhand-sending")}
    made = signing.sign_request(laptop.key, laptop.key_id, values, signing.REPORT_COMPONENTS, 1)
    request.headers |= {name.lower(): value for name, value in made.items()}


def sign_too_little(laptop: Laptop, request: Request) -> None:
    values = {"@method": "POST", "@authority": laptop.authority, "@path": request.path}
    made = signing.sign_request(laptop.key, laptop.key_id, values, signing.FETCH_COMPONENTS, 1)
    request.headers |= {name.lower(): value for name, value in made.items()}


def drop(header: str) -> Callable[[Laptop, Request], None]:
    def change(_: Laptop, request: Request) -> None:
        del request.headers[header]

    return change


def replace(header: str, value: str) -> Callable[[Laptop, Request], None]:
    def change(_: Laptop, request: Request) -> None:
        request.headers[header] = value

    return change


REFUSED_BEFORE_THE_BODY = [
    ("forged", forge_the_signature, (401, "bad-signature")),
    ("for another collector", sign_for_another_collector, (401, "bad-signature")),
    ("over too little", sign_too_little, (401, "bad-signature")),
    ("without a signature", drop("signature"), (401, "bad-signature")),
    ("without a digest", drop("content-digest"), (401, "bad-signature")),
    ("with a malformed input", replace("signature-input", "farhand=("), (401, "bad-signature")),
    ("with a changed encoding", replace("content-encoding", "identity"), (401, "bad-signature")),
    ("with a changed uptime", replace("farhand-sending", "x;1.0"), (401, "bad-signature")),
    ("with a huge header", replace("signature", "farhand=:" + "A" * 5000 + ":"), (401, "bad-signature")),
    ("with a changed body", change_a_byte, (400, "digest-mismatch")),
    ("with a body cut off", cut_the_body, (400, "digest-mismatch")),
]


@pytest.mark.parametrize(("_name", "change", "expected"), REFUSED_BEFORE_THE_BODY, ids=lambda each: str(each)[:30])
def test_a_spoiled_request_is_refused_and_leaves_nothing(
    collector: Collector, _name: str, change: Any, expected: tuple[int, str]
) -> None:
    laptop = collector.enrol()
    assert problem(collector.post(spoiled(change)(laptop, collector.time))) == expected
    assert collector.rows(schema.reports) == []


def test_an_unknown_key_is_told_so_without_losing_it(collector: Collector) -> None:
    stranger = Laptop()
    answer = collector.post(stranger.request(stranger.first_report(collector.time), collector.time))
    assert problem(answer) == (401, "unknown-key")


def test_a_report_about_another_device_is_refused_and_that_device_stays_as_it_was(collector: Collector) -> None:
    victim, thief = collector.enrol(), collector.enrol()
    collector.send_first(victim)
    before = collector.judged(victim)
    thief.device_id = victim.device_id

    answer = collector.post(thief.request(thief.first_report(collector.time), collector.time))

    assert problem(answer) == (403, "device-mismatch")
    assert collector.judged(victim) == before


def test_an_oversized_body_is_refused_by_its_announced_and_by_its_real_size(
    make_collector: Callable[..., Collector],
) -> None:
    collector = make_collector(limits=Limits(encoded_bytes=4096))
    laptop = collector.enrol()
    request = laptop.signed("/agent/v1/reports", bytes(5000), collector.time)
    assert problem(collector.post(request)) == (413, "too-large")

    def in_pieces() -> Any:
        for _ in range(50):
            yield bytes(1000)

    answer = collector.client.post(request.path, content=in_pieces(), headers=request.headers)
    assert problem(answer) == (413, "too-large")


def test_a_body_that_expands_beyond_the_cap_is_refused_before_it_is_unpacked(collector: Collector) -> None:
    laptop = collector.enrol()
    bomb = gzip.compress(bytes(150_000_000), compresslevel=9)
    assert len(bomb) < 262_144
    request = laptop.signed("/agent/v1/reports", bomb, collector.time)
    assert problem(collector.post(request)) == (413, "too-large")


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [
        (b"not gzip", "gzip", (400, "bad-encoding")),
        (gzip.compress(b"{}" * 500, mtime=0)[:-9], "gzip", (400, "bad-encoding")),
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", (400, "bad-encoding")),
        (b"{}", "br", (415, "unsupported-media")),
        (gzip.compress(b"", mtime=0), "gzip", (400, "bad-report")),
        (gzip.compress(b"{}", mtime=0), "gzip", (400, "bad-report")),
        (gzip.compress(b"[" * 100_000, mtime=0), "gzip", (400, "bad-report")),
        (gzip.compress(b'{"format":1,"report_id":7}', mtime=0), "gzip", (400, "bad-report")),
        (gzip.compress(b"\xff\xfe", mtime=0), "gzip", (400, "bad-report")),
    ],
    ids=lambda each: repr(each)[:24],
)
def test_bytes_that_are_no_report_are_refused(
    collector: Collector, body: bytes, encoding: str, expected: tuple[int, str]
) -> None:
    laptop = collector.enrol()
    assert problem(collector.post(laptop.signed("/agent/v1/reports", body, collector.time, encoding))) == expected


def test_the_envelope_is_strict(collector: Collector) -> None:
    laptop = collector.enrol()
    whole = msgspec.json.decode(encode_report(laptop.first_report(collector.time)))
    wrong: list[dict[str, Any]] = [
        whole | {"surprise": 1},
        whole | {"sequence": 0},
        whole | {"sequence": "1"},
        whole | {"sequence": 2**70},
        whole | {"device_id": "../../etc/passwd"},
        whole | {"created_at": "2026-11-21T12:00:00"},
        whole | {"uptime_s": -1},
        whole | {"uptime_s": 1e300},
        whole | {"format": 2},
        whole | {"spool": {"depth": 0, "dropped": 2**63, "oldest_age_s": 0}},
        {name: value for name, value in whole.items() if name != "boot_id"},
    ]
    for body in wrong:
        answer = collector.post(laptop.request(msgspec.json.encode(body), collector.time))
        assert problem(answer) == (400, "bad-report"), body
    assert collector.rows(schema.reports) == []


def test_the_payload_is_tolerant_unknown_kinds_are_kept_and_counted(collector: Collector) -> None:
    laptop = collector.enrol()
    extra = laptop.measured("quantum_state", b'{"spin":"up"}', collector.time, stable=True)
    answer = collector.post(laptop.request(laptop.report(collector.time, CLOCK, extra=(extra,)), collector.time))

    assert answer.json() | {"settings_version": 0, "catalogue_version": 0} == {
        "status": "stored",
        "settings_version": 0,
        "catalogue_version": 0,
    }
    view = collector.view(laptop)
    assert view.integrity.unknown_kinds == 1
    assert view.newest["quantum_state"].unreadable == "unknown_kind"
    (row,) = [row for row in collector.rows(schema.signals) if row.kind == "quantum_state"]
    assert row.data == b'{"spin":"up"}'


def test_a_known_kind_with_wrong_types_is_kept_and_counted_and_the_rest_is_read(collector: Collector) -> None:
    laptop = collector.enrol()
    wrong = laptop.measured("power", b'{"on_mains":"perhaps"}', collector.time, stable=True)
    collector.post(laptop.request(laptop.report(collector.time, CLOCK, extra=(wrong,)), collector.time))

    view = collector.view(laptop)
    assert view.integrity.malformed == 1
    assert view.newest["power"].unreadable == "malformed"
    assert view.newest["clock"].signal == CLOCK


@pytest.mark.parametrize("error_s", [600.0, -600.0, 86_400.0 * 365, -86_400.0 * 365 * 50])
def test_a_wrong_clock_is_measured_and_never_a_reason_to_refuse(collector: Collector, error_s: float) -> None:
    laptop = collector.enrol(Laptop(clock_error_s=error_s))
    collector.send_first(laptop)
    assert collector.view(laptop).integrity.skew_s == pytest.approx(error_s, abs=1.5)


def test_a_creation_time_from_another_age_is_survived(collector: Collector) -> None:
    laptop = collector.enrol()
    request = laptop.request(laptop.first_report(collector.time), collector.time)
    values = {"@method": "POST", "@authority": laptop.authority, "@path": request.path}
    values |= {name: request.headers[name] for name in ("content-digest", "content-encoding", "farhand-sending")}
    made = signing.sign_request(laptop.key, laptop.key_id, values, signing.REPORT_COMPONENTS, 999_999_999_999_999)
    request.headers |= {name.lower(): value for name, value in made.items()}
    assert collector.post(request).status_code == 202


def test_a_fork_is_answered_409_and_both_are_kept(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.send(laptop, NO_SESSIONS)
    laptop.sequence = 1

    answer = collector.post(laptop.request(laptop.report(collector.time, CLOCK), collector.time))

    assert problem(answer) == (409, "sequence-conflict")
    assert [(row.sequence, row.fork) for row in collector.rows(schema.reports)] == [(1, 0), (2, 1)]
    assert collector.view(laptop).integrity.forks == 1


def test_a_forked_report_again_is_a_duplicate_not_another_fork(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    laptop.sequence = 0
    forked = laptop.request(laptop.report(collector.time, CLOCK), collector.time)

    assert [collector.post(forked).status_code for _ in range(3)] == [409, 202, 202]
    assert collector.view(laptop).integrity.forks == 1


def test_a_stolen_key_cannot_mute_its_owner(collector: Collector) -> None:
    owner = collector.enrol()
    collector.send_first(owner)
    thief = Laptop(key=owner.key, device_id=owner.device_id, epoch=owner.epoch, sequence=10**9)
    collector.post(thief.request(thief.first_report(collector.time), collector.time))

    owner.epoch, owner.sequence, owner.state = str(uuid.uuid4()), 0, {}
    assert collector.send_first(owner).status == "stored"
    assert collector.view(owner).integrity.gaps > 0


def test_two_machines_with_one_key_are_found_within_two_reports_of_each(collector: Collector) -> None:
    original = collector.enrol()
    collector.send_first(original)
    clone = Laptop(key=original.key, device_id=original.device_id, epoch=original.epoch, sequence=original.sequence)
    clone.state = dict(original.state)

    collector.send(original, NO_SESSIONS)
    answer = collector.post(clone.request(clone.report(collector.time, NO_SESSIONS), collector.time))
    assert problem(answer) == (409, "sequence-conflict")
    clone.epoch, clone.sequence, clone.state = str(uuid.uuid4()), 0, {}  # what the agent does then
    collector.send_first(clone)
    collector.send(original, NO_SESSIONS)

    seen = collector.view(original).integrity
    assert (seen.forks, seen.interleaved_epochs) == (1, 1)
    assert "report-clone" in {each.rule_id for each in collector.judged(original).findings}


def test_a_laptop_that_was_set_back_heals_with_a_new_epoch_and_is_no_clone(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    snapshot = (laptop.sequence, dict(laptop.state))
    collector.send(laptop, NO_SESSIONS)
    laptop.sequence, laptop.state = snapshot
    later = collector.later(hours=1)
    assert collector.post(laptop.request(laptop.report(later, NO_SESSIONS), later)).status_code == 409

    laptop.epoch, laptop.sequence, laptop.state = str(uuid.uuid4()), 0, {}
    assert collector.send_first(laptop).want == ()
    for _ in range(5):
        collector.later(minutes=5)
        collector.send(laptop, NO_SESSIONS)

    assert collector.view(laptop).integrity.interleaved_epochs == 0
    assert collector.alerts(laptop) == []


def test_a_flood_from_one_device_is_held_and_harms_no_other(make_collector: Callable[..., Collector]) -> None:
    collector = make_collector(limits=Limits(reports_per_minute=60, reports_at_once=5))
    loud, quiet = collector.enrol(), collector.enrol()
    answers = [
        collector.post(loud.request(loud.report(collector.time, NO_SESSIONS), collector.time)) for _ in range(12)
    ]
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) >= 6
    assert problem(refused[0]) == (429, "too-many-requests")
    assert int(refused[0].headers["retry-after"]) >= 1
    assert collector.send_first(quiet).status == "stored"


def test_whoever_sends_much_in_few_reports_fills_no_disk(
    make_collector: Callable[..., Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BYTES_AT_ONCE", 40_000)
    collector = make_collector(limits=Limits(encoded_bytes=8192))
    loud, quiet = collector.enrol(), collector.enrol()
    collector.send_first(loud)

    def send() -> Any:
        data = msgspec.json.encode(secrets.token_hex(4000))
        noise = loud.measured("noise", data, collector.time, stable=False)
        return collector.post(loud.request(loud.report(collector.time, extra=(noise,)), collector.time))

    statuses = [send().status_code for _ in range(12)]
    assert statuses == [202] * statuses.index(429) + [429] * (12 - statuses.index(429))
    assert sum(len(row.body) for row in collector.rows(schema.reports)) < 50_000
    assert collector.send_first(quiet).status == "stored"


def test_a_retired_device_is_told_so_and_nothing_of_it_is_kept(collector: Collector) -> None:
    from collector.store.devices import retire

    laptop = collector.enrol()
    collector.store.write(lambda connection: retire(connection, laptop.device_id, 1))
    collector.app.state.services.keys.forget()
    answer = collector.post(laptop.request(laptop.first_report(collector.time), collector.time))
    assert problem(answer) == (403, "key-revoked")
    assert collector.rows(schema.reports) == []


def test_one_report_that_cannot_be_taken_does_not_take_its_batch_with_it(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collector.store import intake

    good, bad = collector.enrol(), collector.enrol()
    real = intake.advance

    def breaks(stream: Any, heard: Any, **more: Any) -> Any:
        if heard.report.device_id == bad.device_id:
            raise RuntimeError("a mistake of ours")
        return real(stream, heard, **more)

    monkeypatch.setattr(intake, "advance", breaks)
    from concurrent.futures import ThreadPoolExecutor

    requests = [each.request(each.first_report(collector.time), collector.time) for each in (good, bad)]

    def post(request: Request) -> int:
        try:
            status: int = collector.post(request).status_code
        except RuntimeError:
            return 500
        return status

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(post, requests)) == [202, 500]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_no_signed_bytes_break_the_collector(collector: Collector, data: bytes) -> None:
    laptop = collector.app.state.__dict__.setdefault("fuzzer", None) or collector.enrol()
    collector.app.state.fuzzer = laptop
    answer = collector.post(laptop.request(data, collector.time))
    assert answer.status_code in (400, 413, 429)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["clock", "platform", "power", "remote_tools", "remote_sessions", "novelty"]),
    data=JSON,
    stable=st.booleans(),
)
def test_any_payload_of_any_kind_is_kept_and_never_an_error(
    collector: Collector, kind: str, data: Any, stable: bool
) -> None:
    laptop = collector.enrol()
    raw = msgspec.json.encode(data)
    measured = laptop.measured(kind, raw, collector.time, stable=stable)
    answer = collector.post(laptop.request(laptop.report(collector.time, extra=(measured,)), collector.time))
    assert answer.status_code == 202
    (row,) = [row for row in collector.rows(schema.signals) if row.device_id == laptop.device_id]
    assert outcome_digest(row.data) == outcome_digest(raw)
    collector.judged(laptop)


def sent_with(laptop: Laptop, request: Request, sending: str, created: int) -> Request:
    """The request with another Farhand-Sending header and creation time, rightly signed."""
    values = {"@method": "POST", "@authority": laptop.authority, "@path": request.path}
    values |= {name: request.headers[name] for name in ("content-digest", "content-encoding")}
    values["farhand-sending"] = request.headers["farhand-sending"] = sending
    made = signing.sign_request(laptop.key, laptop.key_id, values, signing.REPORT_COMPONENTS, created)
    request.headers |= {name.lower(): value for name, value in made.items()}
    return request


@pytest.mark.parametrize("started_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("uptime_s", ["999999999999.999999", "0"])
@pytest.mark.parametrize("created", [0, 999_999_999_999_999])
@pytest.mark.parametrize("same_boot", [True, False])
def test_no_clock_and_no_uptime_keeps_a_laptop_from_being_judged(
    collector: Collector, started_at: str, uptime_s: str, created: int, same_boot: bool
) -> None:
    laptop = collector.enrol()
    report = encode_report(laptop.first_report(collector.time))
    body = report.replace(b'"started_at":"2026-11-21T12:00:00Z"', b'"started_at":"%s"' % started_at.encode())
    assert body != report
    boot_id = laptop.boot_id if same_boot else str(uuid.uuid4())
    request = sent_with(laptop, laptop.request(body, collector.time), f"{boot_id};{uptime_s};0", created)
    assert collector.post(request).status_code == 202
    assert "clock" in collector.view(laptop).newest
    assert collector.judged(laptop).coverage.known > 0


def test_a_report_with_more_measurements_than_there_are_kinds_is_refused(collector: Collector) -> None:
    laptop = collector.enrol()
    extra = tuple(laptop.measured(f"kind_{number}", b"{}", collector.time, stable=False) for number in range(300))
    report = laptop.report(collector.time, extra=extra)
    assert problem(collector.post(laptop.request(report, collector.time))) == (400, "bad-report")


def test_a_report_that_measures_one_kind_twice_is_refused(collector: Collector) -> None:
    """Each repetition would be read, compared and written like the first: 256 times the work for one report."""
    laptop = collector.enrol()
    collector.send_first(laptop)
    again = [laptop.measured("usb_devices", b'{"devices":[]}', collector.time, stable=True) for _ in range(40)]
    answer = collector.post(laptop.request(laptop.report(collector.time, extra=again), collector.time))
    assert problem(answer) == (400, "bad-report")
    assert "more than one measurement of a kind" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("neighbours", {"settled": True, "neighbours": [{"identity": [{"epoch": 1, "digest": "5f" * 16}] * 20_000}]}),
        ("usb_devices", {"devices": [{"port": "", "vendor_id": "1d6b", "product_id": "0104"}] * 30_000}),
    ],
)
def test_more_of_a_kind_than_an_agent_sends_is_neither_read_nor_hashed_nor_kept(
    collector: Collector, kind: str, data: Any
) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    extra = laptop.measured(kind, msgspec.json.encode(data), collector.time, stable=True)
    request = laptop.request(laptop.report(collector.time, extra=(extra,)), collector.time)
    began = time.process_time()
    assert collector.post(request).status_code == 202
    assert time.process_time() - began < 0.5
    (row,) = (row for row in collector.rows(schema.signals) if row.kind == kind)
    assert (row.data, row.unreadable) == (b"null", "malformed")
    assert kind in {each for each, newest in collector.view(laptop).newest.items() if newest.unreadable}


def test_a_key_that_was_read_before_its_device_was_retired_is_not_kept(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collector.store.devices import retire

    laptop = collector.enrol()
    keys = collector.app.state.services.keys
    load = keys._load

    def slow(key_id: str) -> Any:
        found = load(key_id)
        monkeypatch.setattr(keys, "_load", load)
        collector.store.write(lambda connection: retire(connection, laptop.device_id, 1))
        keys.forget()  # what retiring does, while this answer is still on its way
        return found

    monkeypatch.setattr(keys, "_load", slow)
    first = laptop.request(laptop.first_report(collector.time), collector.time)
    collector.post(first)
    again = laptop.request(laptop.report(collector.time, NO_SESSIONS), collector.time)
    assert problem(collector.post(again)) == (403, "key-revoked")


def test_a_device_that_was_retired_is_no_longer_judged(collector: Collector) -> None:
    from collector.instants import to_ms
    from collector.store import assessments
    from collector.store.devices import retire

    laptop, other = collector.enrol(), collector.enrol()
    for each in (laptop, other):
        collector.send_first(each)
        collector.judged(each)
    collector.store.write(lambda connection: retire(connection, laptop.device_id, to_ms(collector.time)))
    before = collector.judged(laptop)

    collector.later(days=30)
    for _ in range(2):
        collector.store.write(lambda connection: assessments.queue_due(connection, to_ms(collector.time), 10))
        assert "device-silent" in {each.rule_id for each in collector.judged(other).findings}
        assert collector.judged(laptop) == before
    due = collector.store.write(lambda connection: assessments.queue_due(connection, to_ms(collector.time), 10))
    assert due == 0


def test_a_device_that_cannot_be_judged_waits_and_keeps_no_other_from_it(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import exc

    from collector import judge as judging
    from collector.instants import to_ms
    from collector.store import assessments

    bad, good = collector.enrol(), collector.enrol()
    for each in (bad, good):
        collector.send_first(each)
        collector.judged(each)
    real = judging.assess

    def breaks(view: Any, context: Any) -> Any:
        if view.device_id == bad.device_id:
            raise exc.DataError("INSERT", {}, Exception("a text that the database refuses"))
        return real(view, context)

    monkeypatch.setattr(judging, "assess", breaks)
    collector.later(days=4)
    services = collector.app.state.services
    writing = collector.store.engine.execution_options(writes=True)
    collector.store.write(lambda connection: assessments.queue_due(connection, to_ms(collector.time), 10))
    services.judge._not_before = 0.0
    services.judge.between_writes(writing)

    with collector.store.read() as connection:
        made = {each.device_id: assessments.load(connection, each.device_id) for each in (bad, good)}
        assert assessments.waiting(connection, 10) == []
    assert made[good.device_id].as_of == collector.time
    assert made[bad.device_id].as_of < collector.time
    queue = collector.store.write(lambda connection: assessments.queue_due(connection, to_ms(collector.time), 10))
    assert queue == 0
