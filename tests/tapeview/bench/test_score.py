"""Scoring: by hand on small cases, and isotonic maps against brute force."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeview.bench import score
from tapeview.bench.score import Label, Shot, Tape, match, tape_of

S = 1_000_000_000


def shot(second: float, tick: int = 100, side: int = 1, points: float = 1.0, sure: float | None = None) -> Shot:
    return Shot(side, tick, int(second * S), points, sure)


def test_an_alert_matches_side_price_and_time() -> None:
    labels = [Label(1, 100, 10 * S, 20 * S), Label(-1, 100, 10 * S, 20 * S)]
    assert match(labels, [shot(9.9)]).pairs == ()
    assert match(labels, [shot(10)]).pairs == ((0, 0),)
    assert match(labels, [shot(25)]).pairs == ((0, 0),)
    assert match(labels, [shot(25.1)]).false == (0,)
    assert match(labels, [shot(12, side=-1)]).pairs == ((1, 0),)
    assert match(labels, [shot(12, tick=101)]).missed == (0, 1)
    assert match(labels, [shot(12, tick=102)], slack=2).pairs == ((0, 0),)


def test_a_second_alert_for_a_label_is_false() -> None:
    found = match([Label(1, 100, 0, 20 * S)], [shot(2), shot(5)])
    assert (found.pairs, found.false, found.missed) == (((0, 0),), (1,), ())


def test_two_labels_at_one_price_take_one_alert_each() -> None:
    labels = [Label(1, 100, 0, 9 * S), Label(1, 100, 5 * S, 20 * S)]
    found = match(labels, [shot(6), shot(7)])
    assert (found.pairs, found.false) == (((0, 0), (1, 1)), ())


def test_labels_of_no_price_or_side_match_any() -> None:
    assert match([Label(0, None, 0, S)], [shot(1, tick=7, side=-1)]).pairs == ((0, 0),)


def test_a_tape_counts_delay_and_steps() -> None:
    label = Label(1, 100, 10 * S, 30 * S, steps=(11 * S, 12 * S, 13 * S))
    tape = tape_of(7, 0.5, [label], [shot(12.5, sure=0.8), shot(20)])
    assert (tape.right, tape.false, tape.missed) == (1, 1, 0)
    assert tape.delays_s == (2.5,)
    assert tape.steps == (2,)
    assert tape.sure == ((0.8, True),)


def test_measures_by_hand() -> None:
    tapes = [Tape(1, 1.0, 3, 1, 2, (1.0, 3.0, 5.0)), Tape(2, 3.0, 1, 3, 0, (2.0,))]
    assert score.precision(tapes) == 0.5
    assert score.recall(tapes) == pytest.approx(4 / 6)
    assert score.f1(tapes) == pytest.approx(8 / 14)
    assert score.false_an_hour(tapes) == 1.0
    assert score.delay_s(tapes) == 2.5
    assert score.f1([Tape(1, 1.0, 0, 0, 0)]) is None
    assert score.f1([Tape(1, 1.0, 0, 0, 4)]) == 0.0


def test_average_precision_by_hand() -> None:
    tape = Tape(1, 1.0, 2, 1, 1, ranked=((3.0, True), (2.0, False), (1.0, True)))
    assert score.average_precision([tape]) == pytest.approx((1 + 2 / 3) / 3)


def test_calibration_by_hand() -> None:
    sure = ((0.95, True), (0.95, False), (0.15, False), (0.15, False))
    assert score.calibration_error([Tape(1, 1.0, 0, 0, 0, sure=sure)]) == pytest.approx((0.9 + 0.3) / 4)
    assert score.brier([Tape(1, 1.0, 0, 0, 0, sure=((0.5, True), (1.0, True)))]) == pytest.approx(0.125)


def test_an_interval_holds_its_value_and_is_the_same_every_time() -> None:
    tapes = [Tape(n, 1.0, 5 + n % 3, n % 4, 2) for n in range(12)]
    one = score.figure(tapes, score.f1)
    assert one == score.figure(tapes, score.f1)
    assert one.low is not None
    assert one.high is not None
    assert one.value is not None
    assert one.low < one.value < one.high


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.booleans()), min_size=1, max_size=9))
def test_isotonic_is_the_nearest_that_never_falls(pairs: list[tuple[float, bool]]) -> None:
    scores, shares = score.isotonic(pairs, least=1)
    assert all(a <= b for a, b in itertools.pairwise(shares))
    ordered = sorted(pairs)

    def fitted(points: float) -> float:
        return shares[max(sum(begin <= points for begin in scores) - 1, 0)]

    ours = sum((fitted(p) - hit) ** 2 for p, hit in ordered)
    # Brute force: every way to cut the sorted alerts into runs, each at its mean, that does not fall.
    best = None
    for cuts in itertools.product((False, True), repeat=len(ordered) - 1):
        runs, run = [], [ordered[0]]
        for pair, cut in zip(ordered[1:], cuts, strict=True):
            if cut:
                runs.append(run)
                run = []
            run.append(pair)
        runs.append(run)
        means = [sum(hit for _, hit in r) / len(r) for r in runs]
        if all(a <= b for a, b in itertools.pairwise(means)):
            loss = sum((m - hit) ** 2 for m, r in zip(means, runs, strict=True) for _, hit in r)
            best = loss if best is None else min(best, loss)
    assert best is not None
    assert ours >= best - 1e-9
    if len({p for p, _ in pairs}) == len(pairs):
        assert ours == pytest.approx(best)


def test_groups_of_labels_by_hand() -> None:
    labels = [
        Label(1, 100, 0, 9 * S, (1 * S, 2 * S), ("fast", "shown")), Label(1, 200, 0, 9 * S, (), ("slow", "shown")),
        Label(1, 300, 0, 9 * S, (), ("slow",)), Label(1, 400, 0, 9 * S),
    ]  # fmt: skip
    tape = tape_of(1, 1.0, labels, [shot(1.5), shot(2, tick=300), shot(3, tick=777), shot(4, tick=400)])
    assert score.strata_of([tape]) == ["fast", "shown", "slow"]
    assert (score.count_in("slow")([tape]), score.count_in("absent")([tape])) == (2, 0)
    assert (score.recall_in("shown")([tape]), score.recall_in("slow")([tape])) == (0.5, 0.5)
    assert score.recall_in("absent")([tape]) is None
    # Three of four alerts are right, whatever group their labels are of.
    assert score.f1_in("fast")([tape]) == pytest.approx(2 * 0.75 * 1 / 1.75)
    assert score.steps_in("fast")([tape]) == 1


def test_means_medians_and_least_of_what_was_measured_besides() -> None:
    tapes = [
        Tape(1, 1.0, 0, 0, 0, extra={"x": (1.0, 5.0)}),
        Tape(2, 1.0, 0, 0, 0, extra={"x": (3.0,)}),
        Tape(3, 1, 0, 0, 0),
    ]
    assert score.mean_of("x")(tapes) == 3
    assert score.median_of("x")(tapes) == 3
    assert score.least_of("x")(tapes) == 1
    assert score.mean_of("y")(tapes) is score.median_of("y")(tapes) is score.least_of("y")(tapes) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_the_area_is_the_chance_of_a_higher_signal_before_a_rise(looks: list[tuple[int, bool]]) -> None:
    counts = {
        name: tuple(float(sum(cell == n and rose == wanted for cell, rose in looks)) for n in range(5))
        for name, wanted in (("q.up", True), ("q.down", False))
    }
    area = score.area_of("q")([Tape(1, 1.0, 0, 0, 0, extra=counts)])
    pairs = [(a > b) + (a == b) / 2 for a, up in looks if up for b, down in looks if not down]
    assert area == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_the_gap_of_a_stated_chance_by_hand() -> None:
    extra = {"c.said": (0.2, 1.8), "c.was": (1.0, 2.0), "c.n": (2.0, 2.0)}
    assert score.gap_of("c")([Tape(1, 1.0, 0, 0, 0, extra=extra)]) == pytest.approx((0.8 + 0.2) / 4)


def test_confidence_by_tenths_by_hand() -> None:
    tape = Tape(
        1, 1.0, 0, 0, 0, ranked=((1.0, True), (1.0, False), (5.0, True), (9.0, True)), methods=("a", "a", "a", "b")
    )
    (sure,) = score.sure_of([tape], lambda method, points: points / 10 if method == "a" else None)
    assert sure.sure == ((0.1, True), (0.1, False), (0.5, True))
    assert score.deciles([sure]) == [(2, 0.1, 0.5), (1, 0.5, 1.0)]
    assert score.worst_decile([sure], least=2) == pytest.approx(0.4)
    assert score.worst_decile([sure], least=3) is None
