from __future__ import annotations

import msgspec
import pytest

from feeds import BadInput, open_source
from feeds.script import events
from feeds.simulator.__main__ import main
from feeds.simulator.profiles import PROFILES, Phase
from feeds.simulator.realism import measure


def test_figures_of_a_session_that_can_be_counted_by_hand():
    """Ten lots sold at 100 every 200 ms, the bid made new each time; the ask stands still at 102."""
    rows = events("[ b100:50 b99:7 a102:30 ] " + "~200 -100:10&b100:40 ~100 b100:50 " * 150)
    figures = measure([rows])
    assert figures.spread == [2] * 6
    assert figures.spread_one == 0
    assert figures.takers_minute == pytest.approx(150 / (150 * 0.3) * 60, rel=0.01)
    assert figures.lots_minute == pytest.approx(10 * figures.takers_minute)
    assert figures.sizes == [10] * 6
    assert figures.gaps_ms == [300] * 6
    assert figures.withdrawn == pytest.approx(0)
    assert figures.vol_1s == 0
    assert figures.still_1s == 1
    assert figures.near[0] == pytest.approx((50 * 2 + 40) / 3 / 2 + 15, rel=0.02)
    assert figures.levels == [1, 1.5, 1.5]


def test_lots_taken_back_are_told_from_lots_traded():
    rows = events("[ b100:50 a102:30 ] " + "~100 -100:10&b100:40 ~100 b100:10 ~100 b100:50 " * 120)
    assert measure([rows]).withdrawn == pytest.approx(0.75, abs=0.01)


def test_orders_and_levels_give_the_same_figures():
    orders = "!live o1b100:50 o2a102:30 " + " ".join(
        f"~150 -100:10&f1:10 ~50 o{i}b99:5 ~100 m1b100:50 x{i}" for i in range(10, 130)
    )
    levels = "!live b100:50 a102:30 " + "~150 -100:10&b100:40 ~50 b99:5 ~100 b100:50 b99:0 " * 120
    one, other = measure([events(orders)]), measure([events(levels)])
    one.book_rows_second = other.book_rows_second = one.vol_60s = other.vol_60s = 0
    one.signs = other.signs = []
    assert one == other


def test_prints_of_one_instant_and_side_are_one_taker():
    rows = events("[ b100:50 a102:30 ] " + "~300 +102:1&+102:2&+103:3 " * 120)
    figures = measure([rows])
    assert figures.sizes == [6] * 6
    assert figures.takers_minute == pytest.approx(200, rel=0.01)


def test_a_session_without_trades_has_no_figures():
    with pytest.raises(BadInput, match="a live book"):
        measure([events("[ b100:50 a102:30 ] ~50000 b100:40")])


def background(name, minutes):
    """A session without a story."""
    simulator = open_source(f"simulator:seed=3,minutes={minutes},profile={name}")
    simulator.profile = msgspec.structs.replace(simulator.profile, opening=(Phase(seconds=3600),))
    return simulator


@pytest.fixture(scope="module")
def figures():
    return {name: measure(background(name, minutes).batches()) for name, minutes in (("mes", 5), ("perp", 3))}


@pytest.mark.parametrize("name", PROFILES)
def test_a_simulated_market_has_the_stylised_facts(name, figures):
    """Spread of one tick nearly always, clustered takers, signs with a memory, most orders taken back."""
    got = figures[name]
    assert got.spread_one > 0.98
    assert got.signs[0] > 0.1
    assert all(value > 0 for value in got.signs[:4])
    assert got.signs[0] > got.signs[3]
    median, p95 = got.gaps_ms[2], got.gaps_ms[4]
    assert p95 / median > 4.3  # what a Poisson stream has
    assert 0.85 < got.withdrawn < 0.995
    assert 0.4 < got.still_1s < 0.9


def test_the_future_has_the_depth_pace_and_volatility_asked_for(figures):
    got = figures["mes"]
    assert 20 <= got.touch[2] <= 120
    assert 200 <= got.takers_minute <= 900
    assert 5 <= got.vol_60s <= 20


def test_the_perpetual_is_near_the_real_one(figures, data):
    """Within a factor of three of nine real minutes: sizes in coins, moves in share of the price."""
    source = open_source(data / "binance-usdm-btcusdt")
    real, got = measure(source.batches()), figures["perp"]
    assert (source.instruments[0].tick, source.instruments[0].lot) == ("0.10", "0.001")
    assert abs(got.spread_one - real.spread_one) < 0.01
    for ours, theirs in (
        (got.takers_minute, real.takers_minute),
        (got.lots_minute, real.lots_minute),
        (got.touch[2], real.touch[2]),
        (got.book_rows_second, real.book_rows_second),
        (got.vol_1s / got.price, real.vol_1s / real.price),
        (got.vol_60s / got.price, real.vol_60s / real.price),
    ):
        assert 1 / 3 < ours / theirs < 3, (ours, theirs)
    assert got.signs[:3] == pytest.approx(real.signs[:3], abs=0.2)


def test_the_command_prints_sessions_side_by_side(capsys):
    assert main(["--minutes", "0.5", "--figures", "--compare", "simulator:minutes=0.5,profile=perp"]) == 0
    out = capsys.readouterr().out
    assert "takers a minute" in out
    assert "profile=mes" in out
    assert "profile=perp" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--figures", "--profile", "mse"], "'mes'?"),
        (["--figures", "--seed", "x"], "whole number"),
        (["--compare", "nowhere", "--profile", "perp"], "a recording"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, says, capsys):
    assert main([*arguments, "--minutes", "0.5"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert says in shown.err


def test_the_command_wants_something_to_do(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "nothing to do" in capsys.readouterr().err
