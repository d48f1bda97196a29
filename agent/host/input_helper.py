"""input_helper: asks the helper that counts input, after it is sure who listens there."""

from __future__ import annotations

import json
import os

from agent.host import HostBrokenError, HostDeniedError, HostError
from agent.session.peers import PeerError, ask


def ask_helper(path: str, lease_s: float, of_users: set[int] | None = None) -> bytes:
    """The helper's answer, JSON of at most 32 KB.

    Args:
        path: of its socket.
        lease_s: for how long it may go on counting until it is asked again.
        of_users: who must own the socket and listen at it; None for root and this agent's user.

    Raises:
        HostDeniedError: somebody else listens there.
        HostError: nobody does.
    """
    question = json.dumps({"lease_s": lease_s}).encode()
    try:
        return ask(path, question, of_users={0, os.geteuid()} if of_users is None else of_users)
    except FileNotFoundError as error:
        raise HostError(f"{path} does not exist: the helper that counts input is not set up") from error
    except PermissionError as error:
        raise HostDeniedError(f"{path}: permission denied") from error
    except PeerError as error:
        raise HostDeniedError(f"{path}: {error}") from error
    except OSError as error:
        raise HostBrokenError(f"{path}: {error.strerror}") from error
