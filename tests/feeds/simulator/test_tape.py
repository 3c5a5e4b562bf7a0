"""Planted sessions: the same bytes everywhere, nothing disturbed by what is planted, every label found in the tape."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import ADD, CLOCK, FILL, LAST, MODIFY, NO_BOOK, STATUS, TRADE
from feeds.simulator import generate
from feeds.simulator.plants import PLANTED
from tests.kit.reference import NaiveBook, message_ends

ROOT = Path(__file__).parents[3]


def digest(rows):
    return hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest()


@pytest.fixture(scope="module")
def native():
    return generate(seed=11, minutes=8, plants=("native:every=30",))


@pytest.fixture(scope="module")
def synthetic():
    return generate(seed=11, minutes=8, plants=("synthetic:every=30",))


def orders_only(tape):
    return tape.events[tape.events["kind"] != CLOCK]


def test_the_same_order_gives_the_same_bytes(native):
    again = generate(seed=11, minutes=8, plants=("native:every=30",))
    assert again.events.tobytes() == native.events.tobytes()
    assert again.labels == native.labels


def test_another_seed_gives_another_session(native):
    assert generate(seed=12, minutes=1).events.tobytes() != generate(seed=11, minutes=1).events.tobytes()


def test_plain_python_writes_the_bytes_that_compiled_kernels_write():
    plants = ("iceberg:every=10", "absorber:every=20", "pulled:every=10", "auction:seconds=3")
    code = (
        "import hashlib; from feeds.simulator import generate\n"
        f"tape = generate(seed=5, minutes='0.75', plants={plants!r})\n"
        "print(hashlib.blake2b(tape.events.tobytes(), digest_size=8).hexdigest(), len(tape.labels))\n"
        "import sys; print('numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TAPEVIEW_JIT": "0"}, capture_output=True,
        text=True, timeout=200, check=True,
    )  # fmt: skip
    tape = generate(seed=5, minutes="0.75", plants=plants)
    assert done.stdout.split() == [digest(tape.events), str(len(tape.labels)), "False"]


def test_a_book_kept_from_the_rows_is_never_crossed_and_ends_as_the_market(native):
    book = NaiveBook()
    rows = orders_only(native)[:30_000]
    at = 0
    for n, end in enumerate(message_ends(rows)):
        book.apply(rows[at:end])
        at = end
        if n % 50 == 0:
            assert not book.crossed


def test_lots_come_from_somewhere_and_go_somewhere(native):
    """Every fill and cancel is of an order that is there with as many lots, and prints are the fills behind them."""
    orders: dict[int, int] = {}
    pending: dict[int, int] = {}
    printed = filled = 0
    for row in orders_only(native):
        kind, ref, lots, marks = (int(row[name]) for name in ("kind", "ref", "lots", "marks"))
        if kind == ADD:
            assert ref not in orders
            assert lots > 0
            orders[ref] = lots
        elif kind == MODIFY:
            assert ref in orders
            orders[ref] = lots
            pending.pop(ref, None)
        elif kind == FILL:
            filled += lots
            if marks & NO_BOOK:
                assert lots == orders[ref]
                pending[ref] = lots
            else:
                orders[ref] -= lots
                assert orders[ref] >= 0
                if orders[ref] == 0:
                    del orders[ref]
        elif kind == TRADE:
            printed += lots
            if marks & LAST and int(row["aux"]) == 0:
                raise AssertionError("a print without its fill")
    assert printed == filled > 1000
    assert not pending


def before(tape, exch_ns):
    rows = orders_only(tape)
    return rows[rows["exch_ns"] < exch_ns]


def test_what_is_planted_leaves_everything_before_it_as_it_was(native):
    bare = generate(seed=11, minutes=8)
    begun = min(label.params["begin_ns"] for label in native.labels if label.type == "iceberg")
    one, other = before(bare, begun), before(native, begun)
    assert len(one) > 500
    for name in ("exch_ns", "tick", "lots", "ref", "aux", "kind", "side", "marks"):
        assert (one[name] == other[name]).all(), name


def test_another_kind_of_plant_moves_no_plan_of_the_first(native):
    both = generate(seed=11, minutes=8, plants=("pulled", "native:every=30"))
    alone, beside = (
        [(label.params["begin_ns"], label.side, label.params["lots"], label.params["display"]) for label in tape.labels
         if label.type == "iceberg"]
        for tape in (native, both)
    )  # fmt: skip
    assert sorted(alone) == sorted(beside)


def test_the_refills_of_a_native_iceberg_are_those_its_id_shows(native):
    """Independent of the plant: an order that shows more after a fill than was left of it has been refilled."""
    found: dict[int, list[tuple[int, int]]] = {}
    left: dict[int, int] = {}
    tick_of: dict[int, int] = {}
    for row in orders_only(native):
        kind, ref, lots, tick = (int(row[name]) for name in ("kind", "ref", "lots", "tick"))
        if kind == ADD:
            left[ref], tick_of[ref] = lots, tick
        elif kind == FILL:
            left[ref] -= lots
        elif kind == MODIFY:
            if lots > left[ref] and tick_of[ref] == tick:
                found.setdefault(ref, []).append((int(row["exch_ns"]), lots))
            left[ref], tick_of[ref] = lots, tick
    told = {}
    for label in native.labels:
        if label.type == "iceberg" and label.params["refill_ns"]:
            (ref,) = set(label.params["refill_ids"])
            told[ref] = list(zip(label.params["refill_ns"], label.params["refill_lots"], strict=True))
    assert sum(map(len, told.values())) > 20
    assert found == told


def test_the_refills_of_a_synthetic_iceberg_are_orders_of_its_price_after_executions_there(synthetic):
    rows = orders_only(synthetic)
    adds = {int(row["ref"]): row for row in rows[rows["kind"] == ADD]}
    fills = rows[rows["kind"] == FILL]
    seen = 0
    for label in synthetic.labels:
        if label.type != "iceberg":
            continue
        params = label.params
        for when, lots, ref in zip(params["refill_ns"], params["refill_lots"], params["refill_ids"], strict=True):
            row = adds[ref]
            assert (row["tick"], row["side"], row["lots"]) == (label.tick, label.side, lots)
            assert row["exch_ns"] == when
            earlier = fills[(fills["tick"] == label.tick) & (fills["exch_ns"] <= when)]
            assert len(earlier)
            seen += 1
            if params["jitter"] == 0:
                assert lots <= params["display"]
    assert seen > 20


def test_a_synthetic_iceberg_keeps_its_delay():
    tape = generate(seed=3, minutes=30, plants=("synthetic:every=20:delay=150:jitter=0:display=4",), negatives=False)
    rows = orders_only(tape)
    waits = []
    for label in tape.labels:
        ids = [int(i) for i in label.params["refill_ids"]]
        for before_id, after in zip(ids, label.params["refill_ns"][1:], strict=False):
            last = rows[(rows["ref"] == before_id) & (rows["kind"] == FILL)]["exch_ns"].max()
            waits.append(after - int(last))
    assert len(waits) > 200
    quick = [wait for wait in waits if wait < 1_200_000_000]  # others waited for the price to come back
    assert np.mean(quick) == pytest.approx(150e6, rel=0.2)
    assert np.median(quick) == pytest.approx(150e6 * np.log(2), rel=0.25)


def test_icebergs_stay_within_the_ranges_they_were_asked_for():
    tape = generate(seed=2, minutes=60, plants=("iceberg:every=20",), negatives=False)
    labels = [label for label in tape.labels if label.type == "iceberg"]
    assert len(labels) > 120
    params = [label.params for label in labels]
    assert {p["delay_ms"] for p in params if not p["native"]} == {0, 50, 150, 500, 2000}
    assert {p["jitter"] for p in params} == {0, 20, 50}
    assert min(p["display"] for p in params) >= 1
    assert max(p["display"] for p in params) <= 30
    assert {3 <= p["tranches_planned"] <= 40 for p in params} == {True}
    assert np.mean([p["cancel_at"] > 0 for p in params]) == pytest.approx(0.3, abs=0.12)
    assert np.mean([p["native"] for p in params]) == pytest.approx(0.5, abs=0.15)
    assert np.mean([p["tranches"] >= 3 for p in params]) > 0.5


@pytest.mark.parametrize(
    ("plant", "minutes", "type_", "least"),
    [
        ("absorber", 20, "absorber", 5), ("hidden_seller", 20, "hidden_seller", 2), ("pulled", 12, "pulled", 3),
        ("squeeze", 40, "squeeze", 1), ("ignition", 75, "ignition", 1), ("vwap", 90, "vwap", 1),
        ("halt:every=120", 8, "phase", 1), ("auction", 2, "phase", 1),
    ],
)  # fmt: skip
def test_every_plant_leaves_labels_within_the_session(plant, minutes, type_, least):
    tape = generate(seed=7, minutes=minutes, plants=(plant,))
    labels = [label for label in tape.labels if label.type == type_]
    assert len(labels) >= least
    first, last = (
        int(tape.events["exch_ns"].min(where=tape.events["kind"] != CLOCK, initial=2**62)),
        int(tape.events["exch_ns"].max()),
    )
    for label in labels:
        assert first <= label.t0_ns <= label.t1_ns <= last + 60_000_000_000


def test_a_halt_stops_trading_until_its_auction(native):
    tape = generate(seed=7, minutes=8, plants=("halt:every=120",))
    rows = orders_only(tape)
    halted = [label for label in tape.labels if label.type == "phase"]
    for label in halted:
        inside = rows[(rows["exch_ns"] > label.t0_ns) & (rows["exch_ns"] < label.t1_ns)]
        assert not (inside["kind"] == TRADE).any()
        at_end = rows[rows["exch_ns"] == label.t1_ns]
        assert (at_end["kind"] == STATUS).any()
    assert halted


def test_seq_counts_and_receive_times_never_go_back(native):
    assert (native.events["seq"] == np.arange(len(native.events))).all()
    assert (np.diff(native.events["recv_ns"]) >= 0).all()
    assert native.events["marks"][-1] & LAST


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"plants": ("icberg",)}, "'iceberg'?"),
        ({"plants": ("iceberg:dlay=3",)}, "'delay'?"),
        ({"plants": ("iceberg:delay=x",)}, "whole number"),
        ({"plants": ("squeeze:fuel=maybe",)}, "yes, no"),
        ({"profile": "futurs"}, "'futures'?"),
        ({"tier": "E"}, "A, B, C, D"),
        ({"conflate_ms": 70}, "50, 100, 250, 1000"),
        ({"minutes": 0}, "above 0"),
        ({"minutes": 1e9}, "up to 480"),
        ({"faults": ("gapp",)}, "'gap'?"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_nearest_name(wrong, named):
    with pytest.raises(BadInput, match=".*") as refused:
        generate(**({"minutes": 1} | wrong))
    assert named in str(refused.value)


def test_every_plant_says_what_it_does_and_what_can_be_set():
    for name, plant in PLANTED.items():
        assert plant.name == name
        assert len(plant.text) > 20
        for setting in plant.settings.values():
            assert setting.text
            assert setting.words or setting.low <= setting.high
