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


def test_check_reads_own_overrides_of_place_data(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    config = tmp_path / "collector.yaml"
    config.write_text(f"policy: {tmp_path / 'policy.yaml'}\ngeo: {{directory: {tmp_path}}}\n")
    assert knowledge.check(config) == []
    (tmp_path / "overrides.yaml").write_text("networks:\n  - {asn: 0, note: our ships, source: ticket 8}\n")
    (mistake,) = knowledge.check(config)
    assert (mistake.place, mistake.line) == ("networks[0].asn", 2)


def test_a_company_network_is_a_range_or_a_number(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "company_networks:\n"
        "  - {label: office, ranges: [192.0.2.0/24, 192.0.2.7, '2001:db8::/32'], asns: [64496]}\n"
        "  - {label: cellar, ranges: [192.0.2.0/24, cellar]}\n"
    )
    config = tmp_path / "collector.yaml"
    config.write_text(f"policy: {policy}\ndata_dir: {tmp_path}\n")
    (mistake,) = knowledge.check(config)
    assert mistake.place == "company_networks[1].ranges[1]"
    assert mistake.text.startswith('expected a range of addresses, got "cellar"')
