"""keyring: device keys in memory, so that a report costs no query."""

from __future__ import annotations

import threading

from starlette.concurrency import run_in_threadpool

from collector.keys import DeviceKey
from collector.store.enrolment import find_key
from collector.store.store import Store


class KeyRing:
    """Known keys. Whoever changes a key or its device says `forget`, after the change is durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, DeviceKey] = {}
        self._forgotten = 0
        self._change = threading.Lock()

    async def find(self, key_id: str) -> DeviceKey | None:
        """A key by its id; None when no device has it. Unknown keys are asked for each time."""
        found = self._keys.get(key_id)
        if found is None:
            before = self._forgotten
            found = await run_in_threadpool(self._load, key_id)
            with self._change:
                if found is not None and self._forgotten == before:  # else it may have been read before a change
                    self._keys[key_id] = found
        return found

    def forget(self, key_id: str | None = None) -> None:
        """Read one key, or all, from the database again."""
        with self._change:
            self._forgotten += 1
            if key_id is None:
                self._keys.clear()
            else:
                self._keys.pop(key_id, None)

    def _load(self, key_id: str) -> DeviceKey | None:
        with self._store.read() as connection:
            return find_key(connection, key_id)
