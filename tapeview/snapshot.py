"""What one frame of screen needs, copied and frozen: widgets read this and nothing else.

A Window is what the screen asks for (which prices, how many rows, which filters); it belongs to the screen.
`take` answers with a Snapshot whose arrays are copies, so that the engine may go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tapeview.format import Scale
from tapeview.gaplog import Hole

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Records = NDArray[Any]

# Marks of a print, as the engine sets them.
PRINT_HIGH: Final = 1
"""Made a new session high."""
PRINT_LOW: Final = 2
PRINT_BIG: Final = 4
PRINT_OFF_GRID: Final = 8
PRINT_BUSTED: Final = 16

SOUND: Final = frozenset({"live", "auction", "halted"})
"""States in which the book shown is the venue's."""
HOLE_ROW: Final = 2
"""Depth of a row of the tape that stands for a hole."""

# Marks of a ladder row.
ROW_BEST_BID: Final = 1
ROW_BEST_ASK: Final = 2
ROW_LAST: Final = 4
ROW_HIGH: Final = 8
ROW_LOW: Final = 16
ROW_VWAP: Final = 32
ROW_BAND1: Final = 64
ROW_BAND2: Final = 128
ROW_BAND3: Final = 256
ROW_OFF_GRID: Final = 512
"""A level between ticks, on a row of its own."""
ROW_UNKNOWN_BID: Final = 1024
"""Below what the source has told of the bids: an empty bid means nothing here."""
ROW_UNKNOWN_ASK: Final = 2048
"""Above what the source has told of the asks: an empty ask means nothing here."""
ROW_UNKNOWN: Final = ROW_UNKNOWN_BID | ROW_UNKNOWN_ASK
"""Outside what the source has told of the book, on either side."""
ROW_ALERT_BID: Final = 4096
"""A story about the bids at this price is not over."""
ROW_ALERT_ASK: Final = 8192
ROW_ALERT_STRONG: Final = 16384
"""One of the row's stories is strong."""
ROW_ALERT_EXTREME: Final = 32768
ROW_ALERT: Final = ROW_ALERT_BID | ROW_ALERT_ASK


@dataclass(frozen=True, slots=True)
class Window:
    """What the screen asks for."""

    rows: int = 0
    """Ladder rows; 0 leaves the ladder out."""
    top: int | None = None
    """Price of the topmost ladder row in groups (tick // group); None centres on the touch."""
    group: int = 1
    """Ticks a ladder row."""
    recent_s: int = 60
    """Sliding length of the sold and bought columns."""
    recent_from_ns: int | None = None
    """When set, sold and bought count from here instead."""
    tape_rows: int = 0
    tape_min_lots: int = 0
    tape_until: int | None = None
    """Newest raw print (seq) to show while the tape is held; None follows the market."""
    tape_merged: bool = True
    tape_unfold: frozenset[int] = frozenset()
    """First seq of merged prints whose raw prints are shown."""
    chart_columns: int = 0
    chart_s: int = 300
    """Longest span of the price and VWAP panel, which is shorter in a young session; 0 is the whole session."""
    anchor: int = 0
    """VWAP slot shown."""
    meters: bool = True
    alert_rows: int = 0
    """Stories listed at most; 0 leaves the alerts out."""
    alert_until: int | None = None
    """Newest story (its number) listed while the list is held; None follows the market."""
    alert_muted: frozenset[str] = frozenset()
    """Detectors whose stories are not shown."""


@dataclass(frozen=True, slots=True)
class LadderPart:
    """The ladder's rows from the highest price down; every array has one entry a row."""

    top: int
    group: int
    tick: Ints
    """Lowest tick of the row."""
    label: tuple[str, ...]
    """The row's price as text, thousands apart; an off-grid row has its exact price."""
    bid: Ints
    ask: Ints
    """Lots; 0 where nothing rests."""
    bid_orders: Ints
    ask_orders: Ints
    """Order counts; 0 where the source does not tell."""
    volume: Ints
    """Lots traded at the price since the session's start."""
    sold: Ints
    bought: Ints
    """Lots traded at the bid and at the ask within the recent window."""
    marks: Ints
    """ROW_ bits."""
    best_bid: int | None
    best_ask: int | None
    last_tick: int | None
    last_direction: int
    """+1 up, -1 down, 0 unchanged against the print before it at another price."""
    last_lots: int
    last_side: int
    last_ns: int
    bar_lots: int
    """95th percentile of the visible sizes: a full bar."""
    volume_bar: int
    recent_since_ns: int
    has_orders: bool


