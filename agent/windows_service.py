r"""windows_service: the agent as a service of Windows: pythonw.exe -I -m agent.windows_service.

The service manager starts it, and tells it to stop, that the machine shuts down (before other services end, while there
still is a network), or that it goes to sleep: then it says last words. pythonw.exe, because a service has no standard
output and python.exe ends where that is missing.
"""

from __future__ import annotations

import sys

NAME = "FarhandAgent"

if sys.platform == "win32":
    import ctypes
    import os
    import struct

    from agent.windows_parent import AGAIN_S, Event, Workers, keep

    _SERVICES = ctypes.CDLL("advapi32.dll", winmode=0x800)
    _SERVICES.RegisterServiceCtrlHandlerExW.restype = ctypes.c_void_p
    for _call in ("RegisterEventSourceW", "OpenSCManagerW", "OpenServiceW"):
        getattr(_SERVICES, _call).restype = ctypes.c_void_p
    _OWN_PROCESS = 0x10
    _STOPPED, _STOP_PENDING, _RUNNING = 1, 3, 4
    _STOP, _INTERROGATE, _SHUTDOWN, _POWER, _PRESHUTDOWN = 1, 4, 5, 13, 15
    _ACCEPTS = 0x1 | 0x40 | 0x100  # stop, power, preshutdown
    _SUSPENDS = 4  # PBT_APMSUSPEND
    _NOT_IMPLEMENTED = 120
    _STOPS_WITHIN_MS = 15000
    _BEFORE_SLEEP_S = 2.0
    """What Windows waits before the machine sleeps all the same."""
    _ERROR = 1  # EVENTLOG_ERROR_TYPE
    _CONNECT = 0x1  # SC_MANAGER_CONNECT
    _MAY_CHANGE_AND_START = 0x2 | 0x10
    _FAILURE_ACTIONS = 2
    _RESTART = 1
    _AFTER_MS = 30000

    _Handler = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)
    _Main = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p)

    class Service:
        """What the service manager talks to."""

        def __init__(self) -> None:
            self._stop = Event()
            self._never = Event()
            self._status: int | None = None
            # The service manager calls these for as long as the process lives.
            self._handler, self._main = _Handler(self._told), _Main(self._serve)

        def run(self) -> int:
            """Answer the service manager until the service has ended."""
            table = (ctypes.c_void_p * 4)()  # SERVICE_TABLE_ENTRYW: a name and a function, then an empty entry
            name = ctypes.create_unicode_buffer(NAME)
            table[0], table[1] = ctypes.addressof(name), ctypes.cast(self._main, ctypes.c_void_p).value
            return 0 if _SERVICES.StartServiceCtrlDispatcherW(table) else 1

        def _serve(self, _count: int, _words: int | None) -> None:
            self._status = _SERVICES.RegisterServiceCtrlHandlerExW(ctypes.c_wchar_p(NAME), self._handler, None)
            self._report(_RUNNING)
            start_again_after_a_crash()
            code = 1
            while code and not self._stop.happened(0.0):
                try:
                    code = keep([], self._stop, log_event)
                except Exception as error:  # whatever it is, it costs a minute, not the service
                    log_event(f"{type(error).__name__}: {error}")
                if code:
                    self._stop.happened(AGAIN_S)
            self._report(_STOPPED)
            # An installer waits for this report alone: it must not find the interpreter's files still in use.
            os._exit(0)

        def _told(self, control: int, kind: int, _data: int | None, _context: int | None) -> int:
            if control in (_STOP, _SHUTDOWN, _PRESHUTDOWN):
                self._report(_STOP_PENDING)
                self._stop.happen()
            elif control == _POWER:
                if kind == _SUSPENDS:
                    Workers([], self._never).cycle("stopping", _BEFORE_SLEEP_S)
            elif control != _INTERROGATE:
                return _NOT_IMPLEMENTED
            return 0

        def _report(self, state: int) -> None:
            """SERVICE_STATUS: what it is, how it stands, what it accepts, two exit codes, check point, wait hint."""
            accepts = _ACCEPTS if state == _RUNNING else 0
            hint = _STOPS_WITHIN_MS if state == _STOP_PENDING else 0
            status = (ctypes.c_uint32 * 7)(_OWN_PROCESS, state, accepts, 0, 0, 0, hint)
            _SERVICES.SetServiceStatus(ctypes.c_void_p(self._status), status)

    def start_again_after_a_crash() -> None:
        """Tell the service manager to start this service again where its process ends without a word. An installer
        cannot be written to say so by the tools that build it."""
        manager = ctypes.c_void_p(_SERVICES.OpenSCManagerW(None, None, _CONNECT))
        service = ctypes.c_void_p(_SERVICES.OpenServiceW(manager, ctypes.c_wchar_p(NAME), _MAY_CHANGE_AND_START))
        restart = (ctypes.c_uint32 * 2)(_RESTART, _AFTER_MS)
        # SERVICE_FAILURE_ACTIONSW: seconds until failures are forgotten, two texts, number of actions, the actions.
        wanted = struct.pack("<IxxxxQQIxxxxQ", 86400, 0, 0, 1, ctypes.addressof(restart))
        if service.value:
            _SERVICES.ChangeServiceConfig2W(service, _FAILURE_ACTIONS, ctypes.create_string_buffer(wanted, len(wanted)))
            _SERVICES.CloseServiceHandle(service)
        if manager.value:
            _SERVICES.CloseServiceHandle(manager)

    def log_event(words: str) -> None:
        """Write an error into the system's log of events, where there is no log of the agent's own yet."""
        source = ctypes.c_void_p(_SERVICES.RegisterEventSourceW(None, ctypes.c_wchar_p(NAME)))
        if source.value:
            lines = (ctypes.c_wchar_p * 1)(words)
            _SERVICES.ReportEventW(source, _ERROR, 0, 1, None, 1, 0, lines, None)
            _SERVICES.DeregisterEventSource(source)

    if __name__ == "__main__":
        sys.exit(Service().run())
