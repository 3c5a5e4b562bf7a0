"""The terminal's bell, for signals, fills, alerts and alarms: once a delivery, however much there is to tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from tapeview.journal import Line
from tapeview.outlets._declare import CALLS, CallOptions, Outlet, words


class BellOptions(CallOptions, frozen=True):
    """Whose bell."""

    terminal: Annotated[str, Meta(description="The terminal; /dev/tty is the one the program runs in.")] = "/dev/tty"


class Bell(Outlet):
    """Rings."""

    options = BellOptions
    kinds: ClassVar[frozenset[str]] = CALLS

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Ring, where somebody need be called."""
        del journal
        if any(words(line, self.settings.grade) for line in lines):
            write(self.settings.terminal, b"\a")


def write(terminal: str, data: bytes) -> None:
    """Write to a terminal in one call, so that it does not fall into the middle of what a screen writes there."""
    handle = os.open(terminal, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


OUTLET = Bell
