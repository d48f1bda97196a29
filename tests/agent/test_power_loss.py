"""What a power cut leaves behind: the order of writes and syncs is checked after every single one of them."""

from __future__ import annotations

import contextlib
import random
from typing import cast

import msgspec
import pytest

from agent.cycle import run_cycle
from agent.spool import unpack
from agent.state import State
from agent.wire.report import WireError
from tests.agent.fake_disk import FakeDisk, Machine, PowerCut
from tests.agent.support import Laptop, ModelCollector, enrolled, tools

LONGEST_QUEUE = 3


class World:
    """A laptop with its disk, and the collector it reports to."""

    def __init__(self, cut_after: int | None, *, forgetful: bool = False) -> None:
        self.machine = Machine()
        self.disk = FakeDisk(self.machine)
        self.host = Laptop()
        self.collector = ModelCollector()
        enrolled(self.disk, self.host)
        self.machine.operations = 0
        self.machine.cut_after = cut_after
        self.machine.forgetful = forgetful
        self.marks: FakeDisk | None = FakeDisk(Machine())

    def cycle(self, *, online: bool = True) -> None:
        self.collector.online = online
        self.host.pass_time(4000)
        run_cycle(tools(self.disk, self.host, self.collector, marks=self.marks, max_reports=LONGEST_QUEUE), "scheduled")

    def a_week(self) -> None:
        """Good days, a long time offline in which the laptop travels and the spool overflows, good days again."""
        self.cycle()
        self.cycle(online=False)
        self.host.travel("Asia/Tokyo", 540)
        self.cycle(online=False)
        self.host.travel("Europe/Berlin", 60)
        for _ in range(3):
            self.cycle(online=False)
        self.cycle()
        self.cycle()

    def lose_power(self, chance: random.Random) -> None:
        self.machine.lose_power(chance)
        self.marks = FakeDisk(Machine())
        self.host.reboot("22222222-2222-4333-8444-555555555555")

    def state(self) -> State:
        stored = self.disk.read("state.json")
        assert stored is not None
        return cast(State, msgspec.json.decode(stored, type=State))

    def check(self) -> None:
        """Nothing that was promised is missing, nothing was said twice in two ways, and no number is left out."""
        state = self.state()
        dropped = state.dropped + state.dropped_earlier
        promised = set(self.machine.promised.values())
        lost = promised - self.collector.bodies
        assert len(lost) <= dropped, f"{len(lost)} reports lost, {dropped} counted"
        assert self.collector.conflicts == 0, "a sequence was used for two reports"
        for body in lost:
            with contextlib.suppress(WireError):
                assert unpack(body).sequence <= state.settled.sequence
        for epoch in {epoch for epoch, _ in self.collector.reports}:
            sequences = {sequence for other, sequence in self.collector.reports if other == epoch}
            missing = set(range(1, max(sequences) + 1)) - sequences
            assert len(missing) <= dropped, f"sequences {missing} are missing, {dropped} were counted"
        assert self.collector.received[-1] not in self.collector.out_of_step, "the collector holds another state"


def operations_of_a_week() -> int:
    world = World(None)
    world.a_week()
    world.check()
    return world.machine.operations


def survive(cut_after: int, seed: int, *, forgetful: bool = False) -> None:
    world = World(cut_after, forgetful=forgetful)
    with contextlib.suppress(PowerCut):
        world.a_week()
    world.lose_power(random.Random(seed))
    for _ in range(3):
        world.cycle()
    world.check()


def test_a_week_without_a_power_cut_loses_only_what_it_counts() -> None:
    world = World(None)
    world.a_week()
    world.check()
    assert world.state().dropped == 3
    assert [report.spool.dropped for report in world.collector.received[-2:]] == [3, 3]


def test_a_power_cut_after_any_operation_loses_at_most_the_cycle_at_hand() -> None:
    for cut_after in range(1, operations_of_a_week() + 1):
        survive(cut_after, seed=cut_after)


@pytest.mark.slow
def test_a_power_cut_after_any_operation_with_many_outcomes_each() -> None:
    for cut_after in range(1, operations_of_a_week() + 1):
        for seed in range(20):
            survive(cut_after, seed)


def test_the_model_notices_a_forgotten_sync() -> None:
    with pytest.raises(AssertionError):
        for cut_after in range(1, operations_of_a_week() + 1):
            survive(cut_after, seed=cut_after, forgetful=True)
