"""macos_helper: asks the helper that counts input in the session at a Mac's screen, and starts it where it rests.

launchd knows it in every session and starts it for nobody: it is started when it is asked, by the name of the session,
and ends when nobody asks any more.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable
from typing import Final

from agent.host import HostDeniedError, HostError
from agent.session.peers import IN_HOME

from .commands import Command, start_mac_helper
from .input_helper import ask_helper

LISTED: Final = "/Library/LaunchAgents/org.farhand.agent.input.plist"
TRIES: Final = 20
BETWEEN_S: Final = 0.1


def ask_in_session(root: str, start: Callable[[Command, float], str], lease_s: float) -> bytes:
    """As `Host.input_counts`. The helper's user must be the one who sits at the screen, by the kernel's word.

    Args:
        root: stands before the paths.
        start: starts a program.
    """
    user = at_the_screen(root)
    try:
        path = f"{root}{pwd.getpwuid(user).pw_dir}/{IN_HOME}"
    except KeyError as error:
        raise HostError(f"user {user} at the screen has no home folder") from error
    try:
        return ask_helper(path, lease_s, of_users={user})
    except HostDeniedError:
        raise
    except HostError:
        start(start_mac_helper(user), 3.0)
    for _ in range(TRIES - 1):
        time.sleep(BETWEEN_S)
        try:
            return ask_helper(path, lease_s, of_users={user})
        except HostDeniedError:
            raise
        except HostError:
            continue
    return ask_helper(path, lease_s, of_users={user})


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
