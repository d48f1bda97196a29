"""pages: templates, their filters, and the files beside them."""

from __future__ import annotations

from datetime import datetime
from gzip import compress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .auth import NOBODY
from .errors import ApiError
from .gate import Call, Entry
from .services import services
from .texts import ago, brief, laptop_lines, laptop_text, utc, visible

FOLDER: Final = Path(__file__).parent
STATIC: Final = {
    "farhand.css": "text/css; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "world-atlantic.svg": "image/svg+xml",
    "world-pacific.svg": "image/svg+xml",
}
_files: Final = {name: (FOLDER / "static" / name).read_bytes() for name in STATIC}
_packed: Final = {name: compress(body, 9, mtime=0) for name, body in _files.items()}
_tags: Final = {name: f'"{sha256(body).hexdigest()[:32]}"' for name, body in _files.items()}


@pass_context
def _when(context: Context, moment: datetime | str | None) -> Markup:
    """A moment with its age, as an element."""
    if moment is None:
        return Markup("never")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    element = '<time datetime="{}">{}</time> <span class="age">({})</span>'
    return Markup(element).format(at.isoformat(), utc(at), ago(at, context["now"]))


@pass_context
def _age(context: Context, moment: datetime | str | None) -> Markup:
    """How long ago a moment was, with the moment itself for who points at it."""
    if moment is None:
        return Markup("never")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), utc(at), ago(at, context["now"]))


environment: Final = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters |= {
    "laptop_text": laptop_text,
    "brief": brief,
    "laptop_lines": laptop_lines,
    "visible": visible,
    "when": _when,
    "age": _age,
    "megabytes": lambda size: f"{size / 1e6:,.1f} MB",
    "thousands": lambda number: f"{number:,}",
    "percent": lambda share: f"{share:.0%}",
}


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. Templates always have at hand who asks, the moment, the path, and where agents reach the collector."""
    shared = services(request)
    common = {
        "who": getattr(request.state, "who", NOBODY),
        "now": shared.now(),
        "path": request.url.path,
        "collector_url": shared.config.public_urls[0],
    }
    return HTMLResponse(environment.get_template(template).render(**common, **values), status)


def static(call: Call) -> Response:
    """GET /static/{name}: the style sheet, the mark and the outlines of the world."""
    name = call.path["name"]
    if name not in STATIC:
        raise ApiError("not-found", 404, "there is no such file")
    headers = {"ETag": _tags[name], "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if call.request.headers.get("if-none-match") == headers["ETag"]:
        return Response(None, 304, headers)
    if "gzip" in call.request.headers.get("accept-encoding", ""):
        return Response(_packed[name], 200, headers | {"Content-Encoding": "gzip"}, STATIC[name])
    return Response(_files[name], 200, headers, STATIC[name])


ENTRIES: Final = (Entry(method="GET", path="/static/{name}", handler=static, needs="nothing"),)
