"""Real hidden executions: what the bench says of them, counted again from the CSV by other means."""

from __future__ import annotations

import numpy as np
import pytest

from tapeview.bench import hidden
from tapeview.engine import warm

NAME = "AAPL_2012-06-21_message_50.csv"
EXECUTIONS = 2_201
"""Rows of type 5, as the data's own description says."""


@pytest.fixture(scope="module")
def rows(data):
    warm()
    return {row.what: row for row in hidden.measure(str(data / "lobster-aapl"), say=lambda _: None)}


@pytest.fixture(scope="module")
def csv(data):
    """(time in ns after midnight, type, size, price, direction) of every message."""
    path = data / "lobster-aapl" / NAME
    numbers = np.loadtxt(path, delimiter=",", usecols=(1, 3, 4, 5), dtype=np.int64)
    times = []
    with path.open() as lines:
        for line in lines:
            whole, _, part = line.split(",", 1)[0].partition(".")
            times.append(int(whole) * 1_000_000_000 + int(part[:9].ljust(9, "0")) + (part[9:10] >= "5"))
    return np.array(times), *numbers.T


def counted(rows, what):
    return rows[what].count, rows[what].of


def test_the_identity_finds_every_hidden_execution_and_no_other(rows, csv):
    time, kind, size, price, side = csv
    accounts = {}
    for t, k, z, p, s in zip(*(column.tolist() for column in (time, kind, size, price, side)), strict=True):
        # h = V - (Q- - Q+): what traded, shown or not, less what the level lost by executions and cancels, plus adds.
        traded, lost, unseen = accounts.get((t, p, s), (0, 0, 0))
        traded += z if k in (4, 5) else 0
        lost += z if k in (2, 3, 4) else -z if k == 1 else 0
        accounts[t, p, s] = traded, lost, unseen + (z if k == 5 else 0)
    assert int((kind == 5).sum()) == EXECUTIONS
    over = {key: traded - lost for key, (traded, lost, _) in accounts.items() if traded}
    unseen = {key: hidden_lots for key, (_, _, hidden_lots) in accounts.items()}
    executions = [
        (t, p, s)
        for t, k, p, s in zip(time.tolist(), kind.tolist(), price.tolist(), side.tolist(), strict=True)
        if k == 5
    ]
    found = sum(over[key] > 0 for key in executions)
    assert counted(rows, "executions that the venue calls hidden") == (EXECUTIONS, None)
    assert counted(rows, "found by the identity") == (found, EXECUTIONS)
    exact = sum(unseen[key] > 0 and h == unseen[key] for key, h in over.items())
    told = sum(h > 0 for h in unseen.values())
    assert counted(rows, "prices in a match event of which it says exactly how much") == (exact, told)
    wrong = sum(unseen[key] == 0 and h > 0 for key, h in over.items())
    assert counted(rows, "prices in a match event where it is wrong: none were hidden") == (wrong, len(over) - told)
    levels = {(p, s) for _, p, s in executions}
    assert counted(rows, "prices with hidden executions that it finds") == (len(levels), len(levels))


def test_lots_stands_and_the_grid_are_those_of_the_file(rows, csv):
    time, kind, size, price, side = csv
    is_hidden = kind == 5
    assert counted(rows, "their lots, of all lots traded") == (
        int(size[is_hidden].sum()), int(size[(kind == 4) | is_hidden].sum()),
    )  # fmt: skip
    assert counted(rows, "executions on the price grid") == (int((is_hidden & (price % 100 == 0)).sum()), EXECUTIONS)
    newest, stands, events = {}, [], {}
    for n in np.flatnonzero(is_hidden & (price % 100 == 0)).tolist():
        key = int(price[n]), int(side[n])
        before = newest.get(key)
        if before is None or time[n] - time[before[0]] > hidden.PAUSE_S * 1_000_000_000:
            newest[key] = n, len(stands)
            stands.append(key)
        newest[key] = n, newest[key][1]
        events.setdefault(newest[key][1], set()).add(int(time[n]))
    again = sum(len(times) > 1 for times in events.values())
    assert counted(rows, "stands with a second match event (pauses up to 120 s)") == (again, len(stands))


@pytest.mark.parametrize("seconds", hidden.HORIZONS_S)
def test_how_prices_held_is_what_a_loop_over_the_file_says(rows, csv, seconds):
    time, kind, _, price, side = csv
    prints = np.flatnonzero((kind == 4) | (kind == 5))
    on_grid = price[prints] % 100 == 0
    when, at, resting, shown = time[prints], price[prints], side[prints], kind[prints] == 4
    span = seconds * 1_000_000_000

    def held(n):
        if when[n] + span > when[-1]:
            return None
        later = (when > when[n]) & (when <= when[n] + span) & on_grid
        beyond = at[later] < at[n] if resting[n] > 0 else at[later] > at[n]
        return not beyond.any()

    outcome = [held(n) if on_grid[n] else None for n in range(len(prints))]
    known = np.array([value is not None for value in outcome])
    good = np.array([bool(value) for value in outcome])
    got, control = [], []
    for n in np.flatnonzero(known & ~shown).tolist():
        near = known & shown & (resting == resting[n]) & (abs(when - when[n]) <= hidden.NEIGHBOURHOOD_NS)
        if near.any():
            got.append(good[n])
            control.append(good[near].mean())
    row = rows[f"hidden executions: held for {seconds} s"]
    assert (row.count, row.of) == (sum(got), len(got))
    assert row.control == pytest.approx(np.mean(control), abs=1e-12)
    assert row.low < row.more < row.high


def test_every_alert_of_tier_b_stands_where_there_were_hidden_executions(rows):
    name = "tier B"
    assert rows[f"{name}: alerts"].count > 0
    assert rows[f"{name}: of them at a stand of hidden executions"].share == 1
    # Where displayed lots hid more twice, it looks like an iceberg: nearly all of those are told.
    assert rows[f"{name}: of those, with lots displayed"].share >= 0.9
