"""Each outlet in a thread of its own, each at its own place in the journal: a slow one delays nobody.

At least once: the place is moved on after a delivery, so a crash between the two delivers again, under the same key.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Sequence

from feeds.backoff import Backoff
from feeds.errors import BadInput
from tapeview.journal import Journal, Line, Stored, decoded
from tapeview.outlets._declare import Later, Outlet, Refused

_LOOK_S = 0.2
_MOST = 500


class Post:
    """One outlet at work."""

    def __init__(
        self, name: str, outlet: Outlet, journal: Journal, *, draw: Callable[[], float] = random.random
    ) -> None:
        self.name = name
        self.trouble = ""
        """Why nothing is delivered, '' while all is well."""
        self.delivered = 0
        self.refused = 0
        self._outlet, self._journal = outlet, journal
        self._kinds = frozenset(outlet.settings.kinds) or outlet.kinds
        self._backoff = Backoff(draw)
        self._place: tuple[int, int] | None = None
        self._unsaved = False
        """The place is further on than the journal knows."""
        self._live: dict[int, bool] = {}
        self._ending, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"outlet {name}", daemon=True)

    def start(self, newest: tuple[int, int] | None = None) -> None:
        """Begin where the outlet was left; one that was never on, after the record `newest`, or with what comes now."""
        cursor = self._journal.cursor(self.name)
        if cursor is None:
            now = self._journal.newest() if newest is None else newest
            cursor = (0, -1) if self._outlet.settings.history else now
            self._journal.delivered(self.name, *cursor)
        self._place = cursor
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have it end once it has delivered what there is, or cannot."""
        self._ending.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End so, or after the delivery in hand when the time is over; what is left goes out the next time."""
        self._ending.set()
        self._thread.join(timeout_s)
        self._stop.set()
        if not self._thread.is_alive():
            self._outlet.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            seen = self._journal.acknowledged
            try:
                if self._step():
                    continue
            except Exception as error:  # whatever an outlet does, it is told of, and tried again
                self.trouble = f"{self.name}: {str(error) or type(error).__name__}"
                wait_ns = self._backoff.wait_ns(round(error.after_s * 1e9) if isinstance(error, Later) else 0)
                if self._ending.wait(wait_ns / 1e9):
                    return
                continue
            if self._ending.is_set():
                return
            self._journal.news(seen, _LOOK_S)

    def _step(self) -> bool:
        """Deliver what comes next; False where there is nothing."""
        assert self._place is not None
        stored = self._journal.after(*self._place, most=_MOST)
        if not stored:
            if self._unsaved:
                self._moved(*self._place)
            return False
        wanted = [line for one in stored if (line := self._read(one)) is not None]
        for at in range(0, len(wanted), self._outlet.most):
            some = wanted[at : at + self._outlet.most]
            self._hand_over(some)
            self._moved(some[-1].run, some[-1].n)
            if self._stop.is_set():
                return True
        self._moved(stored[-1].run, stored[-1].n)
        return True

    def _read(self, one: Stored) -> Line | None:
        if one.what not in self._kinds or not self._goes_out(one.run):
            return None
        try:
            return decoded(one)
        except BadInput as error:
            self._refuse(one.run, one.n, str(error))
            return None

    def _goes_out(self, run: int) -> bool:
        if self._outlet.settings.replays:
            return True
        if run not in self._live:
            about = self._journal.about(run)
            self._live[run] = about is not None and about.live
        return self._live[run]

    def _hand_over(self, lines: Sequence[Line]) -> None:
        try:
            self._outlet.deliver(self._journal.name, lines)
        except Refused as error:
            if len(lines) == 1:
                self._refuse(lines[0].run, lines[0].n, str(error))
                return
            for line in lines:  # one after the other, so that only what is refused is left out
                self._hand_over([line])
                self._moved(line.run, line.n)
            return
        self.delivered += len(lines)
        self.trouble = ""
        self._backoff.failures = 0

    def _refuse(self, run: int, n: int, why: str) -> None:
        self.refused += 1
        self.trouble = f"{self.name}: {why}"
        self._journal.refused(self.name, run, n, why)

    def _moved(self, run: int, n: int) -> None:
        # What was delivered is not delivered again because the disk is full now.
        self._place = (run, n)
        try:
            self._journal.delivered(self.name, run, n)
        except sqlite3.Error as error:
            self._unsaved = True
            self.trouble = f"{self.name}: {error}"
        else:
            self._unsaved = False
