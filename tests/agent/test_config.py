"""agent.yaml: strict with people, and helpful about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import Config, ConfigError, load, parse

SAMPLE = Path(__file__).resolve().parents[2] / "configs" / "agent.yaml"


def test_the_sample_holds_every_key_with_its_default() -> None:
    assert load(SAMPLE) == Config()
    text = SAMPLE.read_text()
    for key in ("collector", *Config().collector.__struct_fields__, *Config.__struct_fields__):
        assert f"{key}:" in text


def test_an_empty_file_means_defaults() -> None:
    assert parse("", "agent.yaml") == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "spool: {max_mb: ten}",
            'agent.yaml: spool.max_mb: expected int, got "ten"; write a number of megabytes, 1 to 1000',
        ),
        ("spool: {max_mb: 0}", "agent.yaml: spool.max_mb: expected int >= 1, got 0; write a number of megabytes, 1 to"),
        ("spool: 5", "agent.yaml: spool: expected object, got 5; write key: value lines below it"),
        ("spool: {max_mbs: 5}", "agent.yaml: spool.max_mbs: unknown key; known here are max_mb, max_reports"),
        ("colector: {}", "agent.yaml: colector: unknown key; known here are collector, token_file"),
        (
            "state_dir: here",
            "agent.yaml: state_dir: expected str matching regex '\\\\A/', got \"here\"; write the absolute",
        ),
        ("collector: {url: 5}", "agent.yaml: collector.url: expected str | null, got 5; write https://host"),
        ("probes_off: [1]", "agent.yaml: probes_off: expected str, got [1]; write a list of kinds"),
        ("token: abc", "agent.yaml: token: a token in this file would stay readable; write it to a token_file"),
        ("- a", 'agent.yaml: file: expected object, got ["a"]; write key: value lines'),
        ("a: [", "agent.yaml: line 1: not valid YAML"),
        ("[" * 5000, "agent.yaml: not valid YAML; there are too many brackets in each other"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_cure(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "agent.yaml")
    assert str(error.value).startswith(message)


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "agent.yaml")
