"""The pages as text: what they say, and what they do when something cannot be done."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, get_args

import msgspec
import pytest
from sqlalchemy import insert, select

from agent.wire.report import Failure
from agent.wire.signals import KINDS
from collector.store import assessments, fleet, schema
from collector.web.headers import CONTENT_SECURITY_POLICY
from collector.web.pages import environment
from collector.web.presenters import FAILURES, MEASURED, summary_blocks
from tests.collector.worlds import World
from tests.laptop import CLOCK, tools


def words(answer: Any) -> str:
    """A page without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_the_device_page_says_why(world: World, browse: Any) -> None:
    page = words(browse("viewer").get(f"/devices/{world.farm_laptop().device_id}"))
    for said in (
        "97 critical",
        "rules had what they need",
        "Where it should be Expected in US, by the policy.",
        "Where the hand is x11vnc was used from 203.0.113.9, at least 4,500 km away.",
        "95% (95% by its rule; 0 confirmed, 0 benign so far)",
        "Without this the score is",
        "What else could explain it",
        "What to verify next",
        "session.far_min_rtt_ms = 202 is above 120",
        "2026-11-21 12:00 UTC (just now)",
    ):
        assert said in page, said


def test_the_device_page_says_what_could_not_be_measured(world: World, browse: Any) -> None:
    laptop = world.enrol()
    denied = laptop.measured("remote_sessions", None, world.now, stable=False, failure="denied")
    request = laptop.request(laptop.report(world.now, CLOCK, tools(), extra=(denied,)), world.now)
    assert world.client.post(request.path, content=request.body, headers=request.headers).status_code == 202
    world.wait_until_judged()
    page = words(browse("viewer").get(f"/devices/{laptop.device_id}"))
    assert "Control sessions : the agent lacks a permission." in page
    assert "Power and lid : the laptop has not reported it." in page
    assert "rules have no verdict" in page
    assert "Coverage 100%" not in page


def test_what_nobody_asks_for_is_no_gap_on_the_device_page(world: World, browse: Any) -> None:
    page = words(browse("viewer").get(f"/devices/{world.farm_laptop().device_id}"))
    assert "Counts of input : the laptop has not reported it." not in page
    unasked = "Counts of input, What boxes in its network say they are, Where the system says it is, Wi-Fi networks"
    assert f"Not asked for by the policy: {unasked} around it." in page
    assert "rules that need them are left out of the coverage." in page


def test_a_silent_laptop_is_not_shown_as_a_safe_one(world: World, browse: Any) -> None:
    laptop = world.quiet_laptop()
    browser = browse("viewer")
    world.later(hours=11)
    assert "a silent laptop is not a safe one" not in browser.get(f"/devices/{laptop.device_id}").text
    world.later(hours=14)
    browser = browse("admin")
    assert "a silent laptop is not a safe one" in browser.get(f"/devices/{laptop.device_id}").text


def test_a_laptop_that_never_reported_says_what_to_do(world: World, browse: Any) -> None:
    page = words(browse("viewer").get(f"/devices/{world.enrol().device_id}"))
    assert "not judged yet" in page and "farhand-agent status" in page


@pytest.mark.parametrize("path", ["/", "/alerts", "/devices"])
def test_an_empty_collector_says_what_to_do_next(path: str, world: World, browse: Any) -> None:
    page = browse("admin").get(path)
    assert "No laptop has enrolled yet" in words(page) and 'href="/enrolment"' in page.text
    assert "An administrator makes an enrolment token" in words(browse("viewer").get(path))


def test_an_empty_queue_is_not_an_empty_collector(world: World, browse: Any) -> None:
    world.quiet_laptop()
    page = words(browse("viewer").get("/alerts"))
    assert "1 laptop is watched" in page and "highest score" not in page
    assert "No laptop fits" in words(browse("admin").get("/devices?q=nobody"))


def test_an_empty_queue_does_not_hide_a_score_that_opened_no_alert(world: World, browse: Any) -> None:
    world.report(world.enrol(), tools("x11vnc"))
    assert "No open alert" in (page := words(browse("viewer").get("/alerts")))
    assert "the highest score is 28 low" in page


