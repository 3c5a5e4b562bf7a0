"""A folder that is polled: what is read, when, and what of it is news."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from feeds.errors import BadInput
from feeds.events import F_ADV20, F_FLOAT_SHARES, F_SHORT_INTEREST, FACT
from feeds.facts.fact import Fact, Parsed
from feeds.facts.folder import REST_NS, Watch, WatchedFolder
from feeds.instruments import Instrument
from tests.feeds.facts.samples import DAILY, NASDAQ

ABC = Instrument(venue="nasdaq", symbol="ABC", tick="0.01")
NOW = 1_795_176_000 * 10**9
SECOND = 10**9
HEADER = b"symbol,kind,value,unit,as_of,source\n"


def put(path: Path, data: bytes, mtime_ns: int) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def lots(rows) -> list[tuple[int, int]]:
    assert (rows["kind"] == FACT).all()
    return rows[["aux", "lots"]].tolist()


@pytest.fixture
def folder(tmp_path) -> WatchedFolder:
    return WatchedFolder(tmp_path, [ABC])


def test_a_new_file_is_told_once_with_the_time_of_the_poll(folder):
    put(folder.path / "a.csv", HEADER + b"ABC,adv20,5,,2026-11-13,desk\n", NOW - 9 * SECOND)
    rows = folder.poll(NOW)
    assert lots(rows) == [(F_ADV20, 5 * 10**6)]
    assert rows["recv_ns"].tolist() == [NOW]
    assert len(folder.poll(NOW + SECOND)) == 0
    assert folder.watch.parsed["a.csv"].rows == 1


def test_a_correction_is_told_and_what_stayed_is_not(folder):
    path = folder.path / "a.csv"
    rest = b"ABC,float_shares,9,,2026-11-13,desk\n"
    put(path, HEADER + b"ABC,adv20,5,,2026-11-13,desk\n" + rest, NOW - 9 * SECOND)
    assert len(folder.poll(NOW)) == 2
    for value in (6, 5):  # back to what it was is news too
        put(path, HEADER + b"ABC,adv20,%d,,2026-11-13,desk\n" % value + rest, NOW + value * SECOND)
        assert lots(folder.poll(NOW + 20 * SECOND)) == [(F_ADV20, value * 10**6)]


def test_a_file_is_left_alone_until_it_rests(folder):
    path = folder.path / "CNMSshvol20260812.txt"
    for cut in (40, 90, len(DAILY)):
        put(path, DAILY[:cut], NOW + cut)
        assert len(folder.poll(NOW + cut + SECOND)) == 0
        assert folder.watch.refused == {}
    assert len(folder.poll(NOW + 2 * SECOND)) == 3


def test_a_file_from_the_future_rests_by_staying_as_it_is(folder):
    put(folder.path / "a.csv", HEADER + b"ABC,adv20,5,,2026-11-13,desk\n", NOW + 3600 * SECOND)
    assert len(folder.poll(NOW)) == 0
    assert len(folder.poll(NOW + 1)) == 1


def test_a_bad_file_is_named_and_left_out_until_it_changes(folder):
    good, bad = folder.path / "good.csv", folder.path / "bad.csv"
    put(bad, b"<html>403</html>", NOW - 9 * SECOND)
    put(good, HEADER + b"ABC,adv20,5,,2026-11-13,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW)) == 1
    assert "web page" in str(folder.watch.refused["bad.csv"])
    assert len(folder.poll(NOW + SECOND)) == 0
    put(bad, HEADER + b"ABC,float_shares,5,,2026-11-13,desk\n", NOW + SECOND)
    assert lots(folder.poll(NOW + 9 * SECOND)) == [(F_FLOAT_SHARES, 5 * 10**6)]
    assert folder.watch.refused == {}


def test_a_folder_that_is_gone_is_named_and_taken_up_when_it_is_back(tmp_path):
    folder = WatchedFolder(tmp_path / "in", [ABC])
    assert len(folder.poll(NOW)) == 0
    assert "folder" in str(folder.watch.refused[""])
    folder.path.mkdir()
    put(folder.path / "a.csv", HEADER + b"ABC,adv20,5,,2026-11-13,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW + SECOND)) == 1
    assert folder.watch.refused == {}


def test_what_is_here_is_known_before_its_day_of_publication_but_never_before_its_own_day(folder):
    early = 1_789_700_000 * SECOND  # 18 September 2026, three days after settlement
    put(folder.path / "abc.json", NASDAQ, early - 9 * SECOND)
    assert {aux for aux, _ in lots(folder.poll(early))} == {F_SHORT_INTEREST, F_ADV20}
    put(folder.path / "b.csv", HEADER + b"ABC,float_shares,9e9,,2027-01-01,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW)) == 0
    (refused,) = folder.watch.inconsistent
    assert refused.place.endswith("b.csv: line 2: as_of")


def test_short_interest_is_held_against_a_float_told_long_before(folder):
    put(folder.path / "a.csv", HEADER + b"ABC,float_shares,10,,2026-11-01,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW)) == 1
    put(folder.path / "b.csv", HEADER + b"ABC,short_interest,31,,2026-11-13,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW + SECOND)) == 0
    assert "3 x float" in str(folder.watch.inconsistent[0])
    assert len(folder.poll(NOW + 2 * SECOND)) == 0
    assert folder.watch.inconsistent == []


def test_of_two_lines_about_one_thing_the_one_known_later_is_told(folder):
    lines = b"ABC,adv20,5,,2026-11-13,desk,2026-11-16\nABC,adv20,6,,2026-11-13,desk,2026-11-15\n"
    put(folder.path / "a.csv", HEADER.replace(b"\n", b",known_at\n") + lines, NOW - 9 * SECOND)
    assert lots(folder.poll(NOW)) == [(F_ADV20, 5 * 10**6)]


def test_other_peoples_symbols_make_no_rows(folder):
    put(folder.path / "a.csv", HEADER + b"DEF,adv20,5,,2026-11-13,desk\n", NOW - 9 * SECOND)
    assert len(folder.poll(NOW)) == 0
    assert folder.watch.parsed["a.csv"].unwanted == 1


class Files(RuleBasedStateMachine):
    """The core against a model: a file is read exactly when it is new and rests."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()
        self.files: dict[str, tuple[int, int]] = {}
        self.before: dict[str, tuple[int, int]] = {}
        self.read: dict[str, tuple[int, int]] = {}
        self.now = NOW

    @rule(name=st.sampled_from("abc"), ago=st.integers(-5, 5), size=st.integers(0, 3))
    def write(self, name, ago, size):
        self.files[name] = (self.now - ago * SECOND, size)

    @rule(name=st.sampled_from("abc"))
    def delete(self, name):
        self.files.pop(name, None)

    @rule(step=st.integers(0, 4), fails=st.booleans())
    def poll(self, step, fails):
        self.now += step * SECOND
        self.read = {name: stamp for name, stamp in self.read.items() if name in self.files}
        expected = {
            name
            for name, stamp in self.files.items()
            if self.read.get(name) != stamp and (stamp == self.before.get(name) or stamp[0] <= self.now - REST_NS)
        }
        due = self.watch.due(((name, *stamp) for name, stamp in self.files.items()), self.now)
        assert set(due) == expected
        for name in due:
            self.watch.took(name, BadInput(name) if fails else Parsed(format="f", place=name))
            self.read[name] = self.files[name]
        self.before = dict(self.files)

    @invariant()
    def every_file_read_has_one_result(self):
        results = set(self.watch.refused) | set(self.watch.parsed)
        assert not set(self.watch.refused) & set(self.watch.parsed)
        assert set(self.read) & set(self.before) <= results


def test_a_file_is_read_when_it_is_new_and_rests_and_only_then():
    run_state_machine_as_test(Files)


FACTS = st.builds(
    Fact, symbol=st.sampled_from("AB"), kind=st.just(F_ADV20), value=st.integers(0, 3), as_of_ns=st.integers(0, 2),
    known_ns=st.just(5), source=st.just("s"), place=st.just("f"),
)  # fmt: skip


@given(st.lists(st.lists(FACTS, max_size=6, unique_by=lambda one: (one.symbol, one.as_of_ns)), max_size=8))
def test_who_adds_up_the_news_knows_what_the_folder_says(polls):
    watch, heard, said = Watch(), {}, {}
    for facts in polls:
        said |= {(one.symbol, one.as_of_ns): one.value for one in facts}
        news = watch.news(facts, 10)
        assert all(heard.get((one.symbol, one.as_of_ns)) != one.value for one in news)
        heard |= {(one.symbol, one.as_of_ns): one.value for one in news}
        assert heard == said
