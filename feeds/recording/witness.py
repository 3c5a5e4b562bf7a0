"""What a capture saw, in digests, so that a recording can be held against it: live is replay, or it is told.

While a capture runs, the rows its readers got are summed up, and now and then the sum is recorded among the frames.
Whoever makes the rows anew from the frames must come to the same sums at the same rows.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from feeds.events import CLOCK, Events


class DigestTold(msgspec.Struct, frozen=True):
    """The payload of a DIGEST record, as JSON."""

    seq: int
    """The last row summed up; no CLOCK row, because those of a silence come live before the frame that ends it."""
    digest: str
    """blake2b of 32 bytes over the 64-byte rows from the first on."""


class Witness:
    """Sums up rows as they come; its calls may come from several threads."""

    def __init__(self) -> None:
        self._sums = hashlib.blake2b(digest_size=32)
        self._tail: list[Events] = []
        self._seq = self._told = -1
        self._lock = threading.Lock()

    def add(self, rows: Events) -> None:
        """Take the next rows."""
        news = np.flatnonzero(rows["kind"] != CLOCK)
        with self._lock:
            if not len(news):
                self._tail.append(rows)
                return
            end = int(news[-1]) + 1
            for piece in (*self._tail, rows[:end]):
                self._sums.update(np.ascontiguousarray(piece).view(np.uint8).data)
            self._tail = [rows[end:]] if end < len(rows) else []
            self._seq = int(rows["seq"][end - 1])

    def told(self) -> bytes | None:
        """What to record now; None where nothing has come since the last time."""
        with self._lock:
            if self._seq == self._told:
                return None
            self._told = self._seq
            return msgspec.json.encode(DigestTold(self._seq, self._sums.hexdigest()))


class Comparison:
    """Hold rows made anew against the digests that were recorded."""

    def __init__(self, payloads: Iterable[bytes]) -> None:
        self.checked = 0
        self.failed: int | None = None
        """The last row of the first digest that disagrees."""
        self._sums: Any = hashlib.blake2b(digest_size=32)
        self._waiting: list[DigestTold] = []
        for payload in payloads:
            try:
                self._waiting.append(msgspec.json.decode(payload, type=DigestTold))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        self._waiting.sort(key=lambda told: -told.seq)

    def add(self, rows: Events) -> None:
        """Take the next rows."""
        start = 0
        while self._waiting and len(rows) and self._waiting[-1].seq <= int(rows["seq"][-1]):
            told = self._waiting.pop()
            end = int(np.searchsorted(rows["seq"], told.seq, side="right"))
            self._sums.update(np.ascontiguousarray(rows[start:end]).view(np.uint8).data)
            start = end
            self._compare(told)
        self._sums.update(np.ascontiguousarray(rows[start:]).view(np.uint8).data)

    def _compare(self, told: DigestTold) -> None:
        self.checked += 1
        if self._sums.hexdigest() != told.digest and self.failed is None:
            self.failed = told.seq

    def finish(self) -> None:
        """No more rows come: digests of rows that never came disagree."""
        for told in reversed(self._waiting):
            self.checked += 1
            self.failed = told.seq if self.failed is None else self.failed
        self._waiting.clear()
