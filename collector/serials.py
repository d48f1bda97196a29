"""serials: serial numbers as they are compared, and texts that stand where none was given. Pure."""

from __future__ import annotations

from typing import Final

PLACEHOLDERS: Final = frozenset(
    {
        "TOBEFILLEDBYO.E.M.", "TOBEFILLEDBYOEM", "DEFAULTSTRING", "SYSTEMSERIALNUMBER", "CHASSISSERIALNUMBER",
        "BASEBOARDSERIALNUMBER", "NOTSPECIFIED", "NOTAPPLICABLE", "NOTAVAILABLE", "UNKNOWN", "INVALID", "NONE",
        "N/A", "EMPTY", "OEM", "0123456789", "1234567890", "123456789", "12345678",
    }
)  # fmt: skip
"""What makers leave in machines that were given no serial number."""


def normal(serial: str) -> str:
    """A serial number as it is compared: without spaces, in capitals. The database does the same with laptops."""
    return serial.replace(" ", "").upper()


def is_placeholder(serial: str) -> bool:
    """True for what many machines carry instead of a serial number: known texts, and one sign over and over."""
    return normal(serial) in PLACEHOLDERS or len(set(normal(serial))) < 2
