"""The ladder: every price a row, sizes left and right of it, and a cursor that belongs to a price.

The ladder stands still. It moves when asked, or (unless told not to) when the market brings the touch within
three rows of an edge; the cursor's price changes by the user's hand alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
from textual import events
from textual.binding import Binding, BindingType

from tapeview import format as text
from tapeview.format import EIGHTHS_RIGHT, Scale
from tapeview.snapshot import (
    ROW_BAND1,
    ROW_BAND2,
    ROW_BAND3,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_OFF_GRID,
    ROW_UNKNOWN,
    ROW_VWAP,
    Ints,
    LadderPart,
    Snapshot,
    StatusPart,
    Window,
)
from tapeview.ui.widgets._palette import Row, Run, fit
from tapeview.ui.widgets._panel import Panel

GROUPS: Final = (1, 2, 5, *(step * 10**power for power in range(6) for step in (10, 20, 25, 50)))
"""Ticks a row, from fine to coarse."""
MODES: Final = ("auto", "static", "pinned")
"""auto recentres when the market nears an edge, static never does, pinned keeps the touch in the middle."""
TICKS_A_BASIS_POINT: Final = 50
"""A market with more ticks to a basis point (1/10,000 of the price) opens grouped by about a tenth of one."""
EDGE_ROWS: Final = 3
GLANCE_NS: Final = 300_000_000
NOTABLE_PART: Final = 4
"""A size lights up when it changed by a quarter or more of what was there."""
LIT_MOST: Final = 8
"""Sizes bright at once; in a busy market more would make none stand out."""
NEVER_NS: Final = -(2**62)
LAST_NS: Final = 1_000_000_000
RECENT_S: Final = 60
LAST_WIDTH: Final = 8
"""Cells of the last trade's marker with its size; the marker alone takes two."""
QUIET_STATES: Final = frozenset({"live", "auction", "halted"})
"""States in which the book shown is the venue's; in the others the ladder is dimmed."""

