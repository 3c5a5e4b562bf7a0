from __future__ import annotations

import contextlib
import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import BadInput, open_source
from feeds.events import ASK, BID, BOOK, CLEAR, CLOCK, LAST, QUOTE, S_LIVE, SNAPSHOT, STATUS, TRADE
from feeds.simulator import open_simulator
from feeds.simulator.flow import Flow
from feeds.simulator.profiles import PROFILES
from feeds.source import OpenOptions
from tests.kit.reference import NaiveBook


@functools.cache
def rows_of(address):
    return np.concatenate(list(open_source(address).batches()))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_shorter_session_is_the_beginning_of_a_longer_one(profile):
    short = rows_of(f"simulator:seed=7,minutes=0.2,profile={profile}")
    long = rows_of(f"simulator:seed=7,minutes=0.3,profile={profile}")
    assert len(short) < len(long)
    assert long[: len(short)].tobytes() == short.tobytes()


@pytest.mark.parametrize("profile", PROFILES)
def test_opening_and_reading_again_gives_the_same_rows(profile):
    source = open_source(f"simulator:seed=7,minutes=0.1,profile={profile}")
    once = np.concatenate(list(source.batches()))
    assert np.concatenate(list(source.batches())).tobytes() == once.tobytes()


def test_another_seed_gives_another_session():
    assert rows_of("simulator:seed=7,minutes=0.1").tobytes() != rows_of("simulator:seed=8,minutes=0.1").tobytes()


@pytest.mark.parametrize("profile", PROFILES)
def test_rows_are_numbered_in_time_order_and_batches_hold_whole_messages(profile):
    batches = list(open_source(f"simulator:seed=2,minutes=0.2,profile={profile}").batches())
    rows = np.concatenate(batches)
    assert len(batches) > 5
    assert rows["seq"].tolist() == list(range(len(rows)))
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    assert all(batch["marks"][-1] & LAST for batch in batches)
    told = rows[(rows["kind"] != CLOCK) & (rows["kind"] != TRADE) & (rows["exch_ns"] > 0)]
    assert (told["recv_ns"] >= told["exch_ns"] - 1_000_000).all()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_first_message_is_a_whole_book_and_then_it_is_live(profile):
    rows = rows_of(f"simulator:seed=2,minutes=0.1,profile={profile}")
    rows = rows[rows["kind"] != CLOCK]
    live = np.flatnonzero(rows["kind"] == STATUS)[0]
    assert rows["kind"][0] == CLEAR
    assert rows["aux"][live] == S_LIVE
    assert (rows["marks"][:live] & SNAPSHOT).all()
    book = NaiveBook(instrument=PROFILES[profile].instrument).apply(rows[: live + 1])
    bids, asks = book.ticks(BID), book.ticks(ASK)
    assert len(bids) > 20
    assert len(asks) > 20
    assert bids[0][0] < asks[0][0]


def test_the_perpetual_seen_through_the_venue_parser_is_the_simulated_market():
    """After each depth message the parsed book equals the exchange at the end of that 100 ms."""
    source = open_source("simulator:seed=4,minutes=0.2,profile=perp")
    flow, book, compared = Flow(PROFILES["perp"], 4), NaiveBook(instrument=PROFILES["perp"].instrument), 0
    for batch in source.batches():
        ends = np.flatnonzero(batch["marks"] & LAST) + 1
        for start, end in itertools.pairwise([0, *ends.tolist()]):
            message = batch[start:end]
            book.apply(message)
            if message["kind"][0] == BOOK and not message["marks"][0] & SNAPSHOT:
                flow.run(int(message["exch_ns"][-1]))
                for side, half in ((BID, flow.market.bids), (ASK, flow.market.asks)):
                    assert book.ticks(side) == [(tick, half.levels[tick].lots) for tick in half.ticks()]
                compared += 1
    assert compared > 100
    checks = source.checks
    assert (checks.gaps, checks.resyncs, checks.damaged, checks.off_grid) == (0, 0, 0, 0)
    assert not checks.problems


def test_quotes_of_the_perpetual_agree_with_its_book():
    rows = rows_of("simulator:seed=4,minutes=0.1,profile=perp")
    assert (rows["kind"] == QUOTE).sum() > 50
    assert (rows["kind"] == TRADE).sum() > 20


def test_an_endless_session_is_given_bit_by_bit():
    source = open_source("simulator:seed=1,minutes=endless")
    batches = list(itertools.islice(source.batches(), 6))
    assert len(np.concatenate(batches)) > 1000


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("simulator:sed=1", "'seed'?"),
        ("simulator:minuets=4", "'minutes'?"),
        ("simulator:colour=red", "one of conflate, fault, minutes, negatives, plant, profile, seed, tier"),
        ("simulator:profile=mse", "'mes'?"),
        ("simulator:profile=xyzzy", "one of mes, perp, futures, stock, zi, coin"),
        ("simulator:seed=-1", "a whole number"),
        ("simulator:seed=1.5", "a whole number"),
        ("simulator:seed=٣", "a whole number"),
        ("simulator:seed=" + "9" * 40, "a whole number"),
        ("simulator:minutes=0", "a number above 0"),
        ("simulator:minutes=-3", "a number above 0"),
        ("simulator:minutes=nan", "a number above 0"),
        ("simulator:minutes=1e300", "a number above 0"),
        ("simulator:minutes=1e-300", "a number above 0"),
        ("simulator:seed", "seed=VALUE"),
        ("simulator:seed=", "seed=VALUE"),
        ("simulator:seed=1,seed=2", "each key once"),
        ("simulated:seed=1", "an address such as"),
    ],
)
def test_a_wrong_address_says_what_was_probably_meant(address, says):
    with pytest.raises(BadInput) as caught:
        open_simulator(address, OpenOptions())
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_address_opens_or_is_refused(text):
    with contextlib.suppress(BadInput):
        order = open_simulator("simulator:" + text, OpenOptions()).order
        assert order.seed >= 0
        assert order.profile in PROFILES


@pytest.mark.parametrize("options", [{"tick": "0.1"}, {"symbol": "X"}, {"format": "lobster"}])
def test_what_the_simulator_states_itself_cannot_be_overruled(options):
    with pytest.raises(BadInput):
        open_simulator("simulator:seed=1", OpenOptions(**options))


def test_a_clipped_session_ends_with_a_whole_message():
    whole = rows_of("simulator:seed=3,minutes=0.1")
    source = open_source("simulator:seed=3,minutes=0.1", OpenOptions(clip=1500))
    rows = np.concatenate(list(source.batches()))
    assert 1400 < len(rows) <= 1500
    assert rows["marks"][-1] & LAST
    assert rows.tobytes() == whole[: len(rows)].tobytes()


def test_info_says_that_it_is_simulated():
    source = open_source("simulator:seed=3,profile=perp")
    assert source.info.tier == "C"
    assert source.info.address == "simulator:seed=3,minutes=30,profile=perp"
    assert "simulated" in source.info.notes[0]
    assert open_source("simulator:").info.tier == "A"
