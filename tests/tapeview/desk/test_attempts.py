"""What orders cost against the mid at decision, and what waiting saved, missed ones included; from records alone."""

from __future__ import annotations

from tapeview.desk.attempts import attempts_of
from tapeview.desk.commands import Cancel
from tapeview.desk.costs import Slippage, slippage
from tapeview.desk.exits import IDS
from tests.kit.floor import buy, opened


def test_an_order_at_market_pays_half_the_spread_and_a_limit_saves_a_tick_or_misses() -> None:
    floor = opened(buy(2), buy(3, 20000), buy(1, 19999))
    floor.play("~50 b20000:51 ~20 -20000:54&b20000:0 ~1200 a20001:0&a20002:0 ~20 b20001:4 ~20 b20001:5")
    floor.do(Cancel(order=4 * IDS))
    floor.play("~50 b20001:6")
    found = slippage(attempts_of(floor.records))
    # At 20001 against a mid of 20000.5: half a tick for 2 lots. The limit: half a tick gained for 3 lots, a tick saved
    # against the ask; the one that missed would have to pay 20003 now, 2 ticks more than then.
    assert found == {"market": Slippage(1, 0, 2, 0), "limit": Slippage(1, 1, -3, 3 - 2)}


def test_orders_that_still_work_are_no_attempts_yet() -> None:
    floor = opened(buy(3, 20000))
    floor.play("~50 b20000:51")
    assert attempts_of(floor.records) == []
