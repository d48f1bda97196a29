"""devices: what the helper counts, as its loop sees it; `evdev` reads what Linux shows, `polled` asks macOS."""

from __future__ import annotations

from agent.session.tally import Day


class Devices:
    """Nothing to count, and so what each system adds to."""

    denied = 0
    """Devices that may not be opened."""

    def scan(self, day: Day) -> None:
        """Open what was plugged in, and close what is gone."""

    def begin(self, day: Day) -> None:
        """Count into a new day from here on."""

    def descriptors(self, now_ms: float) -> list[int]:
        """What is to be waited for."""
        del now_ms
        return []

    def due_ms(self) -> float | None:
        """When to look again, whatever is waited for; None where that says enough."""
        return None

    def take(self, fds: set[int], day: Day, hour: int, now_ms: float) -> None:
        """Count what came, of these descriptors or by looking."""

    def close(self) -> None:
        """Let go of everything."""
