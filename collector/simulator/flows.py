"""flows: invented sessions as a laptop sees them: a program that answers what it is sent, some way off, behind a relay.

The far end works as viewers do: after each picture it asks for the next one, once it has decoded it; keys and pointer
come in whenever the person likes. A relay passes everything on. Nothing here knows how the estimators work.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from agent.wire.timing import Event
from collector.estimating.flow import Flow


@dataclass(frozen=True)
class Viewer:
    """Who sits at the far end, and what is on the screen."""

    rtt_ms: float
    hop_ms: float | None = 10.0
    seed: int = 1
    updates_per_s: float = 4.0
    """Changes of the screen that nobody caused, at random times."""
    frame_ms: float = 0.0
    """A moving picture with this period; 0 for none."""
    keys_per_s: float = 3.0
    """What the person does: each changes the screen as well."""
    answers: bool = True
    """False for a program that sends no message of its own (a shell)."""
    jitter_ms: float = 0.5
    decode_ms: float = 1.0

    def session(self, seconds: float) -> Flow:
        """Some seconds from the middle of the session."""
        random = Random(self.seed)
        end_ms = 1000 * seconds

        def way() -> float:
            return self.rtt_ms / 2 + abs(random.gauss(0, self.jitter_ms))

        drawn = list(_times(random, self.updates_per_s, end_ms))
        if self.frame_ms:
            drawn += [frame * self.frame_ms + random.gauss(0, 1) for frame in range(1, int(end_ms / self.frame_ms))]
        events: list[tuple[float, bool, int]] = []
        for at in _times(random, self.keys_per_s, end_ms):
            events.append((at, False, 8 if random.random() < 0.7 else 6))
            drawn.append(at + random.uniform(2, 9))
        ready = 0.0  # the server draws again once it was asked to
        for at in sorted(drawn):
            sent = max(at, ready)
            if sent >= end_ms or (self.answers and ready > at + 200):
                continue
            packets = random.randint(1, 4)
            events += [
                (sent + 0.2 * packet, True, 1400 if packet else random.randint(60, 1400)) for packet in range(packets)
            ]
            if self.answers:
                asked = sent + 0.2 * packets + way() + self.decode_ms * random.uniform(0.5, 1.5) + way()
                events.append((asked, False, 10))
                ready = asked
        kept = sorted(each for each in events if 0 <= each[0] < end_ms)
        return Flow([at for at, _, _ in kept], [out for _, out, _ in kept], [size for _, _, size in kept], self.hop_ms)


def _times(random: Random, per_s: float, end_ms: float) -> list[float]:
    """Moments without a rhythm."""
    found, at = [], 0.0
    while per_s:
        at += random.expovariate(per_s / 1000)
        if at >= end_ms:
            break
        found.append(at)
    return found


def events(flow: Flow) -> list[Event]:
    """As an agent packs them."""
    return [Event(round(1000 * at), out, size) for at, out, size in zip(flow.at_ms, flow.out, flow.sizes, strict=True)]
