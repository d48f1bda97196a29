"""contracted: holds every answer of a collector against its OpenAPI document."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from typing import Any

import jsonschema_rs

from collector.web import OPERATIONS, openapi

FOR_PROGRAMS = ("/api/", "/agent/", "/healthz", "/readyz", "/metrics", "/openapi.json")
PROBLEM = {"$ref": "#/components/schemas/Problem"}


@cache
def document() -> dict[str, Any]:
    return openapi.document(OPERATIONS)


@cache
def _components() -> dict[str, Any]:
    """The shapes, with no room for a field that the document does not name."""
    strict = deepcopy(document()["components"]["schemas"])
    for shape in strict.values():
        if "properties" in shape:
            shape["additionalProperties"] = False
    return strict


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Paths as patterns, those without placeholders first."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    whole = {"{serial}": ".+"}
    return [(re.compile(re.sub(r"\{\w+\}", lambda one: whole.get(one[0], "[^/]+"), each)), each) for each in paths]


def _check_body(schema: dict[str, Any], body: Any, where: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(
        schema | {"components": {"schemas": _components()}}, validate_formats=True
    )
    wrong = [f"{list(error.instance_path)}: {error.message[:300]}" for error in validator.iter_errors(body)]
    assert not wrong, f"{where}: {wrong}"


def check(answer: Any) -> None:
    """Fail when an answer to a program is not one that the document names."""
    answer.read()
    method, path = answer.request.method, answer.request.url.path
    if not path.startswith(FOR_PROGRAMS):
        return None
    where = f"{method} {path}: {answer.status_code}"
    if answer.status_code == 500:  # no contract: a test broke something on purpose
        return _check_body(PROBLEM, answer.json(), where)
    operations = next((document()["paths"][each] for pattern, each in _templates() if pattern.fullmatch(path)), None)
    if method == "OPTIONS" and operations is not None and not path.startswith("/agent/"):
        assert answer.status_code == 204, where
        assert {each.upper() for each in operations} <= set(answer.headers["allow"].split(", ")), where
        return None
    described = (operations or {}).get("get" if method == "HEAD" else method.lower())
    if described is None:
        assert answer.status_code == (404 if operations is None else 405), where
        assert operations is None or path.startswith("/agent/") or answer.headers["allow"], where
        return None if method == "HEAD" else _check_body(PROBLEM, answer.json(), where)
    assert str(answer.status_code) in described["responses"], f"{where} is not documented"
    promised = described["responses"][str(answer.status_code)]
    for name, header in promised.get("headers", {}).items():
        assert name in answer.headers or not header.get("required"), f"{where} lacks {name}"
    if "content" not in promised:
        assert answer.content == b"", where
        return None
    media = answer.headers["content-type"].partition(";")[0]
    assert media in promised["content"], f"{where} is {media}"
    if method != "HEAD" and media in ("application/json", "application/problem+json"):
        _check_body(promised["content"][media]["schema"], answer.json(), where)
    return None
