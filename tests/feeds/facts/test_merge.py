"""Facts put into a source: in time, the same however it is cut, and the same as live."""

from __future__ import annotations

import itertools
import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.clock import Clock
from feeds.events import (
    BOOK,
    CLOCK,
    F_ADV20,
    F_FLOAT_SHARES,
    F_PUT_VOLUME,
    F_SHORT_INTEREST,
    FACT,
    LAST,
    EventBuffer,
    Events,
)
from feeds.facts.fact import Fact, consistent
from feeds.facts.files import read_facts
from feeds.facts.folder import WatchedFolder
from feeds.facts.merge import WithFacts
from feeds.facts.rows import Subjects, fact_rows
from feeds.replay import MAX, Player
from feeds.source import Checks, Source
from tests.kit.recordings import INFO, all_rows, write_recording
from tests.kit.rows import INSTRUMENTS, START_NS, stream, streams

SECOND = 1_000_000_000


class Given(Source):
    """Rows as a source, cut into batches at places that end messages; nobody may write into them."""

    def __init__(self, rows: Events, places: list[int] | None = None, instruments=INSTRUMENTS) -> None:
        self.info, self.instruments, self.checks = INFO, instruments, Checks()
        self.rows, self.places = rows, places or [0, len(rows)]

    def batches(self):
        for start, end in itertools.pairwise(self.places):
            batch = self.rows[start:end]
            batch.flags.writeable = False
            yield batch


def fact(known_ns: int, value: int = 1, symbol: str = "ONE", kind: int = F_ADV20, as_of_ns: int = 0) -> Fact:
    return Fact(
        symbol=symbol, kind=kind, value=value, as_of_ns=as_of_ns, known_ns=known_ns, source="s", place="f: line 2"
    )


KNOWN = st.one_of(
    st.integers(-2 * SECOND, 12 * SECOND), st.integers(0, 9_000 * SECOND), st.sampled_from([0, SECOND, 3 * SECOND])
).map(lambda ns: START_NS + ns)  # fmt: skip
FACTS = st.lists(
    st.builds(
        fact, KNOWN, st.integers(1, 5),
        st.sampled_from(["ONE", "TWO", "$TOTAL", "NOBODY"]), st.sampled_from([F_ADV20, F_PUT_VOLUME, F_SHORT_INTEREST]),
    ),
    max_size=8,
)  # fmt: skip


def naive(rows: Events, facts: list[Fact]) -> Events:
    """The merged rows without the source's CLOCK rows, message by message."""
    subjects = Subjects(INSTRUMENTS)
    left = consistent([one for one in facts if subjects.wanted(one.symbol)])[0]
    messages: list[list[np.void]] = [[]]
    for row in rows[rows["kind"] != CLOCK]:
        messages[-1].append(row)
        if row["marks"] & LAST:
            messages.append([])
    parts, newest = [], None
    for message in messages[:-1]:
        first = newest is None
        newest = max([int(row["recv_ns"]) for row in message] + ([] if first else [newest]))
        while left and left[0].known_ns <= newest:
            known = left[0].known_ns
            at = max(known, int(message[0]["recv_ns"])) if first else known
            parts.append(fact_rows([left.pop(0)], subjects, at))
        parts.append(np.array(message, dtype=rows.dtype))
    return Clock().insert(all_rows(parts))


def sparse(seed: int, messages: int) -> Events:
    """Numbered rows with CLOCK rows and silences from none to hours, in which CLOCK rows are thinned."""
    rng, out, recv_ns = random.Random(seed), EventBuffer(), START_NS
    for _ in range(messages):
        recv_ns += rng.choice((0, 1, 40_000_000, 3 * SECOND, 59 * SECOND, 63 * SECOND, 4_000 * SECOND, -SECOND))
        for _ in range(rng.randint(1, 3)):
            out.append(BOOK, recv_ns + rng.choice((0, 0, 7, -7)), tick=rng.randint(1, 9), lots=1, side=1)
        out.mark_last(LAST)
    return Clock().insert(out.take())


