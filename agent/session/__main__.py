"""python -m agent.session: a helper in a session. Its options are those of what starts it."""

from __future__ import annotations

import os
import sys

NOBODY_ASKS = 2
"""Exit status of a helper that nobody could ask."""
FIRST_PASSED = 3
"""Descriptor of the socket that systemd passes (sd_listen_fds)."""


def main(arguments: list[str]) -> int:
    """Options: `--peer USER` who may ask beside root; `--socket PATH` to listen there instead of at a passed socket;
    `--in-session` to count what the session's own counters say, at a socket in the home folder (macOS), or alone in
    raw input, at a pipe (Windows); `--place` to say at another such socket where macOS takes this Mac to be."""
    if sys.platform == "win32":
        from agent.session import windows

        return windows.run()
    if arguments == ["--in-session"]:
        return _in_session()
    if arguments == ["--place"]:
        return _at_place()
    return _on_devices(dict(zip(arguments[::2], arguments[1::2], strict=False)))


def _in_session() -> int:
    import pwd

    from agent.session.helper import Helper
    from agent.session.peers import IN_HOME, listen
    from agent.session.polled import Polled
    from agent.session.quartz import Desktop

    own = os.geteuid()
    try:
        desktop, listener = Desktop(), listen(f"{pwd.getpwuid(own).pw_dir}/{IN_HOME}")
    except OSError as error:
        sys.stderr.write(f"farhand-agent-input: {error}\n")
        return NOBODY_ASKS
    Helper(listener, {0, own}, Polled(desktop), stay=False).run()
    return 0


def _at_place() -> int:
    import pwd

    from agent.session.peers import FOLDER_IN_HOME, PLACE_IN_HOME, listen
    from agent.session.place import Place
    from agent.session.whereabouts import Whereabouts

    own = os.geteuid()
    home = pwd.getpwuid(own).pw_dir
    try:
        about, listener = Whereabouts(), listen(f"{home}/{PLACE_IN_HOME}")
    except OSError as error:
        sys.stderr.write(f"farhand-agent-place: {error}\n")
        return NOBODY_ASKS
    Place(listener, {0, own}, about, f"{home}/{FOLDER_IN_HOME}/asked").run()
    return 0


def _on_devices(options: dict[str, str]) -> int:
    import _socket
    import pwd

    from agent.session.evdev import Reader
    from agent.session.helper import Helper
    from agent.session.peers import listen

    of_users = {0, os.geteuid()}
    if "--peer" in options:
        of_users.add(pwd.getpwnam(options["--peer"]).pw_uid)
    path = options.get("--socket")
    if path is None and os.environ.get("LISTEN_FDS") != "1":
        sys.stderr.write("farhand-agent-input: start farhand-agent-input.socket, or say --socket PATH\n")
        return NOBODY_ASKS
    listener = listen(path) if path is not None else _socket.socket(fileno=FIRST_PASSED)
    Helper(listener, of_users, Reader(), stay=path is not None).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
