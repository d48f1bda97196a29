"""texts: words that laptops chose, made harmless to the eye, and moments as people read them. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

SHOWN: Final = 300
"""Characters of one text that are shown at most."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of signs that do something other than to be seen."""
_STACKED: Final = re.compile(r"(\w)?([̀-ͯ҃-҉᪰-᫿᷀-᷿⃐-⃿︠-︯]{4,})")
"""More than three marks on one letter reach over the neighbouring lines."""


def _code(sign: str) -> str | None:
    """What stands for a sign that must not act; None for one that is shown as it is."""
    if unicodedata.category(sign) not in _HIDDEN:
        return None
    return f"U+{ord(sign):04X}"


def _clip(text: str, limit: int) -> tuple[str, str]:
    """The part that is shown, and what is said of the rest."""
    if len(text) <= limit:
        return text, ""
    return text[:limit], f"… ({len(text):,} characters)"


def visible(text: str, limit: int = SHOWN) -> str:
    """A text of one line in which every control, invisible and direction-changing sign is written out."""
    shown, rest = _clip(text, limit)
    shown = _STACKED.sub(lambda found: (found[1] or "") + found[2][:3], shown)
    return "".join(_code(sign) or sign for sign in shown) + rest


def laptop_text(text: str, limit: int = SHOWN) -> Markup:
    """The same for a page: its own direction, and the written-out signs marked as such."""
    shown, rest = _clip(text, limit)
    shown = _STACKED.sub(lambda found: (found[1] or "") + found[2][:3], shown)
    parts = [escape(sign) if code is None else _MARK.format(code) for sign in shown for code in (_code(sign),)]
    return Markup("<bdi>{}</bdi>{}").format(Markup("").join(parts), rest)


def brief(text: str, limit: int) -> Markup:
    """A sentence in a list, cut after a whole word; the page that it leads to has all of it."""
    if len(text) <= limit:
        return laptop_text(text, limit)
    start, space, _ = text[:limit].rpartition(" ")
    return laptop_text(start if space else text[:limit], limit) + "…"


def laptop_lines(text: str, limit: int = 4000) -> Markup:
    """The same for a text of several lines, to be shown where line breaks count."""
    shown, rest = _clip(text, limit)
    lines = [laptop_text(line, limit) for line in shown.split("\n")]
    return Markup("\n").join(lines) + rest


_MARK: Final = Markup('<span class="sign">{}</span>')


_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def cell(text: str, limit: int = SHOWN) -> str:
    """A text for a spreadsheet: one that would be taken for a formula gets a quote before it, as spreadsheets do."""
    shown = visible(text, limit)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, or how far ahead, in the largest unit that fits."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if size >= length:
            count = int(size // length)
            span = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now"


def utc(moment: datetime) -> str:
    """A moment as it is shown everywhere."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
