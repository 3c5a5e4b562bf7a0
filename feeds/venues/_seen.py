"""The newest ids of prints, to tell one that a venue sends again."""

from __future__ import annotations

from collections import deque

KEPT = 8_192
"""So many ids of one symbol are remembered; what venues replay is some hundred prints."""


class Seen:
    """Ids seen, the oldest forgotten first."""

    __slots__ = ("_known", "_order")

    def __init__(self) -> None:
        self._known: set[int | str] = set()
        self._order: deque[int | str] = deque()

    def add(self, ident: int | str) -> bool:
        """Remember an id; False where it was there."""
        if ident in self._known:
            return False
        if len(self._order) >= KEPT:
            self._known.discard(self._order.popleft())
        self._known.add(ident)
        self._order.append(ident)
        return True
