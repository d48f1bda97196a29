"""steady: the far program's round trip from the middle of a session, by which lags are too frequent for chance. Pure.

A viewer answers what the laptop sends: VNC asks for the next picture (FramebufferUpdateRequest), RDP acknowledges a
frame. A relay passes the answer on, so the lag from what went out to what came back holds the whole way, whatever the
relay's own round trip is. Which answer belongs to what is not known, and need not be: of all pairs (out, in) within
600 ms, those that are question and answer pile up at one lag, the others spread.

1. *Bursts*: events of one direction less than `BURST_MS` apart. A question is the end of a burst that went out; answers
   are all events that came in.
2. What came in one hop after the event before it was held back by Nagle's algorithm until the laptop's
   acknowledgement came: left out.
3. *Classes*: all answers, then each of the four commonest exact sizes; an acknowledgement has one size, keys and
   pointer have others.
4. *Correlogram* of each class, in bins of a millisecond; a peak is scored by how far `width` bins stand above their
   neighbourhood, z = x / sqrt(b + 1) with x the excess in pairs and b what the neighbourhood leads to expect.
5. *Threshold*: the same answers shifted in time (rotated inside the window) keep their rhythm and lose their questions:
   what still peaks is chance. The real peak must be `MARGIN` times higher, and z at least `LEAST_Z`.
6. *Echoes*: a protocol in lock-step peaks at two and three round trips too: a peak at a half or a third wins.
7. The estimate is the centre of what stands out around the peak.
8. Where another lag that is no echo stands out `RIVAL` as high, or the peak is an echo of the connection's own round
   trip, nothing is said.

Kernels stay narrow. Wide ones (20 ms and more) would read jittery lines, and human rhythm: how long a key is held
(about 75 ms) and the time between two keys (about 130 ms) come out of them as round trips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from collector.judgement.answer import Answer

from .correlogram import LONGEST_MS, Peak, Spectrum, lags, pairs_within
from .flow import Flow

BURST_MS: Final = 3.0
NARROW: Final = 3
WIDE: Final = 8
LEAST_Z: Final = 6.0
LEAST_PAIRS: Final = 4.0
"""Pairs above what the neighbourhood leads to expect."""
MARGIN: Final = 1.25
SURROGATES: Final = 6
SEED: Final = 1
"""Of the shifts: the same window always gets the same answer."""
FEWEST_EVENTS: Final = 6
SIZES: Final = 4
SHARE: Final = (0.08, 0.95)
"""Of all answers, that one size must have to be looked at alone."""
ECHO_SHARE: Final = 0.55
"""Of the winner's z: a peak at a half or a third of the lag wins from there on."""
ECHO_BINS: Final = 4
SHARP_Z: Final = 4.5
"""From which z on a narrow edge inside a wide peak is taken."""
RIVAL: Final = 0.7
"""Height of another candidate that leaves it open which of the two is the round trip: the period of a moving picture
makes such candidates. In the recordings of docs/accuracy.md only the first seconds of two sessions have one above 0.6,
up to 0.79."""
ECHO_OFF: Final = 0.1
ECHO_FROM_MS: Final = 20.0
"""Below, two or three round trips of the connection itself bound no distance."""
MOST_PAIRS: Final = 200_000
"""Pairs in one correlogram, of which seven are made: half a second of work. An honest window of 20 s has thousands."""


def steady(flow: Flow) -> Answer:
    """One window of 5 to 20 s from anywhere in a session."""
    asked, answers, sizes = _questions(flow)
    if len(asked) < FEWEST_EVENTS or len(answers) < FEWEST_EVENTS:
        return Answer(method="steady", silence="few_events")
    if pairs_within(asked, answers) > MOST_PAIRS:
        return Answer(method="steady", silence="too_dense")
    floor = int(flow.hop_ms * 1.3 + 5 if flow.hop_ms else 3)
    found = [
        (peak, width, spectrum)
        for spectrum in _spectra(asked, answers, sizes)
        for width in (NARROW, WIDE)
        if (peak := spectrum.best(width, floor)) is not None
    ]
    needed = _chance(flow, asked, answers, sizes, floor)
    standing = [each for each in found if each[0].z >= needed[each[1]] and each[0].pairs >= LEAST_PAIRS]
    if not standing:
        strength = max((peak.z / needed[width] for peak, width, _ in found), default=0.0)
        return Answer(method="steady", strength=strength, silence="nothing_answers")
    peak, width, spectrum = max(standing, key=lambda each: each[0].z / needed[each[1]])
    told = _answer(spectrum, peak, width, peak.z / needed[width], floor)
    if told.estimate_ms is not None and _is_direct(flow, told.estimate_ms):
        return Answer(method="steady", strength=told.strength, silence="direct")
    return told


