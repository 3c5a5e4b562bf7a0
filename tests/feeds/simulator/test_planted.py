"""Planted sessions as sources: addresses, batches, recordings with their truth."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest

from feeds import BadInput, open_source
from feeds.events import FACT, FACTS, LAST
from feeds.recording import open_recording
from feeds.simulator import Planted, Simulator, Wish, parse_wish, write_planted
from feeds.simulator.markets import MARKETS
from feeds.simulator.seeds import SETS, seeds_of, set_of
from feeds.source import OpenOptions

ADDRESS = "simulator:seed=7,minutes=2,profile=futures,plant=iceberg:every=10+pulled:every=20,tier=C"


def rows_of(source):
    return np.concatenate(list(source.batches()))


def test_an_address_with_plants_is_a_planted_session_and_one_without_a_story():
    assert isinstance(open_source(ADDRESS), Planted)
    assert isinstance(open_source("simulator:seed=7,minutes=1,profile=zi"), Planted)
    assert isinstance(open_source("simulator:seed=7"), Simulator)
    assert isinstance(open_source("simulator:profile=perp"), Simulator)


def test_an_address_says_the_whole_wish_again():
    wish = parse_wish(ADDRESS)
    assert isinstance(wish, Wish)
    assert wish.address == ADDRESS
    assert parse_wish(wish.address) == wish
    assert open_source(ADDRESS).info.tier == "C"
    assert parse_wish("simulator:plant=squeeze").profile == "stock"


def test_batches_end_where_messages_end_and_are_the_tape():
    source = open_source(ADDRESS)
    batches = list(source.batches())
    assert all(batch["marks"][-1] & LAST for batch in batches)
    assert np.concatenate(batches).tobytes() == source.tape.events.tobytes()
    assert np.concatenate(list(source.batches())).tobytes() == source.tape.events.tobytes()


def test_a_clipped_session_is_the_beginning_in_whole_messages():
    whole = rows_of(open_source(ADDRESS))
    clipped = rows_of(open_source(ADDRESS, OpenOptions(clip=3000)))
    assert 2500 < len(clipped) <= 3000
    assert clipped["marks"][-1] & LAST
    assert clipped.tobytes() == whole[: len(clipped)].tobytes()


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("simulator:plant=iceburg", "'iceberg'?"), ("simulator:plnt=iceberg", "'plant'?"),
        ("simulator:tier=Z", "A, B, C, D"), ("simulator:tier=C,conflate=77", "50, 100"),
        ("simulator:tier=C,conflate=x", "50, 100"), ("simulator:plant=iceberg,profile=mes", "futures"),
        ("simulator:profile=fuutres", "'futures'?"), ("simulator:plant=iceberg,minutes=endless", "up to 480"),
        ("simulator:plant=iceberg,negatives=maybe", "yes or no"), ("simulator:fault=gpa", "'gap'?"),
        ("simulator:plant=iceberg,seed=-1", "whole number"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_with_what_was_probably_meant(address, named):
    with pytest.raises(BadInput) as refused:
        open_source(address)
    assert named in str(refused.value)


def test_a_recording_has_the_rows_and_the_truth_beside_them(tmp_path):
    wish = parse_wish("simulator:seed=3,minutes=3,plant=native:every=15,tier=B")
    tape = write_planted(tmp_path / "session", wish)
    recording = open_recording(tmp_path / "session")
    assert rows_of(recording).tobytes() == tape.events.tobytes()
    assert recording.manifest.origin == (
        "tapeview simulate -o session --seed 3 --minutes 3 --profile futures --plant native:every=15 --tier B"
    )
    truth = pl.read_parquet(tmp_path / "session" / "truth.parquet")
    assert truth.columns == ["id", "type", "method", "side", "tick", "t0_ns", "t1_ns", "outcome", "params"]
    assert truth.equals(tape.truth)
    icebergs = truth.filter(pl.col("type") == "iceberg").with_columns(
        pl.col("params").str.json_path_match("$.refill_ns").alias("refills")
    )
    assert len(icebergs) >= 5
    assert (icebergs["t0_ns"] <= icebergs["t1_ns"]).all()
    with pytest.raises(BadInput, match="not there yet"):
        write_planted(tmp_path / "session", wish)


def test_a_squeeze_with_fuel_tells_how_short_the_market_is():
    tape = open_source("simulator:seed=4,minutes=30,plant=squeeze:fuel=yes").tape
    facts = tape.events[tape.events["kind"] == FACT]
    value = {FACTS[int(row["aux"])]: int(row["lots"]) for row in facts if FACTS[int(row["aux"])] != "news"}
    assert set(value) == {"short_interest", "float_shares", "adv20", "utilisation", "borrow_fee"}
    assert value["short_interest"] / value["float_shares"] > 0.25
    assert value["short_interest"] / value["adv20"] > 5
    assert (value["utilisation"] > 0.9e9, value["borrow_fee"] > 0.1e9) == (True, True)
    (label,) = [label for label in tape.labels if label.type == "squeeze"][:1]
    assert label.method == "fuel"
    assert label.t0_ns < label.params["half_ns"] < label.params["peak_ns"] <= label.t1_ns + 1_000_000_000
    run = tape.events[(tape.events["kind"] == 6) & (tape.events["exch_ns"] > label.t0_ns)]
    run = run[run["exch_ns"] < label.t1_ns]
    bought = run["lots"][run["side"] == 1].sum() / run["lots"].sum()
    assert bought > 0.65
    assert run["tick"].max() - label.tick > 50


def test_a_squeeze_without_fuel_says_that_the_market_is_not_short():
    tape = open_source("simulator:seed=4,minutes=30,plant=squeeze:fuel=no").tape
    value = {FACTS[int(r["aux"])]: int(r["lots"]) for r in tape.events[tape.events["kind"] == FACT]}
    assert value["short_interest"] / value["float_shares"] < 0.1
    assert [label.method for label in tape.labels if label.type == "squeeze"][:1] == ["no fuel"]


# A change of these is a change of every session: whoever means it puts the new ones here and says so.
DIGESTS = {
    "futures": "4822ecc2be126cf9",
    "stock": "5553c2cf981db651",
    "zi": "7a1761af1a067fae",
    "coin": "15464ff94a3ee36d",
    "perpetual": "15464ff94a3ee36d",  # the same market under a venue that has perpetuals
}


@pytest.mark.parametrize("name", MARKETS)
def test_the_bytes_of_a_short_session_are_these_on_every_platform(name):
    address = f"simulator:seed=1,minutes=1,profile={name},plant=iceberg:every=15+pulled:every=15+absorber:every=30"
    rows = rows_of(open_source(address))
    assert hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest() == DIGESTS[name]


def test_the_sets_of_seeds_do_not_meet():
    assert [set_of(seed) for seed in (0, 999, 1000, 1999, 2000, 2999, 3000)] == [
        "fit", "fit", "tune", "tune", "report", "report", "free"
    ]  # fmt: skip
    assert sum(map(len, SETS.values())) == len(set().union(*SETS.values())) == 3000
    assert seeds_of("report", 3) == [2000, 2001, 2002]
    with pytest.raises(BadInput, match="fit, tune, report"):
        seeds_of("test", 3)
    with pytest.raises(BadInput, match="at most 1000"):
        seeds_of("fit", 1001)
