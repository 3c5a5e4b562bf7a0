"""The band of paper fills against the truth: phantom orders where the queue is known, and where only levels are.

Orders of one lot are put at and behind the touch, live for a minute, and change nothing. On order-by-order data their
place in the queue is known, and so is when they are filled. The same data are then reduced to what a feed of levels
tells, and the pessimist's and the optimist's fills are compared with the truth:

- an outcome is inside the band where whatever the pessimist fills is filled, and whatever is filled the optimist fills;
- a time is inside where it is not before the optimist's and not after the pessimist's;
- a place is inside where the lots ahead are between the optimist's and the pessimist's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import ADD, FILL, S_LIVE, Events
from feeds.instruments import Instrument
from feeds.simulator.projectors import to_b, to_c
from feeds.source import OpenOptions, open_source
from tapeview.bench.accounts import followed
from tapeview.desk.commands import LIMIT
from tapeview.desk.expectancy import wilson
from tapeview.desk.paper import Fill, Order, PaperVenue

LIFE_NS: Final = 60_000_000_000
EVERY_NS: Final = 2_000_000_000
"""How often a buy and a sale are placed, at least."""
WANTED: Final = 0.9
"""Share of the truth that is to be inside the band."""
_MOST_TIMES: Final = 2_000
_LATENCY_NS: Final = 200_000_000
_PLACES_NS: Final = 10_000_000_000
"""How often places are compared, at most."""
_PIECE: Final = 256
_CONFLATED_MS: Final = 100
_NEVER: Final = 1 << 62


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; a share has its 95 % interval."""

    source: str
    feed: str
    what: str
    value: float
    unit: str = ""
    count: int | None = None
    low: float | None = None
    high: float | None = None
    wanted: float | None = None


class Phantom(NamedTuple):
    """An order that never was."""

    number: int
    born_ns: int
    side: int
    tick: int


class Course(NamedTuple):
    """What became of phantoms under one view."""

    filled_ns: dict[int, int]
    places: dict[tuple[int, int], int]
    """Lots ahead by (order, time of looking)."""


def measure(
    source: str, options: OpenOptions | None = None, *, quick: bool = False, say: Callable[[str], None] = print
) -> list[Row]:
    """Measure one source of orders; raise BadInput where it has none. `quick` takes its first 20,000 rows."""
    opened = open_source(source, options or OpenOptions())
    try:
        if len(opened.instruments) != 1:
            raise BadInput("source", source, "a source of one instrument")
        instrument, batches, count = opened.instruments[0], [], 0
        for batch in opened.batches():
            batches.append(batch.copy())
            count += len(batch)
            if quick and count >= 20_000:
                break
    finally:
        opened.close()
    rows = np.concatenate(batches)
    if not np.isin(rows["kind"], (ADD, FILL)).any():
        raise BadInput("source", source, "orders one by one")
    say(f"{source}: {len(rows):,} rows")
    return compare(source, rows, instrument, say)


def compare(source: str, rows: Events, instrument: Instrument, say: Callable[[str], None] = print) -> list[Row]:
    """Compare the band with the truth on a tape of orders."""
    book = followed(rows, instrument)
    truth = Clock().insert(book.rows)
    phantoms, exact = place(truth, instrument)
    out = [Row(source=source, feed="orders", what="phantom orders", value=len(phantoms))]
    out.append(_share(source, "orders", "filled", len(exact.filled_ns), len(phantoms)))
    # Venue times may go back, and messages at intervals are made by time.
    timed = book.rows.copy()
    timed["exch_ns"] = np.maximum.accumulate(timed["recv_ns"])
    feeds = (
        ("levels, every message", Clock().insert(to_b(book.rows, book.depth)), True),
        (f"levels, every {_CONFLATED_MS} ms", to_c(timed, _CONFLATED_MS, 1, book.depth), False),
    )
    for name, feed, same_times in feeds:
        say(f"{source}: {name}, {len(feed):,} rows")
        views = [PaperVenue(hopeful=hopeful, latency_ns=_LATENCY_NS, exact=False) for hopeful in (False, True)]
        pessimist, optimist = play(feed, instrument, views, phantoms)
        out += _rows(source, name, phantoms, exact, pessimist, optimist, same_times=same_times)
    return out


# -- playing --------------------------------------------------------------------------------------


