"""instants: points in time as the store keeps them, integer milliseconds since 1970 UTC.

SQLite drops time zones without an error, so no column holds a datetime.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A moment as answers write it: ISO 8601 in UTC."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970. The instant must carry a time zone."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """The instant in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def maybe_from_ms(milliseconds: int | None) -> datetime | None:
    """The instant in UTC; None stays None."""
    return None if milliseconds is None else from_ms(milliseconds)
