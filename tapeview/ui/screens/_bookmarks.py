"""Moments of a session a person wants to come back to."""

from __future__ import annotations

import bisect
from collections.abc import Iterator


class Bookmarks:
    """Market times in ns, each once, in order."""

    def __init__(self) -> None:
        self._times: list[int] = []

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[int]:
        return iter(self._times)

    def toggle(self, ns: int) -> int:
        """Set a bookmark and give its number from 1, or take away the one there and give 0."""
        at = bisect.bisect_left(self._times, ns)
        if at < len(self._times) and self._times[at] == ns:
            del self._times[at]
            return 0
        self._times.insert(at, ns)
        return at + 1

    def beside(self, ns: int, step: int) -> int | None:
        """The next bookmark after a moment (1) or the last before it (-1), round and round; None without any."""
        if not self._times:
            return None
        at = bisect.bisect_right(self._times, ns) if step > 0 else bisect.bisect_left(self._times, ns) - 1
        return self._times[at % len(self._times)]

    def number(self, ns: int) -> int:
        """The number from 1 of a bookmark that is set."""
        return self._times.index(ns) + 1
