"""linux_network: the part of a Linux machine that routes, neighbours, names and connections are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from agent.host import Answer, Fix, HopAnswer, Neighbour, Route, WifiCell

from . import dns, overhearing
from .connecting import connect_times
from .hops import hop_answers
from .rtnetlink import Rtnetlink
from .sock_diag import handshake_ms

MAX_NEIGHBOURS: Final = 1024
MAX_CELLS: Final = 512


class LinuxNetwork(ABC):
    """The network of this process's namespace."""

    @abstractmethod
    def read_text(self, path: str) -> str | None:
        """As `Host.read_text`."""

    def route_to(self, address: str, interface: str = "") -> Route | None:
        with Rtnetlink() as kernel:
            return kernel.route_to(address, interface)

    def default_routes(self) -> tuple[Route, ...]:
        with Rtnetlink() as kernel:
            return tuple(kernel.default_routes())

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        with Rtnetlink() as kernel:
            return kernel.hardware_address(interface, address)

    def neighbours(self) -> tuple[Neighbour, ...]:
        with Rtnetlink() as kernel:
            return tuple(islice(kernel.neighbours(), MAX_NEIGHBOURS))

    def overhear(self, interface: str, group: str, port: int, listen_s: float = 2.0) -> tuple[bytes, ...]:
        return overhearing.overhear(interface, group, port, listen_s)

    def ask_neighbour(self, interface: str, address: str) -> Answer | None:
        from . import asking  # most laptops never ask

        return asking.ask(self.neighbours(), interface, address)

    def wifi_cells(self, interface: str) -> tuple[WifiCell, ...]:
        from . import nl80211  # most laptops never ask

        return tuple(islice(nl80211.heard(interface), MAX_CELLS))

    def location(self) -> Fix | None:
        from . import geoclue

        return geoclue.locate()

    def name_servers(self) -> tuple[str, ...]:
        listed = self._listed_servers()
        behind = (path for server in listed for stub, path in dns.STUBS if server == stub)
        told = (dns.parse_resolv_conf(self.read_text(path) or "") for path in behind)
        return next((servers for servers in told if servers), listed)

    def resolve(self, names: Iterable[str], family: dns.Family, timeout_s: float = 2.0) -> dict[str, tuple[str, ...]]:
        return dns.resolve(names, self._listed_servers(), family, timeout_s)

    def connect_times(self, targets: Sequence[tuple[str, int]], interface: str = "") -> tuple[float | None, ...]:
        return connect_times(targets, handshake_ms, interface)

    def hop_answers(self, target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
        return hop_answers(target, interface)

    def _listed_servers(self) -> tuple[str, ...]:
        return dns.parse_resolv_conf(self.read_text("/etc/resolv.conf") or "")
