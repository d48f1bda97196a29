"""session_timing."""

from __future__ import annotations

import pytest

from agent.probe import Given, Unavailable
from agent.probes import session_timing
from agent.wire.signals import SessionTiming
from tests.fakes import FakeHost
from tests.laptop import timing_window

LAPTOP = FakeHost()


def test_what_was_timed_since_the_last_report_is_told_before_its_turn() -> None:
    window = timing_window()
    given = Given(host=LAPTOP, catalogue=None, timed=(window,))
    assert session_timing.PROBE.has_news is not None
    assert session_timing.PROBE.has_news(given)
    assert session_timing.collect(given) == SessionTiming(windows=(window,))


def test_a_laptop_that_nobody_is_connected_to_says_so_once_a_day() -> None:
    given = Given(host=LAPTOP, catalogue=None)
    assert session_timing.PROBE.has_news is not None
    assert not session_timing.PROBE.has_news(given)
    assert session_timing.collect(given) == SessionTiming(windows=())
    assert session_timing.PROBE.every_s == 86400


def test_of_many_windows_the_newest_are_told() -> None:
    many = tuple(timing_window(session_began_s=float(second)) for second in range(20))
    told = session_timing.collect(Given(host=LAPTOP, catalogue=None, timed=many))
    assert [window.session_began_s for window in told.windows] == [float(second) for second in range(12, 20)]


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_a_system_without_such_counters_is_unsupported(system: str) -> None:
    with pytest.raises(Unavailable) as answer:
        session_timing.collect(Given(host=FakeHost(system=system), catalogue=None))  # type: ignore[arg-type]
    assert answer.value.failure == "unsupported"
