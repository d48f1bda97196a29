"""What the helper counts: beats, spacings and nudges, as arithmetic."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from agent.session.comb import PERIODS_MS, Comb
from agent.session.nudges import SHAPES, Nudges, Report, shape_of
from agent.session.spacing import BOUNDS_MS, Spacing
from agent.session.tally import Device, Hour
from agent.wire.signals import COMB_PERIODS_MS, SPACING_BOUNDS_MS, InputHour, PointerShapes


def comb_of(gaps: list[float]) -> list[float]:
    comb = Comb()
    for gap in gaps:
        comb.add(gap)
    return comb.strengths()


def test_the_helper_and_the_declaration_mean_the_same() -> None:
    """The helper imports nothing of the wire, which would weigh more than all of it."""
    assert BOUNDS_MS == SPACING_BOUNDS_MS
    assert PERIODS_MS == COMB_PERIODS_MS
    assert set(SHAPES) == set(PointerShapes.__struct_fields__)
    assert {*Hour.__slots__, "hour"} == set(InputHour.__struct_fields__)


@pytest.mark.parametrize("period", range(len(PERIODS_MS)))
def test_keys_on_a_beat_are_on_it(period: int) -> None:
    chance = random.Random(period)
    strengths = comb_of([PERIODS_MS[period] * chance.randint(1, 55) for _ in range(300)])
    assert strengths[period] == pytest.approx(1.0, abs=0.01)


def test_keys_at_any_time_are_on_no_beat() -> None:
    chance = random.Random(1)
    assert max(comb_of([chance.uniform(20, 600) for _ in range(2000)])) < 0.08


@pytest.mark.parametrize(("jitter_ms", "left"), [(1.0, 0.73), (2.0, 0.29), (3.0, 0.06)])
def test_a_network_blurs_the_beat_as_the_formula_says(jitter_ms: float, left: float) -> None:
    chance = random.Random(3)
    gaps = [8.0 * chance.randint(5, 60) + chance.gauss(0, jitter_ms) for _ in range(6000)]
    assert comb_of(gaps)[0] == pytest.approx(left, abs=0.03)
    assert math.exp(-2 * math.pi**2 * jitter_ms**2 / 64) == pytest.approx(left, abs=0.01)


@forall(st.lists(st.floats(-10, 5000), max_size=60))
def test_a_strength_is_always_between_nothing_and_one(gaps: list[float]) -> None:
    assert all(0.0 <= each <= 1.0 for each in comb_of(gaps))


@forall(st.lists(st.floats(0, 1000), max_size=200))
def test_every_gap_of_a_motion_is_in_one_class(gaps: list[float]) -> None:
    spacing = Spacing()
    for gap in gaps:
        spacing.add(gap)
    assert sum(spacing.classes()) == spacing.gaps == sum(gap < BOUNDS_MS[-1] for gap in gaps)


@pytest.mark.parametrize(
    ("every_ms", "at"), [(1.0, 0), (2.0, 1), (8.0, 3), (10.0, 4), (16.7, 6), (40.0, 8), (120.0, 10)]
)
def test_the_class_and_the_median_of_a_beat(every_ms: float, at: int) -> None:
    spacing = Spacing()
    for _ in range(100):
        spacing.add(every_ms)
    assert spacing.classes()[at] == 100
    assert spacing.quantile_ms(0.5) == pytest.approx(every_ms, abs=0.3)
    assert spacing.variation() == 0.0


def test_the_variation_is_that_of_a_normal_spread() -> None:
    chance, spacing = random.Random(5), Spacing()
    for _ in range(5000):
        spacing.add(abs(chance.gauss(60.0, 24.0)))
    assert spacing.variation() == pytest.approx(0.4, abs=0.03)


def relative(*steps: tuple[int, int], every_ms: float = 100.0) -> list[Report]:
    return [(at * every_ms, False, float(dx), float(dy)) for at, (dx, dy) in enumerate(steps)]


def places(*shares: float, every_ms: float = 100.0) -> list[Report]:
    return [(at * every_ms, True, share, share) for at, share in enumerate(shares)]


THERE, BACK = (10, 10), (-10, -10)
SIDE = 100 / 65535


@pytest.mark.parametrize(
    ("reports", "shape"),
    [
        (relative(THERE, BACK), "swing_ten"),
        (relative(*(THERE, BACK) * 5), "swing_ten_by_five"),
        (places(*(0.5 + SIDE, 0.5 - SIDE) * 5, 0.5), "swing_hundred_by_five"),
        (places(1 / 32767, 0.0), "corner"),
        (places(0x3F00 / 0x7FFF, 0x3FFF / 0x7FFF), "centre"),
        (relative(THERE, BACK, THERE), ""),
        (relative(THERE, THERE), ""),
        (relative(*(THERE, BACK) * 4), ""),
        (relative(*(THERE, BACK) * 5, every_ms=8.0), ""),
        (relative((10, 9), (-10, -9)), ""),
        (relative((1, 0)), ""),
        (places(0.31, 0.5), ""),
        (places(0.3, 0.0), ""),
        (places(*(0.5 + SIDE, 0.5 - SIDE) * 3, 0.5), ""),
        ([*relative(THERE), *places(0.5)], ""),
    ],
)
def test_a_shape_is_known_exactly_or_not_at_all(reports: list[Report], shape: str) -> None:
    assert shape_of(reports) == shape


def test_a_program_that_nudges_every_minute() -> None:
    nudges, at_ms = Nudges(), 1_000.0
    nudges.other(at_ms)
    for _ in range(40):
        at_ms += 60_000.0
        nudges.move(at_ms, False, 1.0, 0.0)
    nudges.settle(at_ms + 6000)
    assert (nudges.count, nudges.period_ms()) == (40, (60_000.0, 0.0))
    assert not any(nudges.shapes.values())


def test_people_do_not_nudge_on_a_beat() -> None:
    """They bump the desk now and then, and work in between."""
    chance, nudges, at_ms = random.Random(8), Nudges(), 1_000.0
    for _ in range(60):
        at_ms += chance.uniform(12_000, 400_000)
        nudges.move(at_ms, False, 2.0, 1.0)
        if chance.random() < 0.5:
            nudges.other(at_ms + 1000)
    nudges.settle(at_ms + 6000)
    assert nudges.period_ms()[1] > 0.3 or nudges.period_ms() == (0.0, 0.0)


def test_work_is_no_nudge() -> None:
    nudges = Nudges()
    for at in range(400):
        nudges.move(20_000.0 + at * 30, False, 3.0, 1.0)
    nudges.other(50_000.0)
    nudges.settle(90_000.0)
    assert nudges.count == 0


def test_the_first_motion_after_a_start_is_none_as_nobody_knows_what_was_before() -> None:
    nudges = Nudges()
    nudges.move(5.0, False, 10.0, 10.0)
    nudges.settle(90_000.0)
    assert nudges.count == 0


def test_a_device_keeps_no_key_and_no_place() -> None:
    kept = {*Device.__slots__, *Hour.__slots__}
    assert not {name for name in kept if "code" in name or name in ("x", "y", "path")}
