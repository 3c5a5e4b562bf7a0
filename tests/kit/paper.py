"""A desk that a test plays itself: it keeps the commands a screen sends, and shows what the test gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tapeview.desk.commands import Arm, Disarm
from tapeview.market import Market, Refused
from tapeview.snapshot import Snapshot, Window
from tests.kit import snapshots as kit


class OwnDesk:
    """Stand in for the desk of a market; arming is answered, all else is kept in `sent`."""

    def __init__(self, market: Market, **part: Any) -> None:
        self.sent: list[Any] = []
        self.touches = 0
        self.part = kit.desk(**part)
        self.refusal = ""
        """A sentence to refuse everything with."""
        self._take, self._go_on = market.snapshot, market.tick
        self._told = 0
        self._changed = True
        for name in ("snapshot", "send", "touched", "tick"):
            setattr(market, name, getattr(self, name))

    @property
    def orders(self) -> list[Any]:
        """What was sent, arming and disarming left out."""
        return [command for command in self.sent if not isinstance(command, Arm | Disarm)]

    def stands(self, **changes: Any) -> None:
        """Let the desk stand otherwise in the next picture."""
        self.part = replace(self.part, **changes)
        self._changed = True

    def tell(self, kind: str, words: str, *, alarm: bool = False) -> None:
        """Let the desk say something."""
        self._told += 1
        self.stands(told=(*self.part.told, (self._told, kind, words, alarm))[-4:])

    def send(self, command: Any) -> None:
        """Take a command."""
        if self.refusal:
            raise Refused(self.refusal)
        self.sent.append(command)
        if isinstance(command, Arm | Disarm):
            self.stands(armed=isinstance(command, Arm))

    def touched(self) -> None:
        """Count a key."""
        self.touches += 1

    def tick(self, now_ns: int) -> bool:
        """Go on; a desk that stands otherwise is something new to show."""
        changed, self._changed = self._changed, False
        return self._go_on(now_ns) or changed

    def snapshot(self, window: Window) -> Snapshot:
        """The market's own picture, with this desk."""
        return replace(self._take(window), desk=self.part)
