"""What paper trading stands at: side, entry, R, stop, cover, the day's budget, work and rest, and the journal's state.

While a position is open money is hidden where the screen is blind; R, the process and the budget's share are told.
Where the two views of the fills differ, both are: `2-3` is 2 lots certainly and 3 if cancels helped the queue.
"""

from __future__ import annotations

from typing import ClassVar, Final

from tapeview import format as text
from tapeview.format import EIGHTHS_RIGHT, Scale
from tapeview.snapshot import DeskPart, OwnOrder, Snapshot
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets._pieces import Piece, join

COVER: Final = {
    "covered": ("covered", "bid"),
    "partial": (" PARTLY COVERED ", "alert-act bold reverse"),
    "naked": (" NAKED ", "alert-act bold reverse"),
    "unknown": (" STOP UNKNOWN ", "alert-warn bold reverse"),
}
"""Text and style of how far stops cover the position."""
WARN_AT: Final = 0.5
ACT_AT: Final = 0.75
"""Shares of the day's budget from which its bar is louder."""
HIDDEN: Final = "hidden"
_BAR_LEAST: Final = 5


def open_now(desk: DeskPart) -> bool:
    """Whether a position is open in either view."""
    return bool(desk.position or desk.position_hopeful)


def lots_words(desk: DeskPart, scale: Scale) -> str:
    """Lots of the position; both where the views differ: `2-3`."""
    sure, hoped = desk.position, desk.position_hopeful
    if sure == hoped:
        return text.exact_size(scale, abs(sure))
    if sure * hoped < 0:
        return " or ".join(text.signed(text.exact_size(scale, lots)) for lots in (sure, hoped))
    low, high = sorted((abs(sure), abs(hoped)))
    return f"{text.exact_size(scale, low)}-{text.exact_size(scale, high)}"


def side_run(desk: DeskPart, scale: Scale) -> Run:
    """`LONG 2`, `SHORT 1-2` or `flat`, with the style of its side."""
    total = desk.position + desk.position_hopeful
    if not open_now(desk):
        return "flat", "text"
    if desk.position * desk.position_hopeful < 0:
        return f"LONG OR SHORT {lots_words(desk, scale)}", "alert-warn bold"
    return (f"LONG {lots_words(desk, scale)}", "buy bold") if total > 0 else (
        f"SHORT {lots_words(desk, scale)}", "sell bold"
    )  # fmt: skip


def r_run(desk: DeskPart) -> Run:
    """What the position stands at in units of its risk."""
    if not open_now(desk):
        return "R 0.00", "text"
    if desk.r is None:
        return "R –", "dim"
    return f"R {text.signed(f'{desk.r:.2f}')}", "buy" if desk.r > 0 else "sell" if desk.r < 0 else "text"


def rest_run(desk: DeskPart) -> Run:
    """Where work and rest stand."""
    return text.clean(desk.rest), "alert-warn bold reverse" if desk.rest_due else "dim"


def summary(desk: DeskPart, scale: Scale) -> Row:
    """The end of the bottom line: `flat  R 0.00  2:00 left`."""
    runs: list[Run] = [side_run(desk, scale), ("  ", "dim"), r_run(desk)]
    if desk.cover in ("naked", "partial", "unknown"):
        runs += [("  ", "dim"), COVER[desk.cover]]
    if desk.rest:
        runs += [("  ", "dim"), rest_run(desk)]
    return (*runs, (" ", "dim"))


