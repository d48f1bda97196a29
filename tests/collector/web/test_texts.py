"""Words that laptops chose do nothing but be read."""

from __future__ import annotations

import html
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.texts import ago, brief, laptop_lines, laptop_text, utc, visible
from tests.collector.worlds import START


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("nyc-0042", "nyc-0042"),
        ("Büro 東京", "Büro 東京"),
        ("a\0b", "aU+0000b"),
        ("\x1b[31mred", "U+001B[31mred"),
        ("one\ntwo", "oneU+000Atwo"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u202egnp.exe", "U+202Egnp.exe"),
        ("\u2066x\u2069", "U+2066xU+2069"),
        ("zero\u200bwidth", "zeroU+200Bwidth"),
        ("half \ud800 sign", "half U+D800 sign"),
        ("\U000e0041", "U+E0041"),
    ],
)
def test_signs_that_do_something_are_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_markup_is_shown_as_text_in_its_own_direction() -> None:
    shown = laptop_text("<b>\u202e&")
    assert shown == '<bdi>&lt;b&gt;<span class="sign">U+202E</span>&amp;</bdi>'


def test_a_long_text_is_clipped_and_its_length_is_said() -> None:
    shown = laptop_text("W" * 65536, 10)
    assert shown == f"<bdi>{'W' * 10}</bdi>… (65,536 characters)"
    assert visible("W" * 65536, 10) == f"{'W' * 10}… (65,536 characters)"


def test_a_sentence_in_a_list_ends_after_a_whole_word() -> None:
    assert brief("It was used from afar.", 30) == "<bdi>It was used from afar.</bdi>"
    assert brief("It was used from afar.", 19) == "<bdi>It was used from</bdi>…"
    assert brief("W" * 40, 10) == f"<bdi>{'W' * 10}</bdi>…"
    assert "<b>" not in brief("<b> <b>", 5) and "U+202E" in brief("a\u202e b c d", 6)


def test_marks_that_reach_over_other_lines_are_cut() -> None:
    assert visible("a" + "\u0301" * 50 + "b") == "a" + "\u0301" * 3 + "b"


def test_a_text_of_several_lines_keeps_them() -> None:
    assert laptop_lines("a\n\tb") == "<bdi>a</bdi>\n<bdi>" + '<span class="sign">U+0009</span>b</bdi>'


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=400))
def test_whatever_a_laptop_says_no_markup_and_no_control_comes_through(text: str) -> None:
    shown = laptop_text(text)
    inner = shown.replace('<span class="sign">', "").replace("</span>", "").removeprefix("<bdi>").replace("</bdi>", "")
    assert "<" not in inner and ">" not in inner and '"' not in inner
    assert html.unescape(inner) == visible(text)
    assert all(unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in visible(text))
    shown.encode()


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(hours=-5), "in 5 hours"),
    ],
)
def test_ages_are_said_in_the_largest_unit_that_fits(passed: timedelta, words: str) -> None:
    assert ago(START - passed, START) == words


def test_moments_are_shown_in_utc() -> None:
    assert utc(START) == "2026-11-21 12:00 UTC"
