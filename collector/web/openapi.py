"""openapi: the OpenAPI 3.1 document, made of the route table: what is not declared there is not served, and the other
way round."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Any, Final, get_args, get_origin

import msgspec
from starlette.responses import Response

from agent.wire.problems import Problem
from collector import __version__

from .answers import tagged
from .contract import Operation, Query, refusals
from .errors import MEDIA_TYPE
from .gate import Call, Entry

Document = dict[str, Any]
_REF: Final = "#/components/schemas/{name}"
_SCHEMES: Final[Document] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, fha_…; it has scopes, and never does more than the role of its user.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "farhand",
        "description": "A browser session of the console; with TLS the cookie is called __Host-farhand. Anything but "
        "GET must come from a page of the console.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "RFC 9421 with RFC 9530: a laptop signs what it sends with the key that it enrolled.",
    },
}
_IF_MATCH: Final = "`ETag` of what was read, or `*` for whatever it is by now"
_ETAG: Final = {
    "description": "Names this state of the answer: send it back as If-None-Match, or as If-Match with a change.",
    "required": True,
    "schema": {"type": "string", "pattern": '^"[^"]+"$'},
}
_RETRY: Final = {
    "description": "Seconds after which to ask again.",
    "schema": {"type": "integer", "minimum": 0},
}
_CHALLENGE: Final = {"description": "How to say who you are.", "required": True, "schema": {"const": "Bearer"}}
_TAGS: Final[Mapping[str, str]] = {
    "api": "For people's programs: ticketing, SIEM, fleet tooling.",
    "agent": "For laptops.",
    "service": "For supervisors, load balancers and monitoring.",
}


def document(operations: Iterable[Operation]) -> Document:
    """The document of some operations."""
    table = list(operations)
    schemas, components = _schemas(table)
    paths: dict[str, Document] = {}
    for each in table:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", each.path)
        paths.setdefault(path, {})[each.method.lower()] = _operation(each, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Farhand collector",
            "version": __version__,
            "summary": "Is the hand on every company laptop where it should be?",
            "description": "Conventions, scopes and recipes are in docs/api.md. Texts that a laptop chose are a "
            "stranger's: show them, never run them. Clients must ignore fields that they do not know. HEAD and "
            "OPTIONS are answered wherever GET is.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": paths,
        "components": {"securitySchemes": _SCHEMES, "schemas": components},
    }


def _schemas(table: Sequence[Operation]) -> tuple[dict[Any, Document], Document]:
    """The schema of every type that goes in or out, and what they refer to."""
    answers = [kind for each in table if each.needs != "signature" for kind in _answered(each)]
    others = [kind for each in table for kind in (each.takes, *(_answered(each))) if kind is not None]
    refused = [kind for each in table for kind in each.refuses.values()]
    kinds = list(dict.fromkeys([*answers, *others, *refused, Problem]))
    found, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    _, whole = msgspec.json.schema_components(answers, ref_template=_REF)
    for name in whole:  # answers are written with every field, also those that stand at their default
        if "properties" in components[name]:
            components[name]["required"] = sorted(components[name]["properties"])
    for kind in _structs(kinds):
        described = components.get(_component(kind), {}).get("properties", {})
        for name, words in _field_words(kind).items():
            if name in described and "$ref" not in described[name]:
                described[name].setdefault("description", words)
    return dict(zip(kinds, map(_portable, found), strict=True)), _portable(components)


def _portable(schema: Any) -> Any:
    """Patterns in the words of ECMA 262, whose ^ and $ are Python's \\A and \\Z."""
    match schema:
        case dict():
            return {
                name: each.replace(r"\A", "^").replace(r"\Z", "$") if name == "pattern" and isinstance(each, str)
                else _portable(each)
                for name, each in schema.items()
            }  # fmt: skip
        case list() | tuple():
            return [_portable(each) for each in schema]
    return schema


def _answered(operation: Operation) -> list[Any]:
    return [kind for kind in (operation.answers, *operation.also.values()) if kind is not None]


def _structs(kinds: Iterable[Any]) -> set[Any]:
    """Every struct that types are made of."""
    found: set[Any] = set()

    def look(kind: Any) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls in found:
                return
            found.add(kind.cls)
            for each in kind.fields:
                look(each.type)
        elif isinstance(kind, msgspec.Struct):
            for name in ("item_type", "key_type", "value_type", "type"):
                look(getattr(kind, name, None))
            for name in ("types", "item_types"):
                for each in getattr(kind, name, ()):
                    look(each)

    for each in msgspec.inspect.multi_type_info(kinds):
        look(each)
    return found


