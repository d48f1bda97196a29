"""kvm_answers: whether a neighbour of a maker of remote-control boxes says that it is such a box.

Supports: a hardware address names a maker, who may make other things too; a box names itself in its certificate and on
its page.
Evasion: a network of its own for the box; a changed page and certificate, a firewall, or an address of another maker:
those are not asked.
Looks alike: a home lab with a box that serves other machines; any machine may show any page.
Privacy: it opens a page of a device that may be another person's, who can see that in the device's log. It runs only
where the policy asks for it. Four neighbours are asked at most, and no router carries a question on. The id of a
product leaves, no word that was read, no address.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from agent.host import HostError
from agent.network import direct_routes, place_of, router_of
from agent.probe import Given, Noted, Probe, Unavailable
from agent.surroundings import Known
from agent.wire.signals import AnsweredBy, KvmAnswer, KvmAnswers

MOST_ASKED: Final = 4
MOST_NETWORKS: Final = 4
MEMORY: Final = timedelta(days=7)


class Said(msgspec.Struct):
    """What one product said of itself."""

    by: AnsweredBy
    day: str
    """When it last said so."""


class Network(msgspec.Struct):
    """What is remembered of one network."""

    asked_on: str = ""
    products: dict[str, Said] = {}
    """By their ids."""


class Memory(msgspec.Struct):
    """The note of this probe."""

    networks: dict[str, Network] = {}
    """By hardware address of the router."""


def collect(given: Given) -> Noted:
    """Ask the neighbours whose makers make such boxes, and nobody else.

    Raises:
        Unavailable: the laptop is in no network that has a router.
    """
    host = given.host
    routes = direct_routes(host)
    if not routes:
        raise Unavailable("absent", "no network with a router")
    nearby = host.neighbours()
    memory = given.noted(KvmAnswers, Memory)
    place = place_of(routes, router_of(routes, nearby))
    network = memory.networks.pop(place, None) or Network()
    known = Known(given.settings.neighbours)
    here = {one.interface for one in routes}
    boxes = {
        one.hardware: one
        for one in nearby
        if one.interface in here and "." in one.address and known.device_class(one.hardware) == "kvm"
    }
    today = host.now().date()
    for _, one in sorted(boxes.items())[:MOST_ASKED]:
        try:
            answer = host.ask_neighbour(one.interface, one.address)
        except HostError:
            continue  # it went away meanwhile
        network.asked_on = today.isoformat()
        found = known.product_answering(answer) if answer is not None else None
        if found is not None:
            network.products[found[0]] = Said(by=found[1], day=today.isoformat())
    since, day = (today - MEMORY).isoformat(), today.isoformat()
    # A day that is still to come is one to which the clock was set for a while.
    network.products = {product: said for product, said in network.products.items() if since <= said.day <= day}
    memory.networks[place] = network  # the newest at the end
    memory.networks = dict(list(memory.networks.items())[-MOST_NETWORKS:])
    signal = KvmAnswers(
        asked=since <= network.asked_on <= day,
        products=tuple(KvmAnswer(product=product, by=said.by) for product, said in sorted(network.products.items())),
    )
    return Noted(signal=signal, note=msgspec.json.encode(memory))


PROBE = Probe(
    signal=KvmAnswers,
    collect=collect,
    every_s=6 * 3600 - 100,
    patient=True,
    deadline_s=10.0,
)
