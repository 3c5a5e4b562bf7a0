"""What the trade screen asks of its player, quick or long, and how it counts its frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from tapeview.ui.background import beside

_RELATIVE: Final = "seek_relative"


class Orders:
    """Calls to the player in the order they were asked for; while a long one runs, the player is left alone."""

    def __init__(self) -> None:
        self.busy = False
        """A long call runs in a thread of its own: nobody else may touch the player."""
        self._waiting: deque[tuple[Callable[..., Any], tuple[Any, ...], bool]] = deque()
        """Calls, what they are given, and whether they are quick."""

    def now(self, call: Callable[..., Any], *args: Any) -> bool:
        """Make a quick call at once, or keep it until the long one is over; True where it was made."""
        if self.busy:
            self._waiting.append((call, args, True))
            return False
        call(*args)
        return True

    def later(self, call: Callable[..., Any], *args: Any) -> bool:
        """Keep a long call for `run`; True where `run` is to be started.

        Relative seeks that wait one after the other become one.
        """
        if self._waiting and call.__name__ == _RELATIVE and self._waiting[-1][0] == call:
            args = (self._waiting.pop()[1][0] + args[0],)
        self._waiting.append((call, args, False))
        if self.busy:
            return False
        self.busy = True
        return True

    async def run(self, failed: Callable[[Exception], None]) -> None:
        """Make the kept calls one after the other, the long ones beside the event loop."""
        try:
            while self._waiting:
                call, args, quick = self._waiting.popleft()
                try:
                    if quick:
                        call(*args)
                    else:
                        await beside(call, *args)
                except Exception as error:
                    failed(error)
        finally:
            self.busy = False


class Pulse:
    """Count the frames that were due and the ones that could not be shown."""

    def __init__(self, per_second: int) -> None:
        self.period_ns = 1_000_000_000 // per_second
        self.coalesced = 0
        """Frames left out because the one before took too long or the terminal did not read."""
        self._last_ns: int | None = None

    def beat(self, now_ns: int) -> int:
        """A frame begins; give the ns since the one before. Whole periods without a frame were left out."""
        passed = now_ns - self._last_ns if self._last_ns is not None else 0
        self.coalesced += max(0, round(passed / self.period_ns) - 1)
        self._last_ns = now_ns
        return passed

    def skip(self) -> None:
        """This frame is not shown."""
        self.coalesced += 1
