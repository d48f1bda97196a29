"""publishing: the signed settings and catalogue that agents get, and the answers that name their versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy.engine import Connection

from agent.wire.report import WANT_ALL, ReportAnswer
from agent.wire.settings import Settings, ToolEntry
from agent.wire.signing import SignedDocument

from .store import hash_keys
from .store.collector_identity import sign_catalogue, sign_settings

DEFAULT_GROUP = "default"


@dataclass(frozen=True, slots=True)
class Published:
    """What one group of devices gets."""

    settings: SignedDocument
    catalogue: SignedDocument
    answers: Mapping[tuple[str, bool], bytes]
    """Bodies of a 202 by (status, want everything)."""


class Publisher:
    """Signed documents by group. A group that the policy does not know gets those of the default group."""

    def __init__(self, groups: Mapping[str, Published]) -> None:
        self._groups = groups

    def documents(self, group: str) -> Published:
        """What the devices of a group get."""
        return self._groups.get(group) or self._groups[DEFAULT_GROUP]

    def answer(self, group: str, status: str, want_all: bool) -> bytes:
        """Body of a 202."""
        return self.documents(group).answers[status, want_all]


def publish(
    connection: Connection, settings: Mapping[str, Settings], tools: tuple[ToolEntry, ...], now_ms: int
) -> Publisher:
    """Sign what changed since the last start and number it upwards.

    Args:
        settings: by group; "default" must be among them.
    """
    catalogue_version, catalogue = sign_catalogue(connection, tools, now_ms)
    keys = hash_keys.in_use(connection, now_ms)
    groups = {}
    for name, given in settings.items():
        version, signed = sign_settings(connection, msgspec.structs.replace(given, hash_keys=keys), now_ms)
        answers = {
            (status, want): msgspec.json.encode(
                ReportAnswer(
                    status="duplicate" if status == "duplicate" else "stored",
                    settings_version=version,
                    catalogue_version=catalogue_version,
                    want=WANT_ALL if want else (),
                )
            )
            for status in ("stored", "duplicate")
            for want in (False, True)
        }
        groups[name] = Published(signed, catalogue, answers)
    return Publisher(groups)
