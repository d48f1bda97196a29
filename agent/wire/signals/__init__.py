"""signals: everything about a laptop that can leave it, one struct per kind.

This package is the privacy statement: what is not declared here is not sent. `agent show` prints it, and a test
compares the two. A kind is *stable* (it stays the same while nothing happens: sent once, then only its digest) or
*volatile* (counters, round trips, ages: sent each time), never both. A field never changes its meaning; a new meaning
is a new kind. Strings are what the laptop says, so every reader treats them as a stranger's text.
"""

from __future__ import annotations

from .activity import COMB_PERIODS_MS, SPACING_BOUNDS_MS, InputActivity, InputDevice, InputHour, PointerShapes
from .base import Count, Instant, NonNegative, Port, Sha256, Signal
from .habits import Posture, Presence
from .hardware import Display, Displays, HardwareEvent, HardwareHistory, UsbDevice, UsbDevices, UsbInterface, UsbStorage
from .integrity import AgentIntegrity, Stop
from .machine import Clock, Platform, Power
from .network import (
    DefaultRoute,
    FirstHops,
    Hop,
    HopsBy,
    InterfaceKind,
    KeyedHash,
    LandmarkRtt,
    LandmarkTimes,
    NetworkInterface,
    NetworkPath,
)
from .remote import (
    UNKNOWN_TUNNEL,
    RelayedSession,
    RemoteLogin,
    RemoteSession,
    RemoteSessions,
    RemoteTool,
    RemoteTools,
    ToolSetup,
    Tunnel,
)
from .surroundings import (
    AnsweredBy,
    DeviceClass,
    KnownNeighbour,
    KvmAnswer,
    KvmAnswers,
    Neighbour,
    Neighbours,
    OsLocation,
    OsPlace,
    Sensor,
    Sensors,
    WifiCountry,
    WifiNetwork,
    WifiNetworks,
)
from .timing import SessionTiming, TimingWindow

SIGNALS: tuple[type[Signal], ...] = (
    Clock,
    Platform,
    Power,
    RemoteTools,
    RemoteSessions,
    SessionTiming,
    UsbDevices,
    Displays,
    NetworkPath,
    LandmarkRtt,
    FirstHops,
    Presence,
    Posture,
    HardwareHistory,
    InputActivity,
    Neighbours,
    KvmAnswers,
    WifiNetworks,
    OsLocation,
    Sensors,
    AgentIntegrity,
)
KINDS: dict[str, type[Signal]] = {signal.kind: signal for signal in SIGNALS}
ON_REQUEST: frozenset[str] = frozenset(signal.kind for signal in SIGNALS if signal.on_request)
STABLE_KINDS: frozenset[str] = frozenset(signal.kind for signal in SIGNALS if signal.stable)

__all__ = [
    "COMB_PERIODS_MS",
    "KINDS",
    "ON_REQUEST",
    "SIGNALS",
    "SPACING_BOUNDS_MS",
    "STABLE_KINDS",
    "UNKNOWN_TUNNEL",
    "AgentIntegrity",
    "AnsweredBy",
    "Clock",
    "Count",
    "DefaultRoute",
    "DeviceClass",
    "Display",
    "Displays",
    "FirstHops",
    "HardwareEvent",
    "HardwareHistory",
    "Hop",
    "HopsBy",
    "InputActivity",
    "InputDevice",
    "InputHour",
    "Instant",
    "InterfaceKind",
    "KeyedHash",
    "KnownNeighbour",
    "KvmAnswer",
    "KvmAnswers",
    "LandmarkRtt",
    "LandmarkTimes",
    "Neighbour",
    "Neighbours",
    "NetworkInterface",
    "NetworkPath",
    "NonNegative",
    "OsLocation",
    "OsPlace",
    "Platform",
    "PointerShapes",
    "Port",
    "Posture",
    "Power",
    "Presence",
    "RelayedSession",
    "RemoteLogin",
    "RemoteSession",
    "RemoteSessions",
    "RemoteTool",
    "RemoteTools",
    "Sensor",
    "Sensors",
    "SessionTiming",
    "Sha256",
    "Signal",
    "Stop",
    "TimingWindow",
    "ToolSetup",
    "Tunnel",
    "UsbDevice",
    "UsbDevices",
    "UsbInterface",
    "UsbStorage",
    "WifiCountry",
    "WifiNetwork",
    "WifiNetworks",
]
