"""The daily loss limit holds under exact arithmetic, clocks that are set, deposits, restarts and edits."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from feeds.errors import BadInput
from tapeview.desk.day import DAMAGED, begin, load, lock, mark, pay_in, refusal, resume, save
from tapeview.desk.layers import begin as plan_of
from tapeview.desk.layers import worst_case
from tapeview.desk.limits import Limits
from tapeview.desk.roll import session_at
from tapeview.desk.terms import terms_of_symbol

NS = 10**9
START = int(datetime(2026, 7, 15, 9, tzinfo=ZoneInfo("America/Chicago")).timestamp()) * NS
END = session_at("futures", START).end_ns
MIN = 60 * NS


def fresh(equity="25000"):
    return begin("futures", START, Decimal(equity))


def at(state, equity, minutes=1, limits=Limits()):  # noqa: B008
    return mark(state, START + minutes * MIN, Decimal(equity), limits)


def test_two_percent_exactly_locks_and_a_millionth_less_does_not():
    state, _ = at(fresh(), "24500.000001")
    assert not state.locked
    state, told = at(state, "24500", 2)
    assert state.locked
    assert [one.kind for one in told] == ["lock"]


@given(st.integers(1, 10**13), st.integers(10, 500))
def test_what_locks_is_exactly_the_share_whatever_the_equity(cents, share):
    limits = Limits(daily_loss=share / 10_000)
    equity = Decimal(cents) / 100
    state = begin("crypto", START, equity, limits)
    edge = equity - equity * share / 10_000
    assert mark(state, START, edge, limits)[0].locked
    assert not mark(state, START, edge + Decimal("1e-9"), limits)[0].locked


def test_warnings_come_at_half_and_three_quarters_once_each():
    state, told = at(fresh(), "24750.01")
    assert told == []
    state, told = at(state, "24750", 2)
    assert "50%" in told[0].text
    state, told = at(state, "24800", 3)
    state, told = at(state, "24750", 4)
    assert told == []
    state, told = at(state, "24625", 5)
    assert "75%" in told[0].text
    assert "125.00 left" in told[0].text


def test_warnings_begin_anew_with_the_session():
    state, _ = at(fresh(), "24600")
    state, told = mark(state, END, Decimal(25_000))
    assert [one.kind for one in told] == ["roll"]
    state, told = mark(state, END + MIN, Decimal(24_750))
    assert "50%" in told[0].text


def test_a_third_warning_can_be_set():
    limits = Limits(daily_warn_3=0.9)
    _, told = at(fresh(), "24550", limits=limits)
    assert "90%" in told[0].text


def test_what_open_positions_win_back_does_not_unlock():
    state, _ = at(fresh(), "24400")
    state, told = at(state, "26000", 2)
    assert state.locked
    assert told == []


def test_a_deposit_raises_neither_the_limit_nor_the_profit():
    state = pay_in(fresh(), Decimal(10_000))
    assert (state.limit, state.profit, state.room) == (500, 0, 500)
    state, _ = at(state, "34500")
    assert state.locked
    withdrawn, _ = at(pay_in(fresh(), Decimal(-5_000)), "20000")
    assert not withdrawn.locked


def test_a_clock_set_back_stays_locked_and_one_set_on_within_the_session_too():
    state, _ = at(fresh(), "24500", 60)
    for ns in (0, START, START + 30 * MIN, END - 1):
        state, _ = mark(state, ns, Decimal(25_000))
        assert state.locked
    assert state.latest_ns == END - 1


def test_a_clock_set_back_over_the_roll_does_not_begin_yesterday_again():
    state, told = mark(fresh(), END, Decimal(24_000))
    assert [one.kind for one in told] == ["roll"]
    state, told = mark(state, START, Decimal(24_000))
    assert (state.start_ns, state.start_equity, told) == (END, "24000", [])


def test_the_roll_of_the_exchange_lifts_the_lock_and_takes_new_settings():
    tighter = Limits(daily_loss=0.01)
    state, _ = at(fresh(), "24740", limits=tighter)
    assert not state.locked  # an edit acts from the next session on
    state, _ = at(state, "24500", 2, tighter)
    state, _ = mark(state, END - 1, Decimal(24_500), tighter)
    assert state.locked
    state, told = mark(state, END, Decimal(24_500), tighter)
    assert (state.locked, state.limit, state.profit) == (False, 245, 0)
    assert told[0].kind == "roll"


def test_a_session_that_begins_with_nothing_is_locked():
    state, told = mark(fresh(), END, Decimal(0))
    assert state.locked
    assert told[-1].kind == "lock"
    with pytest.raises(BadInput, match="above 0"):
        fresh("0")


def test_a_plan_whose_worst_case_is_more_than_what_is_left_is_refused():
    mes = terms_of_symbol("MES")
    state, _ = at(fresh("2500"), "2490")
    plan = plan_of(1, mes.price.exact("5000"), 1, mes.price.exact("4993"))
    worst = worst_case(mes, plan, Decimal("1.24"))
    assert worst == Decimal("35.00") + Decimal("1.24") + Decimal("1.25")
    assert refusal(state, Decimal(0), [worst]) == ""
    assert "40.01" in refusal(state, Decimal(0), [worst, Decimal("2.52")])
    assert refusal(state, Decimal(0), [Decimal(40)]) == ""  # what is left may be risked, no cent more


def test_open_plans_count_before_entry_from_their_entries_and_not_twice():
    # 300 of open profit may be gone at the stop: only what is realised, 0, counts, less the open plan's loss.
    state, _ = at(fresh(), "25300")
    assert refusal(state, Decimal(300), [Decimal(200), Decimal(301)]) != ""
    assert refusal(state, Decimal(300), [Decimal(200), Decimal(300)]) == ""
    # and an open loss of 100 is part of the worst case of its plan
    state, _ = at(fresh(), "24900")
    assert refusal(state, Decimal(-100), [Decimal(200), Decimal(300)]) == ""


def test_nothing_is_planned_while_locked():
    state = lock(fresh(), "three losses in a row")
    assert "three losses" in refusal(state, Decimal(0), [])
    assert lock(state, "another") == state


def test_what_is_kept_is_read_again_and_a_restart_stays_locked():
    state, _ = at(fresh(), "24500")
    line = save(state)
    assert load(line) == state
    again, told = resume(line, "futures", START + 5 * MIN, Decimal(25_100))
    assert again.locked
    assert told == []
    lifted, told = resume(line, "futures", END, Decimal(24_500))
    assert not lifted.locked
    assert resume(None, "futures", START, Decimal(1))[0].locked is False


@given(st.data())
def test_a_record_changed_in_any_byte_or_cut_anywhere_is_locked_not_lifted(data):
    line = save(at(fresh(), "24500")[0])
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(line) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
        damaged = line[:place] + bytes([other]) + line[place + 1 :]
    else:
        damaged = line[: data.draw(st.integers(0, len(line) - 1))]
    state, told = resume(damaged, "futures", START + MIN, Decimal(25_000))
    assert state.locked
    assert told in ([], [(told[0].kind if told else "", DAMAGED)])


def test_an_edited_amount_with_the_old_checksum_is_refused():
    line = save(at(fresh(), "24500")[0])
    assert b'"start_equity":"25000"' in line
    with pytest.raises(BadInput, match="checksum"):
        load(line.replace(b'"start_equity":"25000"', b'"start_equity":"99000"'))


LOSES = """
import os, sys
from decimal import Decimal
from tapeview.desk.day import begin, mark, save

