import asyncio
import threading

from feeds.errors import BadInput
from tapeview.ui.screens._pace import Orders, Pulse


class Player:
    """Writes down what is asked of it and where; `gate` holds up long calls."""

    def __init__(self):
        self.calls = []
        self.gate = threading.Event()

    def quick(self, value):
        self.calls.append(("quick", value, threading.current_thread()))

    def seek(self, ns):
        self.gate.wait(10)
        self.calls.append(("seek", ns, threading.current_thread()))

    def seek_relative(self, seconds):
        self.gate.wait(10)
        self.calls.append(("seek_relative", seconds, threading.current_thread()))

    def fail(self):
        raise BadInput("file", "x", "y")

    @property
    def order(self):
        return [(name, value) for name, value, _ in self.calls]


async def test_a_quick_call_is_made_at_once_and_a_long_one_beside_the_loop():
    player, orders = Player(), Orders()
    assert orders.now(player.quick, 1)
    assert orders.later(player.seek, 2)
    player.gate.set()
    await orders.run(lambda error: None)
    assert player.order == [("quick", 1), ("seek", 2)]
    assert player.calls[0][2] is threading.current_thread()
    assert player.calls[1][2] is not threading.current_thread()


async def test_while_a_long_call_runs_the_player_is_left_alone_and_the_order_is_kept():
    player, orders = Player(), Orders()
    assert orders.later(player.seek, 1)
    running = asyncio.create_task(orders.run(lambda error: None))
    await asyncio.sleep(0)
    assert orders.busy
    assert not orders.now(player.quick, 2)
    assert not orders.later(player.seek, 3)
    assert player.calls == []
    player.gate.set()
    await running
    assert player.order == [("seek", 1), ("quick", 2), ("seek", 3)]
    assert not orders.busy


async def test_relative_seeks_that_wait_become_one():
    player, orders = Player(), Orders()
    orders.later(player.seek, 0)
    running = asyncio.create_task(orders.run(lambda error: None))
    await asyncio.sleep(0)
    for seconds in (10, 10, -60):
        orders.later(player.seek_relative, seconds)
    orders.now(player.quick, 1)
    orders.later(player.seek_relative, 10)
    player.gate.set()
    await running
    assert player.order == [("seek", 0), ("seek_relative", -40), ("quick", 1), ("seek_relative", 10)]


async def test_a_refused_call_is_told_and_the_rest_goes_on():
    player, orders, told = Player(), Orders(), []
    player.gate.set()
    orders.later(player.fail)
    orders.later(player.seek, 1)
    await orders.run(told.append)
    assert [str(error) for error in told] == ["file: got 'x', expected y"]
    assert player.order == [("seek", 1)]


def test_frames_in_time_are_not_counted_as_left_out():
    pulse = Pulse(50)
    for now in range(0, 10**9, 20_000_000):
        pulse.beat(now + (now // 20_000_000 % 3 - 1) * 5_000_000)
    assert pulse.coalesced == 0


def test_periods_without_a_frame_are_counted():
    pulse = Pulse(50)
    pulse.beat(0)
    pulse.beat(100_000_000)
    assert pulse.coalesced == 4
    pulse.skip()
    assert pulse.coalesced == 5