def test_an_alert_is_worked_on_and_closed(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser, address = browse("analyst"), f"/alerts/{alert.alert_id}"
    assert browser.post(f"{address}/acknowledge").headers["location"] == f"{address}?done=acknowledged"
    assert "analyst looks into it" in words(browser.get(address))
    browser.post(f"{address}/comments", data={"text": "Called.\r\nNo answer."})
    version = world.alert_of_id(alert.alert_id).version
    done = browser.post(f"{address}/close", data={"disposition": "confirmed", "note": "A farm.", "version": version})
    assert done.status_code == 303
    page = browser.get(done.headers["location"])
    assert "closed as confirmed" in words(page) and "A farm." in page.text
    assert "<bdi>Called.</bdi>\n<bdi>No answer.</bdi>" in page.text


def test_an_alert_is_assigned_to_somebody_who_may_work_on_it(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser, address = browse("analyst"), f"/alerts/{alert.alert_id}"
    world.user("reader", "viewer")
    assert "Assign to me" in browser.get(address).text
    assert "analyst (you)" in browser.get(address).text and ">reader<" not in browser.get(address).text
    assert browser.post(f"{address}/assign", data={"assignee": "analyst"}).status_code == 303
    assert "analyst looks into it" in words(browser.get(address))
    refused = browser.post(f"{address}/assign", data={"assignee": "reader"})
    assert refused.status_code == 400 and "a user who may work on alerts" in words(refused)
    for whose, count in (("mine", 1), ("nobody", 0), ("", 1)):
        assert browser.get(f"/alerts?whose={whose}").text.count(f'href="{address}"') == count, whose
    assert browser.post(f"{address}/assign", data={"assignee": ""}).status_code == 303
    assert "Nobody looks into it" in words(browser.get(address))
    assert browser.get("/alerts?whose=everybody").status_code == 400


def test_ticked_alerts_are_acknowledged_together(world: World, browse: Any) -> None:
    ids = [world.alert_of(laptop).alert_id for laptop in (world.farm_laptop(), world.hostile_laptop())]
    browser = browse("analyst")
    assert "Tick the alerts" in browser.post("/alerts", data={}).text
    done = browser.post("/alerts", data={"alert": [*ids, "unknown"]})
    assert "2 alerts are acknowledged" in browser.get(done.headers["location"]).text
    assert {world.alert_of_id(each).assignee for each in ids} == {"analyst"}
    assert browser.get("/alerts?done=<b>").status_code == 200


def test_a_close_says_its_reason_and_only_one_that_fits(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser, address = browse("analyst"), f"/alerts/{alert.alert_id}"
    form = {"disposition": "benign", "version": str(alert.version), "note": "Ticket 4711."}
    wrong = browser.post(f"{address}/close", data=form | {"reason": "taken abroad"})
    assert wrong.status_code == 400 and "belongs to the other decision" in words(wrong)
    assert browser.post(f"{address}/close", data=form | {"reason": "IT support or administration"}).status_code == 303
    assert "IT support or administration. Ticket 4711." in words(browser.get(address))


def test_an_alert_names_the_one_before_and_the_one_after(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    first = world.alert_of(laptop)
    browser = browse("analyst")
    browser.post(f"/alerts/{first.alert_id}/close", data={"disposition": "benign", "version": str(first.version)})
    values = {"previous_alert_id": first.alert_id, "alert_id": "later", "status": "open"}
    world.write(lambda connection: _copy(connection, first.alert_id, values))
    assert 'href="/alerts/later"' in browser.get(f"/alerts/{first.alert_id}").text
    later = browser.get("/alerts/later")
    assert f'href="/alerts/{first.alert_id}"' in later.text and "closed as benign" in words(later)


def _copy(connection: Any, alert_id: str, values: dict[str, str]) -> None:
    table = schema.alerts
    row = connection.execute(select(table).where(table.c.alert_id == alert_id)).one()
    connection.execute(insert(table), dict(row._mapping) | values)


def test_what_was_written_is_not_lost_when_the_alert_changed_meanwhile(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser, address = browse("analyst"), f"/alerts/{alert.alert_id}"
    browser.post(f"{address}/comments", data={"text": "first"})
    late = browser.post(f"{address}/close", data={"disposition": "benign", "note": "My <note>", "version": "1"})
    assert late.status_code == 409
    assert "changed while you were reading" in late.text
    assert "My &lt;note&gt;</textarea>" in late.text
    assert 'value="benign" required checked' in late.text


def test_what_was_written_is_not_lost_when_the_session_ended(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser = browse("analyst")
    world.later(hours=13)
    late = browser.post(f"/alerts/{alert.alert_id}/comments", data={"text": "Called the person."})
    assert late.status_code == 401
    assert "Your session has ended" in late.text and "Called the person.</textarea>" in late.text


@pytest.mark.parametrize(
    ("step", "form", "said"),
    [
        ("close", {"version": "1"}, "Choose what it was found to be."),
        ("comments", {"text": "  "}, "expected some words"),
        ("comments", {"text": "x" * 4001}, "Write at most 4,000 characters"),
    ],
)
def test_a_form_that_cannot_be_taken_is_shown_again(
    step: str, form: dict[str, str], said: str, world: World, browse: Any
) -> None:
    alert = world.alert_of(world.farm_laptop())
    answer = browse("analyst").post(f"/alerts/{alert.alert_id}/{step}", data=form)
    assert answer.status_code == 400
    assert said in answer.text


def test_a_viewer_sees_no_button_that_would_be_refused(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    browser = browse("viewer")
    for path in (f"/alerts/{world.alert_of(laptop).alert_id}", f"/devices/{laptop.device_id}"):
        assert re.findall(r'<form[^>]+action="([^"]+)"', browser.get(path).text) == ["/sign-out"]


def test_an_admin_retires_a_laptop_after_saying_so_twice(world: World, browse: Any) -> None:
    laptop = world.quiet_laptop()
    browser, address = browse("admin"), f"/devices/{laptop.device_id}"
    assert browser.post(f"{address}/retire", data={}).status_code == 400
    assert browser.post(f"{address}/retire", data={"sure": "yes"}).status_code == 303
    assert "This laptop is retired" in browser.get(address).text


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/alerts/none", 404), ("/devices/none", 404)])
def test_errors_are_pages_for_people(path: str, status: int, world: World, browse: Any) -> None:
    answer = browse("viewer").get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>Not found</h1>" in answer.text


def test_what_breaks_is_a_page_without_its_insides(world: World, browse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(fleet, "browse", broken)
    answer = browse("viewer").get("/devices")
    assert answer.status_code == 500
    assert "Something broke here" in answer.text and "secret" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_pages_forbid_everything_that_is_not_theirs(world: World, browse: Any) -> None:
    for answer in (browse("viewer").get("/alerts"), world.client.get("/sign-in"), world.client.get("/nothing")):
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", answer.text)


def test_static_files_are_asked_for_again_only_when_they_changed(world: World) -> None:
    first = world.client.get("/static/farhand.css")
    assert first.headers["content-type"].startswith("text/css")
    again = world.client.get("/static/farhand.css", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert world.client.get("/static/..%2Fpages.py").status_code == 404


def test_lists_go_on_to_the_next_page(world: World, browse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.web.console.PAGE", 1)
    monkeypatch.setattr("collector.web.console_fleet.PAGE", 1)
    world.farm_laptop()
    world.hostile_laptop()
    browser = browse("viewer")
    for start in ("/alerts", "/devices?q="):
        first = browser.get(start)
        following = re.search(r'href="([^"]+cursor=[^"]+)"', first.text)
        assert following is not None
        second = browser.get(following[1].replace("&amp;", "&"))
        assert second.status_code == 200
        assert second.text != first.text and "cursor=" not in second.text
    back = re.search(r'href="([^"]+before=[^"]+)"', second.text)
    assert back is not None
    assert words(browser.get(back[1].replace("&amp;", "&"))) == words(first)


def test_every_failure_and_every_kind_has_words() -> None:
    assert set(FAILURES) == set(get_args(Failure))
    assert set(MEASURED) == set(KINDS)


def test_a_summary_is_split_at_its_headings() -> None:
    blocks = summary_blocks("Observed:\n- one\n- two\nNext:\n- three")
    assert [(block.heading, block.points) for block in blocks] == [("Observed", ("one", "two")), ("Next", ("three",))]


def test_every_template_escapes_what_it_shows() -> None:
    assert environment.autoescape is True
    for name in environment.list_templates():
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
        assert "|safe" not in source.replace(" ", "") and "autoescape" not in source


def test_pages_have_landmarks_one_heading_and_a_label_for_every_field(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    browser = browse("admin")
    device = f"/devices/{laptop.device_id}"
    paths = ["/", "/alerts", "/devices", "/enrolment", "/access", device, f"{device}/timeline"]
    paths.append(f"/alerts/{world.alert_of(laptop).alert_id}")
    for text in [browser.get(path).text for path in paths] + [world.client.get("/sign-in").text]:
        assert '<html lang="en">' in text and text.count("<h1>") == 1
        assert all(text.count(f"<{landmark}") == 1 for landmark in ("header>", "main ", "footer>"))
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for field in re.findall(r"<(?:input|textarea|select)[^>]+>", text):
            if 'type="hidden"' in field or "aria-label=" in field:
                continue
            name = re.search(r' id="([^"]+)"', field)
            assert name[1] in labelled if name else f'<label class="choice">{field}' in text


def test_suppressed_and_lasting_findings_are_told_as_such(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    with world.store.read() as connection:
        judged = assessments.load(connection, laptop.device_id)
    assert judged is not None
    first, second, *_ = judged.findings
    until = world.now + timedelta(days=3)
    excused = msgspec.structs.replace(first, suppressed_by="help desk: ticket <4711>", suppressed_until=until)
    lasting = msgspec.structs.replace(second, matching=False, reason=None, valid_until=until, confirmed=3, benign=1)
    changed = msgspec.structs.replace(judged, findings=(lasting, excused))
    world.write(lambda connection: assessments.save(connection, [changed]))
    page = browse("viewer").get(f"/devices/{laptop.device_id}").text
    scored, suppressed = page.split("Suppressed: shown, not scored")
    assert "it does not match any more" in scored and "3 confirmed, 1 benign" in scored
    assert "It does not match now; it matched" in scored
    assert first.title not in scored and first.title in suppressed
    assert "help desk: ticket &lt;4711&gt;" in suppressed and "Without this" not in suppressed
