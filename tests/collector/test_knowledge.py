"""Checking all files that people write at once."""

from __future__ import annotations

from pathlib import Path

from collector import knowledge

ROOT = Path(__file__).parents[2]


def test_the_shipped_files_are_right() -> None:
    assert knowledge.check(ROOT / "configs/collector.yaml", ROOT / "configs/policy.yaml") == []


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("home_countries: [XX]\nallowed_tools: [openssh-sever]\nallowed_hardware: [pikmv]\n")
    settings = tmp_path / "collector.yaml"
    settings.write_text(f"policy: {policy}\ntrusted_proxies: [me]\n")
    assert [f"{Path(each.file).name} {each.place}" for each in knowledge.check(settings)] == [
        "collector.yaml trusted_proxies[0]",
        "policy.yaml home_countries[0]",
        "policy.yaml allowed_tools[0]",
        "policy.yaml allowed_hardware[0]",
    ]
