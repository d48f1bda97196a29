"""Strict reading: every mistake at once, with file, place, line, and what to write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collector.strict import Document, Mistake, MistakesError, nearest


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    days: Annotated[int, msgspec.Meta(ge=1, le=3650, description="a number of days, 1 to 3650")] = 90
    level: Literal["debug", "info"] = "info"


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(description="a name")]
    retention: Inner = Inner()
    countries: Annotated[tuple[str, ...], msgspec.Meta(description="a list of country codes")] = ()
    groups: dict[str, Inner] = {}
    share: float = 0.5
    until: Annotated[datetime, msgspec.Meta(tz=True, description="a moment in UTC")] | None = None
    on: bool = False
    anything: Any = None


def mistakes(text: str, struct: type = Outer) -> list[str]:
    document = Document(text, "f.yaml")
    assert document.read(struct) is None
    return [str(mistake) for mistake in sorted(document.mistakes)]


def read(text: str) -> Outer:
    document = Document(text, "f.yaml")
    found = document.read(Outer)
    assert document.mistakes == []
    assert found is not None
    return found


def test_a_right_text_is_read() -> None:
    found = read("name: a\nretention: {days: 7}\ncountries: [DE]\nshare: 1\nuntil: 2027-01-31T00:00:00Z\non: true\n")
    assert found.retention.days == 7
    assert found.share == 1.0
    assert found.until == datetime(2027, 1, 31, tzinfo=UTC)


def test_norway_is_a_country_and_yes_is_a_word() -> None:
    found = read("name: yes\ncountries: [NO, SE]\n")
    assert found.countries == ("NO", "SE")
    assert found.name == "yes"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: a\nretention:\n  days: ninety\n",
            'f.yaml: retention.days (line 3): expected int, got "ninety"; write a number of days, 1 to 3650',
        ),
        (
            "name: a\nretention:\n  days: 0\n",
            "f.yaml: retention.days (line 3): expected int >= 1, got 0; write a number of days, 1 to 3650",
        ),
        (
            "name: a\nretention:\n  days: 5000\n",
            "f.yaml: retention.days (line 3): expected int <= 3650, got 5000; write a number of days, 1 to 3650",
        ),
        (
            "name: a\nretention: {level: loud}\n",
            'f.yaml: retention.level (line 2): expected one of debug, info, got "loud"',
        ),
        ("name: 12\n", "f.yaml: name (line 1): expected str, got 12; write a name"),
        ("name:\n", "f.yaml: name (line 1): expected str, got nothing; write a name"),
        ("name: [a]\n", "f.yaml: name (line 1): expected str, got a list; write a name"),
        ("retention: {}\n", "f.yaml: name (line 1): missing; write a name"),
        (
            "name: a\nretention: 7\n",
            "f.yaml: retention (line 2): expected a block of keys, got 7; write one or more of days, level",
        ),
        (
            "name: a\ncountries: DE\n",
            'f.yaml: countries (line 2): expected a list, got "DE"; write a list of country codes',
        ),
        ("name: a\ncountries: [DE, 5]\n", "f.yaml: countries[1] (line 2): expected str, got 5"),
        ("name: a\nretenton: {}\n", "f.yaml: retenton (line 2): unknown key; did you mean retention?"),
        ("name: a\nname: b\n", "f.yaml: name (line 2): is written twice; keep one"),
        ("name: a\nanything: {x: 1, x: 2}\n", "f.yaml: anything.x (line 2): is written twice; keep one"),
        ("name: a\ngroups: {eu: {dys: 1}}\n", "f.yaml: groups.eu.dys (line 2): unknown key; did you mean days?"),
        ("name: a\non: 1\n", "f.yaml: on (line 2): expected bool, got 1"),
        (
            "name: a\nuntil: 2027-01-31\n",
            'f.yaml: until (line 2): expected datetime, got "2027-01-31"; write a moment in UTC',
        ),
        (
            "- a\n",
            "f.yaml: line 1: expected a block of keys, got a list; "
            "write one or more of anything, countries, groups, name, on, retention, share, until",
        ),
        ("a: b: c\n", "f.yaml: line 1: is not YAML: mapping values are not allowed here"),
    ],
)
def test_a_mistake_says_where_what_and_what_to_write(text: str, told: str) -> None:
    assert mistakes(text) == [told]


def test_a_moment_without_a_time_zone_is_refused() -> None:
    (told,) = mistakes("name: a\nuntil: 2027-01-31T00:00:00\n")
    assert told.startswith("f.yaml: until (line 2): expected datetime with a timezone")


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    told = mistakes("retention: {days: x, level: y}\nshare: z\nextra: 1\n")
    assert [line.split(" ")[1] for line in told] == ["name", "retention.days", "retention.level", "share", "extra"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    document = Document(text, "f.yaml")
    assert (document.read(Outer) is None) == bool(document.mistakes)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(Outer.__struct_fields__), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(Outer.__struct_fields__), plain))
def test_any_data_is_read_or_refused(data: dict[str, Any]) -> None:
    document = Document(yaml.safe_dump(data), "f.yaml")
    assert (document.read(Outer) is None) == bool(document.mistakes)


def test_a_text_that_contains_itself_is_refused() -> None:
    assert mistakes("anything: &a [*a]\nname: b\n") == ["f.yaml: line 1: is nested too deeply"]


def test_an_empty_text_is_an_empty_block() -> None:
    assert Document("", "f.yaml").read(Inner) == Inner()


def test_a_mistake_deep_in_a_place_nobody_wrote_stands_at_the_nearest_line() -> None:
    document = Document("name: a\nretention:\n  days: 1\n", "f.yaml")
    document.read(Outer)
    document.add("retention.level[3].x", "no")
    assert document.mistakes == [Mistake(file="f.yaml", line=3, place="retention.level[3].x", text="no")]


def test_the_error_tells_all_its_mistakes_sorted() -> None:
    later = Mistake(file="b", line=2, place="x", text="no")
    sooner = Mistake(file="a", line=9, place="", text="no")
    assert str(MistakesError([later, sooner])) == "a: line 9: no\nb: x (line 2): no"


def test_the_nearest_name_or_all_of_few_or_none() -> None:
    assert nearest("opensh", ["openssh", "x11vnc"]) == "did you mean openssh?"
    assert nearest("de", ["AT", "DE"]) == "did you mean DE?"
    assert nearest("zzz", ["b", "a"]) == "use one of a, b"
    assert nearest("zzz", map(str, range(100))) == "no name is near it"
    assert nearest("zzz", []) == "none is named"
