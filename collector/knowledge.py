"""knowledge: what the collector judges and publishes with, loaded from its files: rules, policy, catalogue, zones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent.wire.settings import Landmark, NeighbourTable, Settings, Timing, ToolEntry
from agent.wire.signals import KINDS

from . import catalogue, config, landmarks, rulebook, zones
from .catalogue import hardware, neighbours, own
from .config import Config
from .geo import overrides
from .judgement.assess import Context
from .judgement.given import ToolInfo, Zones
from .judgement.policy import Known, Policy
from .strict import Mistake, MistakesError


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything that is read from files at the start."""

    context: Context
    tools: tuple[ToolEntry, ...]
    """The catalogue as laptops get it."""
    landmarks: tuple[Landmark, ...] = ()
    """Known places as laptops get them."""
    neighbours: NeighbourTable = field(default_factory=NeighbourTable)
    """By what laptops know the devices around them."""

    @property
    def policy(self) -> Policy:
        return self.context.policy

    @property
    def intervals_s(self) -> Mapping[str, float]:
        """Seconds between reports by group; "default" is always among them."""
        return {name: settings.interval_s for name, settings in self.settings().items()}

    def settings(self) -> dict[str, Settings]:
        """What agents are told, by group."""
        for_all = Settings(
            version=0,
            landmarks=self.landmarks,
            landmarks_every_s=self.policy.landmarks.every_s,
            neighbours=self.neighbours,
        )
        groups = {"default": for_all}
        for name, group in self.policy.groups.items():
            groups[name] = msgspec.structs.replace(
                for_all,
                group=name,
                interval_s=group.interval_s,
                probes_off=tuple(sorted(group.probes_off)),
                probes_on=tuple(sorted(group.probes_on)),
                location_grid_degrees=group.location_grid_degrees,
                beside_tunnel=group.beside_tunnel,
                timing=Timing(**msgspec.structs.asdict(group.timing)),
            )
        return groups


def tool_infos(entries: tuple[catalogue.CatalogueEntry, ...]) -> dict[str, ToolInfo]:
    """The catalogue as judgement knows it, by id."""
    return {
        entry.id: ToolInfo(
            name=entry.name,
            vendor_group=entry.vendor_group,
            role=entry.role,
            inbound_control=entry.inbound_control,
            accessibility=entry.accessibility,
        )
        for entry in entries
    }


def of(config: Config) -> Knowledge:
    """What a collector with these settings judges and publishes with.

    Raises:
        MistakesError: some file is wrong; every mistake is listed.
    """
    return load(Path(config.policy), Path(config.catalogue) if config.catalogue else None)


def load(policy_path: Path, own_catalogue: Path | None = None) -> Knowledge:
    """Read rules, catalogue, zones and policy.

    Args:
        own_catalogue: the administrator's file of tools, where there is one.

    Raises:
        MistakesError: some file is wrong; every mistake is listed.
    """
    knowledge, mistakes = _read(policy_path, own_catalogue)
    if knowledge is None:
        raise MistakesError(mistakes)
    return knowledge


def _read(policy_path: Path, own_catalogue: Path | None) -> tuple[Knowledge | None, list[Mistake]]:
    rules, mistakes = rulebook.read(rulebook.FOLDER)
    try:
        entries = own.merged(own_catalogue)
    except MistakesError as error:
        entries, mistakes = catalogue.load(), [*mistakes, *error.mistakes]
    known_zones = zones.load()
    tools = tool_infos(entries)
    known_hardware = hardware.load()
    known = Known(
        tools=frozenset(tools),
        hardware=frozenset(known_hardware.products),
        countries=_countries(known_zones),
        kinds=frozenset(KINDS),
        rules=frozenset(ready.rule.id for ready in rules),
    )
    policy, wrong = config.read_policy(policy_path, known)
    mistakes = [*mistakes, *wrong]
    if policy is None or mistakes:
        return None, mistakes
    sites = landmarks.chosen(policy)
    context = Context(
        as_of=datetime(1970, 1, 1, tzinfo=UTC),
        rules=rules,
        policy=policy,
        suppressions=policy.suppressions,
        tools=tools,
        hardware=known_hardware,
        zones=known_zones,
        landmarks=landmarks.for_judgement(sites),
    )
    around = neighbours.load(known_hardware.products)
    return Knowledge(context, catalogue.for_wire(entries, 0).tools, landmarks.for_wire(sites), around), []


def _countries(known_zones: Zones) -> frozenset[str]:
    return frozenset(known_zones.offsets)


def check(config_path: Path, policy_path: Path | None = None) -> list[Mistake]:
    """Every mistake in configuration, policy, rules and overrides of place data.

    Args:
        policy_path: None takes the one that the configuration names.
    """
    found: Config | None
    found, mistakes = config.read_config(config_path)
    if policy_path is None:
        policy_path = Path(found.policy if found is not None else Config().policy)
    _, wrong = _read(policy_path, Path(found.catalogue) if found is not None and found.catalogue else None)
    return [*mistakes, *wrong, *_wrong_overrides(config.geo_folder(found or Config()))]


def _wrong_overrides(folder: Path) -> list[Mistake]:
    """What is wrong with an administrator's overrides of place data, where there are any."""
    path = folder / overrides.FILE
    try:
        if path.exists():
            overrides.read(path)
    except MistakesError as error:
        return list(error.mistakes)
    return []