_MARKS: Final = (
    (ROW_OFF_GRID, "~", "alert-warn"),
    (ROW_VWAP, "V", "vwap bold"),
    (ROW_HIGH, "H", "loud"),
    (ROW_LOW, "L", "loud"),
    (ROW_BAND1, "1", "band1"),
    (ROW_BAND2, "2", "band2"),
    (ROW_BAND3, "3", "band3"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the ladder's columns in cells; 0 leaves one out."""

    volume: int
    recent: int
    """Of each of sold and bought."""
    orders: int
    size: int
    price: int
    last: int
    marks: int
    spare: int = 0

    @property
    def total(self) -> int:
        """Cells of a row."""
        return (
            1 + self.volume + 2 * self.recent + 2 * self.orders + 2 * self.size
            + self.price + self.last + self.marks + self.spare
        )  # fmt: skip


@lru_cache(maxsize=64)
def columns(width: int, price: int, orders: bool) -> Columns:
    """Choose the columns that fit: prices and sizes first, then trades, volume, order counts and room for bars."""
    chosen = Columns(volume=0, recent=0, orders=0, size=6, price=price, last=2, marks=2)
    steps = [{"recent": 6}, {"size": 7}, {"marks": 4}, {"volume": 7}, {"last": LAST_WIDTH}]
    if orders:
        steps.insert(4, {"orders": 4})
    steps += [{"size": 8}, {"volume": 8}, {"recent": 7}, {"size": 10}, {"volume": 10}, {"size": 12}, {"size": 14}]
    for step in steps:
        wider = replace(chosen, **step)
        if wider.total <= width:
            chosen = wider
    return replace(chosen, spare=max(0, width - chosen.total))


_Key = tuple[int, ...]
"""A row's numbers: marks, sizes, orders, volumes, glow and the bars' lengths."""
_Extra = tuple[bool, tuple[int, int, int]] | None
"""Whether the cursor is on the row, and the last trade's direction, lots (0 settled) and side."""
_Frame = tuple[Columns, int, bool, Scale]
"""Columns, digits that are dim, whether the book is live, and the scale."""


class Ladder(Panel):
    """Prices from high to low with what rests and what traded at each.

    Left to right: cursor, volume at price, sold and bought lately, orders, bid, price, last trade, ask, orders, marks.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(1)", "Cursor up a price", id="ladder.up"),
        Binding("down", "move(-1)", "Cursor down a price", id="ladder.down"),
        Binding("pageup", "page(1)", "Cursor up a page", id="ladder.page-up"),
        Binding("pagedown", "page(-1)", "Cursor down a page", id="ladder.page-down"),
        Binding("home", "touch", "Cursor to the touch", id="ladder.touch"),
        Binding("space", "centre", "Centre on the touch", id="ladder.centre"),
        Binding("plus,equals_sign", "group(1)", "Coarser prices", id="ladder.coarser"),
        Binding("minus", "group(-1)", "Finer prices", id="ladder.finer"),
        Binding("c", "clear", "Count sold and bought from now (again: 60 s)", id="ladder.clear"),
        Binding("l", "mode", "Recentre: auto, static, pinned", id="ladder.mode"),
    ]

    def __init__(self, *, ruled: bool = False, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(ruled=ruled, name=name or "ladder", id=id)
        self.cursor: int | None = None
        """The tick the cursor belongs to; None until the user first moves it."""
        self.group = 1
        self._group_chosen = False
        self.mode = MODES[0]
        self._recent_from_ns: int | None = None
        self._forget_market()

    def _forget_market(self) -> None:
        self._top: int | None = None
        self._price_width = 5
        self._instrument: str | None = None
        self._bar_lots = 0
        self._volume_bar = 0
        self._touch_inside = False
        self._labels: tuple[str, ...] = ()
        self._sizes: Ints | None = None
        self._lit_ns: Ints | None = None
        self._frame: _Frame | None = None
        self._cache: dict[str, tuple[_Key, _Extra, Row]] = {}

    # -- the view ----------------------------------------------------------------------------------
    @property
    def price_rows(self) -> int:
        """Rows that hold prices: the panel's height less heading and foot."""
        return max(0, self.size.height - 2)

    @property
    def top(self) -> int | None:
        """Topmost row in groups, None while the ladder follows the touch."""
        return None if self.mode == "pinned" else self._top

    def ask(self, window: Window) -> Window:
        """Ask for the rows on show."""
        return replace(
            window,
            rows=self.price_rows,
            top=self.top,
            group=self.group,
            recent_s=RECENT_S,
            recent_from_ns=self._recent_from_ns,
        )

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw heading, prices and foot."""
        part, status = snapshot.ladder, snapshot.status
        if self._instrument not in (None, status.instrument):
            self.cursor, self._recent_from_ns = None, None
            self.group, self._group_chosen = 1, False
            self._forget_market()
        self._instrument = status.instrument
        if part is None or height < 3:
            return []
        if not self._group_chosen:
            self._choose_group(part)
        if part.group == self.group:
            self._follow(part, snapshot.window.top is None)
        self._price_width = max(self._price_width, min(16, max((len(label) for label in part.label), default=0)))
        cols = columns(width, self._price_width + 1, part.has_orders)
        body = self._body(snapshot.scale, part, status, cols)
        if status.state not in QUIET_STATES:
            _announce(body, status, width)
        return [self._heading(cols, width), *body[: height - 2], self._foot(snapshot, part, cols, width)]

    def _choose_group(self, part: LadderPart) -> None:
        """Group the prices of a market whose ticks are dust: more than 50 of them to a basis point."""
        tick = part.best_bid if part.best_bid is not None else part.best_ask
        if tick is None:
            return
        self._group_chosen = True
        if abs(tick) > TICKS_A_BASIS_POINT * 10_000:
            wanted = abs(tick) / 100_000
            self.group = min(GROUPS, key=lambda step: abs(step - wanted))
            self._top = None

    def _follow(self, part: LadderPart, centred: bool) -> None:
        rows = len(part.label)
        # Bids round down to their row, asks up.
        sides = [tick // part.group for tick in (part.best_bid,) if tick is not None]
        sides += [-(-tick // part.group) for tick in (part.best_ask,) if tick is not None]
        if not sides or not rows:
            return
        if self._top is None:
            if not centred:
                return  # the snapshot was taken before the ladder was to be centred
            self._top = part.top
        elif part.top != self._top:
            return  # an answer to an earlier window
        low, high = EDGE_ROWS, rows - 1 - EDGE_ROWS
        at = [part.top - side for side in sides]
        wide = max(at) - min(at) > max(0, high - low)
        middle = sum(at) // len(at)
        inside = low <= middle <= high if wide or low > high else low <= min(at) and max(at) <= high
        if self.mode == "auto" and self._touch_inside and not inside:
            self._top = None
        self._touch_inside = inside

    # -- drawing -----------------------------------------------------------------------------------
    def _body(self, scale: Scale, part: LadderPart, status: StatusPart, cols: Columns) -> list[Row]:
        now, speed = status.market_ns or 0, max(1.0, status.speed)
        bright = self._changes(part, now, int(GLANCE_NS * speed))
        live = status.state in QUIET_STATES
        self._bar_lots = _steady(self._bar_lots, part.bar_lots)
        self._volume_bar = _steady(self._volume_bar, part.volume_bar)
        last = (part.last_direction, part.last_lots if self._last_shown(part, status) else 0, part.last_side)
        cursor_row = self._cursor_row(part)
        eighths = cols.size * 8
        keys = zip(
            part.marks.tolist(), part.bid.tolist(), part.ask.tolist(), part.bid_orders.tolist(),
            part.ask_orders.tolist(), part.volume.tolist(), part.sold.tolist(), part.bought.tolist(),
            bright.tolist(), _eighths(part.bid, self._bar_lots, eighths), _eighths(part.ask, self._bar_lots, eighths),
            _eighths(part.volume, self._volume_bar, cols.volume * 8), strict=True,
        )  # fmt: skip
        # A row is drawn again only where its numbers, the frame or the cursor and the last trade on it changed.
        frame = (cols, _common_prefix(part.label), live, scale)
        if frame != self._frame:
            self._frame, self._cache = frame, {}
        cache, kept, rows = self._cache, {}, []
        for index, (label, key) in enumerate(zip(part.label, keys, strict=True)):
            extra = (index == cursor_row, last) if index == cursor_row or key[0] & ROW_LAST else None
            held = cache.get(label)
            if held is None or held[0] != key or held[1] != extra:
                held = (key, extra, _price_row(label, frame, key, extra))
            kept[label] = held
            rows.append(held[2])
        self._cache = kept
        return rows

    @staticmethod
    def _last_shown(part: LadderPart, status: StatusPart) -> bool:
        return 0 <= (status.market_ns or 0) - part.last_ns <= LAST_NS * max(1.0, status.speed)

    def _changes(self, part: LadderPart, now: int, glance_ns: int) -> Ints:
        """Return 1 where a row's bid, 2 where its ask changed notably within the glance, on a few cells at most."""
        sizes = np.stack((part.bid, part.ask))
        if self._sizes is None or self._lit_ns is None:
            before, lit = sizes, np.full(sizes.shape, NEVER_NS, np.int64)
        elif self._labels == part.label:
            before, lit = self._sizes, self._lit_ns
        else:
            was = {label: index for index, label in enumerate(self._labels)}
            found = np.array([was.get(label, -1) for label in part.label], np.int64)
            before = np.where(found < 0, sizes, self._sizes[:, found])
            lit = np.where(found < 0, NEVER_NS, self._lit_ns[:, found])
        # What was lit up later than now belongs to a time that was sought away from.
        lit = np.where((lit > now) | (now - lit >= glance_ns), NEVER_NS, lit)
        change = np.abs(sizes - before)
        notable = np.flatnonzero((change > 0) & (change >= before // NOTABLE_PART))
        room = LIT_MOST - int(np.count_nonzero(lit > NEVER_NS))
        if len(notable) > room:
            notable = notable[np.argsort(-change.ravel()[notable], kind="stable")[: max(0, room)]]
        lit.ravel()[notable] = now
        self._sizes, self._lit_ns, self._labels = sizes, lit, part.label
        glow: Ints = (lit[0] > NEVER_NS) * 1 + (lit[1] > NEVER_NS) * 2
        return glow

    def _cursor_row(self, part: LadderPart) -> int | None:
        if self.cursor is None:
            return None
        hits = np.flatnonzero(
            (part.tick <= self.cursor) & (self.cursor < part.tick + part.group) & (part.marks & ROW_OFF_GRID == 0)
        )
        return int(hits[0]) if len(hits) else None

    def _heading(self, cols: Columns, width: int) -> Row:
        names = ("sold", "bought") if cols.recent >= 7 else ("sold", "bght")
        parts = [" "]
        if cols.volume:
            parts.append("vol".rjust(cols.volume))
        if cols.recent:
            parts += [name.rjust(cols.recent) for name in names]
        if cols.orders:
            parts.append("n".rjust(cols.orders))
        parts += ["bid".rjust(cols.size), "price".rjust(cols.price), " " * cols.last, "ask".rjust(cols.size - 1) + " "]
        if cols.orders:
            parts.append("n".rjust(cols.orders))
        return (("".join(parts).ljust(width)[:width], self.heading_style),)

    def _foot(self, snapshot: Snapshot, part: LadderPart, cols: Columns, width: int) -> Row:
        scale, offset_s = snapshot.scale, snapshot.status.utc_offset_s
        words = [self.mode]
        if cols.last < LAST_WIDTH and self._last_shown(part, snapshot.status):
            words.insert(0, "•▲▼"[part.last_direction] + text.size(scale, part.last_lots))
        if part.group != 1:
            words.insert(0, f"×{part.group}")
        words.append(
            f"{RECENT_S} s"
            if self._recent_from_ns is None
            else "since " + text.clock(self._recent_from_ns, millis=False, offset_s=offset_s)
        )
        view = " · ".join(words) + " "
        left: list[Run] = []
        if self.cursor is not None:
            price = text.ladder_price(scale, self.cursor)
            row = self._cursor_row(part)
            left.append(("▸ " + price, "loud bold"))
            if row is None and len(part.tick):
                above = self.cursor >= int(part.tick[0])
                edge = int(part.tick[0]) if above else int(part.tick[-1])
                distance = abs(self.cursor // part.group - edge // part.group)
                left.append((f" {distance}{'↑' if above else '↓'}", "last bold"))
            elif row is not None:
                left.append((self._exact(scale, part, row), "text"))
        left += self._touch_distance(part)
        used = sum(len(run[0]) for run in left)
        if used + len(view) + 2 > width:
            view = f"{self.mode} " if used + len(self.mode) + 3 <= width else ""
        return (*left, (view.rjust(max(0, width - used)), "dim"))

    @staticmethod
    def _touch_distance(part: LadderPart) -> list[Run]:
        """Say where the touch is while it is out of sight."""
        if not len(part.tick) or (part.best_bid is None and part.best_ask is None):
            return []
        tick = part.best_bid if part.best_bid is not None else part.best_ask or 0
        row = part.top - tick // part.group
        bottom = part.top - int(part.tick[-1]) // part.group
        if 0 <= row <= bottom:
            return []
        words = f"{-row}↑" if row < 0 else f"{row - bottom}↓"
        return [("  touch ", "dim"), (words, "last bold")]

    def _exact(self, scale: Scale, part: LadderPart, row: int) -> str:
        words = []
        for name, lots, orders in (("bid", part.bid, part.bid_orders), ("ask", part.ask, part.ask_orders)):
            if lots[row]:
                count = f" in {orders[row]}" if part.has_orders and orders[row] else ""
                words.append(f"  {name} {text.exact_size(scale, int(lots[row]))}{count}")
        if not words:
            words.append("  unknown" if part.marks[row] & ROW_UNKNOWN else "  –")
        if part.volume[row]:
            words.append(f"  vol {text.exact_size(scale, int(part.volume[row]))}")
        return "".join(words)

    # -- keys and mouse ----------------------------------------------------------------------------
    def _part(self) -> LadderPart | None:
        return self.snapshot.ladder if self.snapshot is not None else None

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows, up for a positive number; the first press puts it on the touch."""
        part = self._part()
        if part is None:
            return
        if self.cursor is None:
            self.action_touch()
            return
        self._put_cursor((self.cursor // self.group + rows) * self.group)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages of the ladder."""
        self.action_move(pages * max(1, self.price_rows - 2))

    def action_touch(self) -> None:
        """Put the cursor on the best bid, else the best ask, else the last trade."""
        part = self._part()
        if part is None:
            return
        for tick in (part.best_bid, part.best_ask, part.last_tick):
            if tick is not None:
                self._put_cursor(tick // self.group * self.group)
                return
        if len(part.tick):
            self._put_cursor(int(part.tick[len(part.tick) // 2]))

    def _put_cursor(self, tick: int) -> None:
        self.cursor = tick
        part = self._part()
        if part is not None and self.mode != "pinned" and part.group == self.group:
            rows, at = len(part.label), (self._top if self._top is not None else part.top) - tick // self.group
            if at < 0:
                self._look_from((self._top if self._top is not None else part.top) - at)
            elif at >= rows > 0:
                self._look_from((self._top if self._top is not None else part.top) - (at - rows + 1))
        self.redraw()

    def _look_from(self, top: int) -> None:
        # The user looks elsewhere: the market may call the ladder back only once the touch was in sight again.
        self._top = top
        self._touch_inside = False

    def action_centre(self) -> None:
        """Centre the ladder on the touch."""
        self._top = None
        self._touch_inside = False
        self.redraw()

    def action_mode(self) -> None:
        """Take the next way of recentring."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        if self.mode == "pinned":
            self._top = None
        self.redraw()

    def action_group(self, step: int) -> None:
        """Take coarser or finer price rows, keeping the cursor's row (else the touch) in place."""
        index = min(len(GROUPS) - 1, max(0, GROUPS.index(self.group) + step))
        self._group_chosen = True
        if GROUPS[index] == self.group:
            return
        part = self._part()
        row = self._cursor_row(part) if part is not None else None
        self.group = GROUPS[index]
        self._top = self.cursor // self.group + row if row is not None and self.cursor is not None else None
        self._touch_inside = False
        self._bar_lots = self._volume_bar = 0
        self._sizes = None

    def action_clear(self) -> None:
        """Count sold and bought from now on; pressed again, within the sliding minute."""
        now = self.snapshot.status.market_ns if self.snapshot is not None else None
        self._recent_from_ns = now if self._recent_from_ns is None else None
        self.redraw()

    def scroll_rows(self, rows: int) -> None:
        """Move the view by rows, up for a positive number, without moving the cursor."""
        part = self._part()
        if part is not None and self.mode != "pinned":
            self._look_from((self._top if self._top is not None else part.top) + rows)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll towards higher prices."""
        event.stop()
        self.scroll_rows(EDGE_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll towards lower prices."""
        event.stop()
        self.scroll_rows(-EDGE_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the price under the mouse."""
        part = self._part()
        if part is not None and 1 <= event.y <= len(part.tick):
            event.stop()
            self.cursor = int(part.tick[event.y - 1])
            self.redraw()


def _steady(used: int, wanted: int) -> int:
    """Keep a bar's scale until it is a quarter off, so that bars move when sizes do."""
    return used if used and 0.8 * used <= wanted <= 1.25 * used else wanted


def _eighths(lots: Ints, full_lots: int, cells8: int) -> list[int]:
    """Return bars' lengths in eighths of a cell, one more than all of them where they are clipped."""
    if full_lots <= 0 or cells8 <= 0:
        return [0] * len(lots)
    # Sizes beyond the scale are cut first, so that the product cannot overflow.
    length = np.minimum(lots, full_lots) * cells8 // full_lots if full_lots < 2**50 else lots // (full_lots // cells8)
    length = np.where(lots > full_lots, cells8 + 1, np.maximum(length, lots > 0))
    whole: list[int] = length.tolist()
    return whole


def _common_prefix(labels: tuple[str, ...]) -> int:
    """Return how many leading digits all labels share, two digits always left over."""
    if not labels or len({len(label) for label in labels}) > 1:
        return 0
    first, last = labels[0], labels[-1]
    low, high = min(labels), max(labels)
    shared = 0
    for a, b in zip(low, high, strict=True):
        if a != b:
            break
        shared += 1
    digits = [i for i, c in enumerate(first) if c.isdigit()]
    return min(shared, digits[-2] if len(digits) > 1 else 0, len(last))


@lru_cache(maxsize=16384)
def bar_cell(digits: str, width: int, eighths: int, left: bool, ink: str, ground: str, bar: str) -> Row:
    """Draw digits right-aligned over a bar that grows from the right (`left`) or from the left edge.

    `eighths` above 8 * width is a clipped bar: its far cell is an arrow. The far cell holds no digit.
    """
    clipped = eighths > width * 8
    full, part = divmod(min(eighths, width * 8), 8)
    cells = digits.rjust(width)[:width] if left else (digits.rjust(width - 1) + " ")[:width]
    if clipped:
        return ((("◂" + cells[1:]) if left else (cells[:-1] + "▸"), f"{ink}@{bar}"),)
    if not left:
        edge = cells[full : full + 1]
        runs = [(cells[:full], f"{ink}@{bar}")]
        if part and edge == " ":
            runs += [(EIGHTHS_RIGHT[part], f"{bar}@{ground}"), (cells[full + 1 :], f"{ink}@{ground}")]
        else:
            runs.append((cells[full:], f"{ink}@{ground}"))
        return tuple(run for run in runs if run[0])
    start = width - full
    edge = cells[start - 1 : start] if start else ""
    if part and edge == " ":
        # Blocks fill from the left only: the empty part is drawn in the ground's colour over the bar's.
        runs = [(cells[: start - 1], f"{ink}@{ground}"), (EIGHTHS_RIGHT[8 - part], f"{ground}@{bar}")]
    else:
        runs = [(cells[:start], f"{ink}@{ground}")]
    runs.append((cells[start:], f"{ink}@{bar}"))
    return tuple(run for run in runs if run[0])


def _price_row(label: str, frame: _Frame, key: _Key, extra: _Extra) -> Row:
    cols, dim_digits, live, scale = frame
    marks, bid, ask, bid_orders, ask_orders, volume, sold, bought, glow, bid8, ask8, volume8 = key
    cursor = extra is not None and extra[0]
    last = extra[1] if extra is not None and marks & ROW_LAST else None
    ground = "cursor" if cursor else "background"
    at = "@" + ground
    quiet = "dim" + at
    size = text.size
    runs: list[Run] = [("▸" if cursor else " ", "loud bold" + at)]
    if cols.volume:
        shown, length = size(scale, volume) if volume else "", min(volume8, cols.volume * 8) if live else 0
        runs += bar_cell(shown, cols.volume, length, True, "text" if live else "dim", ground, "volume-bar")
    if cols.recent:
        runs.append(((size(scale, sold) if sold else "").rjust(cols.recent), ("sell" if live else "dim") + at))
        runs.append(((size(scale, bought) if bought else "").rjust(cols.recent), ("buy" if live else "dim") + at))
    if cols.orders:
        runs.append(((_count(bid_orders) if bid else "").rjust(cols.orders), quiet))
    best_bid, best_ask = bool(marks & ROW_BEST_BID), bool(marks & ROW_BEST_ASK)
    runs += _size_cell(scale, bid, bid8, cols.size, True, "bid", best_bid, bool(glow & 1), live, marks, ground)
    runs += _price_cell(label, cols.price, dim_digits, best_bid, best_ask, live, at)
    runs.append(_last_cell(scale, last, cols.last, live, at))
    runs += _size_cell(scale, ask, ask8, cols.size, False, "ask", best_ask, bool(glow & 2), live, marks, ground)
    if cols.orders:
        runs.append(((_count(ask_orders) if ask else "").rjust(cols.orders), quiet))
    left = cols.marks + cols.spare
    if marks and cols.marks > 1:
        runs.append((" ", quiet))
        left -= 1
        for bit, letter, ink in _MARKS:
            if marks & bit and left > cols.spare:
                runs.append((letter, (ink if live else "dim") + at))
                left -= 1
    if left:
        runs.append((" " * left, quiet))
    return tuple(runs)


def _size_cell(
    scale: Scale, lots: int, eighths: int, width: int, left: bool, side: str, best: bool, glow: bool, live: bool,
    marks: int, ground: str,
) -> Row:  # fmt: skip
    if not lots:
        if marks & ROW_UNKNOWN:
            return (((" " if left else "") + "░" * (width - 1) + ("" if left else " "), "rule@" + ground),)
        return ((" " * width, "dim@" + ground),)
    if not live:
        return bar_cell(text.size(scale, lots), width, 0, left, "dim", ground, side + "-bar")
    ink = "loud bold" if glow else side + " bold" if best else side
    return bar_cell(text.size(scale, lots), width, eighths, left, ink, ground, side + "-bar")


def _price_cell(label: str, width: int, dim_digits: int, best_bid: bool, best_ask: bool, live: bool, at: str) -> Row:
    shown = " " + label if len(label) < width else label if len(label) == width else label[: width - 1] + "…"
    shown = shown.rjust(width)
    if not live:
        return ((shown, "dim" + at),)
    if best_bid or best_ask:
        return ((shown, "touch bold@bid-bar" if best_bid else "touch bold@ask-bar"),)
    cut = width - len(label) + dim_digits if dim_digits and len(label) <= width else 0
    return ((shown[:cut], "dim" + at), (shown[cut:], "text" + at)) if cut else ((shown, "text" + at),)


def _last_cell(scale: Scale, last: tuple[int, int, int] | None, width: int, live: bool, at: str) -> Run:
    if last is None:
        return (" " * width, "dim" + at)
    direction, lots, side = last
    ink = "dim" if not live else {1: "buy bold", -1: "sell bold"}.get(side if lots else direction, "last bold")
    shown = "◂" + "•▲▼"[direction]
    if lots and width > 2:
        shown += text.size(scale, lots)
    return (shown.ljust(width)[:width], ink + at)


def _count(orders: int) -> str:
    return "" if not orders else str(orders) if orders < 1000 else "1k+"


def _announce(rows: list[Row], status: StatusPart, width: int) -> None:
    """Write over the middle of the middle rows why the book is not live; the numbers beside it stay."""
    words = [status.state.upper(), text.clean(status.why)] if status.why else [status.state.upper()]
    whole = " · ".join(words)
    lines = [whole] if len(whole) + 8 <= width else words
    middle = (len(rows) - len(lines)) // 2
    for index, line in enumerate(lines):
        if 0 <= middle + index < len(rows):
            banner = f"░░ {line} ░░" if len(line) + 6 <= width else line[:width]
            left = (width - len(banner)) // 2
            row = rows[middle + index]
            rows[middle + index] = (*fit(row, left), (banner, "stale bold"), *_after(row, left + len(banner)))


def _after(row: Row, start: int) -> Row:
    """Return what lies right of a column."""
    kept: list[Run] = []
    for words, style in row:
        if start < len(words):
            kept.append((words[max(0, start) :], style))
        start -= len(words)
    return tuple(kept)