def ends_of(rows: Events) -> list[int]:
    """Places where no venue message is open; a CLOCK row inside one is no end of it."""
    ends, is_open = [0], False
    for at, (kind, marks) in enumerate(rows[["kind", "marks"]].tolist(), 1):
        is_open = is_open if kind == CLOCK else not marks & LAST
        if not is_open:
            ends.append(at)
    return ends


STREAMS = st.one_of(streams(instruments=2), st.builds(sparse, st.integers(0, 2**32), st.integers(1, 7)))


@given(STREAMS, FACTS)
@settings(deadline=None)
def test_each_fact_comes_before_the_first_message_that_is_not_earlier(rows, facts):
    merged = all_rows(WithFacts(Given(rows), facts).batches())
    assert merged.tobytes() == naive(rows, facts).tobytes()


@given(STREAMS, FACTS, st.data())
@settings(deadline=None)
def test_how_a_source_is_cut_changes_nothing(rows, facts, data):
    inner = data.draw(st.lists(st.sampled_from(ends_of(rows)), max_size=9))
    whole = all_rows(WithFacts(Given(rows), facts).batches())
    cut = all_rows(WithFacts(Given(rows, [0, *sorted(inner), len(rows)]), facts[::-1] + facts).batches())
    assert cut.tobytes() == whole.tobytes()


@given(STREAMS, FACTS, st.data())
@settings(deadline=None)
def test_what_comes_later_changes_nothing_before_it(rows, facts, data):
    end = data.draw(st.sampled_from(ends_of(rows)))
    part = all_rows(WithFacts(Given(rows[:end]), facts).batches())
    newest = int(rows["recv_ns"][:end].max()) if end else 0
    later = [one for one in facts if one.known_ns <= newest]
    assert all_rows(WithFacts(Given(rows), facts).batches())[: len(part)].tobytes() == part.tobytes()
    assert all_rows(WithFacts(Given(rows[:end]), later).batches()).tobytes() == part.tobytes(), "no look ahead"


@given(streams(instruments=2))
@settings(deadline=None)
def test_without_facts_that_concern_it_a_source_stays_as_it_is(rows):
    for facts in ([], [fact(START_NS, symbol="NOBODY")]):
        assert all_rows(WithFacts(Given(rows), facts).batches()).tobytes() == rows.tobytes()


@pytest.mark.parametrize("known_s", [[1], [3600], [30, 3600, 7199], [40, 100], [7201], [7201, 9000]])
def test_the_clock_after_a_fact_in_a_long_silence_is_that_of_a_live_source(known_s):
    rows = script.events("b100:1 ~7200000 b101:1 ~90000 b102:1 ~3600000 b103:1")
    facts = [fact(script.START_NS + s * SECOND) for s in known_s]
    expected = naive(rows, facts)
    assert len(expected) > len(rows) + len(facts), "CLOCK rows are thinned less after a fact"
    for step in (1, 2, 7, 5_000):
        places = sorted({*ends_of(rows)[::step], 0, len(rows)})
        assert all_rows(WithFacts(Given(rows, places), facts).batches()).tobytes() == expected.tobytes()


def test_facts_of_a_silence_at_the_end_come_while_the_clock_runs():
    rows = script.events("b100:1 ~300 b101:1")
    quiet = script.events("b100:1 ~300 b101:1 ~5000 b102:1")[:-1]
    assert (quiet["kind"][-49:] == CLOCK).all()
    known = script.START_NS + 2 * SECOND
    merged = all_rows(WithFacts(Given(quiet), [fact(known)]).batches())
    at = np.flatnonzero(merged["kind"] == FACT)
    assert merged["recv_ns"][at].tolist() == [known]
    assert np.delete(merged, at)["recv_ns"].tolist() == quiet["recv_ns"].tolist()
    assert merged["seq"].tolist() == list(range(len(quiet) + 1))
    assert (all_rows(WithFacts(Given(rows), [fact(known)]).batches())["kind"] != FACT).all()


