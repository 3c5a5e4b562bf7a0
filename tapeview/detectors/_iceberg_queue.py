"""The orders of a price, followed by the number of orders a feed gives with its levels.

A level that grows by one order shows the order's size; one that loses an order without a print shows which size left;
a print takes from the front, and how many orders it ended is told by their number. Which of several orders of a size
left cannot be seen, nor what of an order was taken back in part: the likeliest is assumed, and sizes are set right
when they come to light. What was there before the price was watched is kept as a block at the front.
"""

from __future__ import annotations

from typing import Any

from feeds.events import NONE
from tapeview.detectors._iceberg_chain import order_came, order_ended
from tapeview.detectors._iceberg_chance import count_moved
from tapeview.detectors._iceberg_memory import ORDERS
from tapeview.engine._jit import part


@part
def forget_queue(m: Any, slot: int, lots: int, orders: int) -> None:
    """Know nothing of the orders of a price but their number and sum."""
    m.lv_known[slot], m.lv_block[slot], m.lv_block_orders[slot] = 0, lots, orders
    m.lv_sum[slot], m.lv_orders[slot] = lots, orders


@part
def drop_order(m: Any, slot: int, n: int) -> None:
    """Take a known order out."""
    last = slot * ORDERS + m.lv_known[slot] - 1
    m.lv_known[slot] -= 1
    for k in range(slot * ORDERS + n, last):
        m.or_left[k], m.or_lots[k], m.or_links[k] = m.or_left[k + 1], m.or_lots[k + 1], m.or_links[k + 1]
        m.or_alike[k], m.or_sum[k] = m.or_alike[k + 1], m.or_sum[k + 1]
        m.or_score[k], m.or_like[k] = m.or_score[k + 1], m.or_like[k + 1]


@part
def push_order(m: Any, slot: int, left: int, chained: int) -> None:
    """Put an order at the back, with the chain in `ad_...` or none."""
    if m.lv_known[slot] == ORDERS:
        m.lv_block[slot] += m.or_left[slot * ORDERS]
        m.lv_block_orders[slot] += 1
        drop_order(m, slot, 0)
    n = slot * ORDERS + m.lv_known[slot]
    m.lv_known[slot] += 1
    m.or_left[n] = left
    if chained != 0:
        m.or_lots[n], m.or_score[n], m.or_links[n] = m.ad_lots, m.ad_score, m.ad_links
        m.or_like[n], m.or_alike[n], m.or_sum[n] = m.ad_like, m.ad_alike, m.ad_sum
    else:
        m.or_lots[n], m.or_score[n], m.or_links[n], m.or_like[n], m.or_alike[n], m.or_sum[n] = 0, 0.0, 1, 0.0, 1, left


@part
def settle(m: Any, slot: int, lots: int, orders: int) -> None:
    """Bring the known orders and the block at the front in line with what the level shows."""
    first = slot * ORDERS
    m.lv_sum[slot], m.lv_orders[slot] = lots, orders
    for _ in range(4):
        total = 0
        for n in range(first, first + m.lv_known[slot]):
            total += m.or_left[n]
        block, block_orders = lots - total, orders - m.lv_known[slot]
        if (block == 0 and block_orders == 0) or (block_orders > 0 and block >= block_orders):
            m.lv_block[slot], m.lv_block_orders[slot] = block, block_orders
            return
        fits = -1
        if block_orders < 0:
            # One too many is known: that whose going fits best, the youngest of those.
            for n in range(first, first + m.lv_known[slot]):
                if fits < 0 or abs(m.or_left[n] + block) <= abs(m.or_left[fits] + block):
                    fits = n
            drop_order(m, slot, fits - first)
            continue
        # Their lots do not fit: the difference was of an order that changed, else of the largest.
        over = block if block_orders == 0 else block - block_orders
        changed = 0
        for n in range(first, first + m.lv_known[slot]):
            here = 1 if m.or_lots[n] == 0 else 0
            if m.or_left[n] + over >= 1 and (
                fits < 0 or here > changed or (here == changed and m.or_left[n] > m.or_left[fits])
            ):
                fits, changed = n, here
        if fits < 0:
            break
        m.or_left[fits] += over
    forget_queue(m, slot, lots, orders)


