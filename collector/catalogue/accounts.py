"""accounts: what became of every entry of LOLRMM, by its name: taken under an id, or left out for a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from collector.strict import Document

from . import Id

FILE: Final = Path(__file__).with_name("lolrmm.yaml")


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one entry."""

    taken: Annotated[Id, msgspec.Meta(description="the id of a tool")] | None = None
    left_out: Annotated[str, msgspec.Meta(description="one of the reasons")] | None = None


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table."""

    reasons: dict[str, str]
    """Sentences."""
    tools: dict[str, Account]

    def of(self, name: str) -> Account | None:
        """What became of the entry of that name, whatever its case; None for one that is new."""
        return self.tools.get(name) or next(
            (a for known, a in self.tools.items() if known.lower() == name.lower()), None
        )


def load() -> Accounts:
    """Read the table.

    Raises:
        MistakesError: what is wrong in it.
    """
    return Document(FILE.read_text(encoding="utf-8"), FILE.name).checked(Accounts, _wrong)


def _wrong(accounts: Accounts) -> Iterator[tuple[str, str]]:
    for name, account in accounts.tools.items():
        if (account.taken is None) == (account.left_out is None):
            yield f"tools.{name}", "needs either taken or left_out"
        if account.left_out is not None and account.left_out not in accounts.reasons:
            yield f"tools.{name}", f"{account.left_out} is none of the reasons"
