"""One side of a book as a dictionary whose best price is known without looking at all of them."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any


class Side(dict[Any, Any]):
    """Size by price."""

    def __init__(self, *, bids: bool) -> None:
        super().__init__()
        self._sign = -1 if bids else 1
        self._heap: list[Any] = []

    def put(self, price: Any, size: Any) -> None:
        """Set a level; a size of 0 deletes it, if it is there."""
        if not size:
            self.pop(price, None)
            return
        if price not in self:
            heappush(self._heap, self._sign * price)
        self[price] = size

    def best(self) -> Any:
        """The highest bid or the lowest ask."""
        while self._sign * self._heap[0] not in self:
            heappop(self._heap)
        return self._sign * self._heap[0]
