"""peers: who is at the other end of a local socket, by the kernel's word, and bounded messages over it.

A message is its length in four bytes and that many bytes of JSON. Both ends give up on a peer that is slow or says too
much. Imported by the helper and by the agent's worker.
"""

# Paths stay text, as in agent.host.
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH120

from __future__ import annotations

import _socket
import os
import stat
import struct
import sys
import time
from _collections_abc import Callable  # what collections.abc is made of, without the rest of collections

FOLDER_IN_HOME = "Library/Caches/org.farhand.agent"
"""Where helpers that run in somebody's session listen, below their home folder."""
IN_HOME = f"{FOLDER_IN_HOME}/input.sock"
PLACE_IN_HOME = f"{FOLDER_IN_HOME}/place.sock"
MOST_BYTES = 32 * 1024
MOST_QUESTION_BYTES = 256
PATIENCE_S = 2.0
QUESTION_S = 1.0
"""For one question, and for its answer to get through; meanwhile the kernel keeps what devices say."""
_LENGTH = struct.Struct("!I")
_LOCAL_PEERCRED = 1
_XUCRED = struct.Struct("=IIh")
"""The beginning of struct xucred of macOS: version, user, number of groups."""


class PeerError(Exception):
    """The peer is not who it should be, or does not keep to the form. The message says what."""


def uid_of(connection: _socket.socket) -> int:
    """User of the process that connected, or that listens (SO_PEERCRED of Linux, LOCAL_PEERCRED of macOS).

    Raises:
        PeerError: the kernel does not say.
    """
    try:
        if sys.platform == "darwin":
            said = connection.getsockopt(0, _LOCAL_PEERCRED, 128)
            return int(_XUCRED.unpack_from(said)[1])
        said = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", said)[1])
    except (OSError, struct.error) as error:
        raise PeerError(f"the kernel does not say who is there: {error}") from error


def listen(path: str) -> _socket.socket:
    """Listen at a socket file that this user alone may use, in a folder that is made where there is none.

    Raises:
        OSError: it cannot be made, or its path is longer than the system takes.
    """
    os.umask(0o177)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder)
        os.chmod(folder, 0o700)
    if os.path.lexists(path):
        os.unlink(path)
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(4)
    return listener


def hear(listener: _socket.socket, of_users: set[int], answer_to: Callable[[bytes], bytes]) -> None:
    """Hear one question and answer it. Whoever may not ask, or asks otherwise than agreed, hears nothing.

    Args:
        of_users: who may ask.
        answer_to: gives the answer, or raises PeerError where it is no question.
    """
    try:
        fd, _ = listener._accept()  # type: ignore[attr-defined]  # what socket.accept() calls
    except OSError:
        return
    connection = _socket.socket(fileno=fd)
    try:
        if uid_of(connection) in of_users:
            answer = answer_to(receive(connection, MOST_QUESTION_BYTES, time.monotonic() + QUESTION_S))
            send(connection, answer, time.monotonic() + QUESTION_S)
    except PeerError as error:
        sys.stderr.write(f"farhand-agent: {error}\n")
    finally:
        connection.close()


def send(connection: _socket.socket, message: bytes, deadline: float) -> None:
    """Send one message.

    Raises:
        PeerError: it does not get through in time.
    """
    left = _LENGTH.pack(len(message)) + message
    try:
        while left:
            connection.settimeout(_left_s(deadline))
            left = left[connection.send(left) :]
    except OSError as error:
        raise PeerError(f"nothing gets through: {error}") from error


def receive(connection: _socket.socket, most: int, deadline: float) -> bytes:
    """One message.

    Raises:
        PeerError: it is longer than `most`, comes too slowly, or does not come whole.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, deadline))
    if length > most:
        raise PeerError(f"a message of {length} bytes, {most} are allowed")
    return _exactly(connection, length, deadline)


def ask(path: str, question: bytes, *, of_users: set[int], patience_s: float = PATIENCE_S) -> bytes:
    """Ask whoever listens at a socket file, once it is sure who that is.

    Args:
        of_users: whose the socket, its folder and the process at the other end may be.

    Raises:
        FileNotFoundError: there is none.
        PeerError: it belongs to somebody else, is no socket, or does not answer as it should.
        OSError: it cannot be connected to.
    """
    for place, is_right in ((path, stat.S_ISSOCK), (os.path.dirname(path), stat.S_ISDIR)):
        found = os.lstat(place)
        if not is_right(found.st_mode):
            raise PeerError(f"{place} is not what it should be")
        if found.st_uid not in of_users:
            raise PeerError(f"{place} belongs to user {found.st_uid}")
        if is_right is stat.S_ISDIR and found.st_mode & 0o022:
            raise PeerError(f"others may write to {place}")
    deadline = time.monotonic() + patience_s
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(patience_s)
        connection.connect(path)
        user = uid_of(connection)
        if user not in of_users:
            raise PeerError(f"user {user} listens at {path}")
        send(connection, question, deadline)
        return receive(connection, MOST_BYTES, deadline)
    finally:
        connection.close()


def _exactly(connection: _socket.socket, length: int, deadline: float) -> bytes:
    found = b""
    try:
        while len(found) < length:
            connection.settimeout(_left_s(deadline))
            piece = connection.recv(min(length - len(found), 8192))
            if not piece:
                raise PeerError("the peer hung up")
            found += piece
    except OSError as error:
        raise PeerError(f"the peer is too slow: {error}") from error
    return found


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise PeerError("the peer is too slow")
    return left_s
