from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.events import NONE
from feeds.sequencer import PATIENCE, TABLE, Relation, Sequencer, State, Step, deribit, futures, okx, spot

APPLY, WAIT, REFETCH, IGNORE, GAP = Step.APPLY, Step.WAIT, Step.REFETCH, Step.IGNORE, Step.GAP


@st.composite
def streams(draw, rule, least=2):
    """Consecutive updates of a venue as (first, last, previous) ids."""
    at = draw(st.integers(1, 1000))
    out = []
    for _ in range(draw(st.integers(least, 25))):
        size, jump = draw(st.integers(1, 9)), draw(st.integers(0, 50))
        if rule is spot:
            out.append((at + 1, at + size, NONE))
        elif rule is futures:
            out.append((at + 1 + jump, at + jump + size, at))
        else:
            out.append((at + size, at + size, at))
        at = out[-1][1]
    return out


def start_of(rule, stream):
    """A snapshot's id just before a stream."""
    return stream[0][2] if rule is not spot else stream[0][0] - 1


def run(rule, at, messages):
    """Updates applied before the first fault, and the step that ended it."""
    book = Sequencer(rule)
    assert book.snapshot(at) is APPLY
    applied = []
    for ids in messages:
        step = book.update(*ids)
        if step is APPLY:
            applied.append(ids)
        elif step is not IGNORE:
            return applied, step
    return applied, None


RULES = pytest.mark.parametrize("rule", [spot, futures, okx, deribit])


def test_the_table_has_an_answer_for_every_state_and_relation():
    assert set(TABLE) == {(state, relation) for state in State for relation in Relation}


@pytest.mark.parametrize(
    ("rule", "snapshot", "updates", "steps"),
    [
        # Binance spot: u <= id is dropped; the next must have U <= id + 1; then U = previous u + 1.
        (spot, 100, [(90, 100), (101, 105), (106, 106)], [IGNORE, APPLY, APPLY]),
        (spot, 100, [(95, 105), (106, 110)], [APPLY, APPLY]),
        (spot, 100, [(102, 105)], [REFETCH]),
        (spot, 100, [(101, 105), (107, 110)], [APPLY, GAP]),
        (spot, 100, [(101, 105), (101, 105), (106, 110)], [APPLY, IGNORE, APPLY]),
        # Binance futures: u < id is dropped; first U <= id <= u or pu = id; then pu = previous u.
        (futures, 100, [(80, 99, 79), (95, 105, 90), (120, 130, 105)], [IGNORE, APPLY, APPLY]),
        (futures, 100, [(95, 100, 90), (120, 130, 100)], [APPLY, APPLY]),
        (futures, 100, [(110, 120, 100)], [APPLY]),
        (futures, 100, [(110, 120, 105)], [REFETCH]),
        (futures, 100, [(95, 105, 90), (106, 120, 104)], [APPLY, GAP]),
        (futures, 100, [(95, 105, 90), (95, 105, 90), (120, 130, 105)], [APPLY, IGNORE, APPLY]),
        # OKX: prevSeqId = last seqId; an empty update repeats the id; a reset goes to a smaller one.
        (okx, 100, [(107, 107, 100), (107, 107, 107), (3, 3, 107), (9, 9, 3)], [APPLY, APPLY, APPLY, APPLY]),
        (okx, 100, [(107, 107, 100), (107, 107, 100), (110, 110, 107)], [APPLY, IGNORE, APPLY]),
        (okx, 100, [(107, 107, 101)], [REFETCH]),
        (okx, 100, [(107, 107, 100), (120, 120, 110)], [APPLY, GAP]),
        (okx, 100, [(107, 107, 100), (9, 9, 3)], [APPLY, GAP]),
        # Deribit: prev_change_id = last change_id; ids only rise.
        (deribit, 100, [(NONE, 107, 100), (NONE, 107, 100), (NONE, 120, 107)], [APPLY, IGNORE, APPLY]),
        (deribit, 100, [(NONE, 99, 90), (NONE, 107, 101)], [IGNORE, REFETCH]),
        (deribit, 100, [(NONE, 107, 100), (NONE, 120, 110)], [APPLY, GAP]),
    ],
)
def test_each_venue_rule(rule, snapshot, updates, steps):
    book = Sequencer(rule)
    assert book.snapshot(snapshot) is APPLY
    assert [book.update(*ids) for ids in updates] == steps


@RULES
def test_updates_wait_until_there_is_a_snapshot(rule):
    book = Sequencer(rule)
    assert [book.update(5, 9, 4), book.update(1, 2, 0)] == [WAIT, WAIT]


