"""The collector's settings and the policy as files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from collector import config
from collector.config import Config
from collector.judgement.policy import Group, Known, Policy
from collector.strict import MistakesError

CONFIGS = Path(__file__).parents[2] / "configs"
KNOWN = Known(
    tools=frozenset({"openssh-server", "anydesk"}),
    hardware=frozenset({"pikvm"}),
    countries=frozenset({"DE", "NO"}),
    kinds=frozenset({"clock", "power"}),
    rules=frozenset({"unsanctioned-session"}),
)


def write(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text)
    return path


def test_the_shipped_settings_say_what_holds_without_them() -> None:
    assert config.load(CONFIGS / "collector.yaml") == Config()


def test_the_shipped_settings_name_every_key() -> None:
    written = yaml.safe_load((CONFIGS / "collector.yaml").read_text())
    assert set(written) == {field.name for field in msgspec.structs.fields(Config)}
    for name in ("listen", "sessions", "retention", "limits"):
        assert set(written[name]) == {field.name for field in msgspec.structs.fields(getattr(Config(), name))}


def read_right(path: Path, known: Known) -> Policy:
    """A policy without a mistake."""
    policy, mistakes = config.read_policy(path, known)
    assert mistakes == []
    assert policy is not None
    return policy


def test_the_shipped_policy_loads_and_names_every_key() -> None:
    policy = read_right(CONFIGS / "policy.yaml", KNOWN)
    assert policy.allowed_tools == ("openssh-server",)
    written = yaml.safe_load((CONFIGS / "policy.yaml").read_text())
    assert set(written) == {field.name for field in msgspec.structs.fields(Policy)}


def test_the_example_suppression_in_the_shipped_policy_is_right(tmp_path: Path) -> None:
    lines = (CONFIGS / "policy.yaml").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("#   - rule:"))
    example = "\n".join(line.removeprefix("# ") for line in lines[start : start + 5])
    known = msgspec.structs.replace(KNOWN, rules=frozenset({"unsanctioned-tool-running"}))
    policy = read_right(write(tmp_path, f"suppressions:\n{example}\n"), known)
    assert policy.suppressions[0].owner == "help desk"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "retention: {days: ninety}\n",
            'retention.days (line 1): expected int, got "ninety"; write a number of days, 1 to 3650',
        ),
        ("listen: {port: 0}\n", "listen.port (line 1): expected int >= 1, got 0; write a port, 1 to 65535"),
        ("lissten: {}\n", "lissten (line 1): unknown key; did you mean listen?"),
        ("tls: {certificate: a}\n", "tls.key (line 1): missing; write a path"),
        (
            "trusted_proxies: [proxy]\n",
            'trusted_proxies[0] (line 1): expected an address or network, got "proxy"; write one such as 10.0.0.0/8',
        ),
        (
            "tls: {certificate: /dev/null, key: /none.key}\n",
            'tls.key (line 1): expected a file that this user may read, got "/none.key"; write the path of a PEM file',
        ),
        (
            "database: mysql://x/y\n",
            'database (line 1): expected SQLite or PostgreSQL, got "mysql"; '
            "write a path, or postgresql://user@host/name",
        ),
    ],
)
def test_a_wrong_setting_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(MistakesError) as refused:
        config.load(path)
    assert str(refused.value) == f"{path}: {told}"


def test_a_trusted_proxy_is_an_address_or_a_network(tmp_path: Path) -> None:
    proxies = "[10.1.2.3/8, 192.0.2.7, '2001:db8::/32']"
    assert len(config.load(write(tmp_path, f"trusted_proxies: {proxies}\n")).trusted_proxies) == 3


def test_a_public_url_has_no_path(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"public_urls\[0\] \(line 1\): .*write https:// and a host name"):
        config.load(write(tmp_path, "public_urls: [https://farhand.example.org/agents]\n"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"none\.yaml: cannot be read: No such file or directory"):
        config.load(tmp_path / "none.yaml")


def test_a_file_that_is_no_text_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "two-bytes.yaml").write_bytes("retention: {}".encode("utf-16"))
    with pytest.raises(MistakesError, match=r"two-bytes\.yaml: cannot be read: is not UTF-8 text; save it as UTF-8"):
        config.load(tmp_path / "two-bytes.yaml")


def test_every_unknown_name_of_a_policy_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "home_countries: [DE, GER]\nallowed_tools: [anydesc]\ngroups: {eu: {probes_off: [clok]}}\n"
        "suppressions:\n  - {rule: session, owner: me, reason: why not, until: 2027-01-01T00:00:00Z}\n",
    )
    _, mistakes = config.read_policy(path, KNOWN)
    assert [f"{each.place}: {each.text}" for each in mistakes] == [
        'home_countries[1]: expected a country code of ISO 3166, such as DE, got "GER"; use one of DE, NO',
        'allowed_tools[0]: expected a tool of the catalogue (docs/catalogue.md), got "anydesc"; did you mean anydesk?',
        'groups.eu.probes_off[0]: expected a kind of signal (docs/signals.md), got "clok"; did you mean clock?',
        'suppressions[0].rule: expected the id of a rule, got "session"; use one of unsanctioned-session',
    ]


def test_an_end_that_is_no_moment_is_told(tmp_path: Path) -> None:
    text = "suppressions:\n  - {rule: a, owner: b, reason: c, until: tomorrow}\n"
    _, mistakes = config.read_policy(write(tmp_path, text), KNOWN)
    assert mistakes[0].text.startswith('expected datetime, got "tomorrow"; write a moment in UTC, such as ')


def test_a_suppression_needs_an_end(tmp_path: Path) -> None:
    _, mistakes = config.read_policy(write(tmp_path, "suppressions:\n  - {rule: a, owner: b, reason: c}\n"), KNOWN)
    assert [each.place for each in mistakes] == ["suppressions[0].until"]


def test_a_policy_without_groups_has_the_default_one(tmp_path: Path) -> None:
    assert read_right(write(tmp_path, "home_countries: [NO]\n"), KNOWN).groups == {"default": Group()}


def test_a_wrong_value_does_not_hide_a_name_that_nothing_is_called_by(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("home_countries: 7\nallowed_tools: [tigervnk]\n")
    _, mistakes = config.read_policy(path, KNOWN)
    assert [each.place for each in mistakes] == ["home_countries", "allowed_tools[0]"]
