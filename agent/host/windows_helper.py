"""windows_helper: asks the helper that counts input in the session of whoever uses a Windows laptop, and starts it
where it does not run.

Nothing starts it at logon: the agent does, as the user of the session and with their rights alone, when it is asked for
counts. It ends by itself when nobody asks any more.
"""

from __future__ import annotations

import sys
from typing import Final

TRIES: Final = 30
BETWEEN_S: Final = 0.1
NO_SESSION: Final = 0xFFFFFFFF
DESKTOP: Final = r"winsta0\default"


def command_of(program: str) -> str:
    """The command line that starts it."""
    return f'"{program}" -I -X utf8 -m agent.session'


if sys.platform == "win32":
    import ctypes
    import json
    import struct
    import time
    from collections.abc import Iterable, Iterator
    from contextlib import contextmanager
    from ctypes import byref, c_void_p, c_wchar_p, create_string_buffer, create_unicode_buffer

    from agent.host import HostBrokenError, HostDeniedError, HostError
    from agent.session.peers import PeerError
    from agent.session.pipes import ask
    from agent.session.tokens import SYSTEM_FOLDER, Tokens

    from .windows_places import HELPER

    _OUT_OF_THE_JOB = 0x01000000
    _UNICODE, _NO_WINDOW, _BELOW_NORMAL = 0x400, 0x08000000, 0x4000

    def ask_in_session(sessions: Iterable[int], lease_s: float) -> bytes:
        """As `Host.input_counts`.

        Args:
            sessions: those that somebody uses now.
        """
        tokens = Tokens()
        question = json.dumps({"lease_s": lease_s}).encode()
        console = int(tokens.kernel.WTSGetActiveConsoleSessionId()) & NO_SESSION
        for session in dict.fromkeys((*sessions, console)):
            if session == NO_SESSION:
                continue
            with _user_of(tokens, session) as token:
                if token is not None:
                    return _ask(tokens, token, session, question)
        raise HostError("nobody has logged in, or this is not the service: only the system may ask a session")

    def _ask(tokens: Tokens, token: c_void_p, session: int, question: bytes) -> bytes:
        sid = tokens.sid_of(token)
        for attempt in range(TRIES):
            try:
                return ask(tokens, session, sid, question)
            except PeerError as error:
                raise HostDeniedError(f"session {session}: {error}") from error
            except OSError as error:
                if attempt == TRIES - 1:
                    raise HostBrokenError(f"session {session}: the helper does not answer: {error}") from error
                if attempt == 0 and isinstance(error, FileNotFoundError):
                    _start(tokens, token)
            time.sleep(BETWEEN_S)
        raise HostBrokenError(f"session {session}: the helper does not answer")

    @contextmanager
    def _user_of(tokens: Tokens, session: int) -> Iterator[c_void_p | None]:
        """The token of whoever is logged in; None where nobody is, or this process may not know."""
        library = ctypes.CDLL("wtsapi32.dll", winmode=SYSTEM_FOLDER)
        token = c_void_p()
        if not library.WTSQueryUserToken(session, byref(token)) or not token.value:
            yield None
            return
        try:
            yield token
        finally:
            tokens.kernel.CloseHandle(token)

    def _start(tokens: Tokens, token: c_void_p) -> None:
        """Start the helper as this user, with their environment, outside of this worker's job, which ends with it."""
        users = ctypes.CDLL("userenv.dll", winmode=SYSTEM_FOLDER)
        environment, desktop = c_void_p(), create_unicode_buffer(DESKTOP)
        line, made = create_unicode_buffer(command_of(HELPER)), create_string_buffer(24)
        # STARTUPINFOW, 104 bytes: its size, and the desktop's name at 16.
        begun = create_string_buffer(struct.pack("<I12xQ", 104, ctypes.addressof(desktop)).ljust(104, b"\0"), 104)
        if not users.CreateEnvironmentBlock(byref(environment), token, 0):
            environment = c_void_p()
        flags = _OUT_OF_THE_JOB | _UNICODE | _NO_WINDOW | _BELOW_NORMAL
        try:
            done = tokens.rights.CreateProcessAsUserW(
                *(token, c_wchar_p(HELPER), line, None, None, 0, flags, environment),
                *(c_wchar_p(HELPER.rpartition("\\")[0]), begun, made),
            )
            tokens.check(done, "CreateProcessAsUser")
        except OSError as error:
            raise HostDeniedError(f"the helper cannot be started: {error}") from error
        finally:
            if environment.value:
                users.DestroyEnvironmentBlock(environment)
        for handle in struct.unpack_from("<QQ", made.raw):
            tokens.kernel.CloseHandle(c_void_p(handle))
