"""The estimators on recorded sessions: at least as often right as was published of them, and never wrong.

A group is (server, path, what the operator did); the published counts are those of docs/accuracy.md.
"""

from __future__ import annotations

import pytest

from tests.accuracy import hands
from tests.accuracy.latency import VARIABLE
from tests.accuracy.recordings import folder, recordings
from tests.accuracy.sessions import LENGTHS_S, measure

pytestmark = pytest.mark.skipif(folder() is None, reason=f"no recorded sessions: {VARIABLE} does not lead to any")

PUBLISHED = {
    "tigervnc socat mixed (tcpinfo)": (27, 10, 5),
    "tigervnc socat mixed": (48, 24, 12),
    "tigervnc sshr mixed": (40, 24, 12),
    "tigervnc direct mixed": (16, 8, 4),
    "x11vnc socat mixed": (43, 23, 12),
    "x11vnc direct mixed": (11, 5, 4),
}
"""Windows that were right at 5, 10 and 20 s, without exception none wrong."""


@pytest.mark.parametrize("length_s", LENGTHS_S)
def test_no_window_and_no_vote_is_wrong_and_as_many_are_right_as_was_published(length_s: float) -> None:
    windows, votes = measure(length_s)
    print({group: (tally.right, tally.wrong, tally.silent) for group, tally in windows.items()})
    assert {group for group, tally in {**windows, **votes}.items() if tally.wrong} == set()
    for group, right in PUBLISHED.items():
        assert windows[group].right >= right[LENGTHS_S.index(length_s)], group


def test_where_nothing_answers_no_number_is_named() -> None:
    for length_s in LENGTHS_S:
        windows, _ = measure(length_s)
        silent = {group for group in windows if group.startswith("ssh") or "hop known" in group}
        assert len(silent) >= 6
        assert all(windows[group].silent == windows[group].of for group in silent)


def test_every_recording_was_read() -> None:
    assert len(recordings()) == 46


def test_a_printed_distance_is_hardly_ever_more_than_the_true_one() -> None:
    found = hands.shares()
    print(found)
    assert all(each["kept"] for each in hands.kept({"home": found}))
    assert found["in the United States: alarm"] < 1.0
    assert found["from East Asia: alarm"] > 95
