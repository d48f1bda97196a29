"""linux_network: the part of a Linux machine that routes, neighbours, names and connections are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from agent.host import Route

from . import dns
from .connecting import connect_times
from .rtnetlink import Rtnetlink
from .sock_diag import handshake_ms


class LinuxNetwork(ABC):
    """The network of this process's namespace."""

    @abstractmethod
    def read_text(self, path: str) -> str | None:
        """As `Host.read_text`."""

    def route_to(self, address: str) -> Route | None:
        with Rtnetlink() as kernel:
            return kernel.route_to(address)

    def default_routes(self) -> tuple[Route, ...]:
        with Rtnetlink() as kernel:
            return tuple(kernel.default_routes())

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        with Rtnetlink() as kernel:
            return kernel.hardware_address(interface, address)

    def name_servers(self) -> tuple[str, ...]:
        listed = self._listed_servers()
        behind = (path for server in listed for stub, path in dns.STUBS if server == stub)
        told = (dns.parse_resolv_conf(self.read_text(path) or "") for path in behind)
        return next((servers for servers in told if servers), listed)

    def resolve(self, names: Iterable[str], family: dns.Family, timeout_s: float = 2.0) -> dict[str, tuple[str, ...]]:
        return dns.resolve(names, self._listed_servers(), family, timeout_s)

    def connect_times(self, targets: Sequence[tuple[str, int]]) -> tuple[float | None, ...]:
        return connect_times(targets, handshake_ms)

    def _listed_servers(self) -> tuple[str, ...]:
        return dns.parse_resolv_conf(self.read_text("/etc/resolv.conf") or "")
