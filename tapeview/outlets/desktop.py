"""A desktop notification: by the terminal, which shows OSC 9 and OSC 777 even over SSH, or by the system itself."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from feeds.errors import MissingExtra
from tapeview.journal import Line
from tapeview.outlets._declare import CALLS, CallOptions, Outlet, urgent, words
from tapeview.outlets.bell import write

_MOST = 3
"""Notifications of one delivery; what is beyond is counted in the last."""
_CHARACTERS = 200
SYSTEM = "system"


class DesktopOptions(CallOptions, frozen=True):
    """How it is shown."""

    through: Annotated[
        str,
        Meta(
            pattern="^(terminal|system)$",
            description="terminal: OSC 9 and 777, over SSH as well; system: the desktop's own (extra desktop).",
        ),
    ] = "terminal"
    terminal: Annotated[str, Meta(description="The terminal; /dev/tty is the one the program runs in.")] = "/dev/tty"
    bell: Annotated[bool, Meta(description="Ring the terminal's bell with it.")] = True


class Desktop(Outlet):
    """Shows the oldest of what came, and how many more there are."""

    options = DesktopOptions
    kinds: ClassVar[frozenset[str]] = CALLS

    def __init__(self, options: DesktopOptions) -> None:
        super().__init__(options)
        if options.through == SYSTEM:
            check_installed()

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Show them; a terminal that knows neither sequence shows nothing."""
        del journal
        told = [(text, urgent(line)) for line in lines if (text := words(line, self.settings.grade))]
        if not told:
            return
        # An alarm is never among what is only counted.
        shown = sorted(told, key=lambda one: not one[1])[:_MOST]
        if len(told) > _MOST:
            text, alarm = shown[-1]
            shown[-1] = (f"{text} (and {len(told) - _MOST} more)", alarm)
        data = b"\a" if self.settings.bell else b""
        if self.settings.through == SYSTEM:
            asyncio.run(_show(shown))
        else:
            data = b"".join(sequence(text) for text, _ in shown) + data
        if data:
            write(self.settings.terminal, data)


def check_installed() -> None:
    """Raise MissingExtra where the library for the system's notifications is not installed."""
    try:
        importlib.import_module("desktop_notifier")
    except ImportError:
        raise MissingExtra("a notification by the system", "desktop") from None
    # What goes wrong it writes to the log, and that is the screen here.
    log = logging.getLogger("desktop_notifier")
    log.addHandler(logging.NullHandler())
    log.propagate = False


async def _show(told: Sequence[tuple[str, bool]]) -> None:
    """Show texts, alarms as urgent; raise OSError where the desktop took one of them not."""
    from desktop_notifier import DesktopNotifier, Urgency

    notifier = DesktopNotifier(app_name="tapeview", app_icon=None)
    taken: list[str] = []
    try:
        for text, alarm in told:
            level = Urgency.Critical if alarm else Urgency.Normal
            await notifier.send("tapeview", _safe(text), urgency=level, on_dispatched=lambda: taken.append(""))
    finally:
        # It has no way to end its connection.
        bus = getattr(notifier._backend, "bus", None)
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(Exception):
                await bus.wait_for_disconnect()
    if len(taken) < len(told):  # a failure is not raised, only logged
        raise OSError("the desktop takes no notifications")


def _safe(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c != ";")[:_CHARACTERS]


def sequence(text: str) -> bytes:
    """Both sequences of a notification; what a terminal would obey is taken out of the text."""
    safe = _safe(text)
    return f"\x1b]9;{safe}\x1b\\\x1b]777;notify;tapeview;{safe}\x1b\\".encode()


OUTLET = Desktop
