"""surroundings: what is around this laptop, where its system says that it is, and what was switched off of it.

Other people's devices leave as keyed hashes alone; what kind of device each is was found before that, on the laptop.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, Signal
from .network import KeyedHash

DeviceClass = Literal["kvm", "travel_router", "router", "phone", "printer", "computer", "camera", "other", "unknown"]
AnsweredBy = Literal["certificate", "title"]
Day = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
CountryCode = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]


class Neighbour(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device in the same network that was seen more than once. Neither its address nor its name is sent."""

    identity: tuple[KeyedHash, ...] = ()
    """Keyed hashes of its hardware address, one for each key in use; empty without a key."""
    device_class: DeviceClass = "other"
    """What its maker makes, by the first half of its hardware address; other: not in the signed table."""


class KnownNeighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A product of the signed table that is in the same network."""

    product: str
    """Id of the product, such as pikvm."""
    by: Literal["address", "name"]
    """Seen by the maker's part of its hardware address, or by a name that it called itself."""


class Neighbours(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """Other devices in the laptop's network, as far as it has met them anyway. Nothing is sent to any of them."""

    kind: ClassVar[str] = "neighbours"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which other devices share this laptop's network, as unreadable hashes with what their makers make: laptops "
        "with the same neighbours are in one place, and a box that drives a laptop from elsewhere is often among them."
    )

    settled: bool
    """This network was looked at more than once: what is missing below was not there, or kept quiet."""
    neighbours: tuple[Neighbour, ...] = ()
    """Those seen at two looks or more within 7 days, without the router and without addresses of chance (phones): of
    many the 32 with the smallest hashes, sorted by them."""
    known: tuple[KnownNeighbour, ...] = ()
    """Products of the signed table of the last 7 days, sorted."""
    gateway_class: DeviceClass | None = None
    """What the maker of the router makes; unknown for an address of chance, empty where there is no router."""
    dhcp_server: tuple[KeyedHash, ...] = ()
    """Keyed hashes of the hardware address of the machine that gave the laptop its address; empty where it is the
    router itself, or not known."""
    dhcp_class: DeviceClass | None = None
    """What the maker of that machine makes; empty where it is the router itself, or not known."""
    names_heard: bool = False
    """Names that devices call out by themselves (multicast DNS) were listened to for a moment."""


class KvmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A product of the signed table that a device in the same network said that it is."""

    product: str
    """Id of the product, such as jetkvm."""
    by: AnsweredBy
    """Said in its certificate, or in the title of its page. The words themselves are not sent."""


class KvmAnswers(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """What devices of makers of remote-control boxes say of themselves when their page is opened. Only where the policy
    asks for it; devices of other makers are not asked."""

    kind: ClassVar[str] = "kvm_answers"
    stable: ClassVar[bool] = True
    on_request: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Whether a device in the laptop's network that is made by a maker of remote-control boxes says that it is one, "
        "when its page is opened: a maker's address alone may be another device's."
    )

    asked: bool
    """A device of this network was asked within 7 days: there was one of such a maker."""
    products: tuple[KvmAnswer, ...] = ()
    """Products that devices of this network said they are within 7 days, sorted."""


class Sensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One radio or service that would tell where the laptop is."""

    name: Literal["wifi", "bluetooth", "location"]
    """Which one."""
    state: Literal["on", "off", "none", "unknown"]
    """Whether it is switched on; none where the laptop has no such thing, unknown where the system does not say."""
    by: Literal["policy", "hardware", "user", "unknown"] = "unknown"
    """Who switched it off, where it is off: policy is the organisation's management or the system's configuration,
    hardware a switch of the machine, user somebody who uses it."""
    switched_off_on: Day | None = None
    """The day (UTC) on which the agent found it off that had found it on before; empty where it was always off."""


class Sensors(Signal, frozen=True, kw_only=True):
    """Radios and location service: on or off, and who says so. Nothing is switched."""

    kind: ClassVar[str] = "sensors"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Whether Wi-Fi, Bluetooth and the location service are switched on, and whether the organisation or somebody "
        "on the laptop switched them off: together they would tell where it is."
    )

    sensors: tuple[Sensor, ...]
    """One each of wifi, bluetooth and location."""
    airplane_mode: bool | None = None
    """All radios are switched off together; empty where the system does not say."""


class WifiNetwork(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Wi-Fi network that was heard. Neither its name nor its address is sent."""

    identity: tuple[KeyedHash, ...] = ()
    """Keyed hashes of the access point's hardware address, one for each key in use; empty without a key."""
    band: Annotated[float, msgspec.Meta(ge=0, le=100)] = 2.4
    """Frequency band in GHz: 2.4, 5 or 6."""
    of_chance: bool = False
    """Its address was drawn, as hotspots of telephones do."""
    joined: bool = False
    """The laptop was in it."""


class WifiCountry(msgspec.Struct, frozen=True, kw_only=True):
    """A country that access points say they are in, by the rules that they keep (IEEE 802.11d)."""

    country: CountryCode
    """Two letters of ISO 3166."""
    boxes: Count
    """How many access points say so; several networks of one box count once."""
    makers: Count
    """How many makers those are of."""


class WifiNetworks(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """Wi-Fi networks heard on one day, said when it is over. Only where the policy asks for it."""

    kind: ClassVar[str] = "wifi_networks"
    stable: ClassVar[bool] = False
    on_request: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which Wi-Fi networks were heard around the laptop on a day, as unreadable hashes, and which countries they "
        "say they are in. No names of networks."
    )

    day: Day
    """The day in UTC."""
    looks: Count
    """How often the list was read."""
    networks: tuple[WifiNetwork, ...] = ()
    """The one that the laptop was in, then those that were heard best; at most 24."""
    heard: Count | None = 0
    """How many were heard altogether; empty where the system did not tell them (a Mac on which nobody allowed it), and
    then networks and countries are empty as well."""
    countries: tuple[WifiCountry, ...] = ()
    """Countries of all of them, the most frequent first; at most 8."""
    kept: tuple[CountryCode, ...] = ()
    """Countries whose rules the laptop's own Wi-Fi kept on that day, as macOS takes them over from networks around it;
    at most 4, sorted. Empty on other systems."""


class OsPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the operating system said that the laptop was, rounded on the laptop."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    """Degrees north of the middle of a cell of the grid."""
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    """Degrees east of it."""
    within_km: Annotated[float, msgspec.Meta(ge=0, le=20_100)]
    """How far from there it may be: the system's own figure and half a cell together."""
    looks: Count
    """At how many looks it said so."""


class OsLocation(Signal, frozen=True, kw_only=True):
    """Where the operating system's location service said that the laptop was on one day. Only where the policy asks for
    it, and rounded to the grid that it sets."""

    kind: ClassVar[str] = "os_location"
    stable: ClassVar[bool] = False
    on_request: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Where the operating system says that the laptop was on a day, rounded to a region, compared with where it "
        "should be."
    )

    day: Day
    """The day in UTC."""
    grid_degrees: Annotated[float, msgspec.Meta(ge=0.1, le=10)]
    """Size of a cell: 1 is about a region, 0.1 about a city."""
    places: tuple[OsPlace, ...] = ()
    """Cells of the day, the most frequent first; at most 8."""