def _component(kind: Any) -> str:
    """What msgspec calls it, Page_Alert_ for Page[Alert]."""
    inner = ",".join(each.__name__ for each in get_args(kind))
    name = f"{get_origin(kind).__name__}[{inner}]" if inner else kind.__name__
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", name)


def _field_words(kind: Any) -> dict[str, str]:
    """The sentences that stand under the fields of a class, and of those that it is made of."""
    words: dict[str, str] = {}
    for base in reversed((get_origin(kind) or kind).__mro__):
        if not issubclass(base, msgspec.Struct) or base is msgspec.Struct or "struct_fields" in base.__name__:
            continue
        try:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, ValueError):
            continue  # a program without its source says less
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, after in pairwise(body):
            match field, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    words[name] = " ".join(said.split())
    return words


def _operation(each: Operation, path: str, schemas: Mapping[Any, Document]) -> Document:
    described: Document = {
        "operationId": operation_id(each),
        "summary": summary(each),
        "tags": [path.split("/")[1] if path.split("/")[1] in _TAGS else "service"],
        "security": _security(each),
        "parameters": [*_in_path(path), *map(_in_query, each.asks or ())],
        "responses": _responses(each, schemas),
    }
    if each.needs not in ("nothing", "signature"):
        described["description"] = f"Needs the scope `{each.needs}`."
    if each.matches:
        described["parameters"].append(
            {
                "name": "If-Match",
                "in": "header",
                "required": True,
                "description": _IF_MATCH,
                "schema": {"type": "string"},
            }
        )
    if each.takes is not None:
        described["requestBody"] = {"required": True, "content": {each.accepts: {"schema": schemas[each.takes]}}}
    return described


def operation_id(each: Operation) -> str:
    """Such as get_api_v1_devices_device_id."""
    return "_".join(re.findall(r"[a-z0-9]+", f"{each.method} {each.path}".lower()))


def summary(each: Operation) -> str:
    """What it is for: the words of the declaration, or those of the handler's docstring."""
    said = each.summary or inspect.getdoc(getattr(each, "handler", None)) or ""
    said = " ".join(said.split("\n\n")[0].split())
    return re.sub(r"^[A-Z]+ /\S*?(?:: |\.$)", "", said).removesuffix(".")


def _security(each: Operation) -> list[dict[str, list[str]]]:
    if each.needs == "nothing":
        return []
    return [{"signature": []}] if each.needs == "signature" else [{"token": []}, {"session": []}]


def _in_path(path: str) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _in_query(each: Query) -> Document:
    schema = each.schema()
    described = {"name": each.name, "in": "query", "description": each.about, "schema": schema}
    return described | ({"style": "form", "explode": False} if schema.get("type") == "array" else {})


def _responses(each: Operation, schemas: Mapping[Any, Document]) -> Document:
    responses: Document = {}
    headers: Document = {
        name: {"description": words, "required": not each.also, "schema": {"type": "string"}}
        for name, words in each.headers.items()
    }
    etag = {"ETag": _ETAG | {"required": not each.also}} if each.has_tag else {}
    for status in each.statuses:
        content = {each.media: {"schema": schemas[each.answers]}} if each.answers is not None else {}
        content |= {media: {"schema": schemas[kind]} for media, kind in each.also.items()}
        found: Document = {"description": HTTPStatus(status).phrase, "headers": headers | etag, "content": content}
        responses[str(status)] = {name: value for name, value in found.items() if value}
    if etag and each.method == "GET":
        responses["304"] = {"description": "It has not changed since If-None-Match.", "headers": etag}
    for status in refusals(each):
        refused: Document = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schemas[each.refuses.get(status, Problem)]}},
        }
        if status in (429, 503):
            refused["headers"] = {"Retry-After": _RETRY}
        if status == 401 and each.needs != "signature":
            refused["headers"] = {"WWW-Authenticate": _CHALLENGE}
        responses[str(status)] = refused
    return dict(sorted(responses.items()))


def entry(operations: Callable[[], Iterable[Operation]]) -> Entry:
    """The route that shows the document.

    Args:
        operations: all of them, this route's own among them.
    """
    made: list[bytes] = []

    def show_openapi(call: Call) -> Response:
        """GET /openapi.json: this document."""
        if not made:
            made.append(msgspec.json.encode(document(operations())))
        return tagged(call, made[0])

    return Entry(
        method="GET",
        path="/openapi.json",
        handler=show_openapi,
        needs="nothing",
        asks=(),
        answers=dict[str, Any],
    )
