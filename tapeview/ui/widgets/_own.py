"""What is the trader's own on the ladder's rows: orders with their queues, stops and targets, entry and break-even."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tapeview import format as text
from tapeview.format import Scale
from tapeview.snapshot import DeskPart, OwnOrder
from tapeview.ui.widgets._palette import Row, Run

LETTERS: Final = {"stop": "S", "target": "T", "flatten": "X"}
"""What an order is for -> its letter; an entry has none."""
ENTRY: Final = "E"
BREAK_EVEN: Final = "="
_UNKNOWN: Final = "…"


def row_of(order: OwnOrder, group: int) -> int | None:
    """The row, in groups, on which an order stands: where the book shows it, buys rounded down, sells up.

    A stop rests in no book; it is rounded down as the entry is, so that it stands on its own side of it.
    """
    if order.tick is None:
        return None
    return order.tick // group if order.side > 0 or order.kind == "stop" else -(-order.tick // group)


def in_use(desk: DeskPart | None) -> bool:
    """Whether a desk has anything to show: armed or locked, orders, a position, trades, an alarm."""
    return desk is not None and bool(
        desk.armed or desk.locked or desk.orders or desk.position or desk.position_hopeful or desk.trades
        or desk.trouble
    )  # fmt: skip


def own_rows(desk: DeskPart, scale: Scale, group: int, width: int) -> dict[int, Row]:
    """Row in groups -> what is the trader's own there, the entry first, then stops, targets and entries waiting.

    Where `width` cells do not hold how many lots are ahead at least, they hold how many at most.
    """
    rows: dict[int, list[Run]] = {}
    if desk.entry_tick is not None and desk.position:
        # Between two prices it stands on the nearer one.
        rows.setdefault(round(desk.entry_tick) // group, []).append((ENTRY, "own bold"))
    if desk.break_even_tick is not None and desk.position:
        rows.setdefault(round(desk.break_even_tick) // group, []).append((BREAK_EVEN, "own"))
    placed: dict[int, list[OwnOrder]] = {}
    for order in desk.orders:
        at = row_of(order, group)
        if at is not None:
            placed.setdefault(at, []).append(order)
    for at, orders in placed.items():
        runs = rows.setdefault(at, [])
        whole = [*runs, *_orders(orders, scale)]
        rows[at] = whole if _length(whole) <= width else [*runs, *_orders(orders, scale, briefly=True)]
    return {at: _cut(_apart(runs), width) for at, runs in rows.items()}


def _length(runs: list[Run]) -> int:
    return sum(len(words) for words, _ in _apart(runs))


def _cut(runs: list[Run], width: int) -> Row:
    over = sum(len(words) for words, _ in runs) - width
    while over >= 0 and runs:
        words, style = runs.pop()
        if over < len(words):
            if over:
                words = words[: len(words) - over - 1] + "…"
            return (*runs, (words, style))
        over -= len(words)
    return tuple(runs)


def _orders(orders: Iterable[OwnOrder], scale: Scale, *, briefly: bool = False) -> list[Run]:
    # Orders of one kind on one row are told as one.
    kinds: dict[tuple[str, int], list[OwnOrder]] = {}
    for order in sorted(orders, key=lambda one: list(LETTERS).index(one.why) if one.why in LETTERS else len(LETTERS)):
        kinds.setdefault((LETTERS.get(order.why, ""), order.side), []).append(order)
    runs: list[Run] = []
    for (letter, side), alike in kinds.items():
        words = ("▲" if side > 0 else "▼") + text.size(scale, sum(one.lots for one in alike)) + letter
        words += {"sent": _UNKNOWN, "triggered": "!"}.get(alike[0].state, "")
        ahead = [one.ahead for one in alike if one.ahead is not None]
        if ahead:
            most, least = min(most for most, _ in ahead), min(least for _, least in ahead)
            words += " " + queue_words(most, most if briefly else least, scale)
        runs.append((words, "alert-warn bold" if letter == "S" else "own bold"))
    return runs


def queue_words(most: int, least: int, scale: Scale) -> str:
    """How many lots are ahead: `12-3` for at most 12 and at least 3, `12` where that is known."""
    high = text.size(scale, most)
    return high if most == least else f"{high}-{text.size(scale, least)}"


def _apart(runs: list[Run]) -> list[Run]:
    spaced: list[Run] = []
    for words, style in runs:
        if spaced and not (spaced[-1][0] == ENTRY and words == BREAK_EVEN):
            spaced.append((" ", "own"))
        spaced.append((words, style))
    return spaced
