"""Enrolment: a token lets a key in, a lost answer burns nothing, a receipt works without a token."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from agent.wire import signing
from agent.wire.enrolment import RECEIPT_PURPOSE, EnrolAnswer, EnrolRequest, Receipt
from agent.wire.settings import CATALOGUE_PURPOSE, SETTINGS_PURPOSE, Catalogue, Settings, SettingsAnswer
from collector.instants import to_ms
from collector.judgement.policy import Enrolment
from collector.store import devices, enrolment, merging, schema
from tests.collector.ingest.conftest import Collector
from tests.collector.ingest.test_attacks import problem
from tests.laptop import Laptop, session, sessions, tools


def answer_of(response: Any) -> EnrolAnswer:
    return msgspec.json.decode(response.content, type=EnrolAnswer)


def test_a_token_enrols_a_key_and_the_answer_can_be_verified(collector: Collector) -> None:
    laptop = Laptop()
    response = collector.post(laptop.enrolment(collector.time, collector.token()))

    assert response.status_code == 201
    answer = answer_of(response)
    assert answer.key_id == laptop.key_id
    pinned = base64.b64decode(answer.collector_key)
    receipt = msgspec.json.decode(signing.open_document(answer.receipt, RECEIPT_PURPOSE, pinned), type=Receipt)
    assert (receipt.device_id, receipt.public_key) == (answer.device_id, laptop.public_key)
    settings = msgspec.json.decode(signing.open_document(answer.settings, SETTINGS_PURPOSE, pinned), type=Settings)
    assert settings.interval_s == 300
    catalogue = msgspec.json.decode(signing.open_document(answer.catalogue, CATALOGUE_PURPOSE, pinned), type=Catalogue)
    assert {"anydesk", "tigervnc", "rustdesk"} <= {tool.id for tool in catalogue.tools}


def test_a_signature_for_one_purpose_is_worth_nothing_for_another(collector: Collector) -> None:
    answer = answer_of(collector.post(Laptop().enrolment(collector.time, collector.token())))
    with pytest.raises(signing.SignatureError):
        signing.open_document(answer.settings, CATALOGUE_PURPOSE, base64.b64decode(answer.collector_key))


def test_the_same_key_again_costs_nothing(collector: Collector) -> None:
    laptop, token = Laptop(), collector.token(quota=1)
    first = collector.post(laptop.enrolment(collector.time, token))
    again = collector.post(laptop.enrolment(collector.time, token))
    assert (first.status_code, again.status_code) == (201, 200)
    assert answer_of(first).device_id == answer_of(again).device_id
    assert [row.used for row in collector.rows(schema.enrolment_tokens)] == [1]


@pytest.mark.parametrize("spoil", ["unknown", "missing", "used up", "expired", "revoked", "other serial"])
def test_a_token_that_does_not_fit_is_refused(collector: Collector, spoil: str) -> None:
    token: str | None = collector.token(quota=1, serials=("PF3ABCDE",) if spoil == "other serial" else ())
    if spoil == "unknown":
        token = "fhe_" + "A" * 43
    elif spoil == "missing":
        token = None
    elif spoil == "used up":
        assert collector.post(Laptop().enrolment(collector.time, token)).status_code == 201
    elif spoil == "expired":
        collector.later(hours=1)
    elif spoil == "revoked":
        (row,) = collector.rows(schema.enrolment_tokens)
        assert collector.store.write(lambda each: enrolment.revoke_token(each, row.token_id, to_ms(collector.time)))
    before = len(collector.rows(schema.devices))

    answer = collector.post(Laptop().enrolment(collector.time, token, serial="PF3OTHER"))

    assert problem(answer) == (403, "token-refused")
    assert ("have another one made" in answer.json()["detail"]) is (spoil != "missing")
    assert len(collector.rows(schema.devices)) == before


def test_a_key_must_prove_itself(collector: Collector) -> None:
    laptop, other = Laptop(), Laptop()
    request = laptop.enrolment(collector.time, collector.token())
    assert problem(collector.post(other.signed(request.path, request.body, collector.time))) == (401, "bad-signature")


@pytest.mark.parametrize("key", ["", "AAAA", base64.b64encode(bytes(32)).decode(), "not base64!"])
def test_a_key_that_is_none_is_refused(collector: Collector, key: str) -> None:
    laptop = Laptop()
    asked = EnrolRequest(public_key=key, token=collector.token())
    request = laptop.request(msgspec.json.encode(asked), collector.time, "/agent/v1/enrol")
    assert problem(collector.post(request)) == (400, "bad-report")


def test_a_new_key_that_claims_a_known_serial_is_seen_on_the_new_device_alone(collector: Collector) -> None:
    first = collector.enrol(serial="PF3ABCDE")
    collector.send_first(first)
    before = collector.judged(first)

    second = collector.enrol(serial="PF3ABCDE")
    collector.send_first(second)

    assert collector.view(second).integrity.claims_serial_of == first.device_id
    assert "serial-claimed" in {each.rule_id for each in collector.judged(second).findings}
    assert collector.judged(first) == before


def test_a_receipt_is_good_for_its_own_key_only(collector: Collector) -> None:
    laptop = Laptop()
    receipt = answer_of(collector.post(laptop.enrolment(collector.time, collector.token()))).receipt
    thief = Laptop()
    assert problem(collector.post(thief.enrolment(collector.time, None, receipt=receipt))) == (403, "token-refused")


def test_a_receipt_that_somebody_else_signed_is_refused(collector: Collector) -> None:
    laptop = Laptop()
    forged = Receipt(
        device_id=laptop.device_id,
        key_id=laptop.key_id,
        public_key=laptop.public_key,
        alg="ed25519",
        group="default",
        issued_at=collector.time,
    )
    signed = signing.sign_document(laptop.key, RECEIPT_PURPOSE, msgspec.json.encode(forged))
    assert problem(collector.post(laptop.enrolment(collector.time, None, receipt=signed))) == (403, "token-refused")


def test_a_p256_key_of_a_tpm_enrols_and_reports(collector: Collector) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    laptop = Laptop()

    def resign(request: Any) -> Any:
        values = {"@method": "POST", "@authority": laptop.authority, "@path": request.path}
        values |= {name: request.headers[name] for name in ("content-digest", "content-encoding", "farhand-sending")}
        listed = " ".join(f'"{name}"' for name in signing.REPORT_COMPONENTS)
        parameters = f'({listed});created=1;keyid="{signing.key_id_of(point)}";alg="{signing.ECDSA_P256}"'
        base = signing.signature_base(values, signing.REPORT_COMPONENTS, parameters)
        r, s = utils.decode_dss_signature(key.sign(base, ec.ECDSA(hashes.SHA256())))
        raw = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
        request.headers |= {"signature-input": f"farhand={parameters}", "signature": f"farhand=:{raw}:"}
        return request

    asked = EnrolRequest(
        public_key=base64.b64encode(point).decode(),
        alg="ecdsa-p256-sha256",
        key_protection="tpm",
        token=collector.token(),
    )
    response = collector.post(resign(laptop.request(msgspec.json.encode(asked), collector.time, "/agent/v1/enrol")))
    assert response.status_code == 201
    laptop.device_id = answer_of(response).device_id
    request = laptop.request(laptop.first_report(collector.time), collector.time)
    assert collector.post(request).status_code == 401
    assert collector.post(resign(request)).status_code == 202


def test_settings_are_given_to_whoever_signs_for_them(collector: Collector) -> None:
    laptop = collector.enrol()
    values = {"@method": "GET", "@authority": laptop.authority, "@path": "/agent/v1/settings"}
    headers = signing.sign_request(laptop.key, laptop.key_id, values, signing.FETCH_COMPONENTS, 1)
    response = collector.client.get("/agent/v1/settings", headers=headers)
    assert response.status_code == 200
    answer = msgspec.json.decode(response.content, type=SettingsAnswer)
    assert answer.settings.purpose == SETTINGS_PURPOSE
    assert problem(collector.client.get("/agent/v1/settings")) == (401, "bad-signature")


def test_documents_are_numbered_upwards_only_when_they_change(collector: Collector) -> None:
    laptop = collector.enrol()
    first = collector.send_first(laptop)
    collector.stop()
    collector.later(hours=1)
    collector.start()
    same = collector.send(laptop)
    assert (same.settings_version, same.catalogue_version) == (first.settings_version, first.catalogue_version)

    collector.stop()
    groups = {"default": type(collector.known.policy.groups["default"])(interval_s=60)}
    policy = msgspec.structs.replace(collector.known.policy, groups=groups)
    context = msgspec.structs.replace(collector.known.context, policy=policy)
    collector.known = type(collector.known)(context, collector.known.tools)
    collector.start()
    changed = collector.send(laptop)
    assert changed.settings_version > first.settings_version
    assert changed.catalogue_version == first.catalogue_version


def rejoining(collector: Collector) -> Collector:
    """The same collector with a policy that lets laptops rejoin their assets."""
    policy = msgspec.structs.replace(collector.known.policy, enrolment=Enrolment(rejoin_known_serial=True))
    context = msgspec.structs.replace(collector.known.context, policy=policy)
    collector.stop()
    collector.known = type(collector.known)(context, collector.known.tools)
    collector.start()
    return collector


def acts(collector: Collector, action: str) -> list[Any]:
    return [row for row in collector.rows(schema.audit) if row.action == action]


def test_where_the_policy_agrees_a_laptop_that_was_set_up_anew_rejoins_its_asset(collector: Collector) -> None:
    rejoining(collector)
    first = collector.enrol(serial="PF3ABCDE")
    collector.send_first(first)

    second = collector.enrol(serial="PF3ABCDE")

    assert second.device_id == first.device_id
    keys = {row.key_id: row.generation for row in collector.rows(schema.device_keys)}
    assert keys == {first.key_id: 1, second.key_id: 2}
    (act,) = acts(collector, "device.rejoined")
    assert (act.subject, second.key_id in act.detail, "generation 2" in act.detail) == (first.device_id, True, True)
    collector.send_first(second)
    seen = collector.view(second).integrity
    assert (seen.claims_serial_of, seen.interleaved_epochs) == (None, 0)


def test_a_stranger_who_rejoins_somebody_elses_asset_is_seen_as_soon_as_both_report(collector: Collector) -> None:
    rejoining(collector)
    owner = collector.enrol(serial="PF3ABCDE")
    collector.send_first(owner)
    collector.send_first(collector.enrol(serial="PF3ABCDE"))

    assert collector.send(owner).status == "stored"

    assert collector.view(owner).integrity.interleaved_epochs == 1
    assert "report-clone" in {each.rule_id for each in collector.judged(owner).findings}


@pytest.mark.parametrize(
    "serial",
    [
        "",
        "To be filled by O.E.M.",
        "Default string",
        "0",
        "0000000000",
        "0123456789",
        "A1",
        "None",
        "System Serial Number",
    ],
)
def test_what_makers_leave_in_place_of_a_serial_number_names_no_asset(collector: Collector, serial: str) -> None:
    rejoining(collector)
    assert collector.enrol(serial=serial).device_id != collector.enrol(serial=serial).device_id


def test_nobody_rejoins_an_asset_that_is_out_of_use_or_one_of_several(collector: Collector) -> None:
    first, second = collector.enrol(serial="PF3ABCDE"), collector.enrol(serial="PF3ABCDE")
    rejoining(collector)
    third = collector.enrol(serial="PF3ABCDE")
    assert third.device_id not in (first.device_id, second.device_id)
    retired = collector.enrol(serial="PF3OTHER")
    collector.store.write(lambda connection: devices.retire(connection, retired.device_id, 1))
    assert collector.enrol(serial="PF3OTHER").device_id != retired.device_id


def test_a_retired_device_does_not_come_back_by_its_receipt(collector: Collector) -> None:
    laptop = Laptop()
    enrolled = answer_of(collector.post(laptop.enrolment(collector.time, collector.token())))
    collector.store.write(lambda connection: devices.retire(connection, enrolled.device_id, 1))
    again = collector.post(laptop.enrolment(collector.time, None, receipt=enrolled.receipt))
    assert problem(again) == (403, "key-revoked")

    # Nor does a generation of its key that a backup does not know.
    def forget_the_key(connection: Any) -> None:
        connection.execute(schema.device_keys.delete().where(schema.device_keys.c.key_id == laptop.key_id))

    collector.store.write(forget_the_key)
    again = collector.post(laptop.enrolment(collector.time, None, receipt=enrolled.receipt))
    assert problem(again) == (403, "key-revoked")
    assert collector.rows(schema.device_keys) == []


def test_after_a_merge_the_laptop_reports_under_the_name_it_knows_and_counts_for_the_asset(
    collector: Collector,
) -> None:
    old, new = collector.enrol(serial="PF3ABCDE"), collector.enrol(serial="PF3ABCDE")
    collector.send_first(old)
    collector.later(hours=1)
    collector.send_first(new, tools("tigervnc"), sessions(session()))
    collector.later(minutes=5)
    collector.send(new, sessions(session(sent=5_000_000)))
    assert "session-round-trip-long" in {each.rule_id for each in collector.judged(new).findings}
    (alert,) = collector.alerts(new)

    def work(connection: Any) -> int:
        return merging.merge(connection, new.device_id, old.device_id, "ana", to_ms(collector.time))

    assert collector.store.write(work, moves_streams=True) == 1
    collector.app.state.services.keys.forget()
    collector.later(minutes=5)
    collector.send(new, sessions(session(sent=6_000_000)))

    assert "session-round-trip-long" in {each.rule_id for each in collector.judged(old).findings}
    assert [each.alert_id for each in collector.alerts(old)] == [alert.alert_id]
    assert {row.device_id for row in collector.rows(schema.reports)} == {old.device_id}
    seen = collector.view(old).integrity
    assert (seen.gaps, seen.interleaved_epochs, seen.claims_serial_of) == (0, 0, None)
    other = collector.enrol()
    other.device_id = new.device_id
    report = other.request(other.first_report(collector.time), collector.time)
    assert problem(collector.post(report)) == (403, "device-mismatch")
    collector.send(old)
    assert collector.view(old).integrity.interleaved_epochs == 1