def test_what_was_known_before_the_source_begins_comes_first_at_its_first_time():
    rows = script.events("b100:1 ~300 b101:1")
    known = [script.START_NS - days * 86_400 * SECOND for days in (30, 1)]
    merged = all_rows(WithFacts(Given(rows), [fact(ns, value) for value, ns in enumerate(known)]).batches())
    assert merged["kind"][:2].tolist() == [FACT, FACT]
    assert merged["lots"][:2].tolist() == [0, 1]
    assert merged["recv_ns"][:2].tolist() == [script.START_NS] * 2
    assert len(merged) == len(rows) + 2


def test_a_fact_never_cuts_a_message():
    rows = script.events("b100:1 ~100 b101:1&a102:1&a103:1 ~100 b99:1")
    merged = all_rows(WithFacts(Given(rows), [fact(script.START_NS + 100_000_000)]).batches())
    kinds = merged[merged["kind"] != CLOCK]["kind"].tolist()
    assert kinds == [1, FACT, 1, 1, 1, 1]


def test_contradictions_are_left_out_and_named():
    rows = script.events("b100:1 ~300 b101:1")
    facts = [fact(1, 10, kind=F_FLOAT_SHARES), fact(2, 31, kind=F_SHORT_INTEREST), fact(3, 30, kind=F_SHORT_INTEREST)]
    source = WithFacts(Given(rows), facts)
    assert [one.value for one in source.facts] == [10, 30]
    assert "f: line 2" in str(source.refused[0])
    assert source.info.notes[-1] == "2 slow inputs, 1 refused"
    assert (all_rows(source.batches())["kind"] == FACT).sum() == 2


def test_a_source_with_facts_is_played_read_twice_and_closed_like_any_other(tmp_path):
    recording = write_recording(tmp_path / "r", stream(3, 60))
    source = WithFacts(recording, [fact(START_NS + SECOND)])
    rows = all_rows(source.batches())
    assert (rows["kind"] == FACT).sum() == 1
    assert all_rows(source.batches()).tobytes() == rows.tobytes()
    player, played = Player(source, speed=MAX), []
    while not player.ended:
        played.append(player.due(0))
    player.close()
    assert all_rows(played).tobytes() == rows.tobytes()
    assert source.instruments == recording.instruments
    assert source.checks is recording.checks
    assert source.progress == recording.progress
    source.close()


@pytest.mark.parametrize("seed", range(5))
def test_replay_with_a_folders_facts_is_what_was_live_when_they_came(tmp_path, seed):
    rows = stream(seed, 200)
    venue = rows[rows["kind"] != CLOCK]
    newest = np.maximum.accumulate(venue["recv_ns"])
    ends = np.flatnonzero(venue["marks"] & LAST) + 1
    times = newest[ends - 1]
    folder, clock, live = WatchedFolder(tmp_path, INSTRUMENTS[:1]), Clock(), []
    arrivals = {int(times[40]): b"5", int(times[90]): b"6", int(times[150]): b"7"}
    start = 0
    for end, now in zip(ends.tolist(), times.tolist(), strict=True):
        for at in [at for at in arrivals if at <= now]:
            line = b"ONE,adv20,%b,,2023-11-0%b,desk,%d\n" % (arrivals[at], arrivals.pop(at), at)
            path = tmp_path / f"{at}.csv"
            path.write_bytes(b"symbol,kind,value,unit,as_of,source,known_at\n" + line)
            os.utime(path, ns=(at - 9 * SECOND, at - 9 * SECOND))
            live.append(clock.insert(folder.poll(at)))
        live.append(clock.insert(venue[start:end]))
        start = end
    facts = [one for parsed in read_facts(tmp_path) for one in parsed.facts]
    assert len(facts) == 3
    replayed = all_rows(WithFacts(Given(rows, instruments=INSTRUMENTS[:1]), facts).batches())
    assert replayed.tobytes() == all_rows(live).tobytes()
