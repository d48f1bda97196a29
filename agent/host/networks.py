"""networks: the part of the door to the machine that leads to its networks, and to where it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from .things import Answer, Fix, HopAnswer, Neighbour, Radio, Route, WifiCell


class NetworkHost(Protocol):
    """The machine's networks as a probe sees them."""

    def route_to(self, address: str, interface: str = "") -> Route | None:
        """The kernel's own answer by which way a packet to this address would leave; None where none leads there.

        Nothing is sent.

        Args:
            interface: of a socket that is bound to this one. Only Linux tells that.

        Raises:
            HostError: this system does not tell it of an interface.
        """
        ...

    def default_routes(self) -> tuple[Route, ...]:
        """Default routes of both internet protocols, out of every routing table, used or not."""
        ...

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        """The six bytes by which a neighbour on this interface is reached; None where they are not known. Nothing is
        sent."""
        ...

    def neighbours(self) -> tuple[Neighbour, ...]:
        """The machines of this one's networks that the kernel has talked to lately, at most 1,024. Nothing is sent.

        Raises:
            HostError: the system does not tell.
        """
        ...

    def overhear(self, interface: str, group: str, port: int, listen_s: float = 2.0) -> tuple[bytes, ...]:
        """Datagrams that others on this interface send to a group of listeners, at most 256, in so many seconds.
        Nothing is sent but that this machine listens (IGMP).

        Raises:
            HostError: it may not be listened to.
        """
        ...

    def ask_neighbour(self, interface: str, address: str) -> Answer | None:
        """What a neighbour of this machine says of itself on ports 443 and 80, within two seconds; None where it says
        nothing. No router carries the question on.

        Raises:
            HostDeniedError: it is no neighbour on this interface, or has no IPv4 address.
            HostError: this system lets no service ask.
        """
        ...

    def wifi_cells(self, interface: str) -> tuple[WifiCell, ...]:
        """Wi-Fi networks that the system heard lately, at most 512. No radio is told to look.

        Raises:
            HostError: the system does not tell.
        """
        ...

    def radios(self) -> tuple[Radio, ...]:
        """Radios whose switch the system tells in a call; empty on systems that say it in files or by a program. One
        that is not told may be there."""
        ...

    def location(self) -> Fix | None:
        """Where the system's location service says that this machine is; None where it tells that to people's sessions
        alone, and no helper in one is built for it.

        Raises:
            HostDeniedError: it does not allow this agent.
            HostError: there is no such service, or it does not find the machine.
        """
        ...

    def name_servers(self) -> tuple[str, ...]:
        """Addresses of the name servers; those that a stub on this machine asks, where it tells them."""
        ...

    def resolve(
        self, names: Iterable[str], family: Literal["ipv4", "ipv6"], timeout_s: float = 2.0
    ) -> dict[str, tuple[str, ...]]:
        """Addresses of at most 64 names, asked for at once; those without an answer in time are left out."""
        ...

    def connect_times(self, targets: Sequence[tuple[str, int]], interface: str = "") -> tuple[float | None, ...]:
        """Milliseconds that TCP connections to these addresses and ports take to open, at once, within a second; None
        for those that did not open or were refused. They are closed without a byte being sent.

        Args:
            interface: leave by this one, whatever the routes say.

        Raises:
            HostError: this system does not let an interface be chosen.
        """
        ...

    def hop_answers(self, target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
        """What the first four routers towards an IPv4 address say when a packet dies with them; None for a silent one.

        Args:
            interface: leave by this one, whatever the routes say.

        Raises:
            HostError: the system does not allow it, or no way leads there.
        """
        ...
