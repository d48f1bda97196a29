"""sign_in: by one-time link or by password, and out again.

Opening a link only shows a button: scanners that open every link in a mail burn nothing. Attempts are limited per
address and per name, known or not; a link is not limited by name, so nobody can lock somebody else out of it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.store import users

from .auth import clear_cookie, cookie_name, end_session, identify, set_cookie, start_session
from .errors import ApiError
from .gate import Call, Entry
from .limits import RateLimit, network_of
from .pages import page

log = logging.getLogger(__name__)
PATH: Final = "/sign-in"
PER_ADDRESS: Final = (10.0, 20)
"""Attempts per minute in the long run, and at once."""
PER_NAME: Final = (1.0, 10)
AT_ONCE: Final = 2
"""Passwords that are checked at the same time: each takes 64 MB and most of a core for a moment."""
WAIT_S: Final = 5.0
MAX_SECRET: Final = 1024


class SignIn:
    """The sign-in page and what it must remember: who tried how often."""

    def __init__(self) -> None:
        self._addresses = RateLimit(*PER_ADDRESS)
        self._names = RateLimit(*PER_NAME)
        self._limits = threading.Lock()
        self._checks = threading.Semaphore(AT_ONCE)

    def entries(self) -> tuple[Entry, ...]:
        """The routes."""
        return (
            Entry(method="GET", path=PATH, handler=self.show, needs="nothing"),
            Entry(method="POST", path=PATH, handler=self.take, needs="nothing"),
            Entry(method="POST", path="/sign-out", handler=sign_out, needs="nothing"),
        )

    def show(self, call: Call) -> Response:
        """GET /sign-in: the form, or the button for a link."""
        link, onward = call.query("link")[:MAX_SECRET], local_path(call.query("next"))
        if not link and identify(call.request, call.services).kind == "session":
            return RedirectResponse(onward, 303)
        return _form(call.request, link=link, onward=onward)

    def take(self, call: Call) -> Response:
        """POST /sign-in."""
        form = call.form()
        link, name, password = (form.get(field, "")[:MAX_SECRET] for field in ("link", "name", "password"))
        onward = local_path(form.get("next", ""))
        wait_s = self._wait_s(call.request, "" if link else name)
        if wait_s:
            answer = _form(call.request, 429, link=link, name=name, onward=onward, wait_s=wait_s)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        try:
            secret = self._by_link(call, link) if link else self._by_password(call, name, password)
        except ApiError as error:
            if error.status != 401:
                raise
            log.warning("sign-in refused: from %s, %s", network_of(call.request), "by link" if link else repr(name))
            return _form(call.request, 401, name=name, onward=onward, problem=error.detail)
        answer = RedirectResponse(onward, 303)
        set_cookie(call.request, answer, secret, call.services.config.sessions.lifetime_hours * 3600)
        return answer

    def _wait_s(self, request: Request, name: str) -> int:
        now_s = time.monotonic()
        with self._limits:
            wait_s = self._addresses.wait_s(network_of(request), now_s)
            if name and not wait_s:
                wait_s = self._names.wait_s(name.strip().casefold(), now_s)
        return wait_s

    def _by_link(self, call: Call, link: str) -> str:
        with call.services.store.read() as connection:
            found = users.find_credential(connection, "link", link, call.services.now_ms())
        credential, user = found or (None, None)
        if credential is None or user is None:
            raise ApiError("unauthorised", 401, "This link was used already or has expired. Ask for a new one.")
        return start_session(call.services, user, call.request.cookies.get(cookie_name(call.request)), credential)

    def _by_password(self, call: Call, name: str, password: str) -> str:
        if not self._checks.acquire(timeout=WAIT_S):
            raise ApiError("unavailable", 503, "too many people sign in right now", 5)
        try:
            with call.services.store.read() as connection:
                user = users.check_password(connection, name.strip(), password)
        finally:
            self._checks.release()
        if user is None:
            raise ApiError("unauthorised", 401, "User name and password do not fit together.")
        return start_session(call.services, user, call.request.cookies.get(cookie_name(call.request)), None)


def sign_out(call: Call) -> Response:
    """POST /sign-out: the session ends here and in the database."""
    secret = call.request.cookies.get(cookie_name(call.request))
    if secret is not None:
        now_ms = call.services.now_ms()
        call.services.store.write(lambda connection: end_session(connection, secret, now_ms))
    answer = RedirectResponse(PATH, 303)
    clear_cookie(call.request, answer)
    return answer


def _form(
    request: Request,
    status: int = 200,
    *,
    link: str = "",
    name: str = "",
    onward: str = "/",
    problem: str = "",
    wait_s: int = 0,
) -> Response:
    return page(request, "sign_in.html", status, link=link, name=name, onward=onward, problem=problem, wait_s=wait_s)


def local_path(text: str) -> str:
    """Where to go on after signing in: a path of this console, or its start."""
    local = text.startswith("/") and not text.startswith("//") and text.isprintable() and "\\" not in text
    return text if local and len(text) <= MAX_SECRET else "/"
