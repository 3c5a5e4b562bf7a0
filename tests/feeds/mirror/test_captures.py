"""Whole sessions with real venues, through the mirror to the real client: early and late, it has the venue's book."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    CLEAR,
    CLOCK,
    FACT,
    GAP,
    LAST,
    NONE,
    QUOTE,
    S_LIVE,
    STATUS,
    TRADE,
    Events,
)
from feeds.mirror import open_reel
from feeds.source import open_source
from feeds.venues import venues
from tests.kit.mirrored import mirrored, visiting

CAPTURES = {
    "binance": "venue-captures/BINANCE.jsonl.zst",
    "binance-delivery": "venue-captures/BINANCE_DELIVERY.jsonl.zst",
    "binance-futures": "venue-captures/BINANCE_FUTURES.jsonl.zst",
    "binance-us": "venue-captures/BINANCE_US.jsonl.zst",
    "bitfinex": "venue-captures/BITFINEX.jsonl.zst",
    "bitstamp-diff": "venue-captures/BITSTAMP.jsonl.zst",
    "bybit": "venue-captures/BYBIT.jsonl.zst",
    "bybit-linear": "venue-captures/BYBIT.jsonl.zst",
    "coinbase": "venue-captures/COINBASE.jsonl.zst",
    "deribit": "venue-captures/DERIBIT.jsonl.zst",
    "gemini-v2": "venue-captures/GEMINI.jsonl.zst",
    "hyperliquid": "venue-captures/btcusd_20250126.gz",
    "kraken-v1": "venue-captures/KRAKEN.jsonl.zst",
    "okx": "venue-captures/OKX.jsonl.zst",
}
FETCHED = ("binance", "binance-delivery", "binance-futures", "binance-us", "bitstamp-diff")
"""Venues whose snapshot is a request of the client's own, so that its books begin elsewhere than the recorder's."""
CHECKED = {"kraken-v1": 4269, "okx": 290}
"""Checksums that the captures hold."""
LIKE_OTHERS = ("binance-delivery", "binance-us", "bybit-linear")
NUMBERED_ANEW = ("coinbase",)
"""Venues that number the frames of a connection: another connection, other numbers."""


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch):
    """Subscriptions without the pauses that real venues want between them."""
    for venue in venues().values():
        monkeypatch.setattr(venue, "terms", msgspec.structs.replace(venue.terms, send_gap_ms=1))


UNTIMED = ("bitfinex",)
"""Frames without a time of their own, to which the mirror gives the recording's."""


def states(rows: Events, *, best: bool = False) -> dict[tuple[int, int], object]:
    """A hash of the book after each message, or its best levels, by instrument and the message's number."""
    found: dict[tuple[int, int], object] = {}
    books: dict[int, dict[tuple[int, int], int]] = {}
    sums: Counter[int] = Counter()
    for kind, inst, side, tick, lots, ref, marks in rows[
        ["kind", "inst", "side", "tick", "lots", "ref", "marks"]
    ].tolist():
        book = books.setdefault(inst, {})
        if kind in (CLEAR, GAP):
            book.clear()
            sums[inst] = 0
        elif kind == BOOK:
            before = book.pop((side, tick), 0)
            sums[inst] ^= hash((side, tick, before)) if before else 0
            if lots:
                book[side, tick] = lots
                sums[inst] ^= hash((side, tick, lots))
        if marks & LAST and kind == BOOK:
            found[inst, ref] = top(book, 5) if best else sums[inst]
    return found


def ends(rows: Events) -> dict[int, dict[tuple[int, int], int]]:
    """The books at the end."""
    books: dict[int, dict[tuple[int, int], int]] = {}
    for kind, inst, side, tick, lots in rows[["kind", "inst", "side", "tick", "lots"]].tolist():
        book = books.setdefault(inst, {})
        if kind in (CLEAR, GAP):
            book.clear()
        elif kind == BOOK and lots:
            book[side, tick] = lots
        elif kind == BOOK:
            book.pop((side, tick), None)
    return {inst: book for inst, book in books.items() if book}


def top(book: dict[tuple[int, int], int], levels: int) -> list[tuple[tuple[int, int], int]]:
    """The best levels of both sides."""
    sides = [sorted((tick for its, tick in book if its == side), reverse=side == BID)[:levels] for side in (BID, ASK)]
    return [((side, tick), book[side, tick]) for side, ticks in zip((BID, ASK), sides, strict=True) for tick in ticks]


def told(rows: Events, inst: int, kinds: tuple[int, ...], *, timed: bool = True) -> list[tuple[int, ...]]:
    """What some kinds of rows of one instrument say, without when they were received."""
    mine = rows[(rows["inst"] == inst) & np.isin(rows["kind"], kinds)]
    mine["marks"] &= ~np.uint16(BAD_TIME)  # the recorder's clock, not the venue's word
    mine["aux"][mine["kind"] == TRADE] = 0  # whether a print repeats an old one is told by when it comes
    return mine[["kind", "tick", "lots", "side", "aux", "marks", *(["exch_ns"] if timed else [])]].tolist()


def direct(path, venue):
    """The capture read as a file: its instruments of the venue and its rows."""
    source = open_source(path)
    rows = np.concatenate(list(source.batches()))
    mine = {one.symbol: i for i, one in enumerate(source.instruments) if one.venue == venue}
    return mine, rows


