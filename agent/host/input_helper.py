"""input_helper: asks a helper, such as the one that counts input, after it is sure who listens there."""

from __future__ import annotations

import json
import os

from agent.host import HostBrokenError, HostDeniedError, HostError
from agent.session.peers import PATIENCE_S, PeerError, ask


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
    return ask_socket(path, {"lease_s": lease_s}, {0, os.geteuid()} if of_users is None else of_users)


def ask_socket(path: str, question: object, of_users: set[int], patience_s: float = PATIENCE_S) -> bytes:
    """The answer of a helper to a question, which is sent as JSON.

    Args:
        of_users: who must own the socket and listen at it.
        patience_s: for how long it may think.

    Raises:
        HostDeniedError: somebody else listens there.
        HostError: nobody does.
    """
    try:
        return ask(path, json.dumps(question).encode(), of_users=of_users, patience_s=patience_s)
    except FileNotFoundError as error:
        raise HostError(f"{path} does not exist: the helper behind it is not set up") from error
    except PermissionError as error:
        raise HostDeniedError(f"{path}: permission denied") from error
    except PeerError as error:
        raise HostDeniedError(f"{path}: {error}") from error
    except OSError as error:
        raise HostBrokenError(f"{path}: {error.strerror}") from error
