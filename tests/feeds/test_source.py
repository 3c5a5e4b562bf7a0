"""Addresses, and what a source promises of any file it reads."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from feeds.clock import TICK_NS
from feeds.errors import BadInput
from feeds.events import CLOCK, EVERY, FACT, LAST
from feeds.source import Checks, FileSource, OpenOptions, open_source
from tests.feeds.files.samples import SAMPLES

QUIET_OPEN = Path(__file__).parents[2] / "recordings" / "quiet-open"
each_format = pytest.mark.parametrize("name", sorted(SAMPLES))


def rows_of(source) -> np.ndarray:
    """All rows of a source."""
    return np.concatenate(list(source.batches()))


@each_format
def test_a_file_is_a_source_with_numbered_rows_and_clock_rows(name: str, tmp_path: Path) -> None:
    source = open_source(SAMPLES[name](tmp_path / "sample"))
    assert isinstance(source, FileSource)
    rows = rows_of(source)
    assert rows["seq"].tolist() == list(range(len(rows)))
    clocks = rows[rows["kind"] == CLOCK]
    assert len(clocks)
    assert (clocks["recv_ns"] % TICK_NS == 0).all()
    assert (clocks["inst"] == EVERY).all()
    assert (np.diff(clocks["recv_ns"]) > 0).all()
    # Every boundary stands before the first row past it.
    others = np.flatnonzero(rows["kind"] != CLOCK)
    passed = np.maximum.accumulate(np.where(rows["kind"] == CLOCK, rows["recv_ns"], rows["recv_ns"][0]))
    assert (passed[others] + TICK_NS > rows["recv_ns"][others]).all()


@each_format
def test_reading_again_starts_anew(name: str, tmp_path: Path) -> None:
    source = open_source(SAMPLES[name](tmp_path / "sample"))
    first = rows_of(source)
    counted = source.checks
    assert rows_of(source).tobytes() == first.tobytes()
    assert source.checks == counted
    half = source.batches()
    next(half)
    assert rows_of(source).tobytes() == first.tobytes()


@each_format
def test_info_tells_what_is_known_before_reading(name: str, tmp_path: Path) -> None:
    path = SAMPLES[name](tmp_path / "sample")
    info = open_source(str(path)).info
    files = [path] if path.is_file() else list(path.iterdir())
    assert info.address == str(path)
    assert info.format == name
    assert info.tier in "ABCD"
    assert info.bytes == sum(file.stat().st_size for file in files if name != "lobster" or "message" in file.name)


@each_format
def test_progress_rises_from_nothing_to_all(name: str, tmp_path: Path) -> None:
    source = open_source(SAMPLES[name](tmp_path / "sample"))
    assert source.progress == (0, source.info.bytes)
    seen = [source.progress[0] for _ in source.batches()]
    assert seen == sorted(seen)
    assert source.progress == (source.info.bytes, source.info.bytes)


@each_format
@pytest.mark.parametrize("clip", [1, 40, 41, 100, 10**9])
def test_a_clipped_source_gives_the_first_whole_messages(name: str, clip: int, tmp_path: Path) -> None:
    path = SAMPLES[name](tmp_path / "sample")
    whole = rows_of(open_source(path))
    clipped = list(open_source(path, OpenOptions(clip=clip)).batches())
    n = sum(map(len, clipped))
    assert n <= clip
    ends = np.flatnonzero(whole["marks"] & LAST) + 1
    assert n == max([0, *ends[ends <= clip].tolist()])
    if n:
        assert np.concatenate(clipped).tobytes() == whole[:n].tobytes()


@each_format
def test_batches_come_one_by_one_in_a_loop(name: str, tmp_path: Path) -> None:
    source = open_source(SAMPLES[name](tmp_path / "sample"))

    async def collect() -> list[np.ndarray]:
        return [batch async for batch in source]

    assert np.concatenate(asyncio.run(collect())).tobytes() == rows_of(source).tobytes()


@each_format
def test_a_format_can_be_forced_and_a_wrong_one_refuses(name: str, tmp_path: Path) -> None:
    path = SAMPLES[name](tmp_path / "sample")
    assert open_source(path, OpenOptions(format=name)).info.format == name
    for other in SAMPLES.keys() - {name}:
        with pytest.raises(BadInput, match="sample"):
            rows_of(open_source(path, OpenOptions(format=other)))


@each_format
@pytest.mark.parametrize(
    ("field", "value"), [("tick", "0"), ("tick", "abc"), ("tick", "-0.1"), ("lot", "nan"), ("lot", "0")]
)
def test_a_tick_or_lot_that_is_no_increment_is_refused(name: str, field: str, value: str, tmp_path: Path) -> None:
    path = SAMPLES[name](tmp_path / "sample")
    with pytest.raises(BadInput, match=value):
        rows_of(open_source(path, OpenOptions(**{field: value})))


def test_an_unknown_format_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = SAMPLES["lobster"](tmp_path / "sample")
    with pytest.raises(BadInput, match="'lobster'"):
        open_source(path, OpenOptions(format="lobstr"))
    with pytest.raises(BadInput, match="standx"):
        open_source(path, OpenOptions(format="qqqq"))


def test_addresses_that_are_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a recording, a file or folder of market data"):
        open_source(tmp_path / "nowhere")
    odd = tmp_path / "notes.txt"
    odd.write_text("nothing of the kind\n")
    with pytest.raises(BadInput, match=r"notes\.txt"):
        open_source(odd)


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SAMPLES["bitstamp-log"](tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~/2013-05-06.log.bz2").info.format == "bitstamp-log"


def test_a_damaged_time_centuries_ahead_costs_few_rows(tmp_path: Path) -> None:
    lines = [
        f'{local} order_created {{"price": "1.00", "amount": "1.0", "id": {local}, "order_type": 0}}'
        for local in (1_430_438_404_518, 1_430_438_404_600, 8_900_000_000_000, 1_430_438_404_700)
    ]
    path = tmp_path / "jump.log"
    path.write_text("\n".join(lines) + "\n")
    rows = rows_of(open_source(path))
    assert len(rows) < 700_000
    clocks = rows["recv_ns"][rows["kind"] == CLOCK]
    assert (np.diff(clocks) > 0).all()
    # Whole days at the end, whole minutes in the first year.
    assert set(np.diff(clocks[-1000:]).tolist()) == {86_400 * 10**9}
    month = clocks[(clocks > clocks[0] + 4000 * 10**9) & (clocks < clocks[0] + 29 * 86_400 * 10**9)]
    assert set(np.diff(month).tolist()) == {60 * 10**9}


def test_problems_are_kept_up_to_a_bound() -> None:
    checks = Checks()
    for at in range(1500):
        checks.problem(str(at))
    assert checks.problems == [str(at) for at in range(1000)]
    assert Checks().problems == []


def test_ignored_messages_are_counted_by_kind() -> None:
    checks = Checks()
    for kind in ("a", "b", "a"):
        checks.ignore(kind)
    assert checks.ignored == {"a": 2, "b": 1}


def test_options_refuse_what_they_do_not_know() -> None:
    with pytest.raises(TypeError):
        OpenOptions(colour="red")
    assert not dataclasses.is_dataclass(OpenOptions)


def test_slow_inputs_are_put_into_a_source_that_is_opened_with_them(tmp_path: Path) -> None:
    facts = tmp_path / "facts.csv"
    facts.write_text("symbol,kind,value,unit,as_of,source\nMES,borrow_fee,0.5,fraction,2020-01-02,test\n")
    with_facts = open_source(QUIET_OPEN, OpenOptions(facts=str(facts)))
    rows = np.concatenate(list(with_facts.batches()))
    plain = np.concatenate(list(open_source(QUIET_OPEN).batches()))
    assert (rows["kind"] == FACT).sum() == (plain["kind"] == FACT).sum() + 1
    assert len(rows) == len(plain) + 1
    with pytest.raises(BadInput, match="--facts"):
        open_source(QUIET_OPEN, OpenOptions(facts=str(tmp_path / "none")))


@pytest.mark.parametrize("address", ["x" * 5000, "~nobody-of-this-name/file"])
def test_an_address_that_can_be_no_file_is_refused_like_any_other(address: str) -> None:
    with pytest.raises(BadInput, match="source"):
        open_source(address)
