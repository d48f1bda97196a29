"""estimating: how far away whoever answers on a connection is, from timing alone. Pure: no clock, no chance, no I/O.

Four estimators, each of which says nothing rather than guess (docs/judgement.md). Times, directions and sizes are all
they see: content is never needed, so encryption changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from collector.judgement.answer import Answer

from .flow import Flow
from .handshake import handshake
from .quiet import quiet
from .steady import steady
from .stun import stun

VERSION: Final = 2
"""Raised whenever an estimator may answer otherwise: stored answers of another version are made again."""


def estimate(flow: Flow, stun_rtts_ms: Sequence[float] = ()) -> Answer:
    """What one window says: of the estimators that answer, the surest. Where none does, why `steady` says nothing."""
    consent = stun(stun_rtts_ms)
    if consent.estimate_ms is not None:
        return consent
    found = steady(flow)
    lone = next((each for each in (handshake(flow), quiet(flow)) if each.estimate_ms is not None), None)
    if lone is not None and (found.estimate_ms is not None or found.silence in ("periodic", "direct", "too_dense")):
        return msgspec.structs.replace(found, beside=lone)
    return lone or found