@dataclass(frozen=True, slots=True)
class TapePart:
    """Prints, newest first."""

    prints: Records
    """PRINT records: merged, or raw where unfolded; `depth` tells which."""
    depth: NDArray[np.int8]
    """0 a print as merged, 1 a raw print of the unfolded one above it, HOLE_ROW a hole of the stream."""
    newer: int
    """Prints that arrived after `tape_until`."""
    min_lots: int
    big_lots: int
    """Least size that counts as large (top 2 % of recent prints)."""
    per_minute: int
    shown_lots: int
    """Sum of the shown merged prints."""
    holes: dict[int, Hole] = field(default_factory=dict)
    """The holes among them, by seq."""


@dataclass(frozen=True, slots=True)
class ChartPart:
    """Price, VWAP and bands over time, oldest first, one entry a column; NaN where nothing is known."""

    start_ns: int
    column_ns: int
    close: Floats
    high: Floats
    low: Floats
    """Ticks."""
    vwap: Floats
    sigma: Floats
    """Ticks; the bands are vwap +- 1, 2, 3 sigma."""
    gap: NDArray[np.bool_]
    """Columns in which the stream was broken."""
    anchor: str
    anchor_slot: int
    anchors: tuple[str, ...]
    since_ns: int | None
    vwap_now: float | None
    sigma_now: float | None
    z: float | None
    """(mid - VWAP) / sigma."""
    vwap_text: str
    sigma_text: str
    valid: bool
    """At least 30 min old or 5 % of a day, and sigma at least 2 ticks."""


@dataclass(frozen=True, slots=True)
class MetersPart:
    """Pressure and pace; None where it cannot be known."""

    imbalance: float | None
    """(bids - asks) / (bids + asks) over the top levels."""
    levels: int
    trades: tuple[float | None, float | None, float | None]
    """(bought - sold) / volume over 5, 15 and 60 s."""
    pace: tuple[float | None, float | None, float | None]
    """Prints over 5, 15 and 60 s against the session's own average."""
    pace_word: str
    prints_s: tuple[int, int, int]
    delta: int
    cvd: tuple[float, ...]
    """Cumulative delta in lots, a value a few seconds, oldest first; NaN where the stream was broken."""
    buy: int
    sell: int
    volume: int
    high: int | None
    low: int | None


@dataclass(frozen=True, slots=True)
class SavedPart:
    """What is being written of a live market."""

    frames: int
    bytes: int
    dropped: int
    """Frames given up because the disk was too slow."""
    trouble: str
    """Why nothing is written; empty while it is."""
    since_ns: int | None
    """When that began."""


@dataclass(frozen=True, slots=True)
class LinkPart:
    """How a live market is connected, and what vouches for it."""

    state: str
    """The worse of the connection's states and the book's: connecting, reconnecting, banned, refused, or a book's."""
    why: str
    """Cause of a state that is not live, in words."""
    retry_ns: int | None
    """Time until a connection is tried again, None while there is one."""
    tape_state: str
    """The state of what brings the prints, live where it runs."""
    checked: int
    """Messages after which the venue's checksum over the book agreed."""
    failed: int
    """And after which it did not."""
    messages: int
    """Messages the venue's rule was applied to."""
    latency_ns: tuple[int, int] | None
    """Median and 99th percentile from the venue's time to receipt; None where the venue gives no time."""
    clock_off_ns: int | None
    """By how much at least the venue's clock is ahead of this machine's; None where it need not be."""
    waiting: int
    """Rows received and not applied yet."""
    lag_ns: int
    """How far the newest row applied is behind what was received."""
    held_ns: int | None = None
    """Since when the picture is held while the market goes on; None where it is not."""
    saved: SavedPart | None = None
    """The recording that is made, None where none is."""


