"""The levels of a book as the venue wrote them, best first, for checksums over text and for truncation."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable


class TextSide:
    """One side of a book: exact prices in order, each with the text that enters the checksum."""

    __slots__ = ("_best", "_bids", "_edge", "_keys", "_most", "_texts")

    def __init__(self, *, bids: bool) -> None:
        self._bids = bids
        self._keys: list[int] = []  # ascending; bids negated, so that the best is always first
        self._texts: dict[int, str] = {}
        self._best: list[str] | None = None
        """The best texts as last given, None where one of them may be another now."""
        self._most = 0
        self._edge = 0
        """Key of the worst of them, or one above all where there are fewer."""

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Forget every level."""
        self._keys.clear()
        self._texts.clear()
        self._best = None

    def put(self, price: int, text: str) -> None:
        """Set a level."""
        self.change([(price, text)])

    def drop(self, price: int) -> bool:
        """Delete a level; False where there was none."""
        before = len(self._keys)
        self.change([(price, "")])
        return len(self._keys) != before

    def change(self, levels: Iterable[tuple[int, str]]) -> None:
        """Set levels in their order, or delete those of an empty text."""
        keys, texts = self._keys, self._texts
        sign = -1 if self._bids else 1
        best = None
        for price, text in levels:
            key = price * sign
            if best is None or key < best:
                best = key
            if text:
                if key not in texts:
                    insort(keys, key)
                texts[key] = text
            elif texts.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        if best is not None and best <= self._edge:
            self._best = None

    def truncate(self, depth: int) -> list[int]:
        """Delete all but the best `depth` levels and give the prices deleted."""
        if len(self._keys) <= depth:
            return []
        gone = self._keys[depth:]
        del self._keys[depth:]
        for key in gone:
            del self._texts[key]
        if gone[0] <= self._edge:
            self._best = None
        return [-key for key in gone] if self._bids else gone

    def top(self, n: int) -> list[str]:
        """Give the texts of the best n levels, best first."""
        if self._best is None or n != self._most:
            keys, texts = self._keys[:n], self._texts
            self._best, self._most = [texts[key] for key in keys], n
            self._edge = keys[-1] if len(keys) == n else 1 << 100
        return self._best
