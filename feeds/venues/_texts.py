"""The levels of a book as the venue wrote them, best first, for checksums over text and for truncation."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable


class TextSide:
    """One side of a book: exact prices in order, each with the text that enters the checksum."""

    __slots__ = ("_bids", "_keys", "_texts")

    def __init__(self, *, bids: bool) -> None:
        self._bids = bids
        self._keys: list[int] = []  # ascending; bids negated, so that the best is always first
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Forget every level."""
        self._keys.clear()
        self._texts.clear()

    def put(self, price: int, text: str) -> None:
        """Set a level."""
        key = -price if self._bids else price
        if key not in self._texts:
            insort(self._keys, key)
        self._texts[key] = text

    def drop(self, price: int) -> bool:
        """Delete a level; False where there was none."""
        key = -price if self._bids else price
        if self._texts.pop(key, None) is None:
            return False
        del self._keys[bisect_left(self._keys, key)]
        return True

    def change(self, levels: Iterable[tuple[int, str]]) -> None:
        """Set levels in their order, or delete those of an empty text."""
        keys, texts = self._keys, self._texts
        sign = -1 if self._bids else 1
        for price, text in levels:
            key = price * sign
            if text:
                if key not in texts:
                    insort(keys, key)
                texts[key] = text
            elif texts.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]

    def truncate(self, depth: int) -> list[int]:
        """Delete all but the best `depth` levels and give the prices deleted."""
        if len(self._keys) <= depth:
            return []
        gone = self._keys[depth:]
        del self._keys[depth:]
        for key in gone:
            del self._texts[key]
        return [-key for key in gone] if self._bids else gone

    def top(self, n: int) -> list[str]:
        """Give the texts of the best n levels, best first."""
        return [self._texts[key] for key in self._keys[:n]]
