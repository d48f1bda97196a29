r"""windows_parent: the process that stays on Windows. It runs in the service, or in a console by hand.

It does what `parent` does elsewhere, by the calls of Windows: workers are processes without a window, an event says
stop. Of the agent it imports nothing but the loop: what needs the configuration is asked of a worker.
"""

from __future__ import annotations

import sys

from agent.parent import CYCLE_S, LAST_WORDS_S, NAP_S, repeat

LOG = "agent.log"
LOG_BYTES = 1024 * 1024
"""A longer log is put aside when a worker is started; there is one old one."""
AGAIN_S = 60.0
"""How soon an agent that cannot begin, because of a wrong line in agent.yaml, tries again."""

if sys.platform == "win32":
    import _winapi
    import ctypes
    import msvcrt
    import os
    from _collections_abc import Callable

    _KERNEL = ctypes.CDLL("kernel32.dll", winmode=0x800)
    _KERNEL.CreateEventW.restype = ctypes.c_void_p
    _KERNEL.GetTickCount64.restype = ctypes.c_uint64
    _FOREVER = 0xFFFFFFFF
    _NO_WINDOW = 0x08000000  # CREATE_NO_WINDOW
    _WITH_HANDLES = 0x100  # STARTF_USESTDHANDLES
    _TIMED_OUT = 0x102  # WAIT_TIMEOUT
    _INHERITED = 0x2  # DUPLICATE_SAME_ACCESS

    class _Startup:
        """What CreateProcess reads of STARTUPINFO."""

        dwFlags = _WITH_HANDLES  # noqa: N815
        wShowWindow = 0  # noqa: N815
        lpAttributeList = None  # noqa: N815

        def __init__(self, reads: int, writes: int, complains: int) -> None:
            self.hStdInput, self.hStdOutput, self.hStdError = reads, writes, complains

    class Event:
        """Something that happens once, in whichever thread."""

        def __init__(self) -> None:
            self.handle = int(_KERNEL.CreateEventW(None, 1, 0, None) or 0)

        def happen(self) -> None:
            """Let it happen."""
            _KERNEL.SetEvent(ctypes.c_void_p(self.handle))

        def happened(self, wait_s: float) -> bool:
            """Wait; True as soon as it happened."""
            return _winapi.WaitForSingleObject(self.handle, max(0, int(wait_s * 1000))) != _TIMED_OUT

    class Workers:
        """Starts workers one by one, and waits for them or for a stop.

        Args:
            options: what every worker gets.
            stop: happens when the agent is told to stop.
        """

        def __init__(self, options: list[str], stop: Event) -> None:
            self._options = options
            self._stop = stop
            self._folder: str | None = None

        def prepare(self) -> str | None:
            """The agent's folder, checked and made; None where it cannot be used, or the configuration cannot."""
            said = self.run(["prepare"], CYCLE_S).decode("utf-8", "replace").strip()
            if said:
                self._folder = said
                self._options = ["--state-dir", said, *self._options]
            return self._folder

        def cycle(self, occasion: str, deadline_s: float = CYCLE_S) -> bytes:
            """Run one worker to its end and return what it said."""
            return self.run(["cycle", "--occasion", occasion, "--reply-fd", "1"], deadline_s)

        def told_to_stop(self, delay_s: float) -> bool:
            """Wait; True as soon as the agent is told to stop. Time that the laptop sleeps counts."""
            due_at_s = _uptime_s() + delay_s
            while (left_s := due_at_s - _uptime_s()) > 0:
                if self._stop.happened(min(left_s, NAP_S)):
                    return True
            return self._stop.happened(0.0)

        def run(self, words: list[str], deadline_s: float) -> bytes:
            """Run one worker; end it at its deadline, or soon after a stop. What it complains of goes into the log."""
            null = os.open(os.devnull, os.O_RDWR)
            reader, writer = _winapi.CreatePipe(None, 65536)
            own = _winapi.GetCurrentProcess()
            given = _winapi.DuplicateHandle(own, writer, own, 0, True, _INHERITED)
            _winapi.CloseHandle(writer)
            log = self._log()
            python = _console_python()
            command = [python, *_apart(), "-X", "utf8", "-m", "agent", *self._options, *words]
            try:
                reads = _inherited(null)
                complains = _inherited(log if log is not None else null)
                process, thread, _, _ = _winapi.CreateProcess(
                    python,
                    _line(command),
                    None,
                    None,
                    True,
                    _NO_WINDOW,
                    dict(os.environ),
                    None,
                    _Startup(reads, given, complains),
                )
                _winapi.CloseHandle(thread)
            except OSError:
                _winapi.CloseHandle(reader)
                return b""
            finally:
                _winapi.CloseHandle(given)
                for descriptor in (null, log):
                    if descriptor is not None:
                        os.close(descriptor)
            if not self._ended(process, deadline_s):
                _winapi.TerminateProcess(process, 1)
            said = _available(reader)
            _winapi.CloseHandle(process)
            _winapi.CloseHandle(reader)
            return said

        def _ended(self, process: int, deadline_s: float) -> bool:
            """Wait for a worker; False where its time is up."""
            stopped = self._stop.happened(0.0)
            give_up_at_s = _uptime_s() + (min(deadline_s, LAST_WORDS_S) if stopped else deadline_s)
            while (left_s := give_up_at_s - _uptime_s()) > 0:
                handles = [process] if stopped else [process, self._stop.handle]
                which = _winapi.WaitForMultipleObjects(handles, False, int(left_s * 1000) + 1)
                if which == 0:
                    return True
                if which == 1:
                    stopped = True
                    give_up_at_s = min(give_up_at_s, _uptime_s() + LAST_WORDS_S)
            return False

        def _log(self) -> int | None:
            """The log, opened to be added to; None before the folder is known, or where there is no room."""
            if self._folder is None:
                return None
            path = f"{self._folder}\\{LOG}"
            try:
                if os.path.exists(path) and os.stat(path).st_size > LOG_BYTES:  # noqa: PTH110, PTH116 - light
                    os.replace(path, f"{path}.old")  # noqa: PTH105
                return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_BINARY)
            except OSError:
                return None

    def keep(options: list[str], stop: Event, complain: Callable[[str], None]) -> int:
        """Run until told to stop.

        Args:
            complain: says to whoever looks after the machine what is wrong.
        """
        workers = Workers(options, stop)
        said = False
        while (folder := workers.prepare()) is None:
            if not said:
                complain("the agent cannot begin; run: farhand-agent doctor")
                said = True
            if stop.happened(AGAIN_S):
                return 0
        if stop.happened(0.0):
            return 0
        lock = os.open(f"{folder}\\agent.lock", os.O_RDWR | os.O_CREAT | os.O_BINARY | os.O_NOINHERIT)
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.close(lock)
            complain(f"{folder}: another agent is at work here; stop it, or choose another state_dir")
            return 2
        try:
            repeat(workers.cycle, workers.told_to_stop)
            workers.cycle("stopping", LAST_WORDS_S)
        finally:
            os.close(lock)  # whatever happened: the service begins anew in the same process
        return 0

    def run_in_console(options: list[str]) -> int:
        """Run until Ctrl-C, Ctrl-Break, or until the console is closed."""
        stop = Event()

        def told(_kind: int) -> int:
            stop.happen()
            return 1

        handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(told)
        _KERNEL.SetConsoleCtrlHandler(handler, 1)
        return keep(options, stop, lambda words: print(f"farhand-agent: {words}", file=sys.stderr))  # noqa: T201

    def _uptime_s() -> float:
        """Seconds since boot, sleep included."""
        return float(_KERNEL.GetTickCount64()) / 1000

    def _inherited(descriptor: int) -> int:
        """The handle of a descriptor, which a worker gets too."""
        os.set_inheritable(descriptor, True)
        return msvcrt.get_osfhandle(descriptor)

    def _available(reader: int) -> bytes:
        """What lies in a pipe whose other end is closed, the end of it."""
        try:
            waiting = int(_winapi.PeekNamedPipe(reader)[0])
            return _winapi.ReadFile(reader, waiting)[0][-4096:] if waiting else b""
        except OSError:
            return b""

    def _console_python() -> str:
        """python.exe beside the interpreter of this process, which in the service is pythonw.exe."""
        folder, _, name = sys.executable.rpartition("\\")
        return f"{folder}\\python.exe" if name.lower() == "pythonw.exe" else sys.executable

    def _apart() -> list[str]:
        """As this process: it imports nothing out of the current folder, where anybody may put a file."""
        return ["-I"] if sys.flags.isolated else ["-P"] if sys.flags.safe_path else []

    def _line(words: list[str]) -> str:
        """A command line. Windows allows no quotes in file names, and nothing else here has spaces or quotes."""
        return " ".join(f'"{word}"' if " " in word or not word else word for word in words)
