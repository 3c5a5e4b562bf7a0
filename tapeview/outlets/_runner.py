"""Each outlet in a thread of its own, each at its own place in the journal: a slow one delays nobody.

At least once: the place is moved on after a delivery, so a crash between the two delivers again, under the same key.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from feeds.backoff import Backoff
from tapeview.journal import Journal, tag_of
from tapeview.outlets._declare import SIGNALS, Outlet, Refused

_LOOK_S = 0.2
_MOST = 100


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
        self._kinds = frozenset(outlet.settings.kinds) or SIGNALS
        self._backoff = Backoff(draw)
        self._most = _MOST
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"outlet {name}", daemon=True)

    def start(self) -> None:
        """Begin where the outlet was left."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the delivery in hand."""
        self._stop.set()
        self._thread.join(timeout_s)
        self._outlet.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            place = self._journal.cursor(self.name)
            lines = self._journal.after(*place, most=self._most)
            if not lines:
                self._stop.wait(_LOOK_S)
                continue
            wanted = [line for line in lines if tag_of(line.record) in self._kinds]
            try:
                if wanted:
                    self._outlet.deliver(self._journal.name, wanted)
            except Refused as error:
                if len(lines) > 1:
                    self._most = 1  # one after the other, so that only what is refused is left out
                    continue
                self.refused += 1
                self.trouble = f"{self.name}: {error}"
            except OSError as error:
                self.trouble = f"{self.name}: {error}"
                self._stop.wait(self._backoff.wait_ns() / 1e9)
                continue
            else:
                self.delivered += len(wanted)
                self.trouble = ""
                self._backoff.failures = 0
            self._most = _MOST
            self._journal.delivered(self.name, lines[-1].run, lines[-1].n)
