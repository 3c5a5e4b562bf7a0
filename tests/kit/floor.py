"""A session in small: rows of a script through an engine and a desk beside it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from feeds import script
from feeds.events import CLOCK, Events
from feeds.instruments import Instrument
from tapeview.desk.commands import MARKET, AnyCommand, Arm, Place
from tapeview.desk.costs import Profile, Tier
from tapeview.desk.decision import Scene
from tapeview.desk.desk import Desk
from tapeview.desk.limits import Limits
from tapeview.desk.records import PESSIMIST, AnyRecord
from tapeview.desk.view import View
from tapeview.engine import Engine

MES = Instrument(venue="cme", symbol="MES", tick="0.25", multiplier="5")
OPENING = "[ b20000:50 b19999:70 b19998:90 b19990:500 a20001:40 a20002:60 a20003:80 a20010:500 ]"
FREE = Profile(name="free", tier=[Tier(commission="0")], exchange_other="0")
NET = Profile(name="net", tier=[Tier(commission="0.62")], exchange_other="0")


class Floor:
    """MES, an engine, and a desk of 25,000 that is told every row."""

    def __init__(self, *, limits: Limits | None = None, equity: str = "25000", profile: Profile = FREE, **more: Any):
        self.engine = Engine(MES)
        self.desk = Desk(
            [MES], [False], limits=limits or Limits(latency_ms=5, losses_stop=20, cooldown_min=0), profile=profile,
            calendar="futures", equity=Decimal(equity), **more,
        )  # fmt: skip
        self.records: list[AnyRecord] = []
        self.now, self.seq = script.START_NS, -1

    def play(self, text: str | Events) -> None:
        rows = script.events(text, start_ns=self.now) if isinstance(text, str) else text
        rows = rows.copy()
        rows["seq"] = np.arange(self.seq + 1, self.seq + 1 + len(rows))
        while len(rows):
            self.desk.before(int(rows["recv_ns"][0]), [self.engine])
            n = self.desk.cut(rows)
            assert n > 0
            outcome = self.engine.apply(rows[:n])
            self.desk.after(0, outcome.events, outcome.frame)
            self.seq, self.now = int(rows["seq"][n - 1]), int(rows["recv_ns"][n - 1])
            if rows["kind"][n - 1] == CLOCK and self.desk.busy:
                self.desk.look(self.now)
            rows = rows[n:]
        self.records += self.desk.take()

    def do(self, *commands: AnyCommand, scene: Scene | None = None) -> None:
        for command in commands:
            self.desk.command(command, [self.engine], scene)
        self.records += self.desk.take()

    @property
    def view(self) -> View:
        """The pessimist's."""
        return self.desk.views[PESSIMIST][0]

    def of(self, kind: type[Any], view: str | None = None) -> list[Any]:
        return [r for r in self.records if isinstance(r, kind) and (view is None or getattr(r, "view", view) == view)]


def opened(*commands: AnyCommand, **more: Any) -> Floor:
    floor = Floor(**more)
    floor.play(OPENING + " ~6000 b19997:1 b19997:2 b19997:3")
    floor.do(Arm(), *commands)
    return floor


def buy(lots: int = 2, tick: int | None = None, **more: Any) -> Place:
    return Place(side=1, lots=lots, kind=MARKET if tick is None else "limit", tick=tick, **more)