def place(rows: Events, instrument: Instrument) -> tuple[list[Phantom], Course]:
    """Place phantoms on a tape of orders, at the touch and up to two ticks behind it, and follow them exactly."""
    recv_ns = rows["recv_ns"]
    span = int(recv_ns.max() - recv_ns[0])
    every = max(EVERY_NS, span // _MOST_TIMES)
    times = int(recv_ns[0]) + np.arange(1, span // every + 1) * every
    draw = np.random.Generator(np.random.PCG64(1))
    phantoms: list[Phantom] = []

    def born(at_ns: int, book: Any) -> list[Phantom]:
        bid, ask = book.best_bid, book.best_ask
        if book.state != S_LIVE or bid is None or ask is None:
            return []
        made = [
            Phantom(len(phantoms) + n + 1, at_ns, side, touch - side * int(draw.integers(0, 3)))
            for n, (side, touch) in enumerate(((1, bid), (-1, ask)))
        ]
        phantoms.extend(made)
        return made

    venue = PaperVenue(hopeful=False, latency_ns=_LATENCY_NS, exact=True)
    (course,) = _run(rows, instrument, [venue], times.tolist(), born)
    return phantoms, course


def play(
    rows: Events, instrument: Instrument, venues: Sequence[PaperVenue], phantoms: Sequence[Phantom]
) -> list[Course]:
    """Follow the same phantoms on another feed, one course for each venue."""
    by_time: dict[int, list[Phantom]] = {}
    for one in phantoms:
        by_time.setdefault(one.born_ns, []).append(one)
    return _run(rows, instrument, venues, sorted(by_time), lambda at_ns, _: by_time[at_ns])


def _run(
    rows: Events, instrument: Instrument, venues: Sequence[PaperVenue], times: Sequence[int],
    born: Callable[[int, Any], list[Phantom]],
) -> list[Course]:  # fmt: skip
    from tapeview.engine import Engine

    engine = Engine(instrument)
    courses = [Course({}, {}) for _ in venues]
    dying: list[Phantom] = []
    reached = np.maximum.accumulate(rows["recv_ns"])
    ends = np.searchsorted(reached, times, side="right").tolist()
    at, seq, looked_ns = 0, -1, 0
    for time_ns, end in [*zip(times, ends, strict=True), (_NEVER, len(rows))]:
        while at < end:
            for venue, course in zip(venues, courses, strict=True):
                _note(venue.arrive(int(rows["recv_ns"][at]), engine.book, seq), course)
            piece = rows[at : min(end, at + _PIECE)]
            n = min(venue.cut(piece["recv_ns"]) for venue in venues)
            outcome = engine.apply(piece[:n])
            at, seq = at + n, int(piece["seq"][n - 1])
            for venue, course in zip(venues, courses, strict=True):
                _note(venue.step(outcome.events, outcome.frame), course)
        if time_ns == _NEVER:
            break
        old = [one for one in dying if one.born_ns + LIFE_NS <= time_ns]
        dying = [one for one in dying if one.born_ns + LIFE_NS > time_ns]
        made = born(time_ns, engine.book)
        dying += made
        looks = time_ns - looked_ns >= _PLACES_NS
        looked_ns = time_ns if looks else looked_ns
        for venue, course in zip(venues, courses, strict=True):
            if looks:
                course.places.update(
                    ((one, time_ns), ahead) for one in venue.orders if (ahead := venue.ahead(one)) is not None
                )
            for one in old:
                venue.cancel(one.number, time_ns)
            for one in made:
                venue.send(
                    Order(id=one.number, side=one.side, lots=1, kind=LIMIT, tick=one.tick, sent_ns=time_ns, left=1)
                )
    return courses


def _note(done: Sequence[Any], course: Course) -> None:
    for event in done:
        if isinstance(event, Fill):
            course.filled_ns.setdefault(event.order, event.recv_ns)


# -- counting -------------------------------------------------------------------------------------


def _share(source: str, feed: str, what: str, count: int, of: int, wanted: float | None = None) -> Row:
    interval = wilson(count, of)
    value = count / of if of else math.nan
    return Row(
        source=source, feed=feed, what=what, value=value, count=of, low=interval.low, high=interval.high, wanted=wanted
    )


def _rows(
    source: str, feed: str, phantoms: Sequence[Phantom], exact: Course, pessimist: Course, optimist: Course, *,
    same_times: bool,
) -> list[Row]:  # fmt: skip
    outcomes = [tuple(one.number in course.filled_ns for course in (pessimist, exact, optimist)) for one in phantoms]
    inside = sum(low <= true <= high for low, true, high in outcomes)
    disputed = [one for one in outcomes if any(one)]
    inside_filled = sum(low <= true <= high for low, true, high in disputed)
    agreed = sum(low == high for low, _, high in outcomes)
    out = [
        _share(source, feed, "outcome inside the band", inside, len(outcomes), WANTED),
        _share(source, feed, "of orders that any view fills", inside_filled, len(disputed), WANTED),
        _share(source, feed, "both views say the same", agreed, len(outcomes)),
        _share(source, feed, "filled, says the pessimist", len(pessimist.filled_ns), len(outcomes)),
        _share(source, feed, "filled, says the optimist", len(optimist.filled_ns), len(outcomes)),
    ]
    if same_times:
        times = [[c.filled_ns.get(one.number, _NEVER) for c in (optimist, exact, pessimist)] for one in phantoms]
        out.append(_share(source, feed, "fill time inside", sum(a <= b <= c for a, b, c in times), len(times), WANTED))
        both = [(c - a) / 1e9 for a, _, c in times if c != _NEVER]
        if both:
            out.append(
                Row(source=source, feed=feed, what="width of the fill time", value=float(np.mean(both)), unit="s mean",
                    count=len(both))
            )  # fmt: skip
        out += _places(source, feed, exact, pessimist, optimist)
    return out


def _places(source: str, feed: str, exact: Course, pessimist: Course, optimist: Course) -> list[Row]:
    common = exact.places.keys() & pessimist.places.keys() & optimist.places.keys()
    places = [(optimist.places[key], exact.places[key], pessimist.places[key]) for key in common]
    inside = sum(low <= true <= high for low, true, high in places)
    widths = [(high - low) / high for low, _, high in places if high > 0]
    out = [_share(source, feed, "place in the queue inside", inside, len(places), WANTED)]
    if widths:
        out.append(
            Row(source=source, feed=feed, what="width of the place", value=float(np.mean(widths)),
                unit="of the pessimist's", count=len(widths))
        )  # fmt: skip
    return out


def cells(row: Row) -> list[str]:
    """A row of the table as text."""
    value = f"{row.value:,.0f}" if row.count is None else f"{row.value:.3f}"
    span = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
    met = "" if row.wanted is None else f"{row.wanted:.2f}" + ("" if row.value >= row.wanted else " missed")
    return [row.feed, row.what, value, row.unit, "" if row.count is None else f"{row.count:,}", span, met]
