"""login: how far whoever has a shell on the laptop is behind a relay, by the timing of their sessions.

What a person types comes when they like, and what a machine types in a beat of its own, so the middle of such a session
tells nothing: only its first second and lone messages (keep-alives) do.
"""

from __future__ import annotations

import msgspec

from collector.judgement.behind import Behind, farthest
from collector.judgement.given import Given
from collector.judgement.voting import vote_of_shell


class Login(Behind, frozen=True, kw_only=True):
    """Shells from elsewhere."""


def derive(given: Given) -> Login:
    """Let the windows of each session vote, of which only what nobody types counts."""
    return msgspec.convert(farthest(given, _counts, vote_of_shell), Login)


def _counts(given: Given, tool: str) -> bool:
    return given.tool(tool).role == "login" and not given.sanctioned(tool)
