"""From an outbox through a log to a follower: exact whatever is cut, doubled, lost or sent again."""

from __future__ import annotations

import asyncio
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.broker.address import Login, Target, parse_target
from feeds.broker.batches import END, ROWS, About, about_bytes, pack_group, unpack
from feeds.broker.follower import Follower, find
from feeds.broker.log import Stored
from feeds.broker.outbox import KEY_ROWS, Outbox, Superseded
from feeds.errors import BadInput
from feeds.events import C_DROPS, C_RECORDING, CLEAR, EVERY, GAP, KEYFRAME, Events, empty
from feeds.recording.columns import split
from feeds.recording.keyframe import KeyframeBook, level_table
from feeds.source import Checks
from tests.kit.broker import MemoryLogs
from tests.kit.recordings import all_rows
from tests.kit.rows import INSTRUMENTS, START_NS, stream, streams

ABOUT = About(instrument=INSTRUMENTS[0], tier="B", verification="chain")
CRC = zlib.crc32(about_bytes(ABOUT))
S = 10**9
TABLE = level_table()


def outbox(run: int = 5, inst: int = 0) -> Outbox:
    return Outbox(ABOUT, inst, run, TABLE)


def follower(**words: int | None) -> Follower:
    return Follower(Checks(), about_crc=CRC, **words)


def wanted(rows: Events, inst: int = 0) -> Events:
    """An instrument's rows as a reader gets them."""
    mine = rows[(rows["inst"] == inst) | (rows["inst"] == EVERY)]
    mine["inst"][mine["inst"] != EVERY] = 0
    return mine


def book(rows: Events) -> Events:
    """The book after rows, in one order."""
    made = KeyframeBook(INSTRUMENTS[:1], TABLE)
    made.follow(rows, split(rows))
    out = made.rows(0, 0)
    return np.sort(out[:-1], order=("kind", "side", "tick", "ref", "lots"))


