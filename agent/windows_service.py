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

    from agent.windows_parent import Event, Workers, keep

    _SERVICES = ctypes.CDLL("advapi32.dll", winmode=0x800)
    _SERVICES.RegisterServiceCtrlHandlerExW.restype = ctypes.c_void_p
    _SERVICES.RegisterEventSourceW.restype = ctypes.c_void_p
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

    _Handler = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)
    _Main = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p)

    class Service:
        """What the service manager talks to."""

        def __init__(self) -> None:
            self._stop = Event()
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
            code = 1
            try:
                code = keep([], self._stop, log_event)
            except Exception as error:  # whatever it is, the service manager must hear of the end
                log_event(f"ended: {type(error).__name__}: {error}")
            self._report(_STOPPED, code)
            # An installer waits for this report alone: it must not find the interpreter's files still in use.
            os._exit(code)

        def _told(self, control: int, kind: int, _data: int | None, _context: int | None) -> int:
            if control in (_STOP, _SHUTDOWN, _PRESHUTDOWN):
                self._report(_STOP_PENDING)
                self._stop.happen()
            elif control == _POWER:
                if kind == _SUSPENDS:
                    Workers([], Event()).cycle("stopping", _BEFORE_SLEEP_S)
            elif control != _INTERROGATE:
                return _NOT_IMPLEMENTED
            return 0

        def _report(self, state: int, code: int = 0) -> None:
            """SERVICE_STATUS: what it is, how it stands, what it accepts, exit codes, check point, wait hint."""
            accepts = _ACCEPTS if state == _RUNNING else 0
            # 1066, ERROR_SERVICE_SPECIFIC_ERROR, says that the code after it is the service's own.
            hint = _STOPS_WITHIN_MS if state == _STOP_PENDING else 0
            status = (ctypes.c_uint32 * 7)(_OWN_PROCESS, state, accepts, 1066 if code else 0, code, 0, hint)
            _SERVICES.SetServiceStatus(ctypes.c_void_p(self._status), status)

    def log_event(words: str) -> None:
        """Write an error into the system's log of events, where there is no log of the agent's own yet."""
        source = ctypes.c_void_p(_SERVICES.RegisterEventSourceW(None, ctypes.c_wchar_p(NAME)))
        if source.value:
            lines = (ctypes.c_wchar_p * 1)(words)
            _SERVICES.ReportEventW(source, _ERROR, 0, 1, None, 1, 0, lines, None)
            _SERVICES.DeregisterEventSource(source)

    if __name__ == "__main__":
        sys.exit(Service().run())
