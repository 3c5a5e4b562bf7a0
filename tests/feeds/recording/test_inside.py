"""The inside kept for checking, against the naive book."""

from __future__ import annotations

from hypothesis import given, settings

from feeds.events import ASK, BID, Events
from feeds.recording.inside import Inside
from tests.kit.reference import NaiveBook
from tests.kit.rows import INSTRUMENTS, streams

BOOK_KINDS = {1, 2, 3, 4, 5, 7}
LEVELS = {1, 7}
ORDERS = {2, 3, 4, 5, 7}


def follow(rows: Events, kinds: set[int]) -> None:
    inside, naive = Inside(INSTRUMENTS[0]), NaiveBook(0, INSTRUMENTS[0])
    for at, row in enumerate(rows):
        if int(row["kind"]) not in kinds:
            continue
        inside.apply(*(int(row[name]) for name in ("kind", "side", "tick", "lots", "ref", "marks")))
        naive.apply(rows[at : at + 1])
        for side in (BID, ASK):
            assert inside.best(side) == naive.inside(side)


@given(streams(max_messages=40))
@settings(max_examples=40, deadline=None)
def test_best_prices_of_levels_are_those_of_a_naive_book(rows: Events) -> None:
    follow(rows, LEVELS)


@given(streams(max_messages=40))
@settings(max_examples=60, deadline=None)
def test_best_prices_of_orders_are_those_of_a_naive_book(rows: Events) -> None:
    follow(rows, ORDERS)
