"""Batches of rows on their way from the event loop's thread to whoever reads them in another."""

from __future__ import annotations

import threading
from collections import deque

from feeds.events import Events


class Inbox:
    """Batches on their way from the loop's thread to whoever reads them in another."""

    def __init__(self) -> None:
        self.rows = 0
        """Rows that wait."""
        self._batches: deque[Events] = deque()
        self._news = threading.Condition()
        self._closed = False

    def put(self, rows: Events) -> None:
        """Add a batch."""
        if len(rows):
            with self._news:
                self._batches.append(rows)
                self.rows += len(rows)
                self._news.notify()

    def take(self, timeout_s: float | None = 0.0) -> list[Events]:
        """Give all batches there are, waiting for the first up to a time; an empty list where none came."""
        with self._news:
            if not self._batches and timeout_s != 0.0 and not self._closed:
                self._news.wait(timeout_s)
            batches = list(self._batches)
            self._batches.clear()
            self.rows = 0
            return batches

    def close(self) -> None:
        """No more will come."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def over(self) -> bool:
        """Closed, and everything taken."""
        return self._closed and not self._batches
