"""The ladder: every price a row, sizes left and right of it, and a cursor that belongs to a price.

The ladder stands still. It moves when asked, or (unless told not to) when the market brings the touch within
three rows of an edge; the cursor's price changes by the user's hand alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

import numpy as np
from textual import events
from textual.binding import Binding, BindingType

from tapeview import format as text
from tapeview.format import Scale
from tapeview.snapshot import (
    ROW_LAST,
    ROW_OFF_GRID,
    ROW_UNKNOWN,
    SOUND,
    Ints,
    LadderPart,
    Snapshot,
    StatusPart,
    Window,
)
from tapeview.ui.widgets._own import in_use, own_rows, row_of
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel, mark_of, marked
from tapeview.ui.widgets._price_row import (
    LAST_WIDTH,
    Columns,
    Extra,
    Frame,
    Key,
    announce,
    bar_lengths,
    columns,
    common_prefix,
    price_row,
)

GROUPS: Final = (1, 2, 5, *(step * 10**power for power in range(6) for step in (10, 20, 25, 50)))
"""Ticks a row, from fine to coarse."""
MODES: Final = ("auto", "static", "pinned")
"""auto recentres when the market nears an edge, static never does, pinned keeps the touch in the middle."""
TICKS_A_BASIS_POINT: Final = 50
"""A market with more ticks to a basis point (1/10,000 of the price) opens grouped by about a tenth of one."""
SPREAD_SHARE: Final = 3
"""A market opens in rows coarse enough for its spread to take a third of the ladder at most."""
EDGE_ROWS: Final = 3
GLANCE_NS: Final = 300_000_000
NOTABLE_PART: Final = 4
"""A size lights up when it changed by a quarter or more of what was there."""
LIT_MOST: Final = 8
"""Sizes bright at once; in a busy market more would make none stand out."""
NEVER_NS: Final = -(2**62)
LAST_NS: Final = 1_000_000_000


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
        Binding("c", "clear", "Sold and bought from now on (again: sliding)", id="ladder.clear"),
        Binding("l", "mode", "Recentre: auto, static, pinned", id="ladder.mode"),
    ]

    def __init__(self, *, ruled: bool = False, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(ruled=ruled, name=name or "ladder", id=id)
        self.cursor: int | None = None
        """The tick the cursor belongs to; None until the user first moves it."""
        self._group = 1
        self._group_chosen = False
        self.mode = MODES[0]
        self.recent_s = 60
        """Seconds that the sold and bought columns look back."""
        self._recent_from_ns: int | None = None
        self._still = False
        """Trading keys are armed: the ladder does not move by itself."""
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
        self._frame: Frame | None = None
        self._cache: dict[str, tuple[Key, Extra, Row]] = {}
        self._own = False
        """There is a column for one's own orders; once there, it stays."""

    # -- the view ----------------------------------------------------------------------------------
    @property
    def price_rows(self) -> int:
        """Rows that hold prices: the panel's height less heading and foot."""
        return max(0, self.size.height - 2)

    @property
    def group(self) -> int:
        """Ticks a row; chosen by the market's spread at its opening, by the user from then on."""
        return self._group

    @group.setter
    def group(self, ticks: int) -> None:
        self._group, self._group_chosen = ticks, True

    @property
    def top(self) -> int | None:
        """Topmost row in groups, None while the ladder follows the touch."""
        return None if self.mode == "pinned" and not self._still else self._top

    @property
    def between_rows(self) -> bool:
        """Whether the cursor's price is inside a row of several ticks instead of being the row's own."""
        return self.cursor is not None and self.cursor % self.group != 0

    def own_ticks(self) -> list[int]:
        """Prices of one's own orders on the cursor's row, the cursor's price first where it has any."""
        desk = self.snapshot.desk if self.snapshot is not None else None
        if desk is None or self.cursor is None:
            return []
        row = self.cursor // self.group
        ticks = {order.tick for order in desk.orders if order.tick is not None and row_of(order, self.group) == row}
        return sorted(ticks, key=lambda tick: (tick != self.cursor, tick))

    def ask(self, window: Window) -> Window:
        """Ask for the rows on show."""
        return replace(
            window,
            rows=self.price_rows,
            top=self.top,
            group=self.group,
            recent_s=self.recent_s,
            recent_from_ns=self._recent_from_ns,
        )

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw heading, prices and foot."""
        part, status = snapshot.ladder, snapshot.status
        if self._instrument not in (None, status.instrument):
            self.cursor, self._recent_from_ns = None, None
            self._group, self._group_chosen = 1, False
            self._forget_market()
        self._instrument = status.instrument
        if part is None and height > 2 and status.state not in SOUND:
            blank: list[Row] = [()] * height
            announce(blank, status, width)
            return blank
        if part is None or height < 3:
            return []
        if not self._group_chosen:
            self._choose_group(part)
        desk = snapshot.desk
        still = desk is not None and desk.armed
        if still and not self._still and self.mode == "pinned" and part.group == self.group:
            self._top = part.top
        self._still = still
        self._own = self._own or in_use(desk)
        if part.group == self.group:
            self._follow(part, snapshot.window.top is None)
        self._price_width = max(self._price_width, min(16, max((len(label) for label in part.label), default=0)))
        cols = columns(width, self._price_width + 1, part.has_orders, self._own)
        own = own_rows(desk, snapshot.scale, part.group, cols.own) if desk is not None and cols.own else {}
        body = self._body(snapshot.scale, part, status, cols, own)
        if status.state not in SOUND:
            announce(body, status, width)
        foot, mark = self._foot(snapshot, part, cols, width), mark_of(snapshot)
        foot = marked(foot, width, mark, told=False) if mark is not None else foot
        return [self._heading(cols, width), *body[: height - 2], foot]

    def _choose_group(self, part: LadderPart) -> None:
        # Open a market whose ticks are dust, or whose spread would fill the ladder, in coarser rows.
        bid, ask = part.best_bid, part.best_ask
        if bid is None or ask is None:
            return
        self._group_chosen = True
        dust = abs(bid) / 100_000 if abs(bid) > TICKS_A_BASIS_POINT * 10_000 else 1.0
        spread = (ask - bid) * SPREAD_SHARE / max(1, len(part.label))
        wanted = min(GROUPS, key=lambda step: abs(step - dust))
        while wanted < spread and wanted < GROUPS[-1]:
            wanted = GROUPS[GROUPS.index(wanted) + 1]
        if wanted != self.group:
            self.group, self._top = wanted, None

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
        elif part.top != self._top or self._still:
            return  # an answer to an earlier window, or nothing may move under a finger
        low, high = EDGE_ROWS, rows - 1 - EDGE_ROWS
        at = [part.top - side for side in sides]
        wide = max(at) - min(at) > max(0, high - low)
        middle = sum(at) // len(at)
        inside = low <= middle <= high if wide or low > high else low <= min(at) and max(at) <= high
        if self.mode == "auto" and self._touch_inside and not inside:
            self._top = None
        self._touch_inside = inside

    # -- drawing -----------------------------------------------------------------------------------
    def _body(
        self, scale: Scale, part: LadderPart, status: StatusPart, cols: Columns, own: dict[int, Row]
    ) -> list[Row]:
        now, speed = status.market_ns or 0, max(1.0, status.speed)
        bright = self._changes(part, now, int(GLANCE_NS * speed))
        live = status.state in SOUND
        self._bar_lots = _steady(self._bar_lots, part.bar_lots)
        self._volume_bar = _steady(self._volume_bar, part.volume_bar)
        last = (part.last_direction, part.last_lots if self._last_shown(part, status) else 0, part.last_side)
        cursor_row = self._cursor_row(part)
        eighths = cols.size * 8
        keys = zip(
            part.marks.tolist(), part.bid.tolist(), part.ask.tolist(), part.bid_orders.tolist(),
            part.ask_orders.tolist(), part.volume.tolist(), part.sold.tolist(), part.bought.tolist(),
            bright.tolist(), bar_lengths(part.bid, self._bar_lots, eighths),
            bar_lengths(part.ask, self._bar_lots, eighths),
            bar_lengths(part.volume, self._volume_bar, cols.volume * 8), strict=True,
        )  # fmt: skip
        # A row is drawn again only where its numbers, the frame or the cursor and the last trade on it changed.
        frame = (cols, common_prefix(part.label), live, scale)
        if frame != self._frame:
            self._frame, self._cache = frame, {}
        cache, kept, rows = self._cache, {}, []
        mine = _own_at(part, own) if own else {}
        for index, (label, key) in enumerate(zip(part.label, keys, strict=True)):
            ours = mine.get(index, ()) if mine else ()
            extra = (index == cursor_row, last, ours) if ours or index == cursor_row or key[0] & ROW_LAST else None
            held = cache.get(label)
            if held is None or held[0] != key or held[1] != extra:
                held = (key, extra, price_row(label, frame, key, extra))
            kept[label] = held
            rows.append(held[2])
        self._cache = kept
        return rows

    @staticmethod
    def _last_shown(part: LadderPart, status: StatusPart) -> bool:
        return 0 <= (status.market_ns or 0) - part.last_ns <= LAST_NS * max(1.0, status.speed)

    def _changes(self, part: LadderPart, now: int, glance_ns: int) -> Ints:
        # 1 where a row's bid, 2 where its ask changed notably within the glance, on a few cells at most.
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
        if cols.own:
            parts.append(" " * cols.marks + "own")
        return (("".join(parts).ljust(width)[:width], self.heading_style),)

    def _foot(self, snapshot: Snapshot, part: LadderPart, cols: Columns, width: int) -> Row:
        scale, offset_s = snapshot.scale, snapshot.status.utc_offset_s
        recent, rank = f"{self.recent_s} s", 1
        if self._recent_from_ns is not None:
            recent, rank = "since " + text.clock(self._recent_from_ns, millis=False, offset_s=offset_s), 3
        # Each with its rank: the lowest go first where there is no room.
        words = [(2, self.mode), (rank, recent)]
        if cols.last < LAST_WIDTH and self._last_shown(part, snapshot.status):
            words.insert(0, (0, "•▲▼"[part.last_direction] + text.size(scale, part.last_lots)))
        if part.group != 1:
            words.insert(0, (4, f"×{part.group}"))
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
        while words and used + 2 + sum(len(word) for _, word in words) + 3 * (len(words) - 1) + 1 > width:
            words.remove(min(words))
        view = " · ".join(word for _, word in words)
        return (*left, (f"{view} ".rjust(max(0, width - used)) if view else "", "dim"))

    @staticmethod
    def _touch_distance(part: LadderPart) -> list[Run]:
        runs: list[Run] = []
        if len(part.tick):
            bottom = part.top - int(part.tick[-1]) // part.group
            for name, tick, round_up in (("bid", part.best_bid, False), ("ask", part.best_ask, True)):
                if tick is None:
                    continue
                row = part.top - (-(-tick // part.group) if round_up else tick // part.group)
                if not 0 <= row <= bottom:
                    words = f"{-row}↑" if row < 0 else f"{row - bottom}↓"
                    runs += [(f"  {name} ", "dim"), (words, f"{name} bold")]
        return runs

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
                self.cursor = tick // self.group * self.group
                if self._cursor_row(part) is None:
                    self.action_centre()
                self.redraw()
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
        if GROUPS[index] == self._group:
            return
        part = self._part()
        row = self._cursor_row(part) if part is not None else None
        self.group = GROUPS[index]
        self._top = self.cursor // self.group + row if row is not None and self.cursor is not None else None
        self._touch_inside = False
        self._bar_lots = self._volume_bar = 0
        self._sizes = None

    def action_clear(self) -> None:
        """Count sold and bought from now on; pressed again, within the sliding window."""
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


def _own_at(part: LadderPart, own: dict[int, Row]) -> dict[int, Row]:
    # The index of a row -> what is one's own there; a price off the grid has a row of its own, which is not meant.
    off = (part.marks & ROW_OFF_GRID).tolist()
    at = {tick // part.group: index for index, tick in enumerate(part.tick.tolist()) if not off[index]}
    return {at[row]: runs for row, runs in own.items() if row in at}


def _steady(used: int, wanted: int) -> int:
    # Keep a bar's scale until it is a quarter off, so that bars move when sizes do.
    return used if used and 0.8 * used <= wanted <= 1.25 * used else wanted
