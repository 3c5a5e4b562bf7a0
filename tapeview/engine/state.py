"""The engine's memory: the layout of its one state record and of the tables that grow beside it.

Everything fixed in length lies in STATE, one record handed to the kernels as one argument. Tables that grow are
arrays of their own; a kernel that would need a longer one sets `need` and stops before the row, `Engine` doubles the
table and goes on. Side 0 of a two-place field is the bids, side 1 the asks.

Prices inside the book are *keys*: `tick` for bids and `-tick` for asks, so that the best level of either side is the
greatest key. A price off the grid lies between two keys: `frac` fine units above its key, 0 on the grid.
"""

from __future__ import annotations

from typing import Final

import numpy as np

WINDOW: Final = 1 << 16
"""Ticks held densely on each side around the touch; the cell of a key is `key & MASK`."""
MASK: Final = WINDOW - 1
WORDS: Final = WINDOW // 64
GROUPS: Final = WORDS // 64
NO_KEY: Final = -(2**62) - 1
"""The key of a side that is empty: below every price."""
PRICE_LIMIT: Final = 2**62
"""Rows with a tick or a fine price of at least this size are refused and counted as `bad_rows`."""
REACH: Final = 2**61
"""The window's low end stays within this many ticks of 0."""
LOTS_LIMIT: Final = 2**52
"""Rows with lots of more than this size, or below 0, are refused and counted as `bad_rows`."""
TIME_LIMIT: Final = 2**62
"""A receive time of at least this does not move the clock."""
SPAN_LIMIT: Final = 2**31
"""Prints this many ticks or more from the session's first stay out of the VWAP, counted as `vwap_left_out`."""

# What `need` says, a bit set.
NEED_ORDERS: Final = 1
NEED_SPILL: Final = 2
NEED_PAGES: Final = 4
NEED_FLOW: Final = 8
NEED_CENTRE: Final = 16

# What `flag` says of the row being applied.
TOUCH: Final = 1
"""The best price of a side, or its lots or orders, changed."""
SETTLE: Final = 4
"""The best of a side must be looked for outside the window too."""
NEAR: Final = 2
"""A level within `depth_ticks` of the touch changed."""

METERS: Final = (5, 15, 60)
"""Lengths of the meters in seconds."""
ANCHORS: Final = 8
SUMS: Final = 8
"""Exact sums behind the VWAP; see vwap.py."""
BUCKETS: Final = 960
"""Buckets of print sizes: 16 to an octave, exact below 16 lots."""
SECOND_BARS: Final = 1 << 13
MINUTE_BARS: Final = 1 << 12
MERGED: Final = 1 << 14
"""Merged prints kept."""
RING: Final = 1 << 14
"""Raw prints kept."""
FLOW_START: Final = 1 << 14
FLOW_LIMIT: Final = 1 << 22
"""Prints of the flow kept for the meters: at first, and at most, where one minute holds more."""
PAGE: Final = 64
"""Ticks whose volumes lie side by side."""

COUNTERS: Final = (
    "off_grid", "off_lot", "bad_rows", "bad_time", "unknown_orders", "repeated_orders", "unknown_levels", "crossed",
    "gaps", "resyncs", "snapshots", "silences", "checked", "suspect", "busts", "busts_unknown", "busts_of_extremes",
    "vwap_left_out", "meter_short",
)  # fmt: skip
"""What the engine counts, each from the start of the source."""

TABLES: Final = ("spill", "order", "extra", "page", "cell", "flow", "ring", "merged", "bar")
"""Tables that lie beside the state record, which holds their addresses and lengths."""

