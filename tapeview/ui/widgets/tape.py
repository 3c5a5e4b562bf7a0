"""The tape: prints newest first, merged ones that unfold, held the moment the user scrolls.

Glyphs say where a print traded against the touch before it, so that colour is never needed:
`▼▼` below the bid, `▼` at the bid, `·` between (`·▴ ·▾` by the tick rule), `▲` at the ask, `▲▲` above the ask;
`△ ▽` an aggressor without a touch to compare, `◦` neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType

from tapeview import format as text
from tapeview.format import Scale
from tapeview.gaplog import Hole
from tapeview.snapshot import (
    HOLE_ROW,
    PRINT_BIG,
    PRINT_BUSTED,
    PRINT_HIGH,
    PRINT_LOW,
    PRINT_OFF_GRID,
    AlertsPart,
    Snapshot,
    StatusPart,
    TapePart,
    Window,
)
from tapeview.ui.widgets._link import link_words
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.alerts import GRADES

KIND_LETTERS: Final = " habliotdx?"
"""A letter for each kind of print, in the order of the event record's kinds; a blank for a regular one."""
PLACES: Final = (("◦ ", "text"), ("▼▼", "sell bold"), ("▼ ", "sell"), ("· ", "text"), ("▲ ", "buy"), ("▲▲", "buy bold"))
BETWEEN: Final = {-1: ("·▾", "sell"), 0: ("· ", "text"), 1: ("·▴", "buy")}
AGGRESSOR: Final = {-1: ("▽ ", "sell"), 0: ("◦ ", "text"), 1: ("△ ", "buy")}
ALERT: Final = "!"
"""Behind a print with which an alert began, in the colour of its grade."""
WHEEL_ROWS: Final = 3
UNFOLDED_MOST: Final = 64
SIZE_WIDTH: Final = 7
PRICE_MOST: Final = 18
"""Widest price in cells; a longer one ends in `…`."""
_FIELDS: Final = ("seq", "recv_ns", "tick", "fine", "lots", "side", "lean", "count", "place", "kind", "marks")
_Frame = tuple[Scale, int, int, tuple[int, int, int]]
"""Scale, ns ahead of UTC, the panel's width, and the widths of time, price and merge count."""


