"""What the account has and may still lose: equity, the day's limit and lock, the run of losses, the share of size.

The day's limit goes by the whole account: what this desk made, and what others of the account told of. Lines that a
restart reads first are given by `take_kept`, and read back by the constructor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from tapeview.desk import day, streaks
from tapeview.desk.commands import Elsewhere
from tapeview.desk.limits import Limits
from tapeview.desk.money import read_profit, total

DAY, STREAK = "day", "streak"
"""What is kept."""
_KEEP_NS: Final = 5_000_000_000
"""How often equity is kept while it moves; what is lost with a process is no more than it moves in that time."""


class Purse:
    """The account as one desk knows it; amounts are in its currency."""

    def __init__(self, equity: Decimal, calendar: str, limits: Limits, kept: Mapping[str, str]) -> None:
        self.equity = equity
        """What the account began with."""
        self.day: day.LockState | None = None
        """Where the session stands; None before there is a time."""
        self.share, self.share_why = 1.0, ""
        """The share of the usual size that positions elsewhere leave."""
        self._calendar = calendar
        self._limits = limits
        self._lines = dict(kept)
        self._streak = streaks.StreakState(calendar=calendar)
        self._profit = self._worst = self._unrealised = Decimal(0)
        self._lock_due = ""
        """Why to lock as soon as there is a time to lock at."""
        self.unkept = False
        """A trade was closed since equity was kept."""
        self._kept: list[tuple[str, str]] = []
        self._kept_ns = 0
        self._kept_equity = ""

    # -- the day ----------------------------------------------------------------------------------
    def mark(self, now_ns: int, profit: Decimal) -> list[day.Told]:
        """Take note of what the desk has made by a time, open positions included; what there is to say."""
        if self.day is None:
            return self._begin(now_ns, profit)
        before = (self.day.start_ns, self.day.warned, self.day.locked)
        self.day, told = day.mark(self.day, now_ns, self._equity(profit), self._limits)
        moved = self.day.equity != self._kept_equity and now_ns - self._kept_ns >= _KEEP_NS
        if moved or self.unkept or before != (self.day.start_ns, self.day.warned, self.day.locked):
            self.keep()
        return told

    def _begin(self, now_ns: int, profit: Decimal) -> list[day.Told]:
        line, streak = self._lines.get(DAY), self._lines.get(STREAK)
        kept = None if line is None else line.encode()
        self.equity = day.equity_of(kept, now_ns, self.equity)
        self.day, told = day.resume(kept, self._calendar, now_ns, self._equity(profit), self._limits)
        if streak is not None:
            self._streak = streaks.resume(streak.encode(), self._calendar, now_ns)
        if self._lock_due:
            self.day = day.lock(self.day, self._lock_due)
        self.keep()
        return told

    def _equity(self, profit: Decimal) -> Decimal:
        return total(self.equity, profit, self._profit)

    @property
    def standing(self) -> Decimal:
        """The account's equity as last marked, all its desks counted."""
        return self.equity if self.day is None else Decimal(self.day.equity)

    def keep(self) -> None:
        """Keep the day as it stands."""
        if self.day is not None:
            self._kept_ns, self._kept_equity, self.unkept = self.day.latest_ns, self.day.equity, False
            self._kept.append((DAY, day.save(self.day).decode()))

    def take_kept(self) -> list[tuple[str, str]]:
        """Give the lines to be kept since the last time, by what they are of."""
        kept, self._kept = self._kept, []
        return kept

    def locked(self, now_ns: int) -> str:
        """Why the account is locked to the end of its session, '' where it is not."""
        if self.day is None:
            return self._lock_due
        return self.day.reason if self.day.locked and now_ns < self.day.end_ns else ""

    def lock(self, reason: str) -> None:
        """Lock to the end of the session; nothing here unlocks."""
        if self.day is None:
            self._lock_due = self._lock_due or reason
        else:
            self.day = day.lock(self.day, reason)
            self.keep()

    def pay_in(self, amount: Decimal, profit: Decimal) -> None:
        """Pay in, or out below 0; raise ValueError where nothing would be left."""
        if total(self._equity(profit), amount) <= 0:
            raise ValueError("nothing would be left")
        self.equity = total(self.equity, amount)
        if self.day is not None:
            self.day = day.pay_in(self.day, amount)
            self.keep()

    def count_elsewhere(self, command: Elsewhere) -> None:
        """Take note of what other desks of the account have made; raise BadInput for what is no money."""
        amounts = [read_profit(text) for text in (command.profit, command.worst, command.unrealised)]
        self._profit, self._worst, self._unrealised = amounts

    def refusal(self, unrealised: Decimal, worst_cases: Iterable[Decimal]) -> str:
        """Why plans that may lose so much may not be entered, '' where they may; see `day.refusal`."""
        if self.day is None:
            return ""
        return day.refusal(self.day, total(unrealised, self._unrealised), [self._worst, *worst_cases])

    # -- losses and sizes -------------------------------------------------------------------------
    def closed(self, now_ns: int, net: Decimal) -> None:
        """Take note of a trade that was closed with a net result."""
        self.unkept = True
        self._streak = streaks.closed(self._streak, now_ns, net, self._limits)
        self._kept.append((STREAK, streaks.save(self._streak).decode()))

    def entry(self, now_ns: int) -> streaks.Entry:
        """Whether a trade may be entered, and at what share of the usual size."""
        found = streaks.entry(self._streak, now_ns, self._limits)
        if found.allowed and self.share < found.size:
            return streaks.Entry(True, self.share, self.share_why)
        return found
