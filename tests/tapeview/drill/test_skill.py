import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.drill.skill import by, result, skill
from tests.kit.journals import drilled

SIDES = st.sampled_from([1, 0, -1])


@pytest.mark.parametrize(
    ("side", "move", "came", "right", "made", "brier"),
    [
        (1, 3, 1, True, 2, 0.09), (1, -3, -1, False, -4, 0.49), (-1, -3, -1, True, 2, 0.09), (0, 0, 0, True, 0, 0.09),
        (0, 3, 1, False, 0, 0.49), (1, 1, 1, True, 0, 0.09), (1, 0, 0, False, -1, 0.49),
    ],
)  # fmt: skip
def test_a_call_is_right_where_it_names_what_the_mid_did(side, move, came, right, made, brier):
    # A spread of one tick, a threshold of one tick (two half ticks), 70 % sure.
    one = result(drilled(1, side, move))
    assert (one.move, one.came, one.right, one.made) == (move, came, right, made)
    assert one.brier == pytest.approx(brier)
    assert one.sigmas == (None if side == 0 else side * move / 4)


def test_a_wider_spread_wants_a_longer_move_and_costs_more():
    assert result(drilled(1, 1, 2, spread=3)).came == 0
    assert result(drilled(1, 1, 3, spread=3)).came == 1
    assert result(drilled(1, 1, 3, spread=3)).made == 0


def test_the_figures_are_those_of_the_calls():
    # Ten ups, ten downs; the ups called right, the downs called up as well.
    drills = [drilled(n, 1, 3 if n < 10 else -3, sure=0.5) for n in range(20)]
    one = skill(drills)
    assert (one.drills, one.left, one.seen, one.right.value, one.grey) == (20, 0, 0, 0.5, False)
    assert one.chance == pytest.approx(0.5)
    assert one.luck == 1.0  # the same call every time is right as often however it is dealt
    assert one.badge == "not yet distinguishable from luck"
    assert one.made.value == pytest.approx(-1.0)
    assert one.brier == pytest.approx(0.25)
    assert one.brier_alone == pytest.approx(0.25)
    assert {rule.name: rule.right.value for rule in one.blind} == {
        "always buy": 0.5, "always nothing": 0.0, "always sell": 0.5,
    }  # fmt: skip
    assert {rule.name: rule.made for rule in one.blind} == {
        "always buy": -1.0, "always nothing": 0.0, "always sell": -1.0,
    }  # fmt: skip


def test_one_who_is_always_right_is_told_from_luck_and_one_who_guesses_is_not():
    seeing = skill([drilled(n, 1 if n % 2 else -1, 3 if n % 2 else -3) for n in range(20)])
    # Of the 20 over 10 ways to deal ten buys and ten sells one is right throughout: far below one in ten thousand.
    assert math.comb(20, 10) > 10_000
    assert seeing.luck == pytest.approx(1 / 10_001)
    assert seeing.badge == "above chance"
    assert seeing.chance == pytest.approx(0.5)
    guessing = skill([drilled(n, 1 if n % 3 else -1, 3 if n % 2 else -3) for n in range(60)])
    assert guessing.luck > 0.05
    assert guessing.badge == "not yet distinguishable from luck"


def test_how_often_luck_does_as_well_is_the_exact_share_of_deals():
    # Two buys and two sells over two ups and two downs: of the six ways to deal them one gets all four right,
    # four get two right, one none; three of four cannot be.
    calls = [drilled(n, side, move) for n, (side, move) in enumerate([(1, 3), (1, 3), (-1, -3), (-1, -3)])]
    assert skill(calls).luck == pytest.approx(1 / 6, abs=0.02)
    half = [drilled(n, side, move) for n, (side, move) in enumerate([(1, 3), (-1, 3), (1, -3), (-1, -3)])]
    assert skill(half).luck == pytest.approx(5 / 6, abs=0.02)


def test_what_was_seen_before_or_left_without_a_call_counts_for_nothing_but_is_told():
    drills = [drilled(1, 1, 3), drilled(2, None, 3, sure=None), drilled(3, 1, 3, again=True), drilled(4, -1, 3)]
    one = skill(drills)
    assert (one.drills, one.left, one.seen, one.right.value) == (2, 1, 1, 0.5)
    assert one.grey


def test_no_drill_is_said_to_be_none():
    one = skill([])
    assert (one.drills, one.luck, one.brier, one.badge, one.waited_s) == (0, None, None, "no drill yet", None)
    assert one.bands == ()


def test_confidence_is_told_beside_what_came_of_it():
    drills = [drilled(n, 1, 3 if n < 3 else -3, sure=0.9) for n in range(4)] + [drilled(9, 1, 3, sure=0.3)]
    bands = skill(drills).bands
    assert [(band.count, band.said, band.right.value) for band in bands] == [
        (1, pytest.approx(0.3), 1.0), (4, pytest.approx(0.9), 0.75),
    ]  # fmt: skip


@given(st.lists(st.tuples(SIDES, st.integers(-9, 9)), min_size=1, max_size=30))
def test_blind_rules_and_bands_add_up(calls):
    drills = [drilled(n, side, move, sure=0.1 + (n % 9) / 10) for n, (side, move) in enumerate(calls)]
    one = skill(drills)
    assert sum(rule.right.value for rule in one.blind) == pytest.approx(1)
    assert sum(band.count for band in one.bands) == one.drills == len(calls)
    assert one.right.low <= one.right.value <= one.right.high
    assert 1 / 10_001 <= one.luck <= 1


def test_drills_are_grouped_by_what_stopped_them():
    found = by([drilled(1, 1, 3, by="iceberg"), drilled(2, 1, 3), drilled(3, 1, 3, by="iceberg")], lambda d: d.by)
    assert {name: len(listed) for name, listed in found.items()} == {"": 1, "iceberg": 2}
