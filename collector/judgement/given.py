"""given: all that facts may look at: the device, the moment, the policy, tools, hardware and time zones. Pure data."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from agent.wire.signals import UNKNOWN_TUNNEL, RemoteTool, RemoteTools
from agent.wire.tenant import tenant_digest
from collector.judgement.hardware import HardwareTables
from collector.judgement.physics import NO_LANDMARKS, Landmarks
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView

MOST_TOOLS: Final = 1024
"""Tools of one laptop that are looked at: the catalogue has fewer, and nobody has so many."""


class ToolInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What judgement knows of one remote-access tool."""

    name: str
    """Name that people know it by."""
    vendor_group: str
    """Products of one vendor share it: two of them are not two vendors."""
    role: Literal["control", "login", "tunnel", "vpn"] = "control"
    """control: shows and moves the desktop · login: a shell from elsewhere · tunnel: carries other tools' sessions."""
    inbound_control: Literal["yes", "no", "partly"] = "yes"
    """Whether it lets somebody elsewhere control the laptop that it runs on."""
    accessibility: bool = False
    """People with disabilities work with it: it never counts."""

    @property
    def controls(self) -> bool:
        """True for tools that let somebody elsewhere see and move the desktop."""
        return self.role == "control" and self.inbound_control != "no" and not self.accessibility


class Zones(msgspec.Struct, frozen=True, kw_only=True):
    """Which countries keep which time zone, from the time zone database."""

    version: str = ""
    """Version of the database, such as 2025b."""
    countries: dict[str, frozenset[str]] = {}
    """Country codes by zone name, aliases included. A zone that names no place (UTC, Etc/GMT+9, EST) is missing."""
    offsets: dict[str, frozenset[int]] = {}
    """Minutes east of UTC that a country's clocks show in the course of a year, by country code."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """All that facts may look at."""

    view: DeviceView
    as_of: datetime
    policy: Policy
    tools: dict[str, ToolInfo]
    """By tool id."""
    hardware: HardwareTables
    zones: Zones
    landmarks: Landmarks = NO_LANDMARKS

    def tool(self, tool_id: str) -> ToolInfo:
        """The tool of that id; one that this collector's catalogue lacks counts as an own vendor's control tool."""
        name = "a program that the catalogue does not list" if tool_id == UNKNOWN_TUNNEL else tool_id
        return self.tools.get(tool_id) or ToolInfo(name=name, vendor_group=tool_id)

    @property
    def remote_tools(self) -> tuple[RemoteTool, ...] | None:
        """Remote-access tools that the laptop found; None where that is not known."""
        newest = self.view.newest.get(RemoteTools.kind)
        if newest is None:
            return None
        if isinstance(newest.signal, RemoteTools):
            return newest.signal.tools[:MOST_TOOLS]
        return () if newest.failure == "absent" else None

    def sanctioned(self, tool_id: str) -> bool:
        """True when the policy allows the tool, and for the tenant that it belongs to where the laptop tells it."""
        return tool_id in self.policy.allowed_tools and not self.of_other_tenant(tool_id)

    def tenant(self, tool_id: str) -> str:
        """Digest of the tenant that the laptop's installation of a tool belongs to; empty where it does not tell."""
        found = self.remote_tools or ()
        return next((tool.setup.tenant for tool in found if tool.tool == tool_id and tool.setup), "")

    def of_other_tenant(self, tool_id: str) -> bool:
        """True where the policy names tenants of an allowed tool, and this one belongs to none of them. A tool that
        does not tell its tenant is not held against anybody."""
        allowed = self.policy.allowed_tenants.get(tool_id)
        if allowed is None or tool_id not in self.policy.allowed_tools:
            return False
        told = self.tenant(tool_id)
        return bool(told) and told not in allowed and told not in {tenant_digest(tool_id, each) for each in allowed}

    def hardware_allowed(self, products: tuple[str, ...]) -> bool:
        """True when the policy allows one of the products that a device may be."""
        return any(product in self.policy.allowed_hardware for product in products)
