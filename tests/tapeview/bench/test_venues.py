"""Frames that venues are measured by: every venue has some, all of them are read, and books come of them."""

from __future__ import annotations

import pytest

from feeds.events import BOOK, EventBuffer
from feeds.source import Checks
from feeds.venues import venues
from tapeview.bench import venues as bench
from tapeview.bench._golden import golden

MADE = golden()


@pytest.mark.parametrize("name", list(MADE))
def test_made_up_frames_are_all_read_by_the_venues_own_parser(name):
    made = MADE[name]
    checks = Checks()
    parser = venues()[name]({made.instrument.symbol: (0, made.instrument)}, checks)
    parser.no_fetch = True
    out = EventBuffer()
    for symbol, raw in made.frames:
        if symbol is None:
            parser.on_frame(raw, 1, out)
        else:
            parser.on_snapshot(symbol, raw, 1, out)
    assert len(out.take()) >= 800
    assert checks.damaged == checks.gaps == checks.checksums_failed == checks.unknown_orders == 0
    assert checks.problems == []
    assert not {"update before the snapshot", "other symbols"} & set(checks.ignored)


def test_krakens_made_up_checksums_are_computed_and_agree():
    made = MADE["kraken"]
    checks = Checks()
    parser = venues()["kraken"]({made.instrument.symbol: (0, made.instrument)}, checks)
    out = EventBuffer()
    for _, raw in made.frames:
        parser.on_frame(raw, 1, out)
    assert checks.checksums == len(made.frames) - 1
    assert BOOK in out.take()["kind"]


def test_every_venue_is_measured(data):
    measured = {case.venue for case in bench.cases(data)}
    # Coin-margined and inverse markets speak as their siblings do, of which there are frames.
    assert set(venues()) - measured <= {"bybit-inverse", "alpaca-sip", "alpaca-delayed"}


def test_a_measurement_is_levels_and_messages_beside_decoding_alone():
    made = MADE["dydx"]
    speed = bench.run(bench.Case("dydx", "made up", (made.instrument,), tuple(made.frames[:50])), 1)
    assert speed.messages == 50
    assert speed.levels > 50
    assert 0 < speed.yard_s < speed.seconds
