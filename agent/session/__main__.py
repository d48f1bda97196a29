"""python -m agent.session: the helper that counts input. Its options are those of its unit file."""

# ruff: noqa: PTH108

from __future__ import annotations

import _socket
import os
import pwd
import sys

from agent.session.evdev import Reader
from agent.session.helper import Helper

FIRST_PASSED = 3
"""Descriptor of the socket that systemd passes (sd_listen_fds)."""


def main(arguments: list[str]) -> int:
    """Options: `--peer USER` who may ask beside root; `--socket PATH` to listen there instead of at a passed socket."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    of_users = {0, os.geteuid()}
    if "--peer" in options:
        of_users.add(pwd.getpwnam(options["--peer"]).pw_uid)
    path = options.get("--socket")
    if path is None and os.environ.get("LISTEN_FDS") != "1":
        sys.stderr.write("farhand-agent-input: start farhand-agent-input.socket, or say --socket PATH\n")
        return 2
    if path is None:
        listener = _socket.socket(fileno=FIRST_PASSED)
    else:
        listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        if os.path.lexists(path):
            os.unlink(path)
        os.umask(0o177)
        listener.bind(path)
        listener.listen(4)
    Helper(listener, of_users, Reader(), stay=path is not None).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
