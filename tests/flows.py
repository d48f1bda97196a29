"""flows: sessions of the simulator, and the same without anybody who answers."""

from __future__ import annotations

from itertools import accumulate, pairwise
from random import Random

from collector.estimating.flow import Flow
from collector.simulator.flows import Viewer, events

__all__ = ["Viewer", "events", "shuffled"]


def shuffled(flow: Flow, seed: int) -> Flow:
    """The same events with the same pauses in another order, each direction by itself: both keep their rhythm, and
    nothing answers anything any more."""
    random = Random(seed)
    events: list[tuple[float, bool, int]] = []
    for way in (True, False):
        mine = [(at, size) for at, out, size in zip(flow.at_ms, flow.out, flow.sizes, strict=True) if out is way]
        pauses = [later - earlier for (earlier, _), (later, _) in pairwise(mine)]
        random.shuffle(pauses)
        times = accumulate(pauses, initial=mine[0][0])
        events += [(at, way, size) for at, (_, size) in zip(times, mine, strict=True)]
    events.sort()
    return Flow(
        [at for at, _, _ in events], [out for _, out, _ in events], [size for _, _, size in events], flow.hop_ms
    )