def _answer(spectrum: Spectrum, peak: Peak, width: int, strength: float, floor: int) -> Answer:
    at = _without_echo(spectrum, peak, width, floor)
    if width == WIDE:
        sharp = spectrum.best(NARROW, max(floor, peak.at - WIDE), peak.at + WIDE // 2 + 1, SHARP_Z)
        if sharp is not None and sharp.pairs >= LEAST_PAIRS:
            at, width = sharp.at, NARROW
    own, rival = spectrum.score(at, width), _rival(spectrum, at, width, floor)
    told = Answer(
        method="steady",
        strength=strength,
        rival=rival.z / own.z if rival is not None and own.z > 0 else 0.0,
        rival_ms=rival.at + 0.5 if rival is not None else None,
        samples=int(own.pairs),
        silence="periodic",
    )
    if told.rival >= RIVAL:
        return told
    return msgspec.structs.replace(told, estimate_ms=spectrum.centre(at, width), silence="")


def _rival(spectrum: Spectrum, at: int, width: int, floor: int) -> Peak | None:
    """What else stands out most: neither the same peak nor two or three times its lag, where a protocol in lock-step
    has echoes."""
    ends = [floor, at - max(10, 2 * width), at + max(10, 2 * width) + 1]
    for times in (2, 3):
        ends += [int((times - ECHO_OFF) * at), int((times + ECHO_OFF) * at) + 1]
    stretches = zip(ends[::2], [*ends[1::2], LONGEST_MS], strict=True)
    peaks = (spectrum.best(width, max(floor, first), end) for first, end in stretches)
    return max(filter(None, peaks), key=lambda peak: peak.z, default=None)


def _is_echo(lag_ms: float, rtt_ms: float) -> bool:
    """True where a lag is two or three round trips."""
    times = lag_ms / rtt_ms
    return round(times) in (2, 3) and abs(times - round(times)) <= ECHO_OFF


def _is_direct(flow: Flow, estimate_ms: float) -> bool:
    """True where what was found is an echo of the connection's own round trip, at which answers come in as well: nobody
    sits behind a relay."""
    hop_ms = flow.hop_ms
    if hop_ms is None or hop_ms < ECHO_FROM_MS or not _is_echo(estimate_ms, hop_ms):
        return False
    unbounded = Flow(flow.at_ms, flow.out, flow.sizes)
    near = (
        spectrum.best(width, int(hop_ms) - 1, int(hop_ms) + WIDE, LEAST_Z)
        for spectrum in _spectra(*_questions(unbounded))
        for width in (NARROW, WIDE)
    )
    return any(near)


def _questions(flow: Flow) -> tuple[list[float], list[float], list[int]]:
    """Ends of what went out, all that came in, and how many bytes each of that had."""
    asked, answers, sizes = [], [], []
    count, hop = len(flow.at_ms), flow.hop_ms
    last_in = float("-inf")
    for each in range(count):
        at = flow.at_ms[each]
        if not flow.out[each]:
            after, last_in = at - last_in, at
            if hop is None or not hop - 0.5 < after < hop + 2:  # else Nagle's algorithm held it back
                answers.append(at)
                sizes.append(flow.sizes[each])
        elif each + 1 == count or not flow.out[each + 1] or flow.at_ms[each + 1] - at >= BURST_MS:
            asked.append(at)
    return asked, answers, sizes


def _spectra(asked: Sequence[float], answers: Sequence[float], sizes: Sequence[int]) -> list[Spectrum]:
    """Of all answers, and of each size that many of them have."""
    least, most = (share * len(sizes) for share in SHARE)
    common = sorted(Counter(sizes).items(), key=lambda each: (-each[1], each[0]))[:SIZES]
    number = {
        size: place
        for place, size in enumerate((size for size, n in common if n >= FEWEST_EVENTS and least <= n < most), 1)
    }
    classes = [number.get(size, 0) for size in sizes]
    return [Spectrum(counts) for counts in lags(asked, answers, classes, len(number))]


def _chance(
    flow: Flow, asked: Sequence[float], answers: Sequence[float], sizes: Sequence[int], floor: int
) -> dict[int, float]:
    """The z that is needed at each width: what the same streams reach by chance, and a margin."""
    needed = {NARROW: LEAST_Z, WIDE: LEAST_Z}
    random, begin = Random(SEED), flow.at_ms[0]
    span = flow.at_ms[-1] - begin
    for _ in range(SURROGATES):
        shift = random.uniform(0.2, 0.8) * span
        rotated = sorted((begin + (at - begin + shift) % span, size) for at, size in zip(answers, sizes, strict=True))
        for spectrum in _spectra(asked, [at for at, _ in rotated], [size for _, size in rotated]):
            for width, z in needed.items():
                chance = spectrum.best(width, floor, LONGEST_MS, z / MARGIN)
                if chance is not None:
                    needed[width] = chance.z * MARGIN
    return needed


def _without_echo(spectrum: Spectrum, peak: Peak, width: int, floor: int) -> int:
    """The lag, or a half or a third of it where that stands out nearly as much: a protocol in lock-step, which asks
    again when it got its answer, peaks at two and three round trips too."""
    at = peak.at
    for times in (2, 3):
        near = round(peak.at / times)
        if near > floor:
            first = spectrum.best(width, max(floor, near - ECHO_BINS), near + ECHO_BINS + 1)
            if first is not None and first.z >= max(ECHO_SHARE * peak.z, LEAST_Z) and first.pairs >= LEAST_PAIRS:
                at = first.at
    return at
