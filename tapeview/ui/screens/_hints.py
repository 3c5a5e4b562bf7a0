"""Which keys the bottom line of the trade screen tells, as a person has them, as many as fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from textual.widget import Widget

from tapeview.ui.keys import actions, in_words
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.alerts import Alerts
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.tape import Tape
from tapeview.ui.widgets.vwap import Chart

OF_PANEL: Final[dict[type[Panel], tuple[tuple[str, str, int], ...]]] = {
    Ladder: (
        ("ladder.up ladder.down", "price", 1),
        ("ladder.centre", "centre", 2),
        ("ladder.coarser ladder.finer", "group", 6),
    ),
    Tape: (
        ("tape.up tape.down", "hold", 1),
        ("tape.unfold", "unfold", 2),
        ("tape.filter-up tape.filter-down", "filter", 3),
    ),
    Chart: (("chart.longer chart.shorter", "span", 1), ("chart.slot", "anchor", 2)),
    Alerts: (
        ("alerts.up alerts.down", "select", 1),
        ("alerts.explain", "explain", 2),
        ("alerts.replay", "replay", 3),
        ("alerts.mute", "mute", 4),
        ("alerts.unmute", "unmute", 9),
    ),
}
"""Ids of the keys told on the bottom line while a panel has them, a word for each, and its rank: the last go first."""
ALWAYS: Final = (
    ("replay.pause", "pause", 1),
    ("replay.event", "event", 3),
    ("replay.trade", "trade", 7),
    ("replay.slower replay.faster", "speed", 3),
    ("replay.left replay.right", "10 s", 8),
    ("replay.goto", "go to", 4),
    ("alerts.next alerts.previous", "alert", 6),
    ("alerts.explain", "explain", 5),
    ("screen.next", "panel", 5),
    ("trade.arm", "ARM", 5),
    ("app.help", "help", 0),
    ("screen.leave", "back", 0),
)

LIVE: Final = (
    ("replay.pause", "hold", 1),
    ("live.add", "add", 3),
    ("live.remove", "remove", 7),
    ("live.log", "log", 4),
    ("alerts.explain", "explain", 5),
    ("screen.next", "panel", 5),
    ("trade.arm", "ARM", 5),
    ("app.help", "help", 0),
    ("screen.leave", "back", 0),
)
"""The same of a live market."""
ARMED: Final = (
    ("trade.buy trade.sell", "limit", 0),
    ("trade.buy-market trade.sell-market", "market", 3),
    ("trade.cancel", "cancel", 4),
    ("trade.cancel-all", "all", 5),
    ("trade.flatten", "flatten", 0),
    ("trade.size1", "size", 4),
    ("trade.bracket", "bracket", 6),
    ("trade.trail", "trail", 7),
    ("trade.ticket", "ticket", 8),
    ("trade.arm", "disarm", 1),
    ("app.help", "help", 2),
    ("screen.leave", "back", 9),
)
"""The same while trading keys are armed."""


def hints(
    focused: Widget | None,
    owners: Iterable[type],
    keymap: Mapping[str, str],
    room: int,
    *,
    ascii_only: bool = False,
    always: tuple[tuple[str, str, int], ...] = ALWAYS,
) -> tuple[tuple[str, str], ...]:
    """(keys, word) for a panel that has the keys, in `room` cells; help and the way back are told last of all to go."""
    known = {action.id: action for action in actions(owners, keymap)}
    own = next((told for kind, told in OF_PANEL.items() if isinstance(focused, kind)), ())
    ranked = [
        (rank, _together([known[name].shown.split()[0] for name in ids.split()], ascii_only), word)
        for ids, word, rank in (*own, *(hint for hint in always if hint[0] not in {ids for ids, _, _ in own}))
    ]
    while len(ranked) > 2 and sum(len(keys) + len(word) + 3 for _, keys, word in ranked) >= room:
        ranked.remove(max(reversed(ranked), key=lambda hint: hint[0]))
    return tuple((keys, word) for _, keys, word in ranked)


def _together(keys: list[str], ascii_only: bool) -> str:
    words = [in_words(key) for key in keys] if ascii_only else keys
    return ("/" if words != keys else "").join(words)
