"""A desktop notification through the terminal: OSC 9 and OSC 777, which it shows even over SSH."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tapeview.desk.records import Closed, Decided, Filled, Told
from tapeview.journal import Line
from tapeview.outlets._declare import Options, Outlet

_MOST = 3
"""Notifications of one delivery; what is beyond is counted in the last."""


class DesktopOptions(Options, frozen=True):
    """Which terminal."""

    terminal: str = "/dev/tty"
    bell: bool = True
    """Ring the bell with it."""


def words(line: Line) -> str:
    """A record in a few words, '' for one that nobody need be called for."""
    match line.record:
        case Filled():
            return f"{'bought' if line.record.side > 0 else 'sold'} {line.record.lots} ({line.record.view})"
        case Closed():
            r = "" if line.record.r is None else f", {line.record.r:+.2f} R"
            return f"trade closed: {line.record.net}{r}"
        case Decided():
            return f"signal: {'buy' if line.record.side > 0 else 'sell'} {line.record.setup}".rstrip()
        case Told():
            return line.record.text
        case _:
            return ""


class Desktop(Outlet):
    """Writes the two sequences; a terminal that knows neither shows nothing."""

    options = DesktopOptions

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Show the newest."""
        del journal
        told = [text for line in lines if (text := words(line))]
        if not told:
            return
        shown = told[:_MOST]
        if len(told) > _MOST:
            shown[-1] += f" (and {len(told) - _MOST} more)"
        data = b"".join(sequence(text) for text in shown) + (b"\a" if self.settings.bell else b"")
        handle = os.open(self.settings.terminal, os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)


def sequence(text: str) -> bytes:
    """Both sequences of a notification; what a terminal would obey is taken out of the text."""
    safe = "".join(c for c in text if c.isprintable() and c != ";")[:200]
    return f"\x1b]9;{safe}\x1b\\\x1b]777;notify;tapeview;{safe}\x1b\\".encode()


OUTLET = Desktop
