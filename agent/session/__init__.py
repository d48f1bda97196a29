"""session: the helper that counts input: how many keys and pointer reports, from which devices, on which beat. On Macs
another one says where the system takes the machine to be (`place`).

It runs only where the collector's signed settings ask for `input_activity`, as a process of its own: what may read a
keyboard sends nothing (on Linux it has no network), and what sends reads no keyboard. Which key was pressed and where
the pointer stands is forgotten as soon as an event was counted; only counts are ever given out, to the agent alone.

Nothing here may be heavy: no `typing`, `dataclasses` or `socket` (1 to 3 MB each).
"""