class Log:
    """A log that is written by an outbox as the publisher does it, without a broker."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []

    def newest(self):
        return unpack(self.stored[-1].data, "newest") if self.stored else None

    def send(self, box: Outbox, count: int, *, acknowledged: int) -> None:
        """Store the oldest messages of an outbox and acknowledge some."""
        for packed in list(box.packed)[:count]:
            self.stored.append(Stored(len(self.stored) + 1, packed.data))
        for _ in range(min(acknowledged, count, len(box.packed))):
            box.acknowledge()

    def drain(self, box: Outbox) -> None:
        """Publish all there is."""
        while box.pack(0, all_of_it=True):
            pass
        self.send(box, len(box.packed), acknowledged=len(box.packed))

    def read(self, one: Follower, start: int = 0) -> Events:
        return all_rows([one.take(stored) for stored in self.stored[start:]])


@settings(deadline=None)
@given(
    streams(2), st.integers(0, 1),
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 60)),
            st.tuples(st.just("pack"), st.integers(1, 30)),
            st.tuples(st.just("send"), st.tuples(st.integers(0, 3), st.integers(0, 3))),
            st.tuples(st.just("resume"), st.just(0)),
        ),
        max_size=40,
    ),
    st.data(),
)  # fmt: skip
def test_a_reader_gets_every_row_once_wherever_writer_and_reader_are_cut(rows, inst, steps, data) -> None:
    """The writer is cut off with messages stored or not and acknowledged or not; the reader begins again anywhere."""
    box, log, added, resumed = outbox(inst=inst), Log(), 0, False
    for step, how in steps:
        if step == "add":
            box.add(rows[added : added + how], 0)
            added += len(rows[added : added + how])
        elif not resumed and not box.idle:
            box.resume(log.newest())
            resumed = True
        elif step == "pack":
            box.pack(0, most_rows=how, all_of_it=True)
        elif step == "send":
            stored, acknowledged = how
            log.send(box, stored, acknowledged=acknowledged)
            box.resume(log.newest())
        elif step == "resume":
            box.resume(log.newest())
    box.add(rows[added:], 0)
    if not box.idle:
        box.resume(log.newest())
    log.drain(box)
    expected = wanted(rows, inst)
    assert log.read(follower()).tobytes() == expected.tobytes()
    # A reader that ends after some messages and goes on by the number of its last row.
    got, reached = [], None
    for stop in [*data.draw(st.lists(st.integers(1, 8), max_size=12)), len(log.stored)]:
        one = follower(begin=None if reached is None else reached + 1)
        start = asyncio.run(find_in(log, reached))
        got += [one.take(stored) for stored in log.stored[start : start + stop]]
        reached = one.reached
    assert all_rows(got).tobytes() == expected.tobytes()


async def find_in(log: Log, reached: int | None) -> int:
    """Where `find` begins to read, in a broker that holds the log; from the start where there is no place yet."""
    if reached is None:
        return 0
    logs = MemoryLogs()
    broker = await logs.connect(Target(parse_target("nats://x").place), Login())
    await broker.create("test", "ONE")
    logs.logs["test:ONE"] = log.stored
    return await find(broker, "test", "ONE", await broker.extent("test", "ONE"), reached) - 1


@settings(deadline=None)
@given(streams(), st.data())
def test_a_reader_that_asks_for_a_number_gets_the_rows_from_it_on(rows: Events, data: st.DataObject) -> None:
    box, log = outbox(), Log()
    box.add(rows, 0)
    box.resume(None)
    while box.pack(0, most_rows=data.draw(st.integers(1, 20)), all_of_it=True):
        pass
    log.drain(box)
    begin = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.none() | st.integers(begin, len(rows) - 1))
    one = follower(begin=begin, end=end)
    start = asyncio.run(find_in(log, begin - 1))
    got = log.read(one, start)
    assert got.tobytes() == rows[begin : None if end is None else end + 1].tobytes()
    assert one.done == (end is not None)


@settings(deadline=None, max_examples=40)
@given(streams(), st.lists(st.integers(0, 200), max_size=5), st.data())
def test_after_rows_were_given_up_there_is_a_gap_and_the_book_is_whole(rows, places, data) -> None:
    box, log, at = outbox(), Log(), 0
    given_up = 0
    for place in sorted(min(place, len(rows)) for place in places):
        box.add(rows[at:place], 0)
        at = place
        if data.draw(st.booleans()):
            given_up += bool(box.give_up())
        elif not box.idle:
            box.resume(log.newest())
            log.drain(box)
    box.add(rows[at:], 0)
    if box.idle:
        return
    box.resume(log.newest())
    log.drain(box)
    got = log.read(follower())
    assert (book(got) == book(rows)).all()
    gaps = got[(got["kind"] == GAP) & ~np.isin(got["seq"], rows["seq"][rows["kind"] == GAP])]
    assert (got["kind"] == GAP).sum() <= (rows["kind"] == GAP).sum() + given_up
    assert (gaps["lots"] == C_DROPS).all()
    assert (np.diff(got["seq"]) >= 0).all()
    assert box.lost == 0 or given_up


@settings(deadline=None, max_examples=40)  # each book compared costs a ms
@given(streams(max_messages=30), st.lists(st.sampled_from("kdlx"), max_size=60))
def test_doubled_lost_and_damaged_messages_never_make_a_wrong_book(rows: Events, fates: list[str]) -> None:
    """What the broker does to the messages: keeps, doubles, loses or damages them."""
    box, log = outbox(), Log()
    for at in range(0, len(rows), 5):
        box.add(rows[at : at + 5], 0)
        if not at:
            box.resume(None)
        box._key_due |= at % 35 == 0
        while box.pack(0, most_rows=5, all_of_it=True):
            pass
    log.drain(box)
    came = []
    for stored, fate in zip(log.stored, fates + ["k"] * len(log.stored), strict=False):
        if fate == "l":
            continue
        came.append(stored if fate != "x" else Stored(stored.position, stored.data[:-1] + b"?"))
        if fate == "d":
            came.append(stored)
    one, got = follower(), empty()
    for stored in came:
        got = np.concatenate([got, one.take(stored)])
        if one.reached is not None and one.reached >= 0 and not one.waiting and stored.position % 7 == 0:
            assert (book(got) == book(rows[: one.reached + 1])).all()
    if not set(fates[: len(log.stored)]) & {"l", "x"}:
        assert got.tobytes() == rows.tobytes()


def test_a_new_reader_begins_with_a_whole_book_and_then_has_every_row() -> None:
    rows = stream(3, 12_000)
    box, log = outbox(), Log()
    box.add(rows[:100], 0)
    box.resume(None)
    for at in range(100, len(rows), 1000):
        box.add(rows[at : at + 1000], 0)
        log.drain(box)
    keys = [n for n, stored in enumerate(log.stored) if unpack(stored.data, "m").kind == 2]
    assert 2 < len(keys) <= 2 + len(rows) // KEY_ROWS
    start = keys[-1] - unpack(log.stored[keys[-1]].data, "m").piece
    one = follower()
    got = log.read(one, start)
    whole = got["marks"] & KEYFRAME != 0
    begun = int(got["seq"][0])
    assert got["kind"][0] == CLEAR
    assert (got["seq"][whole] == begun).all()
    assert got[~whole].tobytes() == rows[begun + 1 :].tobytes()
    assert (book(got) == book(rows)).all()


def test_clock_rows_wait_for_company_but_not_for_long() -> None:
    from feeds.clock import clock_rows

    box = outbox()
    ticks = clock_rows(np.arange(START_NS // 10**8, START_NS // 10**8 + 3))
    ticks["seq"] = range(3)
    box.add(ticks[:1], 0)
    box.resume(None)
    assert box.pack(0)  # the book
    assert not box.pack(0)
    box.add(ticks[1:2], S // 10)
    assert not box.pack(S // 4)
    assert box.pack(S // 2)
    assert len(unpack(box.packed[-1].data, "m").rows) == 2
    box.add(ticks[2:], S)
    assert not box.pack(S)
    box.add(stream(1, 1)[-1:], S)
    assert box.pack(S)


def test_another_capture_goes_on_with_the_numbers_and_says_what_is_missing() -> None:
    rows, log = stream(3, 30), Log()
    first = outbox(run=5)
    first.add(rows, 0)
    first.resume(None)
    log.drain(first)
    first.end()
    log.send(first, 1, acknowledged=1)
    later = rows.copy()
    later["recv_ns"] += 60 * S
    second = outbox(run=4)  # the clock was set back
    second.add(later, 0)
    second.resume(log.newest())
    log.drain(second)
    one = follower()
    got = log.read(one)
    base = len(rows) + 1
    assert got[: len(rows)].tobytes() == rows.tobytes()
    gap = got[len(rows)]
    assert (gap["kind"], gap["lots"], gap["seq"]) == (GAP, C_RECORDING, base - 1)
    again = got[got["seq"] >= base]
    again["seq"] -= base
    assert again.tobytes() == later.tobytes()
    assert one.run == 6
    with pytest.raises(Superseded):
        first.resume(log.newest())


def test_the_end_of_a_capture_is_told_to_those_who_have_all_of_it() -> None:
    rows, log = stream(3, 30), Log()
    box = outbox()
    box.add(rows, 0)
    box.resume(None)
    log.drain(box)
    one = follower()
    log.read(one)
    assert not one.ended
    box.end()
    log.send(box, 1, acknowledged=1)
    assert len(log.read(one, len(log.stored) - 1)) == 0
    assert one.ended
    lossy = follower()
    for stored in [*log.stored[:-2], log.stored[-1]]:
        lossy.take(stored)
    assert not lossy.ended


@settings(deadline=None, max_examples=40)
@given(streams(max_messages=30), st.integers(0, 20))
def test_a_broker_that_loses_what_it_had_acknowledged_leaves_a_gap_and_a_whole_book(rows: Events, lost: int) -> None:
    box, log = outbox(), Log()
    for at in range(0, len(rows), 4):
        box.add(rows[at : at + 4], 0)
        if at == 0:
            box.resume(None)
        log.drain(box)
    lost = min(lost, len(log.stored))
    del log.stored[len(log.stored) - lost :]
    box.resume(log.newest())
    more = stream(9, 10)
    more["seq"] += len(rows)
    more["recv_ns"] += max(0, int(rows["recv_ns"].max()) - int(more["recv_ns"].min()))
    box.add(more, 0)
    log.drain(box)
    got = log.read(follower())
    assert (book(got) == book(np.concatenate([rows, more]))).all()
    assert got[got["seq"] >= len(rows)].tobytes() == more.tobytes()
    live = follower(begin=len(rows))
    assert log.read(live).tobytes() == more.tobytes()


def test_another_tick_ends_the_reading() -> None:
    other = about_bytes(About(instrument=INSTRUMENTS[1]))
    (data,) = pack_group(ROWS, stream(1, 1)[:1], run=1, number=0, prev_seq=-1, seqs=(0, 0), about=other)
    with pytest.raises(BadInput, match="open the address again"):
        follower(begin=0).take(Stored(1, data))


def test_an_end_of_another_place_is_no_end() -> None:
    one = follower(begin=0)
    (data,) = pack_group(END, empty(), run=1, number=0, prev_seq=8, seqs=(8, 8), about=about_bytes(ABOUT))
    one.take(Stored(1, data))
    assert not one.ended
