"""What is going to happen, as kernels: a binary heap by time, and among equal times by order of entry."""

from __future__ import annotations

from typing import Any

from feeds.simulator._jit import part


@part
def before(s: Any, one: int, other: int) -> bool:
    """Say whether one entry comes before the other."""
    if s.ag_ns[one] != s.ag_ns[other]:
        return s.ag_ns[one] < s.ag_ns[other]
    return s.ag_entry[one] < s.ag_entry[other]


@part
def at(s: Any, when_ns: int, kind: int, a: int, b: int, c: int) -> None:
    """Put something on the agenda; times are whole microseconds."""
    if s.waiting_n == 0:
        s.trouble = 6
        return
    s.waiting_n -= 1
    item = s.ag_free[s.waiting_n]
    s.ag_ns[item] = when_ns // 1000 * 1000
    s.entries += 1
    s.ag_entry[item] = s.entries
    s.ag_kind[item] = kind
    s.ag_a[item], s.ag_b[item], s.ag_c[item] = a, b, c
    i = s.heap_n
    s.heap_n += 1
    while i > 0:
        up = (i - 1) >> 1
        if not before(s, item, s.heap[up]):
            break
        s.heap[i] = s.heap[up]
        i = up
    s.heap[i] = item


@part
def pop(s: Any) -> int:
    """Take the first entry off the agenda and give its item, whose fields stay until the next `at`."""
    item = s.heap[0]
    s.heap_n -= 1
    n = s.heap_n
    last = s.heap[n]
    i = 0
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        if down + 1 < n and before(s, s.heap[down + 1], s.heap[down]):
            down += 1
        if not before(s, s.heap[down], last):
            break
        s.heap[i] = s.heap[down]
        i = down
    s.heap[i] = last
    s.ag_free[s.waiting_n] = item
    s.waiting_n += 1
    return item
