"""The engine as a whole: saving, loading, digests, refusals."""

from __future__ import annotations

import copy
import pickle

import msgspec
import numpy as np
import pytest

from feeds import script
from feeds.errors import BadInput
from feeds.events import BID, BOOK, LAST, NONE, TRADE
from feeds.instruments import Instrument
from tapeview.engine import Engine, EngineSettings, engine
from tapeview.engine.state import NEED_CENTRE
from tests.kit.streams import market, table

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


@pytest.mark.parametrize(("seed", "orders"), [(1, False), (2, True)])
def test_a_loaded_engine_goes_on_as_if_it_had_played_through(seed, orders):
    rows = market(20_000, seed, orders=orders)
    whole = Engine(INSTRUMENT)
    whole.anchor("mine")
    for at in range(0, len(rows), 3001):
        blob = whole.save()
        other = Engine.load(INSTRUMENT, None, blob)
        assert other.digest() == whole.digest()
        piece = rows[at : at + 3001]
        want, got = whole.apply(piece).frame.copy(), other.apply(piece).frame
        assert got.tobytes() == want.tobytes()
        assert other.digest() == whole.digest()
        assert other.vwap.anchors() == whole.vwap.anchors()


def test_the_digest_does_not_depend_on_the_window_or_the_tables():
    far = [(BOOK, BID, tick, 3, NONE, 0, LAST) for tick in (5, 10**6, 7)]
    one, two = Engine(INSTRUMENT), Engine(INSTRUMENT)
    rows = table([*far, (BOOK, BID, 10**6, 0, NONE, 0, LAST)])
    one.apply(rows)
    two.apply(rows)
    low = int(two._memory.state["low_key"][0][0])
    two._memory.state["need"][0] = NEED_CENTRE
    two._make_room()
    moved = int(two._memory.state["low_key"][0][0])
    assert moved != low
    assert two.counters["overflow_levels"] < one.counters["overflow_levels"]
    assert one.digest() == two.digest()
    assert two.book.bids()["tick"].tolist() == [7, 5]


@pytest.mark.parametrize(
    "change", [script.events("b99:1"), script.events("+100:1"), script.events("!gap"), script.events("~1 !live")]
)
def test_any_event_changes_the_digest(change):
    one, two = Engine(INSTRUMENT), Engine(INSTRUMENT)
    for each in (one, two):
        each.apply(script.events("[ b100:5 a101:2 ]"))
    assert one.digest() == two.digest()
    one.apply(change)
    assert one.digest() != two.digest()


def test_an_anchor_is_part_of_the_digest():
    one, two = Engine(INSTRUMENT), Engine(INSTRUMENT)
    one.anchor("a")
    assert one.digest() != two.digest()


def test_a_damaged_blob_is_refused_wherever_it_is_damaged():
    market_engine = Engine(INSTRUMENT)
    market_engine.apply(market(500, 1))
    blob = market_engine.save()
    rng = np.random.default_rng(1)
    for at in [0, 9, 20, 200, len(blob) - 1, *rng.integers(0, len(blob), 30).tolist()]:
        bad = bytearray(blob)
        bad[at] ^= 0x11
        with pytest.raises(BadInput):
            Engine.load(INSTRUMENT, None, bytes(bad))
    for end in (0, 5, 11, 100, len(blob) - 1):
        with pytest.raises(BadInput):
            Engine.load(INSTRUMENT, None, blob[:end])


def test_a_blob_of_other_settings_is_refused():
    blob = Engine(INSTRUMENT, EngineSettings(merge_ms=1)).save()
    with pytest.raises(BadInput, match="saved under"):
        Engine.load(INSTRUMENT, EngineSettings(merge_ms=2), blob)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_an_engine_is_copied_by_saving_and_loading_only(way):
    """Its record holds addresses, so that a plain copy would write into the first one's tables."""
    with pytest.raises(TypeError, match="save and load"):
        way(Engine(INSTRUMENT)._memory)
    if way is not copy.copy:
        with pytest.raises(TypeError, match="save and load"):
            way(Engine(INSTRUMENT))


def test_only_event_rows_are_taken():
    with pytest.raises(TypeError, match="EVENT"):
        Engine(INSTRUMENT).apply(np.zeros(3))
    with pytest.raises(TypeError, match="EVENT"):
        Engine(INSTRUMENT).apply(script.events("b1:1 b2:1").reshape(-1, 1))


def test_batches_may_be_empty_read_only_or_strided():
    rows = script.events("[ b100:5 a101:2 ] +101:1 b99:3")
    want = Engine(INSTRUMENT)
    want.apply(rows)
    doubled = np.repeat(rows, 2)
    frozen = np.frombuffer(rows.tobytes(), rows.dtype)
    for batch in (frozen, doubled[::2]):
        got = Engine(INSTRUMENT)
        got.apply(rows[:0])
        got.apply(batch)
        assert got.digest() == want.digest()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_batch_may_lie_at_any_address(compiled, request):
    if not compiled:
        request.getfixturevalue("plain")
    rows = script.events("[ b100:5 a101:2 ] +101:1 b99:3")
    crooked = np.frombuffer(b"odd" + rows.tobytes(), rows.dtype, offset=3)
    one, two = Engine(INSTRUMENT), Engine(INSTRUMENT)
    one.apply(rows)
    two.apply(crooked)
    assert one.digest() == two.digest()


def test_places_in_the_stream_are_unknown_before_the_first_event():
    fresh = Engine(INSTRUMENT)
    assert (fresh.seq, fresh.recv_ns, fresh.exch_ns, fresh.venue_seq, fresh.events) == (NONE, NONE, NONE, NONE, 0)
    rows = script.events("[ b100:5 ]")
    fresh.apply(rows)
    assert (fresh.seq, fresh.recv_ns, fresh.events) == (int(rows["seq"][-1]), int(rows["recv_ns"][-1]), len(rows))


def test_settings_have_bounds_descriptions_and_refuse_unknown_keys():
    schema = msgspec.json.schema(EngineSettings)["$defs"]["EngineSettings"]["properties"]
    assert all(entry["description"].endswith(".") or "ms." in entry["description"] for entry in schema.values())
    for bad in ({"depth_ticks": 0}, {"depth_ticks": 256}, {"merge_ms": -1}, {"big_print_quantile": 1.0}, {"depth": 5}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(bad, EngineSettings)


def test_depth_is_a_setting():
    one = Engine(INSTRUMENT, EngineSettings(depth_ticks=1)).apply(script.events("[ b100:5 b99:7 ]")).frame[-1]
    assert (one["bid_depth"], one["bid_wall_lots"]) == (5, 5)
    two = Engine(INSTRUMENT, EngineSettings(depth_ticks=2)).apply(script.events("[ b100:5 b99:7 ]")).frame[-1]
    assert (two["bid_depth"], two["bid_wall_lots"], two["bid_wall_ticks"]) == (12, 7, 1)


def test_the_outcome_holds_the_batch_and_views_of_it():
    rows = script.events("[ b100:5 a101:2 ] +101:1")
    outcome = Engine(INSTRUMENT).apply(rows)
    assert isinstance(outcome, engine.Outcome)
    assert outcome.events is rows
    assert len(outcome.frame) == len(rows)
    assert outcome.trades.tolist() == [n for n, row in enumerate(rows) if row["kind"] == TRADE]
    assert len(outcome.news) == len(rows)
