"""schemathesis asks every operation of the OpenAPI document what nobody thought of: right and wrong values, missing
and surplus ones, other methods. Nothing may break, and no answer may be one that the document does not name.

`make test` tries a few examples of each operation, `make soak` many.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from starlette.testclient import TestClient

from collector.web.auth import SCOPES
from tests.collector.web import contracted
from tests.collector.web.test_routes import Cast
from tests.collector.worlds import World

REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428"]
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            "negative_data_rejection": {"expected-statuses": REFUSED},
            "missing_required_header": {"expected-statuses": REFUSED},
        }
    }
)
SCHEMA = schemathesis.openapi.from_dict(contracted.document(), config=CONFIG)
OF_PEOPLE = SCHEMA.exclude(path_regex="^/agent/")
OF_LAPTOPS = SCHEMA.include(path_regex="^/agent/")
ELSEWHERE = checks.CHECKS.get_by_names(("ignored_auth", "object_level_authorization"))
"""They ask again without what the tests give along: test_access.py tries everybody on every route."""
ACCEPTED = checks.CHECKS.get_by_names(("positive_data_acceptance",))
"""Left out where a right value depends on what is so: cursors of that list, groups and people that there are."""
QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much)


def few(examples: int) -> Any:
    return settings(max_examples=examples, deadline=timedelta(seconds=5), suppress_health_check=QUIET, database=None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A collector with two laptops, an alert, a roster and tokens."""
    made = World(tmp_path_factory.mktemp("schemathesis"))
    with TestClient(made.app, base_url="http://collector.test", raise_server_exceptions=False) as client:
        made.client = client
        Cast(made)
        client.event_hooks = {"response": [contracted.check]}
        yield made


def ask(case: schemathesis.Case, world: World, headers: dict[str, str]) -> None:
    sent = case.as_transport_kwargs(base_url="http://collector.test", headers=headers)
    sent.pop("cookies", None)  # who asks is said by the headers
    if "data" in sent:
        sent["content"] = sent.pop("data")
    # On the wire a header is bytes: what is no ASCII goes as Latin-1.
    sent["headers"] = {name: str(value).encode("latin-1", "replace") for name, value in sent["headers"].items()}
    answer = world.client.request(**sent)
    depends = case.method not in ("GET", "DELETE") or {"cursor", "since"} & set(case.query or {})
    case.validate_response(answer, excluded_checks=[*ELSEWHERE, *(ACCEPTED if depends else ())])


@pytest.mark.slow
@OF_PEOPLE.parametrize()
@few(15)
def test_an_administrator_gets_documented_answers(case: schemathesis.Case, world: World) -> None:
    ask(case, world, world.token(*SCOPES))


@pytest.mark.slow
@OF_LAPTOPS.parametrize()
@few(15)
def test_somebody_without_a_key_gets_documented_answers(case: schemathesis.Case, world: World) -> None:
    ask(case, world, {})


@pytest.mark.soak
@SCHEMA.parametrize()
@few(300)
def test_nothing_breaks_it_in_the_long_run(case: schemathesis.Case, world: World) -> None:
    ask(case, world, {} if case.path.startswith("/agent/") else world.token(*SCOPES))
