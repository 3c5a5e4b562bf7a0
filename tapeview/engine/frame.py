"""The frame: one row of facts for every event, all that detectors and rules may know of the market.

Book facts are as they stand after the row. Prices are ticks: a level off the grid shows the tick below its price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tapeview.engine.state import NEAR, TOUCH

# What nearly every reader looks at comes first, so that it lies in one or two lines of the processor's cache.
_COLUMNS: Final = (
    ("recv_ns", "i8", "Its receive time in ns since 1970."),
    ("tick", "i8", "Its price in ticks; for order kinds that name only an order, that order's price."),
    ("was", "i8", "Lots at that tick before it: of its side for the book, of the side it consumed for a TRADE."),
    ("now", "i8", "Lots there after it."),
    ("bid", "i8", "Best bid in ticks, NONE where there is none."),
    ("ask", "i8", "Best ask in ticks, NONE where there is none."),
    ("epoch", "u4", "Rises when memory of single levels must be dropped: a gap, a rebuild, the end of a halt."),
    ("marks", "u2", "The event's marks."),
    ("kind", "u1", "The event's kind; 0 for a row that is not this instrument's or was refused."),
    ("side", "i1", "The event's side; for order kinds that name only an order, that order's side."),
    ("state", "u1", "Validity of the book, an index into STATUSES."),
    ("warm", "u1", "1 once the book has been live for 5 s and 3 messages."),
    ("place", "u1", "Of a TRADE: where it fell against the touch, an index into PLACES."),
    ("lean", "i1", "Of a TRADE: sign of the last price change among prints, by the tick rule."),
    ("print", "u1", "Of a TRADE: its kind of print; 255 on other rows."),
    ("spare", "u1", "Always 0."),
    ("bid_wall_ticks", "u1", "Distance of the bid wall from the best bid in ticks."),
    ("ask_wall_ticks", "u1", "The same of the asks."),
    ("lots", "i8", "Its lots; of a CANCEL what was really removed, of a FILL what was executed."),
    ("bid_lots", "i8", "Lots at the best bid."),
    ("ask_lots", "i8", "Lots at the best ask."),
    ("bid_depth", "i8", "Lots on the grid within `depth_ticks` ticks of the best bid, it included."),
    ("ask_depth", "i8", "The same of the asks."),
    ("order_was", "i8", "Displayed lots of the order named, before the row; 0 for an order not known."),
    ("executed", "i8", "Lots of that order executed so far, this row included."),
    ("seq", "i8", "The event's position in the stream."),
    ("volume", "i8", "Lots traded in the session's flow so far, this row included."),
    ("delta", "i8", "Lots bought less lots sold by aggressors so far."),
    ("from_tick", "i8", "Of a MODIFY that moved an order: the tick it left, where `order_was` lots went; else NONE."),
    ("refill", "i8", "Lots by which this row shows or fills more of that order than was displayed and left."),
    ("bid_wall_lots", "i8", "The largest level among those, the one nearest the touch where equal."),
    ("ask_wall_lots", "i8", "The same of the asks."),
    ("vwap_t16", "i8", "VWAP of the session in 1/65536 ticks; 0 before the first print."),
    ("sigma_t16", "i8", "Volume-weighted standard deviation about it in 1/65536 ticks."),
    ("bid_orders", "u4", "Orders at the best bid, 0 where unknown."),
    ("ask_orders", "u4", "Orders at the best ask, 0 where unknown."),
)

FRAME: Final = np.dtype([(name, kind) for name, kind, _ in _COLUMNS])
"""One row of the frame; 200 bytes."""

IS_TOUCH: Final = TOUCH
"""News: the best price of a side changed, or its lots or orders."""
IS_NEAR: Final = NEAR
"""News: a level within `depth_ticks` of the touch changed."""
IS_TRADE: Final = 4
"""News: the row is a TRADE."""
IS_EVENT: Final = 8
"""News: a CLOCK, GAP, STATUS or CLEAR, or a row after which the book's validity or epoch is another."""
IS_FACT: Final = 16
"""News: a FACT."""
IS_BOOK: Final = 32
"""News: a row that sets a level or an order, wherever it lies, and every row of a snapshot."""
IS_END: Final = 64
"""News: the end of a venue message that had a trade or a change near the touch in it."""

MEANINGS: Final = {name: meaning for name, _, meaning in _COLUMNS}
"""A sentence for every column of FRAME."""