def test_a_snapshot_that_does_not_reach_the_waiting_updates_is_fetched_again():
    assert Sequencer(spot).snapshot(100, [(90, 101, NONE)]) is APPLY
    assert Sequencer(spot).snapshot(100, [(101, 110, NONE)]) is APPLY
    assert Sequencer(spot).snapshot(100, [(102, 110, NONE)]) is REFETCH
    assert Sequencer(spot).snapshot(100, [(80, 90, NONE), (102, 110, NONE)]) is REFETCH
    assert Sequencer(futures).snapshot(100, [(90, 101, 80)]) is APPLY
    assert Sequencer(futures).snapshot(100, [(105, 110, 100)]) is APPLY
    assert Sequencer(futures).snapshot(100, [(105, 110, 101)]) is REFETCH


def test_a_refused_snapshot_leaves_the_book_empty_and_an_older_one_leaves_it_as_it_is():
    book = Sequencer(spot)
    assert book.snapshot(100, [(102, 110, NONE)]) is REFETCH
    assert book.update(111, 112) is WAIT
    assert book.snapshot(112) is APPLY
    assert book.update(113, 120) is APPLY
    assert book.snapshot(119) is IGNORE
    assert book.update(121, 122) is APPLY


def test_an_okx_snapshot_always_replaces_the_book():
    book = Sequencer(okx)
    assert book.snapshot(500) is APPLY
    assert book.snapshot(20) is APPLY
    assert book.update(25, 25, 20) is APPLY


@RULES
@given(data=st.data())
def test_a_snapshot_anywhere_joins_exactly_the_updates_it_does_not_hold(rule, data):
    stream = data.draw(streams(rule))
    k = data.draw(st.integers(0, len(stream) - 1))
    at = stream[k][1]
    if rule is spot:
        at = data.draw(st.integers(stream[k][0] - 1, stream[k][1]))
    book = Sequencer(rule)
    assert book.snapshot(at, [] if rule is okx else stream) is APPLY
    waiting = stream[k + 1 :] if rule is okx else stream
    applied = [ids for ids in waiting if book.update(*ids) is APPLY]
    missing = [ids for ids in stream if ids[1] > at]
    # Futures also apply the update that ends at the snapshot: absolute sizes make that the same book.
    assert applied in (missing, [stream[k], *missing])


@RULES
@given(data=st.data())
def test_duplicates_anywhere_change_nothing(rule, data):
    stream = data.draw(streams(rule))
    copies = data.draw(st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(0, 30)), max_size=10))
    messages = list(stream)
    for original, later in copies:
        place = max(i for i, ids in enumerate(messages) if ids == stream[original]) + 1
        messages.insert(min(place + later, len(messages)), stream[original])
    assert run(rule, start_of(rule, stream), messages) == (stream, None)


@RULES
@given(data=st.data())
def test_a_dropped_update_is_found_at_the_next_one(rule, data):
    stream = data.draw(streams(rule, least=3))
    lost = data.draw(st.integers(0, len(stream) - 2))
    applied, step = run(rule, start_of(rule, stream), stream[:lost] + stream[lost + 1 :])
    assert applied == stream[:lost]
    assert step is (REFETCH if lost == 0 else GAP)


@RULES
@given(data=st.data())
def test_swapped_neighbours_are_never_applied_backwards(rule, data):
    stream = data.draw(streams(rule, least=3))
    at = data.draw(st.integers(0, len(stream) - 2))
    messages = list(stream)
    messages[at], messages[at + 1] = messages[at + 1], messages[at]
    applied, step = run(rule, start_of(rule, stream), messages)
    assert applied == stream[:at]
    assert step in (GAP, REFETCH)


def test_a_dropped_okx_reset_is_not_taken_for_old_updates():
    book = Sequencer(okx)
    book.snapshot(1000)
    assert [book.update(i, i, i - 1) for i in (1001, 1002)] == [APPLY, APPLY]
    assert book.update(8, 8, 3) is GAP


@pytest.mark.parametrize("rule", [spot, futures, deribit])
def test_a_venue_that_numbers_anew_is_not_ignored_for_ever(rule):
    book = Sequencer(rule)
    book.snapshot(10**9)
    assert book.update(10**9 + 1, 10**9 + 5, 10**9) is APPLY
    steps = [book.update(10 * i, 10 * i + 9, 10 * i - 1) for i in range(1, PATIENCE + 2)]
    assert steps == [IGNORE] * (PATIENCE - 1) + [GAP, WAIT]