file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
state, at, equity = begin("futures", int(sys.argv[2]), Decimal(25000)), int(sys.argv[2]), Decimal(25000)
while True:
    at, equity = at + 10**9, equity - Decimal("0.5")
    state, told = mark(state, at, equity)
    os.write(file, save(state) + b"\\n")
    os.fsync(file)
    if told and told[-1].kind == "lock":
        print("locked", flush=True)
"""


def test_a_process_killed_while_locked_wakes_up_locked(tmp_path):
    journal = tmp_path / "lock.jsonl"
    words = [sys.executable, "-c", LOSES, str(journal), str(START)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True) as child:
        assert child.stdout.readline() == "locked\n"
        child.kill()
    # The kill may have cut the last line short: the last whole one counts, as with any append-only journal.
    last = journal.read_bytes().rpartition(b"\n")[0].splitlines()[-1]
    state, _ = resume(last, "futures", START, Decimal(25_000))
    assert state.locked
    assert resume(last, "futures", END, Decimal(25_000))[0].locked is False


class Day(RuleBasedStateMachine):
    """Any order of marks, deposits, restarts, edits and clocks: once locked, locked to the exchange's next session."""

    @initialize()
    def start(self):
        self.state = fresh("10000")
        self.settings = Limits()
        self.equity, self.start, self.paid = Decimal(10_000), Decimal(10_000), Decimal(0)
        self.latest, self.end, self.locked, self.share = START, END, False, Decimal("0.02")

    @rule(move=st.integers(-90, 90), step=st.integers(-400, 400), far=st.booleans())
    def marks(self, move, step, far):
        self.equity += move
        ns = START + step * MIN + (86_400 * NS if far else 0)
        self.state, _ = mark(self.state, ns, self.equity, self.settings)
        self.latest = max(self.latest, ns)
        if self.latest >= self.end:
            self.end = session_at("futures", self.latest).end_ns
            self.start, self.paid, self.locked = self.equity, Decimal(0), False
            self.share = Decimal(repr(self.settings.daily_loss))
        self.locked = self.locked or self.equity - self.start - self.paid <= -self.share * self.start

    @rule(amount=st.integers(-500, 500))
    def pays(self, amount):
        self.state = pay_in(self.state, Decimal(amount))
        self.equity += amount
        self.paid += amount

    @rule(share=st.sampled_from([0.01, 0.02, 0.05]))
    def edits(self, share):
        self.settings = Limits(daily_loss=share)

    @precondition(lambda self: self.state.locked)
    @rule(ns=st.integers(0, END - 1))
    def restarts(self, ns):
        self.state, _ = resume(save(self.state), "futures", min(ns, self.end - 1), self.equity, self.settings)
        self.latest = max(self.latest, min(ns, self.end - 1))

    @invariant()
    def agrees(self):
        assert self.state.locked == self.locked
        assert (self.state.latest_ns, self.state.end_ns) == (self.latest, self.end)


TestDay = Day.TestCase
TestDay.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
