"""What leaves a laptop, said once: the wire's declarations, `agent show` and docs/signals.md are the same."""

from __future__ import annotations

import typing
from pathlib import Path

import msgspec
import pytest

from agent import dictionary
from agent.probes import PROBES
from agent.show import declaration, declared
from agent.wire.signals import SIGNALS, Signal

ROOT = Path(__file__).resolve().parents[2]


def paths_of(struct: type[msgspec.Struct], before: str = "") -> set[str]:
    """Every name that a struct can encode, by the way to it."""
    found: set[str] = set()
    for field in msgspec.structs.fields(struct):
        path = f"{before}{field.encode_name}"
        found.add(path)
        for inner in structs_in(field.type):
            found |= paths_of(inner, f"{path}.")
    return found


def structs_in(hint: object) -> set[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return {hint}
    return {inner for part in typing.get_args(hint) for inner in structs_in(part)}


def shown(signal: type[Signal]) -> dict[str, str]:
    """What `agent show` says, by the same ways."""
    found, way = {}, list[str]()
    for depth, name, sentence in declared(signal):
        way[depth:] = [name]
        found[".".join(way)] = sentence
    return found


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.kind)
def test_show_has_every_field_that_the_wire_can_encode_and_no_other(signal: type[Signal]) -> None:
    fields = shown(signal)
    assert set(fields) == paths_of(signal)
    assert [name for name, sentence in fields.items() if not sentence.endswith(".")] == []


def test_nothing_in_a_signal_may_hold_whatever_it_likes() -> None:
    """No dictionary, no untyped value: every name that can be encoded is declared."""
    for signal in SIGNALS:
        for struct in {signal, *structs_below(signal)}:
            for field in msgspec.structs.fields(struct):
                assert not open_in(field.type), f"{struct.__name__}.{field.name}"


def structs_below(struct: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    inner = {one for field in msgspec.structs.fields(struct) for one in structs_in(field.type)}
    return inner.union(*(structs_below(one) for one in inner))


def open_in(hint: object) -> bool:
    origin = typing.get_origin(hint)
    if hint in (typing.Any, object, dict, msgspec.Raw) or origin is dict:
        return True
    if origin is typing.Literal:
        return False
    return any(open_in(part) for part in typing.get_args(hint))


def test_the_words_on_the_screen_are_those_of_the_dictionary() -> None:
    lines = set(declaration())
    for signal in SIGNALS:
        for depth, name, sentence in declared(signal):
            assert f"{'  ' * (depth + 1)}{name}: {sentence}" in lines


def test_the_page_of_signals_is_what_the_program_says() -> None:
    assert (ROOT / "docs" / "signals.md").read_text() == dictionary.page(), (
        "stale: python -m agent.dictionary > docs/signals.md"
    )


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.kind)
def test_a_probe_says_where_it_works_and_what_it_is_for(probe: typing.Any) -> None:
    assert probe.systems
    said = dict(dictionary.told(probe))
    assert set(said) >= {"Supports", "Evasion", "Privacy"}
    assert all(text.endswith(".") for text in said.values()), said
