"""places: the three places of a device, in one sentence each: claim, machine, hand. Pure."""

from __future__ import annotations

from typing import Final

from collector.judgement.engine import show
from collector.judgement.facts.clock import Clock
from collector.judgement.facts.egress import Egress
from collector.judgement.facts.expected import Expected
from collector.judgement.facts.hand import Hand
from collector.judgement.facts.hardware import Hardware
from collector.judgement.facts.login import Login
from collector.judgement.facts.path import Path
from collector.judgement.facts.session import Session
from collector.judgement.findings import Place

HALF_ROUND_KM: Final = 20_000
"""Nothing on earth is farther from anything."""


def places(
    expected: Expected,
    path: Path,
    egress: Egress,
    clock: Clock,
    session: Session,
    hand: Hand,
    login: Login,
    hardware: Hardware,
) -> tuple[Place, ...]:
    """What is known about each place."""
    return _claim(expected), _machine(path, egress, clock), _hand(session, hand, login, hardware)


def _claim(expected: Expected) -> Place:
    if not expected.countries:
        sentence = "Nothing says where this laptop should be: no roster names it, the policy no home_countries."
        return Place(place="claim", known=False, sentence=sentence)
    where = f"in {show(expected.countries - (expected.abroad or frozenset()) or expected.countries)}"
    if expected.place is not None:
        where = f"within {show(expected.within_km)} km of {show(expected.place)}"
    sentence = f"Expected {where}, {_who_says(expected)}"
    if expected.travelling:
        sentence += f"; travelling to {show(expected.abroad)} until {show(expected.abroad_until)}"
    return Place(place="claim", known=True, sentence=f"{sentence}.")


def _who_says(expected: Expected) -> str:
    if expected.known_by == "learnt":
        return "where it was on most of its first days"
    return f"by the {expected.known_by}" + (f" (version {expected.version})" if expected.version else "")


def _machine(path: Path, egress: Egress, clock: Clock) -> Place:
    """A region by light and a country by address and clock; never a city: light bounds a place and names none, and
    place data is wrong about cities too often."""
    alone = path.nearest is None and egress.country is None
    known = not alone or clock.countries is not None
    sentence = " ".join(filter(None, (_light(path), _address(egress), _clock(clock, alone=alone))))
    return Place(place="machine", known=known, sentence=sentence)


def _light(path: Path) -> str:
    if path.unmeasurable:
        return f"Round trips do not place it: {path.unmeasurable}."
    if path.nearest is None or (path.nearest_within_km or 0) > HALF_ROUND_KM:
        return ""
    within = f"It cannot be farther than {show(path.nearest_within_km)} km from {show(path.nearest)}"
    return f"{within}, which answered in {show(path.nearest_ms)} ms on {show(path.nearest_day)}."


def _address(egress: Egress) -> str:
    if egress.source is None:
        return ""
    if egress.declared:
        return f"Its reports come through {show(egress.declared)}, a company network, which does not tell where it is."
    silent = "" if egress.country is not None else ", which does not tell where it is"
    return f"Its reports come from {show(egress.source)}{silent}."


def _clock(clock: Clock, *, alone: bool) -> str:
    if clock.timezone is None:
        return "Its clock has not been read."
    zone = show(clock.timezone)
    if clock.countries is None:
        return f"Its clock is set to {zone}, which names no country."
    return f"Its clock is set to {zone}, a time zone of {show(clock.countries)}{'; nothing else places it' * alone}."


def _hand(session: Session, hand: Hand, login: Login, hardware: Hardware) -> Place:
    """The farthest that anything bounds; a relay that the laptop itself dialled is no session that came in."""
    if (hand.at_least_km or 0) > (session.far_at_least_km or 0):
        return Place(
            place="hand",
            known=True,
            sentence=f"{show(hand.tool)} was used through {show(hand.through)}; what answers behind it is "
            f"{show(hand.rtt_ms)} ms away ({show(hand.agreeing)} of {show(hand.windows)} windows agree): "
            f"at least {show(hand.at_least_km)} km.",
            at_least_km=hand.at_least_km,
        )
    if session.far_at_least_km:
        return Place(
            place="hand",
            known=True,
            sentence=f"{show(session.far_tool)} was used from {show(session.far_peer)}, "
            f"at least {show(session.far_at_least_km)} km away.",
            at_least_km=session.far_at_least_km,
        )
    boxes = tuple(sorted({*(hardware.kvm or ()), *(hardware.posing or ())}))
    if boxes and not _used(session, hand):
        sentence = f"{show(boxes)} is attached, or was in the last 30 days: who drives the laptop by it is not seen."
        return Place(place="hand", known=False, sentence=sentence)
    used = _used(session, hand)
    if login.sessions and not used:
        return _shell(login)
    return Place(place="hand", known=session.unsanctioned == 0 and not used, sentence=_near(session, hand))


def _shell(login: Login) -> Place:
    """Of a laptop on which somebody from elsewhere had a shell and nobody the desktop."""
    came = f"No control session was seen; somebody logged in by {show(login.tool)} through {show(login.through)}"
    if login.rtt_ms is None:
        sentence = f"{came}, and how far away they are is not measurable ({show(login.why_not)})."
        return Place(place="hand", known=False, sentence=sentence)
    far = f": at least {show(login.at_least_km)} km" if login.at_least_km else ", as people of the same country may be"
    sentence = f"{came}; what answers is {show(login.rtt_ms)} ms away ({show(login.how)}){far}."
    return Place(place="hand", known=True, sentence=sentence, at_least_km=login.at_least_km or None)


def _used(session: Session, hand: Hand) -> bool:
    """Somebody had a session, wherever the other end is."""
    return bool(session.unsanctioned or hand.sessions or session.relayed)


def _near(session: Session, hand: Hand) -> str:
    """What is said where nothing bounds a distance."""
    if session.unsanctioned:
        return f"{show(session.tool)} was used from {show(session.peer)}; {_why_unbounded(hand)}."
    if hand.sessions:
        return f"{show(hand.tool)} was used through {show(hand.through)}; {_why_unbounded(hand)}."
    if session.relayed:
        tool = show(session.relayed_tool)
        return f"{tool} showed a session through its maker's relay; where its other end is was not seen."
    if session.unsanctioned is None:
        return "Its control sessions have not been seen."
    return "No control session with a tool that is not allowed was seen in the last 7 days."


def _why_unbounded(hand: Hand) -> str:
    if hand.rtt_ms is not None:
        agree = f"{show(hand.agreeing)} of {show(hand.windows)} windows agree"
        return f"what answers is {show(hand.rtt_ms)} ms away ({agree}), as people of the same country may be"
    if hand.why_not and hand.why_not != "nobody is behind a relay":
        return f"nothing bounds how far away that is ({hand.why_not})"
    return "nothing bounds how far away that is"
