"""check: everything that is wrong in the files that people write: settings, policy and rules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agent.wire.signals import KINDS
from collector import config, rulebook
from collector.engine import ReadyRule
from collector.given import Zones
from collector.policy import Known
from collector.strict import Mistake


def known_names(tools: Iterable[str], rules: Iterable[ReadyRule], zones: Zones) -> Known:
    """The names that a policy may use."""
    return Known(
        tools=frozenset(tools),
        countries=frozenset(zones.offsets),
        kinds=frozenset(KINDS),
        rules=frozenset(ready.rule.id for ready in rules),
    )


def check(
    settings: Path, tools: Iterable[str], zones: Zones, rules_folder: Path = rulebook.FOLDER
) -> tuple[Mistake, ...]:
    """All mistakes in the collector's settings, the policy that they name, and the rules; sorted."""
    rules, mistakes = rulebook.read(rules_folder)
    found, wrong = config.read_config(settings)
    mistakes += wrong
    if found is not None:
        _, wrong = config.read_policy(Path(found.policy), known_names(tools, rules, zones))
        mistakes += wrong
    return tuple(sorted(mistakes))