@dataclass(frozen=True, slots=True)
class StatusPart:
    """The truth line and the player's state."""

    instrument: str
    instruments: tuple[str, ...]
    index: int
    source: str
    mode: str
    """REPLAY or LIVE."""
    tier: str
    verification: str
    market_ns: int | None
    playing: bool
    speed: float
    """0 stands for as fast as possible."""
    ended: bool
    start_ns: int | None
    end_ns: int | None
    timeline: tuple[float, ...]
    """Volume over the session's time, each in 0..1, oldest first; empty until known."""
    indexed: float
    """How far the background pass has got, 0..1; seeking is exact up to there."""
    state: str
    why: str
    events: int
    events_per_s: float
    book_age_ns: int | None
    tape_age_ns: int | None
    gaps: int
    coalesced: int
    """Snapshots skipped because the screen was slower than the market."""
    partial_since_ns: int | None
    notice: str
    """One line about the program itself: kernels compiling, source ended, damage found."""
    counters: tuple[tuple[str, int], ...] = ()
    utc_offset_s: int = 0
    """What the market's own time of day is ahead of UTC; times on screen are in it."""
    zone: str = "UTC"
    link: LinkPart | None = None
    """Of a live market."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """A story that a detector told, as far as the session has got."""

    number: int
    """Its place among all stories of the instrument, oldest first."""
    detector: str
    method: str
    seq: int
    """The row that confirmed it."""
    recv_ns: int
    side: int
    tick: int | None
    tick_to: int | None
    grade: int
    score: float
    confidence: float | None
    tier: str
    text: str
    """The newest line about it."""
    phase: str
    """confirmed, raised or cleared."""
    reason: str
    told_ns: int
    """When the newest line was told."""
    lasts: bool = True
    """Whether it stays true until it is cleared; an event, such as a large print, is only told."""


@dataclass(frozen=True, slots=True)
class AlertsPart:
    """Alerts up to the moment shown, newest first."""

    lines: tuple[AlertLine, ...]
    total: int
    """Stories so far, muted and held ones left out."""
    newer: int
    """Stories that began after the newest one listed, while the list is held."""
    held: int
    """Stories kept back because the hour's budget was spent."""
    muted: tuple[str, ...]
    """Detectors whose stories are not shown."""
    active: tuple[tuple[int, int, int, int], ...]
    """(side, tick, tick_to, grade) of the stories that are not over and have a price."""
    newest: AlertLine | None = None
    """The story that began or grew last, however the list is held."""
    standing: AlertLine | None = None
    """The newest story that lasts and is not over."""
    began: tuple[tuple[int, int], ...] = ()
    """(seq, grade) of the rows where the newest stories began, newest first, as far back as the tape is held."""


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """A paper order that is not over, as the certain view has it."""

    id: int
    side: int
    lots: int
    """What is left of it."""
    kind: str
    """limit, market or stop."""
    tick: int | None
    state: str
    """sent, working, waiting (a stop), triggered."""
    why: str
    """entry, stop, target or flatten."""
    ahead: tuple[int, int] | None
    """Most and least lots that may be ahead in its queue; None where it waits in none."""


@dataclass(frozen=True, slots=True)
class DeskPart:
    """Paper trading of the instrument shown, and of the account."""

    off: str
    """Why nothing can be traded here, '' where it can."""
    armed: bool
    locked: str
    """Why the account is locked to the end of its session, '' where it is not."""
    account: str
    position: int
    """Lots, above 0 long: what is certainly held."""
    position_hopeful: int
    """What is held if cancels helped the queues."""
    entry_tick: float | None
    """Average price of entry."""
    stop_tick: int | None
    """The nearest stop of the position."""
    orders: tuple[OwnOrder, ...]
    r: float | None
    """What the open position stands at in units of its risk; None without one, or without a stop."""
    profit: str
    """What the open position stands at, money after costs; '' without one."""
    profit_hopeful: str
    session_profit: str
    """What the account has made since its session's roll, all instruments, open positions included."""
    loss_used: float
    """Share of the daily loss that is used up, 0..1."""
    loss_left: str
    cover: str
    """covered, partial, naked or unknown while a position is open, else ''."""
    cover_text: str
    trailing: bool
    pause: str
    """Why nothing may be entered for now, or only smaller: a pause after a loss, a correlation; '' otherwise."""
    trades: int
    """Trades of the account closed in this run."""
    process: float | None
    """Share of the process questions answered well over those trades."""
    hindsight: bool
    """What comes has been seen before: trades made now prove nothing."""
    rest: str
    """Where work and rest stand, in words; '' before the first key."""
    rest_due: bool
    """A break is due: only risk speaks."""
    told: tuple[tuple[int, str, str, bool], ...]
    """The newest of what a person must hear: (number, kind, words, an alarm that nothing mutes), oldest first."""
    unwritten: int
    """Records that are not on disk yet."""
    trouble: str
    """Why the journal or an outlet does not take records; '' while all is well."""
    break_even_tick: float | None = None
    """Where leaving would give back all costs of the position; None without one, or where it is not known."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One frame."""

    number: int
    window: Window
    scale: Scale
    status: StatusPart
    ladder: LadderPart | None = None
    tape: TapePart | None = None
    chart: ChartPart | None = None
    meters: MetersPart | None = None
    alerts: AlertsPart | None = None
    desk: DeskPart | None = None
    """None where there is no paper trading."""
