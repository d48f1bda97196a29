"""publishing: the signed settings and catalogue that agents get, and the answers that name their versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy.engine import Connection

from agent.wire.report import WANT_ALL, ReportAnswer
from agent.wire.settings import Catalogue, Settings, ToolEntry
from agent.wire.signing import SignedDocument

from .store import catalogues, hash_keys
from .store.collector_identity import sign_catalogue, sign_settings

DEFAULT_GROUP = "default"
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Published:
    """What one group of devices gets."""

    settings: SignedDocument
    catalogue: SignedDocument
    answers: Mapping[tuple[str, bool], bytes]
    """Bodies of a 202 by (status, want everything)."""


class Publisher:
    """Signed documents by group and time. A group that the policy does not know gets those of the default group."""

    def __init__(self, groups: Mapping[str, Sequence[tuple[int, Published]]], now_ms: Callable[[], int]) -> None:
        """
        Args:
            groups: what each group gets from which moment on, ascending.
        """
        self._groups = groups
        self._now_ms = now_ms

    def documents(self, group: str) -> Published:
        """What the devices of a group get now."""
        steps = self._groups.get(group) or self._groups[DEFAULT_GROUP]
        if len(steps) == 1:
            return steps[0][1]
        now_ms = self._now_ms()
        return next((published for from_ms, published in reversed(steps) if from_ms <= now_ms), steps[0][1])

    def answer(self, group: str, status: str, want_all: bool) -> bytes:
        """Body of a 202."""
        return self.documents(group).answers[status, want_all]


def publish(
    connection: Connection,
    settings: Mapping[str, Settings],
    tools: tuple[ToolEntry, ...],
    now_ms: Callable[[], int],
    delays_h: Mapping[str, float] | None = None,
) -> Publisher:
    """Sign what changed since the last start and number it upwards.

    Args:
        settings: by group; "default" must be among them.
        delays_h: hours after its first publication at which a group gets a new catalogue; 0 where it is missing.
    """
    started_ms = now_ms()
    delays_ms = {name: round(delay_h * HOUR_MS) for name, delay_h in (delays_h or {}).items()}
    versions = catalogues.publish(connection, tools, started_ms, max(delays_ms.values(), default=0))
    signed_catalogues = {
        one.version: sign_catalogue(connection, Catalogue(version=one.version, tools=one.tools)) for one in versions
    }
    keys = hash_keys.in_use(connection, started_ms)
    groups = {}
    for name, given in settings.items():
        number, signed = sign_settings(connection, msgspec.structs.replace(given, hash_keys=keys), started_ms)
        steps = catalogues.schedule(versions, delays_ms.get(name, 0))
        due = [index for index, (from_ms, _) in enumerate(steps) if from_ms <= started_ms]
        groups[name] = [
            (from_ms, _published(signed, number, signed_catalogues[one.version], one.version))
            for from_ms, one in steps[due[-1] :]
        ]
    return Publisher(groups, now_ms)


def _published(settings: SignedDocument, number: int, catalogue: SignedDocument, catalogue_number: int) -> Published:
    answers = {
        (status, want): msgspec.json.encode(
            ReportAnswer(
                status="duplicate" if status == "duplicate" else "stored",
                settings_version=number,
                catalogue_version=catalogue_number,
                want=WANT_ALL if want else (),
            )
        )
        for status in ("stored", "duplicate")
        for want in (False, True)
    }
    return Published(settings, catalogue, answers)