class Position(Panel, can_focus=False):
    """As many facts as there is room for: one line, a few, or all."""

    PERIOD_NS: ClassVar[int] = 100_000_000
    DEFAULT_CSS = """
    Position { height: 1; }
    """

    def __init__(self, *, ruled: bool = False, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(ruled=ruled, name=name or "position", id=id)
        self.blind = True
        """Money is hidden while a position is open."""

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw the facts, the most important first to stay and in the same order always."""
        desk, scale = snapshot.desk, snapshot.scale
        if desk is None:
            return []
        if height < 3:
            return [self._line(desk, scale, width)]
        ranked = [entry for entry in self._facts(desk, scale, width) if entry[1]]
        while len(ranked) > height - 1:
            ranked.remove(max(ranked, key=lambda entry: entry[0]))
        return [self._heading(desk, width), *(row for _, row in ranked)]

    def _hides(self, desk: DeskPart) -> bool:
        return self.blind and open_now(desk)

    # -- one line ----------------------------------------------------------------------------------
    def _line(self, desk: DeskPart, scale: Scale, width: int) -> Row:
        left: list[Piece] = [(0, [(" ", "dim"), side_run(desk, scale)])]
        if desk.entry_tick is not None and open_now(desk):
            left.append((4, [(f" @ {_price(scale, desk.entry_tick)}", "text")]))
        left.append((1, [("  ", "dim"), r_run(desk)]))
        if desk.profit and not self._hides(desk):
            left.append((6, [("  ", "dim"), (_money(desk.profit), "text")]))
        if desk.cover:
            loud = desk.cover != "covered"
            left.append((0 if loud else 5, [("  ", "dim"), COVER.get(desk.cover, (desk.cover, "alert-warn bold"))]))
        if desk.stop_tick is not None:
            left.append((3, [(f"  stop {text.ladder_price(scale, desk.stop_tick)}", "text")]))
        if desk.trailing:
            left.append((7, [("  trails", "dim")]))
        right: list[Piece] = []
        for rank, words, style in (
            (2, desk.off, "alert-warn"),
            (2, desk.trouble, "alert-act bold reverse"),
            (3, desk.pause, "alert-warn bold"),
            (6, "HINDSIGHT" if desk.hindsight else "", "alert-warn bold"),
        ):
            if words:
                right.append((rank, [("  ", "dim"), (f" {_short(text.clean(words), width // 2)} ", style)]))
        right.append((4, [("  day ", "dim"), *_budget(desk, 6), (f" {desk.loss_used:.0%} ", _loudness(desk))]))
        return join(left, right, width)

    # -- several -----------------------------------------------------------------------------------
    def _heading(self, desk: DeskPart, width: int) -> Row:
        words: list[Run] = [(" position", self.heading_style), (f"  {text.clean(desk.account)}", "dim")]
        if desk.hindsight:
            words.append(("  HINDSIGHT", "alert-warn bold"))
        told = "" if not self.blind else "blind"
        used = sum(len(run[0]) for run in words)
        if told and used + len(told) + 2 <= width:
            words.append((told.rjust(width - used - 1) + " ", "dim"))
        return tuple(words)

    def _facts(self, desk: DeskPart, scale: Scale, width: int) -> list[tuple[int, Row]]:
        facts: list[tuple[int, Row]] = []
        if desk.locked:
            facts.append((0, ((f" LOCKED: {text.clean(desk.locked)} ", "alert-act bold reverse"),)))
        if desk.off:
            facts.append((1, ((f" {text.clean(desk.off)}", "alert-warn"),)))
        facts.append((0, self._standing(desk, scale, width)))
        facts.append((3, self._worth(desk)))
        facts.append((2, _exits(desk, scale, width)))
        facts.append((7, _targets(desk, scale)))
        facts.append((9, _working(desk, scale)))
        facts.append((4, self._day(desk, width)))
        if desk.pause:
            facts.append((3, ((f" {text.clean(desk.pause)}", "alert-warn bold"),)))
        if desk.trouble:
            facts.append((1, ((f" JOURNAL: {text.clean(desk.trouble)} ", "alert-act bold reverse"),)))
        elif desk.unwritten:
            facts.append((10, ((f" {desk.unwritten} records not on disk yet", "dim"),)))
        facts.append((6, _process(desk)))
        if desk.hindsight:
            facts.append((11, ((" seen before: it proves nothing", "alert-warn"),)))
        if desk.rest:
            facts.append((5 if desk.rest_due else 8, ((" ", "dim"), rest_run(desk))))
        return [(rank, _cut(row, width)) for rank, row in facts]

    def _standing(self, desk: DeskPart, scale: Scale, width: int) -> Row:
        runs: list[Run] = [(" ", "dim"), side_run(desk, scale)]
        if desk.entry_tick is not None and open_now(desk):
            runs.append((f" @ {_price(scale, desk.entry_tick)}", "text"))
        if desk.break_even_tick is not None and open_now(desk):
            even = f"  even {_price(scale, desk.break_even_tick)}"
            if sum(len(words) for words, _ in runs) + len(even) <= width:
                runs.append((even, "dim"))
        return tuple(runs)

    def _worth(self, desk: DeskPart) -> Row:
        if not open_now(desk):
            return ()
        runs: list[Run] = [(" ", "dim"), r_run(desk)]
        if self._hides(desk):
            runs.append(("   money hidden", "dim"))
        elif desk.profit:
            runs.append((f"   {_money(desk.profit)}", "text"))
            if desk.profit_hopeful and desk.profit_hopeful != desk.profit:
                runs.append((f" to {_money(desk.profit_hopeful)}", "dim"))
        return tuple(runs)

    def _day(self, desk: DeskPart, width: int) -> Row:
        hides = self._hides(desk)
        made = "" if hides or not desk.session_profit else f" {_money(desk.session_profit)}"
        left = "" if hides or not desk.loss_left else f", {desk.loss_left} left"
        words = f" {desk.loss_used:.0%} used"
        room = width - len(" day") - len(made) - len(words) - len(left) - 1
        if room < _BAR_LEAST + 1:
            left, room = "", room + len(left)
        runs: list[Run] = [(" day", "dim"), (made, "text"), (" ", "dim")]
        return (*runs, *_budget(desk, min(room - 1, 14)), (words, _loudness(desk)), (left, "dim"))


def _price(scale: Scale, tick: float) -> str:
    # An average between two ticks is told to a tenth of one.
    if tick == int(tick):
        return text.ladder_price(scale, int(tick))
    low = int(tick // 1)
    return f"{text.ladder_price(scale, low)}+{tick - low:.1f}t"


def _money(amount: str) -> str:
    return text.signed(text.spaced(text.clean(amount).removeprefix("+")))


def _loudness(desk: DeskPart) -> str:
    used = desk.loss_used
    return "alert-act bold" if used >= ACT_AT else "alert-warn bold" if used >= WARN_AT else "text"


def _budget(desk: DeskPart, cells: int) -> list[Run]:
    """The part of the daily loss that is used up, as a bar between two walls."""
    if cells < _BAR_LEAST:
        return []
    inside = cells - 2
    full, part = divmod(round(max(0.0, min(1.0, desk.loss_used)) * inside * 8), 8)
    bar = ("█" * full + (EIGHTHS_RIGHT[part] if part and full < inside else "")).ljust(inside)
    return [("▕", "rule"), (bar, "ask-bar" if desk.loss_used < WARN_AT else "alert-warn"), ("▏", "rule")]


def _exits(desk: DeskPart, scale: Scale, width: int) -> Row:
    if not open_now(desk):
        return ()
    cover: list[Run] = [COVER.get(desk.cover, (desk.cover, "alert-warn bold"))] if desk.cover else []
    loud = bool(desk.cover) and desk.cover != "covered"
    runs: list[Run] = [(" ", "dim"), *(cover if loud else [])]
    if desk.stop_tick is None:
        runs.append((" no stop" if loud else "no stop", "alert-warn bold"))
    else:
        runs.append((f"{' ' if loud else ''}stop {text.ladder_price(scale, desk.stop_tick)}", "text"))
        if desk.entry_tick is not None:
            distance = (desk.stop_tick - desk.entry_tick) * (1 if desk.position >= 0 else -1)
            runs.append((f" {text.signed(f'{distance:.0f}')}t", "dim"))
        if desk.trailing:
            runs.append((" trails", "own"))
    runs += [] if loud else [("  ", "dim"), *cover]
    room = width - sum(len(run[0]) for run in runs)
    rest = text.clean(desk.cover_text).removeprefix(f"{desk.cover}, ")
    if rest and len(rest) + 2 <= room:
        runs.append((f"  {rest}", "dim"))
    return tuple(runs)


def _targets(desk: DeskPart, scale: Scale) -> Row:
    found = [order for order in desk.orders if order.why == "target" and order.tick is not None]
    return _listed(" targets", found, scale)


def _working(desk: DeskPart, scale: Scale) -> Row:
    found = [order for order in desk.orders if order.why not in ("target", "stop") and order.tick is not None]
    return _listed(" working", found, scale)


def _listed(name: str, orders: list[OwnOrder], scale: Scale) -> Row:
    lots: dict[tuple[int, int], int] = {}
    for one in orders:
        lots[one.tick or 0, one.side] = lots.get((one.tick or 0, one.side), 0) + one.lots
    words = [
        f"{'▲' if side > 0 else '▼'}{text.exact_size(scale, count)} @ {text.ladder_price(scale, tick)}"
        for (tick, side), count in lots.items()
    ]
    return ((name, "dim"), (f" {', '.join(words)}", "own")) if words else ()


def _process(desk: DeskPart) -> Row:
    if not desk.trades:
        return ()
    words = f" {desk.trades} trade{'s' if desk.trades > 1 else ''}"
    score = "" if desk.process is None else f"  process {desk.process:.0%}"
    return ((words, "dim"), (score, "text"))


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _cut(row: Row, width: int) -> Row:
    length = sum(len(words) for words, _ in row)
    if length <= width or not row:
        return row
    words, style = row[-1]
    keep = len(words) - (length - width) - 1
    return (*row[:-1], (words[:keep] + "…", style)) if keep >= 0 else row
