"""windows: the helper in a session of Windows: input by raw input, questions by a pipe."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import math

    from agent.session.counting import Counting
    from agent.session.peers import MOST_QUESTION_BYTES, QUESTION_S
    from agent.session.pipes import Door
    from agent.session.rawinput import RawInput
    from agent.session.tokens import Tokens
    from agent.session.user32 import FOREVER, Session

    class Helper(Counting):
        """The helper's loop at a pipe."""

        def __init__(self, session: Session, door: Door) -> None:
            super().__init__(RawInput(session), stay=False)
            self._session, self._door = session, door

        def _wait(self, now: float) -> bool:
            ends = self._until()
            wait_ms = FOREVER if ends is None else max(math.ceil((ends - now) * 1000), 1)
            asked, said = self._session.wait(self._door.event, wait_ms)
            if asked:
                self._door.serve(self._answer_to, MOST_QUESTION_BYTES, QUESTION_S)
            self._take(set())
            return said

    def run() -> int:
        """Serve until nobody asks any more; 2 where another one does already."""
        try:
            door = Door(Tokens())
        except OSError:
            return 2
        Helper(Session(), door).run()
        return 0
