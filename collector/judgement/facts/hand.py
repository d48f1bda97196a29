"""hand: how far the hand is behind a relay, by the timing of its sessions, and where a direct other end is."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from agent.wire.signals import UNKNOWN_TUNNEL
from collector.judgement.behind import Behind, farthest
from collector.judgement.claim import Claim, claim_of
from collector.judgement.given import Given
from collector.judgement.view import SessionTrack
from collector.judgement.voting import vote

AT_THE_HAND: Final = frozenset({"access", "mobile"})
"""Classes of networks whose addresses are where somebody sits; a data centre's or a VPN's is a way station."""


class Hand(Behind, frozen=True, kw_only=True):
    """Control sessions, and where those are that come without a relay."""

    abroad: str | None = None
    """Country of the newest direct other end on a line of homes or a mobile one outside the claim; empty where none is.
    Unknown without a claim, or where no address of a session was located."""
    abroad_peer: str | None = None
    """Its address."""
    abroad_tool: str | None = None
    """Name of its tool."""
    abroad_seen_at: datetime | None = None
    """When it was last seen."""


def derive(given: Given) -> Hand:
    """Let the windows of each session vote, and look where direct other ends are."""
    return msgspec.convert(farthest(given, _counts, vote) | _abroad(given), Hand)


def _counts(given: Given, tool: str) -> bool:
    """A tool that shows and moves the desktop, is not allowed, and is known: what else listens may be any service,
    whose users take their time to think."""
    return tool != UNKNOWN_TUNNEL and given.tool(tool).controls and not given.sanctioned(tool)


def _abroad(given: Given) -> dict[str, object]:
    """Each session against the claim of the moment at which it was last seen: a journey that is over excuses it."""
    barred = [track for track in given.view.sessions if _counts(given, track.tool)]
    claims = [(track, _claim_at(given, track.last_seen)) for track in barred if _country(track) is not None]
    known = [(track, claim) for track, claim in claims if claim is not None and not claim.in_transit]
    if not known:
        return {}
    abroad = [track for track, claim in known if not claim.covers(_country(track))]
    newest = max(abroad, key=lambda track: (track.last_seen, track.peer_address), default=None)
    if newest is None:
        return {"abroad": ""}
    return {
        "abroad": _country(newest),
        "abroad_peer": newest.peer_address,
        "abroad_tool": given.tool(newest.tool).name,
        "abroad_seen_at": newest.last_seen,
    }


def _claim_at(given: Given, moment: datetime) -> Claim | None:
    return claim_of(msgspec.structs.replace(given, as_of=moment))


def _country(track: SessionTrack) -> str | None:
    """Where somebody sits at the other end; None where the address does not tell."""
    located = track.located
    return located.country if located is not None and located.network_class in AT_THE_HAND else None
