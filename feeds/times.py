"""Receive times that never step back, and what happened to this machine's clocks meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

STEP_NS: Final = 250_000_000
"""The least difference between the clocks that is called a step."""
SLEPT_NS: Final = 1_000_000_000
"""So much more time with sleep than without it means that the machine slept."""


def _boot_ns() -> int:
    # The monotonic clock of Linux stands while the machine sleeps, this one does not.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


class Times:
    """Receive times that never step back: the wall clock's, carried on by the monotonic one.

    Where the wall clock is set forward, times follow; where it is set back, they go on as if it had not been, so that
    rows stay in order, and the difference is told.
    """

    def __init__(
        self,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] | None = None,
    ) -> None:
        self.mono_ns = mono_ns
        self._wall_ns = wall_ns
        self._boot_ns = boot_ns or (_boot_ns if mono_ns is time.monotonic_ns else mono_ns)
        self._offset = wall_ns() - mono_ns()
        self._asleep = self._boot_ns() - mono_ns()
        self._told = self._offset

    def now(self) -> tuple[int, int]:
        """(receive time, monotonic time) of this moment."""
        mono = self.mono_ns()
        return mono + self._offset, mono

    def check(self) -> int:
        """Follow the wall clock forward; give the difference in ns where it has stepped, 0 otherwise.

        A step back is told once, although times go on as before.
        """
        off = self._wall_ns() - self.mono_ns()
        step, self._told = off - self._told, off
        self._offset = max(self._offset, off)
        return step if abs(step) >= STEP_NS else 0

    def slept(self) -> int:
        """How long this machine has slept since the last call, in ns; 0 where it has not."""
        asleep = self._boot_ns() - self.mono_ns()
        slept = asleep - self._asleep
        if abs(slept) < SLEPT_NS:
            return 0
        self._asleep = asleep
        return max(0, slept)
