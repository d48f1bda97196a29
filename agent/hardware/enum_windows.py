r"""enum_windows: the devices that the Windows registry lists, those that were unplugged among them.

Below `HKLM\SYSTEM\CurrentControlSet\Enum` a key stays after its device went. What is there now stands in the list that
Windows keeps below the service of the device, `Services\<service>\Enum`, anew since each start; a device without one
has a key `Control` of its own while it is there. Names of devices are those of Microsoft's documentation of device ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.host import Host, HostDeniedError, RegistryValue

ENUM: Final = r"HKLM\SYSTEM\CurrentControlSet\Enum"
SERVICES: Final = r"HKLM\SYSTEM\CurrentControlSet\Services"
MOST_KEYS: Final = 512
"""Models of one bus that are looked at."""
MOST_INSTANCES: Final = 128
"""Instances of one model that are looked at."""
UNIQUE_ID: Final = 0x10
REMOVABLE: Final = 0x04
"""Bits of Capabilities (cfgmgr32.h, CM_DEVCAP)."""
BUS_REPORTED_NAME: Final = r"{540b947e-8b40-45bc-a8a2-6a0b894cbda2}\0004"
LAST_ARRIVAL: Final = r"{83da6326-97a6-4088-9453-a1923f573b29}\0066"
LAST_REMOVAL: Final = r"{83da6326-97a6-4088-9453-a1923f573b29}\0067"
"""Properties of devices (devpkey.h); Windows lets only the system's own services read them."""
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""For what nobody remembers the time of."""
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_HIGHEST: Final = 3155378975 * 10**9
"""No time of Windows that Python can hold is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One device as the registry lists it."""

    bus: str
    device: str
    """Name of its model below the bus, such as VID_046D&PID_C52B."""
    instance: str
    values: Mapping[str, RegistryValue]

    @property
    def path(self) -> str:
        """Its key below Enum."""
        return f"{self.bus}\\{self.device}\\{self.instance}"

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        return value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()

    def is_parent_of(self, instance: str) -> bool:
        """Windows begins the names of a device's children with the prefix that it gave the device."""
        prefix = self.text("ParentIdPrefix").casefold()
        return bool(prefix) and instance.casefold().startswith(f"{prefix}&")


def nodes(host: Host, bus: str) -> Iterator[Node]:
    """All that is and was on a bus, in the order of their keys."""
    for device in host.registry_keys(f"{ENUM}\\{bus}")[:MOST_KEYS]:
        yield from nodes_of(host, bus, device)


def nodes_of(host: Host, bus: str, device: str) -> Iterator[Node]:
    """All instances of one model on a bus."""
    for instance in host.registry_keys(f"{ENUM}\\{bus}\\{device}")[:MOST_INSTANCES]:
        values = host.registry_values(f"{ENUM}\\{bus}\\{device}\\{instance}")
        yield Node(bus=bus, device=device, instance=instance, values=values)


class Presence:
    """What is there now."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._listed: dict[str, frozenset[str]] = {}

    def __contains__(self, node: Node) -> bool:
        service = node.text("Service")
        if not service:
            return "Control" in self._host.registry_keys(f"{ENUM}\\{node.path}")
        if service not in self._listed:
            values = self._host.registry_values(f"{SERVICES}\\{service}\\Enum")
            listed = (value for name, value in values.items() if name.isdecimal() and isinstance(value, str))
            self._listed[service] = frozenset(map(str.casefold, listed))
        return node.path.casefold() in self._listed[service]


def name_by_bus(host: Host, node: Node) -> str | None:
    """What the device calls itself; None where it has no name or this agent may not read it."""
    value = _property(host, node, BUS_REPORTED_NAME)
    if isinstance(value, bytes):
        value = value.decode("utf-16-le", "replace")
    return value.rstrip("\0") or None if isinstance(value, str) else None


def moment(host: Host, node: Node, key: str) -> datetime | None:
    """A property that is a time, to the second."""
    value = _property(host, node, key)
    if isinstance(value, bytes) and len(value) == 8:
        value = int.from_bytes(value, "little")
    if not isinstance(value, int) or not 0 < value < _HIGHEST:
        return None
    return _EPOCH + timedelta(seconds=value // 10**7)


def _property(host: Host, node: Node, key: str) -> RegistryValue | None:
    try:
        return host.registry_values(f"{ENUM}\\{node.path}\\Properties\\{key}").get("")
    except HostDeniedError:
        return None


def matched(pattern: re.Pattern[str], texts: tuple[str, ...]) -> re.Match[str] | None:
    """The first of several ids that has this form."""
    return next((found for text in texts if (found := pattern.search(text))), None)
