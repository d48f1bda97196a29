"""base: what every signal is, and the ranges that their numbers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Hex4 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{4}$")]
"""Two bytes as four hexadecimal digits."""
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its time zone: one without cannot be compared with any other, so what carries it cannot be read."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The typed result of one probe. `kind` is its tag on the wire, `stable` says how it is sent."""

    kind: ClassVar[str]
    stable: ClassVar[bool]
    on_request: ClassVar[bool] = False
    """It is measured only where the collector's settings name its kind in `probes_on`: law or courtesy ask for consent
    first. Elsewhere it is not reported, not even as switched off."""
    purpose: ClassVar[str]
    """One sentence for the person whose laptop it is."""