STATE: Final = np.dtype(
    [
        *((f"{name}_{what}", "i8") for name in TABLES for what in ("at", "slots")),
        # settings and instrument
        ("inst", "i8"), ("fine", "i8"), ("fine_lot", "i8"), ("locked_ok", "i8"), ("depth_ticks", "i8"),
        ("merge_ns", "i8"), ("stale_ns", "i8"), ("big_share", "i8"),
        # place in the stream
        ("seq", "i8"), ("recv_ns", "i8"), ("exch_ns", "i8"), ("venue_seq", "i8"), ("now_ns", "i8"), ("events", "i8"),
        # two constants: numba compiles a callee once more for every literal argument
        ("none", "i8"), ("zero", "i8"),
        ("need", "i8"), ("flag", "i8"), ("news", "i8"), ("heard", "i8"), ("valid", "i8"),
        # book: window
        ("low_key", "i8", (2,)), ("top_cell", "i8", (2,)), ("levels", "i8", (2,)),
        # book: overflow (spill); its best is a bound while top_stale
        ("spilled", "i8", (2,)), ("off_lots", "i8", (2,)), ("top_key", "i8", (2,)), ("top_frac", "i8", (2,)),
        ("top_lots", "i8", (2,)), ("top_orders", "i8", (2,)), ("top_stale", "i8", (2,)),
        # book: both together
        ("best", "i8", (2,)), ("best_frac", "i8", (2,)), ("best_lots", "i8", (2,)), ("best_orders", "i8", (2,)),
        ("depth", "i8", (2,)), ("wall_key", "i8", (2,)), ("wall_lots", "i8", (2,)),
        # book: the worst level of the newest snapshot, NO_KEY where no snapshot of levels was given
        ("told_key", "i8", (2,)),
        # orders
        ("orders_n", "i8"), ("stamp", "i8"), ("orders_seen", "i8"),
        # validity
        ("phase", "i8"), ("silent", "i8"), ("is_crossed", "i8"), ("epoch", "i8"), ("live_since_ns", "i8"),
        ("updates", "i8"), ("in_message", "i8"),
        ("last_book_ns", "i8"), ("median_gap_ns", "i8"), ("awaiting", "i8"), ("why", "i8"),
        ("gap_cause", "i8"), ("gap_lost", "i8"), ("gap_ns", "i8"), ("gap_at_ns", "i8"),
        # tape; flow_lots: sold, unknown, bought, number of prints, and meter_left the same of what has left each meter
        ("ring_n", "i8"), ("merged_n", "i8"), ("pages_n", "i8"), ("last_page", "i8"), ("last_page_at", "i8"),
        ("flow_lots", "i8", (4,)), ("prints", "i8"),
        ("open", "i8"), ("open_frac", "i8"), ("high", "i8"), ("high_frac", "i8"), ("low", "i8"), ("low_frac", "i8"),
        ("close", "i8"), ("close_frac", "i8"), ("first_ns", "i8"), ("last_ns", "i8"), ("lean", "i8"),
        ("big_lots", "i8"), ("big_n", "i8"), ("big_next", "i8"), ("size_top", "i8"),
        ("bar_n", "i8", (2,)), ("bar_end_ns", "i8", (2,)),
        ("pace_mean", "i8"), ("pace_ns", "i8"),
        ("meter_head", "i8", (3,)), ("meter_left", "i8", (3, 4)), ("meter_ns", "i8"), ("flow_ns", "i8"),
        # vwap
        ("base_tick", "i8"), ("weight", "i8"), ("has_frac", "i8"), ("vwap_t16", "i8"), ("sigma_t16", "i8"),
        ("day_end_ns", "i8"), ("vwap", "f8"), ("sigma", "f8"),
        ("sums", "i8", ((1 + ANCHORS) * SUMS, 3)),
        ("anchor_on", "i8", (ANCHORS,)), ("anchor_ns", "i8", (ANCHORS,)), ("anchor_print", "i8", (ANCHORS,)),
        ("anchor_weight", "i8", (ANCHORS,)),
        # facts of the row being applied, on their way into the frame
        ("row_tick", "i8"), ("row_side", "i8"), ("row_lots", "i8"), ("row_was", "i8"), ("row_now", "i8"),
        ("row_from", "i8"), ("row_order_was", "i8"), ("row_executed", "i8"), ("row_refill", "i8"),
        ("row_place", "i8"),
        *((name, "i8") for name in ("n_" + counter for counter in COUNTERS)),
        # wide ones last
        ("size_counts", "i8", (BUCKETS,)), ("groups", "i8", (2, GROUPS)), ("words", "i8", (2, WORDS)),
        ("orders", "i4", (2, WINDOW)), ("lots", "i8", (2, WINDOW)),
    ]
)  # fmt: skip
"""All of the engine's memory that has a fixed length; one record."""

