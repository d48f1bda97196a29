"""settings: the collector's signed settings and catalogue, as this agent keeps and obeys them.

The exact signed bytes are kept and verified at every load against the key that was pinned at enrolment, so whoever can
write to the folder but not sign can switch nothing off unseen. A version never goes back.
"""

from __future__ import annotations

from typing import Final, get_args

import msgspec

from agent.disk import Disk
from agent.wire.settings import (
    CATALOGUE_PURPOSE,
    SETTINGS_PURPOSE,
    Catalogue,
    Role,
    Settings,
    SettingsAnswer,
    ToolEntry,
)
from agent.wire.signals import Count
from agent.wire.signing import SignatureError, open_document

FILE: Final = "settings.json"


class RefusedError(ValueError):
    """Settings that are damaged, not the collector's, or older than those in force."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector wants of this agent."""

    settings: Settings = Settings(version=0)
    catalogue: Catalogue | None = None
    """None before the first one was accepted."""

    @property
    def catalogue_version(self) -> int:
        """0 before the first one was accepted."""
        return self.catalogue.version if self.catalogue else 0


def verify(answer: SettingsAnswer, collector_key: bytes) -> Orders:
    """Open both documents.

    Raises:
        RefusedError: a signature is wrong, or a signed text is not what its purpose says.
    """
    try:
        return Orders(
            settings=msgspec.json.decode(
                open_document(answer.settings, SETTINGS_PURPOSE, collector_key), type=Settings
            ),
            catalogue=_catalogue(open_document(answer.catalogue, CATALOGUE_PURPOSE, collector_key)),
        )
    except (SignatureError, msgspec.DecodeError, RecursionError) as error:
        raise RefusedError(f"settings: {error}") from error


class _Offered(msgspec.Struct):
    """A catalogue whose entries are not looked into yet."""

    version: Count
    tools: tuple[msgspec.Raw, ...]


class _Entry(msgspec.Struct):
    role: str = "control"


def _catalogue(text: bytes) -> Catalogue:
    """The catalogue without the tools whose role only a newer agent knows: one of them must not stop all the rest."""
    offered = msgspec.json.decode(text, type=_Offered)
    known = (raw for raw in offered.tools if msgspec.json.decode(raw, type=_Entry).role in get_args(Role))
    return Catalogue(version=offered.version, tools=tuple(msgspec.json.decode(raw, type=ToolEntry) for raw in known))


def load(disk: Disk, collector_key: bytes) -> Orders:
    """The orders in force; the defaults where none were accepted yet.

    Raises:
        RefusedError: what is on disk cannot be trusted.
        OSError: it cannot be read.
    """
    stored = disk.read(FILE)
    if stored is None:
        return Orders()
    try:
        answer = msgspec.json.decode(stored, type=SettingsAnswer)
    except msgspec.DecodeError as error:
        raise RefusedError(f"{FILE}: {error}") from error
    return verify(answer, collector_key)


def accept(disk: Disk, answer: SettingsAnswer, collector_key: bytes, current: Orders) -> Orders:
    """Put new orders in force, durably.

    Newer settings may come with an older catalogue: a device that moved to a later ring keeps the one it has.

    Raises:
        RefusedError: they are not the collector's, or older than the current ones.
        OSError: they could not be kept.
    """
    orders = verify(answer, collector_key)
    older = orders.catalogue_version < current.catalogue_version
    if orders.settings.version < current.settings.version + older:
        raise RefusedError(
            f"settings: offered versions {orders.settings.version} and {orders.catalogue_version} are older than "
            f"{current.settings.version} and {current.catalogue_version}"
        )
    if older:
        kept = msgspec.json.decode(disk.read(FILE) or b"", type=SettingsAnswer).catalogue
        answer = SettingsAnswer(settings=answer.settings, catalogue=kept)
        orders = msgspec.structs.replace(orders, catalogue=current.catalogue)
    disk.save(FILE, msgspec.json.encode(answer))
    return orders