class Tape(Panel):
    """Prints with time, place, price, size, how many were merged, and marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Hold the tape, older print", id="tape.down"),
        Binding("up", "move(-1)", "Newer print", id="tape.up"),
        Binding("pagedown", "page(1)", "A page older", id="tape.page-down"),
        Binding("pageup", "page(-1)", "A page newer", id="tape.page-up"),
        Binding("home", "follow", "Follow the newest print again", id="tape.follow"),
        Binding("enter", "unfold", "Unfold or fold a merged print", id="tape.unfold"),
        Binding("u", "merge", "Merged or every single print", id="tape.merge"),
        Binding("plus,equals_sign", "filter(1)", "Hide smaller prints", id="tape.filter-up"),
        Binding("minus", "filter(-1)", "Show smaller prints", id="tape.filter-down"),
        Binding("0", "filter(0)", "Show every size", id="tape.filter-off"),
    ]

    def __init__(self, *, ruled: bool = False, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(ruled=ruled, name=name or "tape", id=id)
        self.min_lots = 0
        self.merged = True
        self._instrument: str | None = None
        self._forget_market()

    def _forget_market(self) -> None:
        self._until: int | None = None
        self._newer_stack: list[tuple[int, int]] = []
        self._selected: int | None = None
        self._unfold: frozenset[int] = frozenset()
        self._price_width = 5
        self._frame: _Frame | None = None
        self._cache: dict[tuple[object, ...], Row] = {}

    # -- the view ----------------------------------------------------------------------------------
    @property
    def held(self) -> bool:
        """Whether the tape stands still while the market goes on."""
        return self._until is not None

    @property
    def print_rows(self) -> int:
        """Rows that hold prints."""
        height = self.size.height
        return max(0, height - (3 if height >= 8 else 2 if height >= 4 else 1))

    def ask(self, window: Window) -> Window:
        """Ask for the prints on show."""
        return replace(
            window,
            tape_rows=self.print_rows + 1,  # one out of sight below, to know where the selection goes next
            tape_min_lots=self.min_lots,
            tape_until=self._until,
            tape_merged=self.merged,
            tape_unfold=self._unfold,
        )

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Draw heading, prints and foot."""
        part = snapshot.tape
        if self._instrument not in (None, snapshot.status.instrument):
            self._forget_market()
        self._instrument = snapshot.status.instrument
        if part is None:
            return []
        body = self._body(snapshot, part, width)
        body += [()] * (self.print_rows - len(body))
        out = [self._heading(part, snapshot.status, width), *body]
        if height >= 4:
            out += self._foot(snapshot.scale, part, width)[: 2 if height >= 8 else 1]
        return out

    # -- drawing -----------------------------------------------------------------------------------
    def _heading(self, part: TapePart, status: StatusPart, width: int) -> Row:
        broken = link_words(status, tape=True)
        if broken:
            return ((f" {broken}"[:width].ljust(width), "alert-warn bold"),)
        if self.held:
            words = f" HELD · {part.newer:,} newer".replace(",", " ")
            hint = "Home follows "
            pad = width - len(words) - len(hint)
            return ((words, "alert-warn bold"), ((" " * pad + hint) if pad > 0 else "", "dim"))
        time, price, count = self._widths(width)
        line = (
            " "
            + "time".ljust(time)
            + "    "
            + "price".rjust(price)
            + "size".rjust(SIZE_WIDTH)
            + ("×n".rjust(5) if count else "")
        )
        return ((line[:width], self.heading_style),)

    def _widths(self, width: int) -> tuple[int, int, int]:
        price = self._price_width
        for time, count in ((12, 6), (9, 6), (9, 5), (5, 5), (5, 0), (0, 0)):
            if 1 + time + 4 + price + SIZE_WIDTH + count + 2 <= width:
                return time, price, count
        return 0, price, 0

    def _body(self, snapshot: Snapshot, part: TapePart, width: int) -> list[Row]:
        scale, offset_ns = snapshot.scale, snapshot.status.utc_offset_s * 1_000_000_000
        frame = (scale, offset_ns, width, self._widths(width))
        if frame != self._frame:
            self._frame, self._cache = frame, {}
        prints, cache = part.prints, self._cache
        kept: dict[tuple[object, ...], Row] = {}
        columns = [prints[name].tolist() for name in _FIELDS]
        graded = _grades(snapshot.alerts, columns[0], prints["last_seq"].tolist())
        rows: list[Row] = []
        for print_, depth, grade in zip(zip(*columns, strict=True), part.depth.tolist(), graded, strict=True):
            if depth == HOLE_ROW:
                rows.append(hole_row(part.holes[print_[0]], offset_ns, width))
                continue
            selected = print_[0] == self._selected and self.held and not depth
            key = (print_, depth, selected, print_[0] in self._unfold, grade)
            row = cache.get(key)
            if row is None:
                label = _price(scale, print_[2], print_[3], print_[10])
                if len(label) > self._price_width and self._price_width < PRICE_MOST:
                    self._price_width = min(PRICE_MOST, len(label))
                    return self._body(snapshot, part, width)
                row = _print_row(frame, label, depth, selected, key[3], print_, grade)
            kept[key] = row
            rows.append(row)
        self._cache = kept
        return rows[: self.print_rows]

    def _foot(self, scale: Scale, part: TapePart, width: int) -> list[Row]:
        if part.min_lots:
            shown = f" filter ≥ {text.exact_size(scale, part.min_lots)} (not aggregated)"
        else:
            shown = " all sizes" if self.merged else " all sizes, every print"
        large = f"  large ≥ {text.size(scale, part.big_lots)}" if part.big_lots else ""
        if len(shown) + len(large) > width:
            large = ""
        lots = part.prints["lots"][: self.print_rows][part.depth[: self.print_rows] == 0]
        total = text.spaced(text.exact_size(scale, int(lots.sum(dtype=object))))
        pace = f" {text.spaced(str(part.per_minute))} prints/min  Σ {total}"
        return [
            ((shown, "alert-warn" if part.min_lots else "dim"), (large, "dim")),
            ((pace[:width], "dim"),),
        ]

    # -- keys and mouse ----------------------------------------------------------------------------
    def _part(self) -> TapePart | None:
        return self.snapshot.tape if self.snapshot is not None else None

    def _shown(self) -> list[tuple[int, int, int]]:
        # (row, seq, last_seq) of the merged prints on show.
        part = self._part()
        if part is None:
            return []
        seqs, lasts = part.prints["seq"].tolist(), part.prints["last_seq"].tolist()
        return [(row, seqs[row], lasts[row]) for row, depth in enumerate(part.depth.tolist()) if depth == 0]

    def action_move(self, step: int) -> None:
        """Move to the next older (1) or newer (-1) print; the first move holds the tape."""
        shown = self._shown()
        if not shown:
            return
        if not self.held:
            if step > 0:
                self._until, self._selected = shown[0][2], shown[0][1]
                self.redraw()
            return
        seqs = [seq for _, seq, _ in shown]
        at = seqs.index(self._selected) if self._selected in seqs else 0
        wanted = at + step
        if wanted < 0:
            self._newer(1)
        elif wanted < len(seqs):
            self._selected = seqs[wanted]
            if shown[wanted][0] >= self.print_rows and len(shown) > 1:
                self._older(1, shown)
        self.redraw()

    def action_page(self, pages: int) -> None:
        """Go a page of prints older (1) or newer (-1)."""
        shown = self._shown()
        if not shown:
            return
        if pages > 0:
            visible = sum(row < self.print_rows for row, _, _ in shown)
            if visible > 1:
                self._older(visible - 1, shown)
                self._selected = shown[min(visible - 1, len(shown) - 1)][1]
        else:
            self._newer(max(1, self.print_rows - 1))
        self.redraw()

    def _older(self, prints: int, shown: list[tuple[int, int, int]]) -> None:
        if self._until is None:
            self._until = shown[0][2]
        self._newer_stack.append((self._until, prints))
        self._until = shown[min(prints, len(shown) - 1)][2]

    def _newer(self, prints: int) -> None:
        if not self._newer_stack:
            self.action_follow()
            return
        while prints > 0 and self._newer_stack:
            self._until, skipped = self._newer_stack.pop()
            prints -= skipped
        self._selected = None

    def action_follow(self) -> None:
        """Follow the newest print."""
        self._until, self._selected = None, None
        self._newer_stack.clear()
        self.redraw()

    def action_unfold(self) -> None:
        """Show or hide the raw prints of the selected merged print, of the newest one that has some if none is."""
        part = self._part()
        if part is None:
            return
        target = self._selected
        if target is None:
            merged = part.prints[(part.depth == 0) & (part.prints["count"] > 1)]
            target = int(merged["seq"][0]) if len(merged) else None
        if target is not None:
            self._toggle(target)

    def _toggle(self, seq: int) -> None:
        if seq in self._unfold:
            self._unfold -= {seq}
        else:
            self._unfold = frozenset(sorted({*self._unfold, seq})[-UNFOLDED_MOST:])
        self.redraw()

    def action_merge(self) -> None:
        """Show merged prints, or every print by itself."""
        self.merged = not self.merged
        self.action_follow()

    def action_filter(self, step: int) -> None:
        """Raise (1), lower (-1) or drop (0) the least size shown."""
        part = self._part()
        if step == 0:
            self.min_lots = 0
        elif self.min_lots == 0:
            self.min_lots = _one_two_five(max(1, (part.big_lots if part is not None else 1) // 20)) if step > 0 else 0
        else:
            self.min_lots = _next_one_two_five(self.min_lots, step)
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Hold the tape and go to older prints."""
        event.stop()
        shown = self._shown()
        if len(shown) > WHEEL_ROWS:
            self._older(WHEEL_ROWS, shown)
            self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go to newer prints; past the newest, follow."""
        event.stop()
        if self.held:
            self._newer(WHEEL_ROWS)
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Unfold the print under the mouse; a click on the heading follows again."""
        part = self._part()
        row = event.y - 1
        if event.y == 0:
            self.action_follow()
        elif part is not None and 0 <= row < min(len(part.prints), self.print_rows):
            while row > 0 and part.depth[row]:
                row -= 1
            if part.prints["count"][row] > 1:
                self._toggle(int(part.prints["seq"][row]))
        event.stop()


def hole_row(hole: Hole, offset_ns: int, width: int) -> Row:
    """A line across the tape where the stream was broken: how long, and what is missing."""
    if hole.before is not None and hole.after is not None:
        missing = f"seq {hole.before}..{hole.after}"
    else:
        missing = hole.cause if hole.lost is None else f"{hole.lost} messages lost"
    length = hole.length_ns
    if hole.prints_only:
        words = ["prints may be missing", missing]
    elif length is None:
        words = [f"gap since {text.clock(hole.since_ns + offset_ns, millis=False)}", hole.cause]
    else:
        words = [f"gap {text.duration(length)}", missing]
    whole = f" — {', '.join(words)} —"
    if len(whole) > width:
        whole = f" — {words[0]} —"
    return ((whole[:width].ljust(width), "alert-warn"),)


def _price(scale: Scale, tick: int, fine: int, marks: int) -> str:
    if marks & PRINT_OFF_GRID:
        return text.spaced(scale.price.fine_text(fine))
    return text.ladder_price(scale, tick)


def _one_two_five(lots: int) -> int:
    power: int = 10 ** (len(str(lots)) - 1)
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= lots)


def _next_one_two_five(lots: int, step: int) -> int:
    if step > 0:
        return min(_one_two_five(lots + 1), 10**15)
    if lots <= 1:
        return 0
    power: int = 10 ** (len(str(lots - 1)) - 1)
    return max(step for step in (power, 2 * power, 5 * power) if step < lots)


def _grades(alerts: AlertsPart | None, seqs: list[int], lasts: list[int]) -> list[int]:
    # The gravest alert that began with a row of each print; 0 where none did.
    grades = [0] * len(seqs)
    if alerts is not None and seqs:
        low, high = min(seqs), max(lasts)
        for seq, grade in alerts.began:
            if low <= seq <= high:
                for at, (first, last) in enumerate(zip(seqs, lasts, strict=True)):
                    if first <= seq <= last:
                        grades[at] = max(grades[at], grade)
    return grades


def _print_row(
    frame: _Frame, label: str, depth: int, selected: bool, unfolded: bool, print_: tuple[int, ...], grade: int
) -> Row:
    scale, offset_ns, width, (time_width, price_width, count_width) = frame
    _, recv_ns, _, _, lots, side, lean, count, place, kind, marks = print_
    at = "@cursor" if selected else ""
    glyph, ink = (
        PLACES[place] if 0 < place < len(PLACES) and place != 3 else BETWEEN[lean] if place == 3 else AGGRESSOR[side]
    )
    busted = bool(marks & PRINT_BUSTED)
    strike = " strike" if busted else ""
    clock = text.clock(recv_ns + offset_ns)
    time = {12: clock, 9: clock[3:], 5: clock[3:8], 0: ""}[time_width]
    gutter = "▸" if selected else "└" if depth else " "
    runs: list[Run] = [(gutter, ("dim" if depth else "loud bold") + at)]
    runs.append((time, "dim" + at))
    big = bool(marks & PRINT_BIG) and not busted and not depth
    ground = at
    if big:
        ground = "@bid-bar" if ink.startswith("buy") else "@ask-bar" if ink.startswith("sell") else "@volume-bar"
    body = "dim" if busted else ink
    if marks & (PRINT_HIGH | PRINT_LOW) and "bold" not in body:
        body += " bold"
    runs.append((" " + glyph + " ", body + at))
    shown = label if len(label) <= price_width else label[: price_width - 1] + "…"
    runs.append((shown.rjust(price_width), body + strike + ground))
    if big:
        runs.append((" █", ink + ground))
        runs.append((text.size(scale, lots).rjust(5), "loud bold" + ground))
    else:
        runs.append((text.size(scale, lots).rjust(SIZE_WIDTH), body + strike + at))
    if count_width:
        merged = (f"▾{count}" if unfolded else f"×{count}") if count > 1 and not depth else ""
        merged = merged if len(merged) < count_width else ("▾" if unfolded else "×") + "…"
        runs.append((merged.rjust(count_width), "dim" + at))
    flags = "✗" if busted else "H" if marks & PRINT_HIGH else "L" if marks & PRINT_LOW else ""
    letter = KIND_LETTERS[kind] if 0 <= kind < len(KIND_LETTERS) else "?"
    used = sum(len(run[0]) for run in runs)
    room = max(0, width - used)
    signs = flags + letter.strip() + ("~" if marks & PRINT_OFF_GRID else "")
    if grade and room:
        signs = signs.rjust(min(3, room) - 1)[: room - 1]
        runs += [
            (signs, "loud" + at),
            (ALERT, GRADES[min(grade, 3)][1] + at),
            (" " * (room - 1 - len(signs)), "dim" + at),
        ]
    else:
        runs.append((signs.rjust(min(3, room)).ljust(room), "loud" + at))
    return tuple(runs)
