"""The OpenAPI document is what is served: made of the route table, and every answer of these tests is held against it
(see contracted.py and conftest.py)."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from starlette.routing import Route

from collector.cli import run
from collector.web import API, console_entries
from collector.web.contract import Operation, acceptable, refusals
from tests.collector.web import contracted
from tests.collector.worlds import World

DOCUMENT = contracted.document()
OPERATIONS_OF: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": described
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
}


def test_every_route_for_programs_is_in_the_document_and_no_page_is(world: World) -> None:
    pages = {f"{each.method} {each.path}" for each in console_entries()}
    served = {
        f"{method} {re.sub(r':path', '', route.path)}"
        for route in world.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served - set(OPERATIONS_OF) == {re.sub(r":path", "", each) for each in pages}
    assert set(OPERATIONS_OF) <= served


@pytest.mark.parametrize("name", sorted(OPERATIONS_OF))
def test_an_operation_says_what_it_is_for_and_who_may(name: str) -> None:
    described = OPERATIONS_OF[name]
    assert len(described["summary"]) > 10
    assert "`" not in described["summary"]
    assert all(parameter.get("description") or parameter["in"] == "path" for parameter in described["parameters"])
    assert described["security"] or name in {
        "GET /healthz", "GET /readyz", "GET /openapi.json",
    }  # fmt: skip


def test_operations_have_names_of_their_own() -> None:
    names = [described["operationId"] for described in OPERATIONS_OF.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("entry", API, ids=lambda entry: f"{entry.method} {entry.path}")
def test_a_route_for_programs_declares_what_it_takes_and_answers(entry: Operation) -> None:
    assert entry.asks is not None
    assert (entry.answers is None) == (entry.statuses == (204,))
    described = OPERATIONS_OF[f"{entry.method} {entry.path.replace(':path', '')}"]
    assert {int(each) for each in described["responses"]} >= {*entry.statuses, *refusals(entry)}


def test_every_field_of_an_answer_is_there_whatever_its_value() -> None:
    shapes = DOCUMENT["components"]["schemas"]
    for name in ("RiskRow", "DeviceRow", "AlertDetail", "Finding", "RuleRow", "User"):
        assert shapes[name]["required"] == sorted(shapes[name]["properties"])
    assert not shapes["NewEnrolmentToken"].get("required")


def test_the_sentences_of_the_code_are_in_the_document() -> None:
    shapes = DOCUMENT["components"]["schemas"]
    assert "24 hours" in shapes["RiskRow"]["properties"]["expires_at"]["description"]
    assert "cursor" in shapes["Page_Alert_"]["properties"]["next_cursor"]["description"]


def test_the_document_is_what_the_standard_asks_for() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_the_collector_shows_and_prints_the_document(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    shown = world.client.get("/openapi.json")
    assert shown.json() == json.loads(json.dumps(DOCUMENT))
    again = world.client.get("/openapi.json", headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304
    assert run(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == shown.json()


def test_an_undeclared_answer_would_be_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = deepcopy(DOCUMENT)
    del fewer["paths"]["/healthz"]["get"]["responses"]["200"]
    del fewer["paths"]["/readyz"]["get"]["responses"]["200"]["content"]
    monkeypatch.setattr(contracted, "document", lambda: fewer)
    for path in ("/healthz", "/readyz"):
        with pytest.raises(AssertionError, match=path):
            world.client.get(path)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson, */*;q=0.1", "application/x-ndjson"),
        ("text/html, application/json;q=0.9", "application/json"),
        ("application/json;q=0, */*", "application/x-ndjson"),
        ("text/html", None),
        ("application/json; q=0.0", None),
    ],
)
def test_what_an_accept_header_takes(accept: str, expected: str | None) -> None:
    assert acceptable(accept, ("application/json", "application/x-ndjson")) == expected
