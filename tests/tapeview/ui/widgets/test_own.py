import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.widgets._ascii import to_ascii
from tapeview.ui.widgets._own import in_use, own_rows, queue_words, row_of
from tests.kit import snapshots as kit


def words(desk, group=1, width=12, scale=kit.MES):
    return {row: "".join(text for text, _ in runs) for row, runs in own_rows(desk, scale, group, width).items()}


def test_orders_stand_at_their_price_with_side_lots_kind_and_queue():
    assert words(kit.long_two()) == {
        20_048: "E", 20_049: "=", 20_044: "▼2S", 20_056: "▼2T 40", 20_047: "▲2 12-3",
    }  # fmt: skip


def test_nothing_is_told_by_colour_alone():
    told = words(kit.long_two()).values()
    assert len({to_ascii(text) for text in told}) == len(set(told))


def test_a_narrow_column_tells_the_most_that_may_be_ahead():
    desk = kit.desk(orders=(kit.order(lots=20, ahead=(412, 103)),))
    assert words(desk, width=12) == {20_047: "▲20 412-103"}
    assert words(desk, width=8) == {20_047: "▲20 412"}
    assert words(desk, width=5) == {20_047: "▲20 …"}


def test_an_order_on_its_way_and_one_that_was_triggered_say_so():
    orders = (
        kit.order(state="sent", ahead=None),
        kit.order(id=2, tick=20_040, why="stop", side=-1, state="triggered", ahead=None),
    )
    assert words(kit.desk(orders=orders)) == {20_047: "▲2…", 20_040: "▼2S!"}


def test_orders_of_one_kind_on_one_row_are_one():
    orders = (
        kit.order(lots=2),
        kit.order(id=2, lots=3, ahead=(60, 20)),
        kit.order(id=3, why="stop", side=-1, ahead=None),
    )
    assert words(kit.desk(orders=orders), width=20) == {20_047: "▼2S ▲5 12-3"}


@given(tick=st.integers(-(10**6), 10**6), group=st.sampled_from([1, 2, 5, 10, 250]), side=st.sampled_from([-1, 1]))
def test_grouped_rows_hold_buys_below_and_sells_above_their_price(tick, group, side):
    row = row_of(kit.order(tick=tick, side=side), group)
    assert 0 <= side * (tick - row * group) < group
    assert list(words(kit.desk(orders=(kit.order(tick=tick, side=side),)), group)) == [row]


@given(tick=st.integers(-(10**6), 10**6), group=st.sampled_from([1, 2, 5, 10, 250]), side=st.sampled_from([-1, 1]))
def test_a_stop_is_never_shown_on_the_wrong_side_of_the_entry(tick, group, side):
    desk = kit.desk(
        position=side,
        entry_tick=float(tick),
        orders=(kit.order(side=-side, kind="stop", why="stop", tick=tick - side),),
    )
    entry = next(row for row, text in words(desk, group).items() if "E" in text)
    stop = next(row for row, text in words(desk, group).items() if "S" in text)
    assert side * (entry - stop) >= 0


def test_an_entry_between_two_prices_stands_on_the_nearer_one():
    assert words(kit.desk(position=3, entry_tick=20_048.7, break_even_tick=20_049.2)) == {20_049: "E="}


def test_without_a_position_there_is_no_entry():
    assert words(kit.desk(entry_tick=20_048.0, break_even_tick=20_049.0)) == {}


def test_an_order_at_market_stands_nowhere():
    assert words(kit.desk(orders=(kit.order(kind="market", tick=None, ahead=None),))) == {}


@given(
    orders=st.lists(
        st.builds(
            kit.order, id=st.integers(1, 9), side=st.sampled_from([-1, 1]), lots=st.integers(1, 10**12),
            tick=st.integers(0, 3), why=st.sampled_from(["entry", "stop", "target", "flatten"]),
            state=st.sampled_from(["sent", "working", "waiting", "triggered"]),
            ahead=st.none() | st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
        ),
        max_size=6,
    ),
    width=st.integers(1, 14),
)  # fmt: skip
def test_what_is_drawn_never_leaves_its_column(orders, width):
    desk = kit.desk(orders=tuple(orders), position=1, entry_tick=1.0)
    assert all(len(text) <= width for text in words(desk, width=width).values())


@pytest.mark.parametrize(
    ("most", "least", "shown"), [(12, 3, "12-3"), (5, 5, "5"), (0, 0, "0"), (12_300, 0, "12.3k-0")]
)
def test_a_queue_is_known_or_a_band(most, least, shown):
    assert queue_words(most, least, kit.MES) == shown


def test_a_desk_that_nobody_has_used_shows_nothing():
    assert not in_use(None)
    assert not in_use(kit.desk())
    used = ({"armed": True}, {"locked": "x"}, {"orders": (kit.order(),)}, {"position": 1}, {"position_hopeful": 1},
            {"trades": 1}, {"trouble": "disk full"})  # fmt: skip
    assert all(in_use(kit.desk(**changes)) for changes in used)
