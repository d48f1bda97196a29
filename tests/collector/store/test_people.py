"""What people work with, in the tables: alerts, users, secrets, enrolment tokens, the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from collector.judgement.alerting import Open, Update
from collector.judgement.risk import Counts
from collector.store import alerts, audit, users
from collector.store.alerts import AlertError
from collector.store.database import is_outage
from collector.store.enrolment import (
    TokenRefused,
    create_token,
    list_tokens,
    revoke_token,
    spend_token,
)
from collector.store.users import UserError
from tests.collector.store.conftest import Writing

AWFUL = "nul\0 <b>\u202e\x1b[31m '\"; DROP TABLE alerts --" + "W" * 65536
HOUR_MS = 3_600_000


def opened(connection: Any, device_id: str = "laptop", at_ms: int = 1, **changes: Any) -> str:
    step = {"title": "t", "summary": "s", "rules": ("a",), "band": "low", "risk_score": 20}
    return alerts.apply(connection, device_id, Open(**(step | changes)), at_ms)


def test_an_alert_lives_from_opened_to_closed_and_remembers_everything(writing: Writing) -> None:
    with writing() as connection:
        alert_id = opened(connection)
        update = Update(alert_id=alert_id, title="t2", summary="s2", rules=("a", "b"), band="high", risk_score=80)
        assert alerts.apply(connection, "laptop", update, 2) == alert_id
        alerts.acknowledge(connection, alert_id, "ana", 3)
        alerts.comment(connection, alert_id, "ana", "hm", 4)
        closed = alerts.close(connection, alert_id, "ben", "benign", "a test", 5)
    with writing() as connection:
        assert alerts.find(connection, alert_id) == closed
        history = alerts.history(connection, alert_id)
        standing = alerts.standing(connection, ["laptop", "other"])
        learnt = alerts.dispositions(connection)
    assert (closed.status, closed.version, closed.assignee, closed.rules) == ("closed", 5, "ana", ("a", "b"))
    assert [event.action for event in history] == ["opened", "updated", "acknowledged", "commented", "closed as benign"]
    assert set(standing) == {"laptop"}
    assert standing["laptop"].opened is None
    assert standing["laptop"].closed is not None and standing["laptop"].closed.disposition == "benign"
    assert learnt == {"a": Counts(benign=1), "b": Counts(benign=1)}


@pytest.mark.parametrize("again", [alerts.acknowledge, lambda *args: alerts.close(*args[:3], "benign", "", args[3])])
def test_a_closed_alert_stays_closed(writing: Writing, again: Any) -> None:
    with writing() as connection:
        alert_id = opened(connection)
        alerts.close(connection, alert_id, "ben", "confirmed", "", 2)
        with pytest.raises(AlertError):
            again(connection, alert_id, "ana", 3)


def test_somebody_elses_change_is_not_overwritten(writing: Writing) -> None:
    with writing() as connection:
        alert_id = opened(connection)
        alerts.acknowledge(connection, alert_id, "ana", 2, version=1)
        with pytest.raises(AlertError, match="somebody else"):
            alerts.close(connection, alert_id, "ben", "benign", "", 3, version=1)
        with pytest.raises(LookupError):
            alerts.comment(connection, "no such alert", "ben", "", 4)


def test_alerts_come_newest_first_and_page_by_page_each_once(writing: Writing) -> None:
    with writing() as connection:
        made = [
            (at_ms, opened(connection, f"laptop-{number % 3}", at_ms))
            for number, at_ms in enumerate((5, 3, 5, 5, 1, 9, 3))
        ]
        expected = [alert_id for _, alert_id in sorted(made, reverse=True)]
        shown: list[str] = []
        before = None
        while page := alerts.listing(connection, before=before, limit=2):
            shown += [alert.alert_id for alert in page]
            before = next(each for each in made if each[1] == shown[-1])
        assert shown == expected
        alerts.close(connection, expected[0], "ben", "benign", "", 10)
        assert [alert.alert_id for alert in alerts.listing(connection, status="closed")] == expected[:1]
        assert len(alerts.listing(connection, status="open")) == len(expected) - 1
        assert {alert.subject_id for alert in alerts.listing(connection, subject_id="laptop-1")} == {"laptop-1"}


def test_whatever_a_laptop_or_a_person_writes_is_kept(writing: Writing) -> None:
    with writing() as connection:
        alert_id = opened(connection, title=AWFUL, summary=AWFUL)
        alerts.comment(connection, alert_id, "ana", AWFUL, 2)
        audit.record(connection, at_ms=1, actor="ana", action="alert.commented", subject=alert_id, detail=AWFUL[4:])
    kept = AWFUL.replace("\0", "�")
    with writing() as connection:
        alert = alerts.find(connection, alert_id)
        assert alert is not None
        assert (alert.title, alert.summary) == (kept, kept)
        assert alerts.history(connection, alert_id)[-1].detail == kept
        assert audit.entries(connection)[0].detail == AWFUL[4:]


def test_the_audit_log_is_read_backwards_page_by_page(writing: Writing) -> None:
    with writing() as connection:
        for number in range(5):
            audit.record(connection, at_ms=number, actor="ana", action=str(number), subject="")
        first = audit.entries(connection, limit=2)
        second = audit.entries(connection, limit=10, before=first[-1].entry_id)
    assert [entry.action for entry in (*first, *second)] == ["4", "3", "2", "1", "0"]


def test_a_user_signs_in_by_password_until_disabled(writing: Writing) -> None:
    with writing() as connection:
        ana = users.create_user(connection, " ana ", "analyst", "correct horse battery", 1)
        users.create_user(connection, "ben", "viewer", None, 1)
        assert users.check_password(connection, "ana", "correct horse battery") == ana
        for name, password in (("ana", "wrong"), ("ben", ""), ("nobody", "x")):
            assert users.check_password(connection, name, password) is None
        with pytest.raises(UserError, match="already"):
            users.create_user(connection, "ana", "admin", None, 2)
        users.disable_user(connection, ana.user_id, 3)
        assert users.check_password(connection, "ana", "correct horse battery") is None
        assert [(user.name, user.disabled) for user in users.list_users(connection)] == [("ana", True), ("ben", False)]


def test_a_secret_holds_until_it_expires_idles_is_spent_or_its_user_is_disabled(writing: Writing) -> None:
    with writing() as connection:
        ana = users.create_user(connection, "ana", "analyst", None, 0)

        def issued(kind: Any) -> tuple[str, str]:
            return users.issue(connection, kind, user_id=ana.user_id, now_ms=0, expires_ms=100, scopes=("b", "a"))

        session_id, session = issued("session")
        assert users.find_credential(connection, "session", session, 99) is not None
        assert users.find_credential(connection, "api", session, 99) is None
        assert users.find_credential(connection, "session", session, 100) is None
        assert users.find_credential(connection, "session", session, 50, idle_ms=50) is None
        users.touch(connection, session_id, 30)
        assert users.find_credential(connection, "session", session, 50, idle_ms=50) is not None
        link_id, link = issued("link")
        assert [users.spend(connection, link_id, 1) for _ in range(2)] == [True, False]
        assert users.find_credential(connection, "link", link, 2) is None
        token_id, token = issued("api")
        found = users.find_credential(connection, "api", token, 1)
        assert found is not None and found[0].scopes == ("b", "a")
        assert [users.revoke(connection, each, 2) for each in (token_id, "no such")] == [True, False]
        assert [each.revoked for each in users.list_credentials(connection, "api")] == [True]
        users.disable_user(connection, ana.user_id, 3)
        assert users.find_credential(connection, "session", session, 31) is None


def test_an_enrolment_token_is_good_for_its_quota_its_time_and_its_serials(writing: Writing) -> None:
    with writing() as connection:
        values: dict[str, Any] = {"now_ms": 0, "expires_ms": HOUR_MS, "note": "", "group": "sales"}
        _, twice = create_token(connection, quota=2, **values)
        assert [spend_token(connection, twice, "", 1) for _ in range(2)] == ["sales", "sales"]
        revoked_id, revoked = create_token(connection, quota=9, **values)
        assert revoke_token(connection, revoked_id, 5) and not revoke_token(connection, "no such", 5)
        _, bound = create_token(connection, quota=9, serials=("PF3ABCDE",), **values)
        assert spend_token(connection, bound, "PF3ABCDE", 1) == "sales"
        for secret, serial, at_ms in (
            (twice, "", 2),
            (revoked, "", 6),
            (bound, "OTHER", 2),
            (bound, "PF3ABCDE", HOUR_MS),
            ("fhe_guessed", "", 1),
        ):
            with pytest.raises(TokenRefused):
                spend_token(connection, secret, serial, at_ms)
        listed = {token.token_id: token for token in list_tokens(connection)}
    assert listed[revoked_id].revoked
    assert sorted(token.used for token in listed.values()) == [0, 1, 2]


def test_a_row_that_does_not_fit_is_no_outage_of_the_database(writing: Writing) -> None:
    with pytest.raises(IntegrityError) as caught, writing() as connection:
        users.create_user(connection, "ana", "analyst", None, 0)
        connection.execute(users.schema.users.insert(), {**_row("other"), "name": "ana"})
    assert not is_outage(caught.value)


def _row(user_id: str) -> dict[str, Any]:
    return {"user_id": user_id, "role": "viewer", "password_hash": None, "created_ms": 0, "disabled_ms": None}