@pytest.mark.parametrize(
    "venue", [pytest.param(name, marks=pytest.mark.slow) if name in LIKE_OTHERS else name for name in CAPTURES]
)
async def test_a_client_there_from_the_start_and_a_late_one_have_the_books_of_the_venue(data, venue) -> None:
    path = data / CAPTURES[venue]
    reel = open_reel(str(path))
    span = (max(shot.ns for shot in reel.head) - reel.head[0].ns) / 1e9
    symbols = list(reel.markets[venue])
    async with (
        mirrored(reel, speed=max(span / (1.5 if venue in FETCHED else 0.5), 1.0), settle_s=0.15) as mirror,
        visiting(mirror, venue) as early,
    ):
        await early.until(lambda: mirror.progress().seconds > span * 0.4)
        async with visiting(mirror, venue, like=early) as late:
            await early.over()
            await late.over()
            if venue in FETCHED:  # a busy machine fetches late
                for visit in (early, late):
                    await visit.until(lambda visit=visit: len(ends(visit.rows)) > len(symbols) // 2)
            first, second = early.rows, late.rows
            checks, late_checks = early.client.checks, late.client.checks
    assert (checks.gaps, checks.damaged, checks.duplicates) == (0, 0, 0), checks.problems
    assert (late_checks.gaps, late_checks.damaged, late_checks.duplicates) == (0, 0, 0), late_checks.problems
    assert checks.messages > 20
    assert ends(first), "there is a book"
    # The venue's checksum after every message.
    assert checks.checksums == CHECKED.get(venue, 0)
    assert checks.checksums_failed == late_checks.checksums_failed == 0
    assert (late_checks.checksums > 0) == (venue in CHECKED)
    # The late one's book is the early one's, wherever both have come to the same message of the venue; what is fetched
    # ends at a depth.
    fetched = venue in FETCHED
    mine, others = states(first, best=fetched), states(second, best=fetched)
    common = [key for key in mine.keys() & others.keys() if key[1] != NONE]
    if venue not in NUMBERED_ANEW:
        assert all(mine[key] == others[key] for key in common)
        assert common or not {ref for _, ref in others} - {NONE}
    then, now = ends(first), ends(second)
    deep = 500 if fetched else 10**9
    assert all(top(now[inst], deep) == top(then[inst], deep) for inst in now)
    assert len(now) > len(symbols) // 2
    # And all of it is what reading the file gives.
    places, rows = direct(path, venue)
    timed = venue not in UNTIMED
    for inst, symbol in enumerate(symbols):
        for kinds in ((TRADE,), (QUOTE,), (FACT,), (BOOK, CLEAR, STATUS)):
            if (venue == "hyperliquid" and kinds == (FACT,)) or (fetched and BOOK in kinds):
                continue  # its facts carry the time they were received; these books begin at another moment
            here, there = (told(some, i, kinds, timed=timed) for some, i in ((first, inst), (rows, places[symbol])))
            assert here == there, (symbol, kinds)
    if fetched:
        read = states(rows, best=True)
        same = {(inst, ref): mine[inst, ref] for inst, ref in mine if (places[symbols[inst]], ref) in read}
        assert len(same) > 10
        assert all(read[places[symbols[inst]], ref] == one for (inst, ref), one in same.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binance-usdm-btcusdt", "binance-spot-ethusdt"])
async def test_the_best_prices_that_the_venue_quotes_are_those_of_the_book_that_the_mirror_gives(data, name) -> None:
    """As of a file: after each depth message best bid and ask equal the newest quote with no higher update id."""
    reel = open_reel(str(data / name))
    async with mirrored(reel) as mirror, visiting(mirror) as visit:
        await visit.over(120)
        rows, checks = visit.rows, visit.client.checks
    assert (checks.gaps, checks.damaged) == (0, 0)
    book: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    quotes: dict[int, dict[int, tuple[int, int]]] = {}
    live, agree, compared = False, 0, 0
    newest: tuple[int, dict[int, tuple[int, int]]] | None = None
    waiting = sorted({int(ref) for ref in rows["ref"][rows["kind"] == QUOTE]})
    for side, tick, lots, ref in rows[rows["kind"] == QUOTE][["side", "tick", "lots", "ref"]].tolist():
        quotes.setdefault(ref, {})[side] = (tick, lots)
    at = 0
    for kind, side, tick, lots, ref, marks, aux in rows[
        ["kind", "side", "tick", "lots", "ref", "marks", "aux"]
    ].tolist():
        if kind == STATUS and aux == S_LIVE:
            live = True
        elif kind == BOOK and lots:
            book[side][tick] = lots
        elif kind == BOOK:
            book[side].pop(tick, None)
        if kind == BOOK and live and marks & LAST:
            while at < len(waiting) and waiting[at] <= ref:
                newest = (waiting[at], quotes[waiting[at]])
                at += 1
            if newest is not None:
                bid, ask = max(book[BID]), min(book[ASK])
                compared += 1
                agree += newest[1] == {BID: (bid, book[BID][bid]), ASK: (ask, book[ASK][ask])}
    assert compared > 3000
    assert agree == compared
    assert CLOCK in rows["kind"]
