"""networks: laptops on the networks that people have, for the tests of what is said about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.host import Route
from agent.host.commands import NETWORK_MANAGER
from tests.fakes import FakeHost

NET = "/sys/class/net"
ROUTER = bytes.fromhex("3c37866f1a2b")
HOME4 = Route(interface="wlp3s0", family="ipv4", gateway="192.168.1.1", metric=600)
HOME6 = Route(interface="wlp3s0", family="ipv6", gateway="fe80::3e37:86ff:fe6f:1a2b", metric=600)
ETHERNET4 = Route(interface="enp0s31f6", family="ipv4", gateway="10.20.0.1", metric=100)
FRANKFURT, ASHBURN, TOKYO = "18.192.0.10", "3.208.0.10", "13.112.0.10"
NAMES = {"fra.example.net": [FRANKFURT], "iad.example.net": [ASHBURN], "nrt.example.net": [TOKYO]}


def interface(
    name: str,
    *,
    hardware: int = 1,
    state: str = "up",
    mtu: int = 1500,
    device_type: str = "",
    driver: str = "",
    index: int = 2,
    link: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The files by which the kernel shows one network interface."""
    folder = f"{NET}/{name}"
    files = {
        f"{folder}/type": f"{hardware}\n",
        f"{folder}/operstate": f"{state}\n",
        f"{folder}/mtu": f"{mtu}\n",
        f"{folder}/flags": "0x1003\n" if state != "down" else "0x1002\n",
        f"{folder}/ifindex": f"{index}\n",
        f"{folder}/iflink": f"{index if link is None else link}\n",
        f"{folder}/uevent": (f"DEVTYPE={device_type}\n" if device_type else "")
        + f"INTERFACE={name}\nIFINDEX={index}\n",
    }
    if driver:
        files[f"{folder}/device/uevent"] = f"DRIVER={driver}\nPCI_ID=8086:15FB\n"
    return files | {f"{folder}/{entry}": text for entry, text in (extra or {}).items()}


LOOPBACK = interface("lo", hardware=772, state="unknown", mtu=65536, index=1)
WIFI = interface("wlp3s0", device_type="wlan", driver="iwlwifi", index=3, extra={"wireless/status": ""})
WIFI_OFF = interface(
    "wlp3s0", device_type="wlan", driver="iwlwifi", index=3, state="down", extra={"wireless/status": ""}
)
CABLE = interface("enp0s31f6", driver="e1000e")
NO_CABLE = interface("enp0s31f6", driver="e1000e", state="down")


def rfkill(*, soft: bool = False, hard: bool = False) -> dict[str, str]:
    """The switch of a Wi-Fi radio, beside that of Bluetooth."""
    return {
        "/sys/class/rfkill/rfkill0/type": "bluetooth\n",
        "/sys/class/rfkill/rfkill0/soft": "1\n",
        "/sys/class/rfkill/rfkill1/type": "wlan\n",
        "/sys/class/rfkill/rfkill1/soft": f"{int(soft)}\n",
        "/sys/class/rfkill/rfkill1/hard": f"{int(hard)}\n",
    }


def network_manager(metered: int = 4, connectivity: int = 4) -> dict[tuple[str, ...], str]:
    """What NetworkManager says of the network."""
    return {NETWORK_MANAGER: f"u {metered}\nu {connectivity}\n"}


def laptop(
    *parts: Mapping[str, str], routes: Iterable[Route] = (), host: type[FakeHost] = FakeHost, **more: Any
) -> Any:
    """A laptop with these interfaces and other files."""
    files: dict[str, str] = dict(LOOPBACK)
    for part in parts:
        files |= part
    return host(files=files, routes=routes, **more)


def at_home(**more: Any) -> Any:
    """On Wi-Fi behind a router, with both internet protocols."""
    return laptop(
        WIFI,
        NO_CABLE,
        rfkill(),
        routes=(HOME4, HOME6),
        neighbours={("wlp3s0", HOME4.gateway): ROUTER, ("wlp3s0", HOME6.gateway): ROUTER},
        name_servers=("192.168.1.1",),
        **more,
    )
