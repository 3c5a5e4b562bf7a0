"""Access to the tables beside the state record, one accessor each: `row(s, slot)`."""

from __future__ import annotations

from typing import Final

from tapeview.engine._jit import table
from tapeview.engine.state import BAR, CELL, EXTRA, FLOW, ORDER, PAGE_SLOT, PRINT, SPILL

spill_row: Final = table("spill", SPILL)
order_row: Final = table("order", ORDER)
extra_row: Final = table("extra", EXTRA)
page_row: Final = table("page", PAGE_SLOT)
cell_row: Final = table("cell", CELL)
flow_row: Final = table("flow", FLOW)
ring_row: Final = table("ring", PRINT)
merged_row: Final = table("merged", PRINT)
bar_row: Final = table("bar", BAR)
