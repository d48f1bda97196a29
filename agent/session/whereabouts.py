"""whereabouts: the calls of macOS that tell where it takes this Mac to be, and which Wi-Fi networks it heard.

Both are told to a program of a person's session whom that person allowed the location, and to nobody else: root and
services have no session, and no profile can grant it. No radio is told to look: networks are those of the last time
that macOS itself looked. Names of networks are not asked for.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import c_bool, c_double, c_int32, c_void_p

from agent.session.objc import Runtime, number

CORE_LOCATION = "/System/Library/Frameworks/CoreLocation.framework/CoreLocation"
CORE_WLAN = "/System/Library/Frameworks/CoreWLAN.framework/CoreWLAN"
CORE_FOUNDATION = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
UNDECIDED, RESTRICTED, REFUSED, ALLOWED = 0, 1, 2, 3
"""CLAuthorizationStatus of macOS: kCLAuthorizationStatusNotDetermined and so on."""
THREE_KILOMETRES = 3000.0
"""kCLLocationAccuracyThreeKilometers, in place of the best: the place is rounded to a region anyway."""
NEWEST_S = 600.0
"""Older places are of another time of the day."""
LOOK_S = 0.2


class _Coordinate(ctypes.Structure):
    """CLLocationCoordinate2D"""

    _fields_ = (("latitude", c_double), ("longitude", c_double))


class Whereabouts:
    """The calls.

    Args:
        runtime, location, wlan, foundation: where the libraries lie.
    """

    def __init__(
        self,
        runtime: str | None = None,
        location: str = CORE_LOCATION,
        wlan: str = CORE_WLAN,
        foundation: str = CORE_FOUNDATION,
    ) -> None:
        self._objects = Runtime(runtime) if runtime is not None else Runtime()
        ctypes.CDLL(location)
        self._wlan = wlan
        library = ctypes.CDLL(foundation)
        self._run = library.CFRunLoopRunInMode
        self._run.argtypes, self._run.restype = (c_void_p, c_double, c_bool), c_int32
        self._mode = c_void_p.in_dll(library, "kCFRunLoopDefaultMode")
        self._manager = self._objects.made("CLLocationManager")

    def is_on(self) -> bool:
        """Whether the location service is switched on at all."""
        kind = self._objects.kind("CLLocationManager")
        return bool(self._objects.send(kind, "locationServicesEnabled", answers=c_bool))

    def status(self) -> int:
        """What the person decided."""
        return number(self._objects.send(self._manager, "authorizationStatus", answers=c_int32))

    def ask(self) -> None:
        """Have macOS ask the person, once they have time: it returns at once."""
        self._objects.send(self._manager, "requestAlwaysAuthorization", answers=None)

    def turn(self, seconds: float) -> None:
        """Let macOS say what there is to say: its answers come while this runs alone."""
        began = time.monotonic()
        self._run(self._mode, seconds, False)
        left_s = seconds - (time.monotonic() - began)
        if left_s > 0:  # it returns at once where nothing at all is waited for
            time.sleep(left_s)

    def place(self, wait_s: float) -> tuple[float, float, float] | None:
        """Degrees north and east, and metres within which it probably is; None where macOS does not find it in time."""
        send, end = self._objects.send, time.monotonic() + wait_s
        send(self._manager, "setDesiredAccuracy:", c_double(THREE_KILOMETRES), answers=None)
        send(self._manager, "startUpdatingLocation", answers=None)
        try:
            while (found := self._newest()) is None and time.monotonic() < end:
                self.turn(LOOK_S)
        finally:
            send(self._manager, "stopUpdatingLocation", answers=None)
        return found

    def _newest(self) -> tuple[float, float, float] | None:
        pool = self._objects.opened()
        try:
            send = self._objects.send
            found = number(send(self._manager, "location"))
            age = send(number(send(found, "timestamp")), "timeIntervalSinceNow", answers=c_double)
            accuracy = send(found, "horizontalAccuracy", answers=c_double)
            where = send(found, "coordinate", answers=_Coordinate)
        finally:
            self._objects.closed(pool)
        if not isinstance(where, _Coordinate) or not isinstance(age, float) or not isinstance(accuracy, float):
            return None
        return (where.latitude, where.longitude, accuracy) if age >= -NEWEST_S and accuracy >= 0 else None

    def networks(self) -> list[tuple[str, int, int, int, str, bool]]:
        """Networks that macOS heard last: address, channel, CWChannelBand (1 for 2.4 GHz, 2 for 5, 3 for 6), signal in
        dBm, announced country, and whether this Mac is in it. Addresses and countries are empty where it keeps them."""
        ctypes.CDLL(self._wlan)
        objects, pool = self._objects, self._objects.opened()
        try:
            client = number(objects.send(objects.kind("CWWiFiClient"), "sharedWiFiClient"))
            interface = number(objects.send(client, "interface"))
            own = objects.text(number(objects.send(interface, "bssid")))
            found = []
            for one in objects.members(number(objects.send(interface, "cachedScanResults"))):
                address = objects.text(number(objects.send(one, "bssid")))
                channel = number(objects.send(one, "wlanChannel"))
                told = (objects.integer(channel, "channelNumber"), objects.integer(channel, "channelBand"))
                country = objects.text(number(objects.send(one, "countryCode")))
                signal = objects.integer(one, "rssiValue")
                found.append((address, *told, signal, country, bool(address) and address == own))
            return found
        finally:
            objects.closed(pool)
