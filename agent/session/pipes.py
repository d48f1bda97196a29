r"""pipes: a named pipe of Windows that a helper is asked at: bounded messages in bounded time, and who is there.

The helper makes it, for the system and its own user alone and for this machine alone, and looks who asked before it
answers. The agent looks who made it before it says a word, and lends nobody its rights: whoever listens may learn who
asks, and nothing more.
"""

from __future__ import annotations

import struct
import sys

PATIENCE_S = 2.0
_LENGTH = struct.Struct("!I")


def name_of(session: int) -> str:
    """Of the pipe in a session."""
    return rf"\\.\pipe\farhand-agent-input-{session}"


def descriptor_for(sid: str) -> str:
    """Who may use it: nobody from the network, the system, and this user."""
    return f"D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;{sid})"


if sys.platform == "win32":
    import _winapi
    import ctypes
    import time
    from collections.abc import Callable
    from ctypes import byref, c_void_p

    from agent.session.peers import MOST_BYTES, PeerError
    from agent.session.tokens import SYSTEM, Tokens

    _DUPLEX, _OVERLAPPED, _FIRST = 0x3, 0x40000000, 0x80000
    _LOCAL_ALONE = 0x8
    """PIPE_REJECT_REMOTE_CLIENTS"""
    _READ_AND_WRITE = 0xC0000000
    _THERE = 3
    """OPEN_EXISTING"""
    _TELL_WHO_ALONE = 0x100000 | 0x10000
    """SECURITY_SQOS_PRESENT, SECURITY_IDENTIFICATION: whoever listens cannot act with the rights of whoever asks."""
    _GONE = 232
    """ERROR_NO_DATA: the peer came and left."""

    class Pipe:
        """One end of it."""

        def __init__(self, handle: int) -> None:
            self.handle = handle

        def send(self, message: bytes, deadline: float) -> None:
            """Send one message.

            Raises:
                PeerError: it does not get through in time.
            """
            data = _LENGTH.pack(len(message)) + message
            try:
                overlapped, _ = _winapi.WriteFile(self.handle, data, overlapped=True)
                whole = self._done(overlapped, deadline) == len(data)
            except OSError as error:
                raise PeerError(f"nothing gets through: {error}") from error
            if not whole:
                raise PeerError("not all of it gets through")

        def receive(self, most: int, deadline: float) -> bytes:
            """One message.

            Raises:
                PeerError: it is longer than `most`, comes too slowly, or does not come whole.
            """
            (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
            if length > most:
                raise PeerError(f"a message of {length} bytes, {most} are allowed")
            return self._exactly(length, deadline)

        def wait_for_the_end(self, deadline: float) -> None:
            """Until the peer has read and hung up: what it has not read is lost with the connection."""
            try:
                self._exactly(1, deadline)
            except PeerError:
                return

        def _exactly(self, length: int, deadline: float) -> bytes:
            found = b""
            try:
                while len(found) < length:
                    overlapped, _ = _winapi.ReadFile(self.handle, length - len(found), overlapped=True)
                    if not self._done(overlapped, deadline):
                        raise PeerError("the peer says nothing, again and again")
                    found += bytes(overlapped.getbuffer() or b"")
            except OSError as error:
                raise PeerError(f"the peer hung up: {error}") from error
            return found

        def _done(self, overlapped: _winapi.Overlapped, deadline: float) -> int:
            left_ms = max(int((deadline - time.monotonic()) * 1000), 0)
            if _winapi.WaitForMultipleObjects([overlapped.event], False, left_ms) != _winapi.WAIT_OBJECT_0:
                overlapped.cancel()
                try:
                    overlapped.GetOverlappedResult(True)
                finally:
                    raise PeerError("the peer is too slow")
            return overlapped.GetOverlappedResult(True)[0]

    class Door:
        """The helper's end.

        Raises:
            OSError: somebody else has made a pipe of this name, or it cannot be made.
        """

        def __init__(self, tokens: Tokens) -> None:
            self._tokens, own = tokens, tokens.own_sid()
            self._of_users = {SYSTEM, own}
            made = c_void_p()
            convert = tokens.rights.ConvertStringSecurityDescriptorToSecurityDescriptorW
            text = ctypes.c_wchar_p(descriptor_for(own))
            tokens.check(convert(text, 1, byref(made), None), "descriptor")
            attributes = (c_void_p * 3)(24, made.value, None)  # SECURITY_ATTRIBUTES: length, descriptor, inherited
            name, mode = name_of(tokens.own_session()), _DUPLEX | _OVERLAPPED | _FIRST
            where = ctypes.addressof(attributes)
            self._handle = _winapi.CreateNamedPipe(name, mode, _LOCAL_ALONE, 1, MOST_BYTES + 4, 512, 0, where)
            tokens.kernel.LocalFree(made)
            self._await()

        @property
        def event(self) -> int:
            """What happens when somebody connects."""
            return self._connecting.event

        def serve(self, answer_to: Callable[[bytes], bytes], most: int, patience_s: float) -> None:
            """Hear one question. Whoever may not ask, or asks otherwise than agreed, hears nothing."""
            deadline = time.monotonic() + patience_s
            pipe = Pipe(self._handle)
            try:
                self._connecting.GetOverlappedResult(True)
                question = pipe.receive(most, deadline)
                if self._tokens.asked(self._handle) in self._of_users:
                    pipe.send(answer_to(question), deadline)
                    pipe.wait_for_the_end(deadline)
            except (PeerError, OSError):
                pass
            finally:
                self._tokens.kernel.DisconnectNamedPipe(c_void_p(self._handle))
                self._await()

        def _await(self) -> None:
            while True:
                try:
                    self._connecting = _winapi.ConnectNamedPipe(self._handle, overlapped=True)
                    return
                except OSError as error:
                    if error.winerror != _GONE:
                        raise
                    self._tokens.kernel.DisconnectNamedPipe(c_void_p(self._handle))

    def ask(tokens: Tokens, session: int, sid: str, question: bytes, *, patience_s: float = PATIENCE_S) -> bytes:
        """Ask the helper of a session, once it is sure who that is.

        Args:
            sid: whose process must listen.

        Raises:
            FileNotFoundError: none listens.
            PeerError: somebody else does, or does not answer as they should.
            OSError: it cannot be connected to.
        """
        deadline = time.monotonic() + patience_s
        mode = _OVERLAPPED | _TELL_WHO_ALONE
        handle = _winapi.CreateFile(name_of(session), _READ_AND_WRITE, 0, 0, _THERE, mode, 0)
        try:
            who = tokens.listens(handle)
            if who != (sid, session):
                raise PeerError(f"{who[0]} of session {who[1]} listens there")
            pipe = Pipe(handle)
            pipe.send(question, deadline)
            return pipe.receive(MOST_BYTES, deadline)
        finally:
            _winapi.CloseHandle(handle)
