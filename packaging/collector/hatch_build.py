"""hatch_build: the collector's dependencies, from the one place where they are declared with their reasons."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

SHARED = {"msgspec", "pynacl", "pyyaml", "requests"}
"""What it uses of the agent's."""


class Dependencies(MetadataHookInterface):
    """Those of the extra `collector` in the developer project, and the shared ones."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
        declared = tomllib.loads(text)["project"]
        shared = [line for line in declared["dependencies"] if re.split(r"[^\w.-]", line)[0] in SHARED]
        extras = declared["optional-dependencies"]
        metadata["dependencies"] = sorted([*shared, *extras["collector"]])
        metadata["optional-dependencies"] = {"postgresql": extras["postgresql"]}
