"""Checking all files that people write at once."""

from __future__ import annotations

from pathlib import Path

from collector import catalogue, zones
from collector.check import check

TOOLS = [entry.id for entry in catalogue.load()]


def test_the_shipped_files_are_right() -> None:
    root = Path(__file__).parents[2]
    text = (root / "configs/collector.yaml").read_text()
    assert "policy: configs/policy.yaml" in text
    assert check(root / "configs/collector.yaml", TOOLS, zones.load()) == ()


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("home_countries: [XX]\nallowed_tools: [openssh-sever]\n")
    settings = tmp_path / "collector.yaml"
    settings.write_text(f"policy: {policy}\ntrusted_proxies: [me]\n")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a-rule.yaml").write_text("id: a-rule\n")
    told = [f"{Path(each.file).name} {each.place}" for each in check(settings, TOOLS, zones.load(), rules)]
    assert told[0] == "collector.yaml trusted_proxies[0]"
    assert told[1:3] == ["policy.yaml home_countries[0]", "policy.yaml allowed_tools[0]"]
    assert told[3] == "a-rule.yaml confidence"
    assert len(told) > 8
