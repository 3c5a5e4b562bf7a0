"""When a book may be asked for anew: pure rules over given monotonic times, so that mending a book harms nobody.

A first snapshot is fetched at once, another soon after it only after a wait that grows. A symbol whose checksum
disagrees is subscribed anew twice; the third time within five minutes the fault may be the check itself, and the book
goes on, said to be unverified. A few damaged frames are passed over, many within seconds end the connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

_S: Final = 1_000_000_000
CHECKSUMS: Final = 3
CHECKSUMS_NS: Final = 300 * _S
"""So many checksums that disagree within so long are no longer mended."""
DAMAGED: Final = 3
DAMAGED_NS: Final = 10 * _S
"""More damaged frames than this within so long end a connection."""
SOON_NS: Final = 60 * _S
"""Snapshots of one book that are wanted within so long of each other are tries of one thing."""
TRIES: Final = 5
"""After so many a person is told that no snapshot fits."""
_LEAST_S: Final = 0.5
_MOST_S: Final = 60.0


class Renewals:
    """What has been asked anew of one venue; `draw` gives numbers in [0, 1)."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._wrong: dict[str, deque[int]] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        self._damaged: dict[int, deque[int]] = {}

    def checksum(self, symbol: str, now_ns: int) -> bool:
        """Whether a symbol whose checksum disagrees is to be subscribed anew, or let be."""
        times = self._wrong.setdefault(symbol, deque(maxlen=CHECKSUMS))
        times.append(now_ns)
        return len(times) < CHECKSUMS or now_ns - times[0] > CHECKSUMS_NS

    def snapshot(self, symbol: str, now_ns: int) -> tuple[int, int]:
        """(ns to wait before a book's snapshot is fetched, which try it is)."""
        tries, last = self._asked.get(symbol, (0, now_ns))
        tries = tries + 1 if now_ns - last <= SOON_NS else 1
        self._asked[symbol] = (tries, now_ns)
        if tries == 1:
            return 0, 1
        return round(self._draw() * min(_MOST_S, _LEAST_S * 2.0 ** min(tries - 1, 30)) * _S), tries

    def damaged(self, conn: int, now_ns: int) -> bool:
        """Count a damaged frame of a connection; True where there are too many."""
        times = self._damaged.setdefault(conn, deque(maxlen=DAMAGED + 1))
        times.append(now_ns)
        return len(times) > DAMAGED and now_ns - times[0] <= DAMAGED_NS

    def ended(self, conn: int) -> None:
        """A connection is over."""
        self._damaged.pop(conn, None)