@part
def consume(m: Any, slot: int, was: int, now: int, orders: int, traded: int, recv_ns: int, exch_ns: int) -> None:
    """A print took from the front of a price."""
    traded = min(traded, was)
    again = now - (was - traded)
    ended = m.lv_orders[slot] - orders if again == 0 else ORDERS + 1
    left = traded
    if m.lv_block[slot] > 0:
        if left < m.lv_block[slot]:
            m.lv_block[slot] -= left
            left = 0
        else:
            left -= m.lv_block[slot]
            ended -= m.lv_block_orders[slot] if again == 0 else 0
            m.lv_block[slot], m.lv_block_orders[slot] = 0, 0
    n = 0
    while left > 0 and n < m.lv_known[slot]:
        k = slot * ORDERS + n
        if m.or_left[k] <= left and ended > 0:
            left -= m.or_left[k]
            ended -= 1 if again == 0 else 0
            if m.or_lots[k] > 0:
                order_ended(
                    m, slot, m.or_lots[k], m.or_score[k], m.or_links[k], m.or_like[k], m.or_alike[k], m.or_sum[k],
                    recv_ns, exch_ns,
                )  # fmt: skip
            drop_order(m, slot, n)
        elif m.or_left[k] > left and (ended <= 0 or again != 0):
            m.or_left[k] -= left
            left = 0
        else:
            n += 1
    if again > 0:
        push_order(m, slot, again, 0)
    settle(m, slot, now, orders)


@part
def order_gone(m: Any, slot: int, lots: int) -> None:
    """An order of a size left a price without being executed: the youngest known of that size."""
    first = slot * ORDERS
    for n in range(first + m.lv_known[slot] - 1, first - 1, -1):
        if m.or_left[n] == lots:
            drop_order(m, slot, n - first)
            return
    block, orders = m.lv_block[slot], m.lv_block_orders[slot]
    if (orders > 1 and block > lots) or (orders == 1 and block == lots):
        return
    fits = -1
    for n in range(first, first + m.lv_known[slot]):
        if m.or_lots[n] == 0 and (fits < 0 or abs(m.or_left[n] - lots) < abs(m.or_left[fits] - lots)):
            fits = n
    if fits >= 0:
        drop_order(m, slot, fits - first)


@part
def order_reduced(m: Any, slot: int, lots: int) -> None:
    """So many lots of an order were taken back: of the youngest that may have been halved."""
    first = slot * ORDERS
    for n in range(first + m.lv_known[slot] - 1, first - 1, -1):
        if m.or_left[n] > 1 and m.or_left[n] >> 1 == lots:
            m.or_left[n] -= lots
            m.or_lots[n], m.or_score[n], m.or_like[n] = 0, 0.0, 0.0
            return


@part
def queue_changed(
    m: Any, board: Any, limit: Any, row: Any, slot: int, orders: int, traded: int, exch_ns: int
) -> None:  # fmt: skip
    """A level whose number of orders is told changed, after so much traded there in the same match event."""
    was, now = row.was, row.now
    if m.lv_orders[slot] < 0 or m.lv_sum[slot] != was:
        forget_queue(m, slot, now, orders)
        return
    more = orders - m.lv_orders[slot]
    if traded > 0:
        consume(m, slot, was, now, orders, traded, row.recv_ns, exch_ns)
    elif more == 1 and now > was:
        lots = now - was
        if m.gone_lots == lots:
            count_moved(m, lots)
        m.come_lots = lots
        order_came(m, board, limit, row, slot, NONE, lots, exch_ns)
        push_order(m, slot, lots, 1)
        m.lv_sum[slot], m.lv_orders[slot] = now, orders
    elif more == -1 and now < was:
        if m.come_lots == was - now:
            count_moved(m, was - now)
        m.gone_lots = was - now
        order_gone(m, slot, was - now)
        settle(m, slot, now, orders)
    elif more == 0 and now < was:
        order_reduced(m, slot, was - now)
        settle(m, slot, now, orders)
    else:
        forget_queue(m, slot, now, orders)
