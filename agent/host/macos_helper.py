"""macos_helper: asks helpers in the session at a Mac's screen, and starts them where they rest.

launchd knows them in every session and starts them for nobody: they are started when they are asked, by the name of the
session, and end when nobody asks any more.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable
from typing import Final, Literal

from agent.host import HostDeniedError, HostError
from agent.session.peers import IN_HOME, PATIENCE_S, PLACE_IN_HOME

from .commands import Command, MacHelper, start_mac_helper
from .input_helper import ask_socket

LISTED: Final = "/Library/LaunchAgents/org.farhand.agent.input.plist"
TRIES: Final = 20
BETWEEN_S: Final = 0.1
PLACE_S: Final = 5.5
"""The helper waits four seconds for a place, and one for what was decided of it."""

Start = Callable[[Command, float], str]


def ask_in_session(root: str, start: Start, lease_s: float) -> bytes:
    """As `Host.input_counts`.

    Args:
        root: stands before the paths.
        start: starts a program.
    """
    return _ask(root, start, "input", IN_HOME, {"lease_s": lease_s}, PATIENCE_S)


def ask_place(root: str, start: Start, wanted: Literal["place", "networks"]) -> bytes:
    """What macOS says of this Mac's place, or of networks that it heard, as JSON.

    Raises:
        HostDeniedError: somebody else listens there.
        HostError: nobody has logged in at the screen, or the helper is not set up.
    """
    return _ask(root, start, "place", PLACE_IN_HOME, {"ask": wanted}, PLACE_S)


def _ask(root: str, start: Start, name: MacHelper, in_home: str, question: object, patience_s: float) -> bytes:
    """The answer of a helper of whoever sits at the screen, by the kernel's word, which is started where it rests."""
    user = at_the_screen(root)
    try:
        path = f"{root}{pwd.getpwuid(user).pw_dir}/{in_home}"
    except KeyError as error:
        raise HostError(f"user {user} at the screen has no home folder") from error
    for tried in range(TRIES):
        try:
            return ask_socket(path, question, {user}, patience_s)
        except HostDeniedError:
            raise
        except HostError:
            if not tried:
                start(start_mac_helper(user, name), 3.0)
        time.sleep(BETWEEN_S)
    return ask_socket(path, question, {user}, patience_s)


def at_the_screen(root: str) -> int:
    """Number of the user whose session is on the screen: macOS gives the console to them.

    Raises:
        HostError: nobody has logged in.
    """
    try:
        user = os.stat(f"{root}/dev/console").st_uid
    except OSError as error:
        raise HostError(f"/dev/console: {error.strerror}") from error
    if user == 0:
        raise HostError("nobody has logged in at the screen")
    return user
