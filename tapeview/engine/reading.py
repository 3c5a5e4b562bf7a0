"""EVENT rows put together from the stored columns of a recording, compiled.

The same as `feeds.recording.parts` does with numpy, several times faster; recordings are handed `assemble` by whoever
has kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.events import ADD, EVENT, FILL, NONE, Events
from tapeview.engine import _jit


@_jit.kernel
def put_rows(
    rows: Any, words: Any, inst: Any, kind: Any, side: Any, marks: Any, unknown: Any, sums: Any, forms: int, seq: int
) -> None:
    """Fill rows from columns; `sums` holds the running totals of recv, exch, ref and aux and is carried on.

    `words` has one line of i8 each for recv, exch, ref, aux, tick and lots. Bits of `forms`: 1, 2, 4, 8 say that
    recv, exch, ref, aux are differences, 16 that exch is the lag behind recv.
    """
    recv_sum = sums[0]
    exch_sum = sums[1]
    ref_sum = sums[2]
    aux_sum = sums[3]
    for at in range(len(rows)):
        row = rows[at]
        recv = words[0, at]
        if forms & 1:
            recv_sum += recv
            recv = recv_sum
        row.recv_ns = recv
        exch = words[1, at]
        if forms & 2:
            exch_sum += exch
            exch = exch_sum
        elif forms & 16:
            exch = recv - exch
        ref = words[2, at]
        if forms & 4:
            ref_sum += ref
            ref = ref_sum
        aux = words[3, at]
        what = kind[at]
        if forms & 8 and ADD <= what <= FILL:
            aux_sum += aux
            aux = aux_sum
        lacks = unknown[at]
        if lacks:
            if lacks & 1:
                exch = NONE
            if lacks & 2:
                ref = NONE
            if lacks & 4:
                aux = NONE
        row.exch_ns = exch
        row.seq = seq + at
        row.tick = words[4, at]
        row.lots = words[5, at]
        row.ref = ref
        row.aux = aux
        row.inst = inst[at]
        row.kind = what
        row.side = side[at]
        row.marks = marks[at]
    sums[0] = recv_sum
    sums[1] = exch_sum
    sums[2] = ref_sum
    sums[3] = aux_sum


def assemble(
    rows: Events, words: NDArray[Any], small: tuple[NDArray[Any], ...], sums: NDArray[Any], forms: int, seq: int, /
) -> None:
    """Run `put_rows`, compiled where kernels are."""
    _jit.call(put_rows, rows, words, *small, sums, forms, seq)


@_jit.warmer
def _warm(run: Callable[..., Any]) -> None:
    small = [np.zeros(0, kind) for kind in (np.uint32, np.uint8, np.int8, np.uint16, np.uint8)]
    for column in small:
        column.flags.writeable = False
    run(put_rows, np.zeros(0, EVENT), np.zeros((6, 8), np.int64), *small, np.zeros(4, np.int64), 0, 0)