SPILL: Final = np.dtype(
    [("key", "i8"), ("frac", "i8"), ("lots", "i8"), ("fine_lots", "i8"), ("orders", "i4"), ("side", "i4")]
)
"""A level outside the window, off the grid or of a size off the lot grid; side 0 is a free slot, else 1 + 0 or 1."""

ORDER: Final = np.dtype([("id", "i8"), ("key", "i8"), ("lots", "i8"), ("tag", "i8")])
"""A resting order; `tag` is 4 x stamp + 2 where its EXTRA row counts + side, 0 for a free slot. The lower the stamp
the earlier its place in the queue."""

EXTRA: Final = np.dtype(
    [
        ("frac", "i8"), ("executed", "i8"), ("pending", "i8"), ("hidden", "i8"), ("peak", "i8"), ("refills", "i4"),
        ("filled", "i4"),
    ]
)  # fmt: skip
"""What only some orders have, in the same slot: `pending` are lots of fills the book does not show yet, `hidden` lots
executed or shown again beyond what was displayed, `peak` the most ever displayed, `filled` 1 after a fill."""

PAGE_SLOT: Final = np.dtype([("page", "i8"), ("at", "i8")])
"""Where the volumes of a page of ticks lie: cells from `(at - 1) * PAGE * 3`; at 0 is a free slot."""

CELL: Final = np.dtype([("lots", "i8")])
"""Lots traded at one tick by one side: three cells to a tick, sold, of unknown side, bought."""

PRINT: Final = np.dtype(
    [
        ("seq", "i8"), ("last_seq", "i8"), ("recv_ns", "i8"), ("exch_ns", "i8"), ("tick", "i8"), ("fine", "i8"),
        ("lots", "i8"), ("fine_lots", "i8"), ("ref", "i8"), ("count", "u4"), ("side", "i1"), ("place", "u1"),
        ("kind", "u1"), ("lean", "i1"), ("marks", "u4"), ("flow", "u4"),
    ]
)  # fmt: skip
"""A print, raw or merged. `tick` is floored where off the grid and `fine` then the exact price, else NONE; `lots` is
rounded where off the lot grid and `fine_lots` then the exact size, else NONE; `count` raw prints were merged;
`flow` is the print's number in the flow, modulo 2**32."""

FLOW: Final = np.dtype([("recv_ns", "i8"), ("tick", "i8"), ("lots", "i8"), ("side", "i4"), ("count", "i4")])
"""A print of the flow as the meters need it; lots and count are 0 once it is busted."""

HIGH: Final = 1
"""The print made a new high of the session."""
LOW: Final = 2
BIG: Final = 4
"""Among the largest 2 % (`big_print_quantile`) of recent merged prints."""
OFF_GRID_PRINT: Final = 8
BUSTED: Final = 16
"""Taken back later by a BUST row."""
IMPLIED_SIDE: Final = 32
"""The side was inferred by the reader."""

PLACES: Final = ("unknown", "below_bid", "at_bid", "between", "at_ask", "above_ask")
"""Where a print fell against the touch just before it."""
(P_UNKNOWN, P_BELOW_BID, P_AT_BID, P_BETWEEN, P_AT_ASK, P_ABOVE_ASK) = range(len(PLACES))

BAR: Final = np.dtype(
    [
        ("start_ns", "i8"), ("open", "i8"), ("high", "i8"), ("low", "i8"), ("close", "i8"), ("volume", "i8"),
        ("delta", "i8"), ("cvd", "i8"), ("vwap", "f8"), ("sigma", "f8"), ("trades", "i8"), ("gap", "i8"),
    ]
)  # fmt: skip
"""One second or minute with a print or a gap in it; prices in ticks (floored; NONE before the first print), `vwap` and
`sigma` of the session at its end in ticks, `cvd` the session's delta at its end, `gap` the number of gaps inside."""

LEVEL: Final = np.dtype([("tick", "i8"), ("fine", "i8"), ("lots", "i8"), ("orders", "i8"), ("fine_lots", "i8")])
"""One price level, best first; `fine` and `fine_lots` as in PRINT, `orders` 0 where unknown."""
