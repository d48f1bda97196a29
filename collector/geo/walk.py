"""walk: the ranges of an mmdb file in address order, without decoding a record twice. Pure over the file's bytes.

The format is MaxMind DB 2.0: a binary tree of nodes with two records each; a record below `node_count` is a node, one
equal to it is empty, one above it points into the data section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from maxminddb.decoder import Decoder

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
SEPARATOR: Final = 16
"""Zero bytes between the tree and the data."""


class Walker:
    """One mmdb file, read whole."""

    def __init__(self, content: bytes) -> None:
        """
        Raises:
            ValueError: the bytes are no mmdb file of this kind.
        """
        at = content.rfind(MARKER)
        if at < 0:
            raise ValueError("not an mmdb file: its metadata is missing")
        about, _ = Decoder(content, at + len(MARKER)).decode(at + len(MARKER))
        self.about: dict[str, Any] = about if isinstance(about, dict) else {}
        self._nodes = int(self.about["node_count"])
        self._bits = int(self.about["record_size"])
        if self._bits not in (24, 28, 32):
            raise ValueError(f"records of {self._bits} bits")
        self._tree = memoryview(content)[: self._nodes * self._bits // 4]
        self._base = len(self._tree) + SEPARATOR
        self._decoder = Decoder(content, self._base)
        self.depth = 128 if self.about["ip_version"] == 6 else 32

    def record(self, offset: int) -> Any:
        """The record at an offset that `ranges` gave."""
        return self._decoder.decode(offset)[0]

    def ranges(self, bits: int) -> Iterator[tuple[int, int]]:
        """(first address, offset of the record or 0) of each range, in order, without gaps.

        Args:
            bits: how many leading bits of an address count; within a finer range its first address speaks.
        """
        nodes = self._nodes
        left, right = self._children()
        to_data = self._base - nodes - SEPARATOR
        waiting = [(0, 0, 0)]
        while waiting:
            node, depth, start = waiting.pop()
            while node < nodes and depth < self.depth:
                depth += 1
                if depth <= bits:
                    waiting.append((right(node), depth, start | 1 << (bits - depth)))
                node = left(node)
            yield start, (node + to_data if node > nodes else 0)

    def _children(self) -> tuple[Callable[[int], int], Callable[[int], int]]:
        tree, size = self._tree, self._bits // 4
        if self._bits == 24:
            return (
                lambda node: tree[node * 6] << 16 | tree[node * 6 + 1] << 8 | tree[node * 6 + 2],
                lambda node: tree[node * 6 + 3] << 16 | tree[node * 6 + 4] << 8 | tree[node * 6 + 5],
            )
        if self._bits == 28:
            return (
                lambda node: (
                    (tree[node * 7 + 3] & 0xF0) << 20
                    | tree[node * 7] << 16
                    | tree[node * 7 + 1] << 8
                    | tree[node * 7 + 2]
                ),
                lambda node: (
                    (tree[node * 7 + 3] & 0x0F) << 24
                    | tree[node * 7 + 4] << 16
                    | tree[node * 7 + 5] << 8
                    | tree[node * 7 + 6]
                ),
            )
        return (
            lambda node: int.from_bytes(tree[node * size : node * size + 4], "big"),
            lambda node: int.from_bytes(tree[node * size + 4 : node * size + 8], "big"),
        )
