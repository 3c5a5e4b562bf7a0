"""Which rows of a batch a detector reads."""

from __future__ import annotations

from typing import Any

from tapeview.engine._jit import kernel


@kernel
def pick(news: Any, mask: int, rows: Any) -> int:
    """Write the numbers of the rows that have any of the mask's news; give how many."""
    n = 0
    for i in range(len(news)):
        rows[n] = i
        n += 1 if news[i] & mask != 0 else 0
    return n
