"""Finding a file's layout, reading folders, and files that are none of ours."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import EVENT
from feeds.facts import files
from feeds.facts.fact import consistent
from feeds.facts.files import LAYOUTS, list_files, parse_facts, read_content, read_facts
from feeds.facts.kinds import KINDS
from feeds.facts.layout import every
from feeds.facts.rows import Subjects, fact_rows
from feeds.instruments import Instrument
from tests.feeds.facts.samples import CBOE_DAY, DAILY, PLAIN, SAMPLES

EXAMPLES = int(os.environ.get("TAPEVIEW_FUZZ", "0"))
LAYOUT_OF = dict(
    zip(SAMPLES, ("finra-short-interest", "finra-short-interest", "finra-daily-volume", "nasdaq-short-interest",
                  "cboe-day", "cboe-table", "facts", "facts"), strict=True)
)  # fmt: skip
INSTRUMENTS = (
    Instrument(venue="nasdaq", symbol="ABC", tick="0.01"),
    Instrument(venue="binance", symbol="BTCUSDT", tick="0.1", lot="0.001"),
)

each_sample = pytest.mark.parametrize("name", SAMPLES)


@each_sample
def test_every_layout_is_recognised_by_itself_alone(name):
    found = [layout.name for layout in LAYOUTS if layout.recognises(name, SAMPLES[name])]
    assert found == [LAYOUT_OF[name]]
    parsed = parse_facts(SAMPLES[name], name)
    assert parsed.format == LAYOUT_OF[name]
    assert parsed.facts
    assert parsed.refused == []
    assert parsed.rows >= parsed.unwanted


def test_every_layout_has_a_sample():
    assert {layout.name for layout in LAYOUTS} == set(LAYOUT_OF.values())


@pytest.mark.parametrize(
    "data",
    [b"", b"<html><body>403 Forbidden</body></html>", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
     b"\x00\x01\x02", b"hello,world\n1,2\n", b"{}", b"[]", b"null"],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_refused_with_its_first_line(data):
    with pytest.raises(BadInput) as refused:
        parse_facts(data, "in/x.txt")
    assert refused.value.place.startswith("in/x.txt")
    assert ("web page" in str(refused.value)) == data.startswith(b"<")


def mutate(data: bytes, seed: int) -> bytes:
    """The data with a few bytes changed, lines moved, or its end cut off."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                out[at : at + rng.randint(1, 9)] = b""
            case 1:
                out[at:at] = rng.choice(
                    (b"|", b",", b'"', b"\n", b"-", b"9" * 40, b"e99", b"null", b"\xff", b"[" * 3000, b".")
                )
            case 2 if at < len(out):
                out[at] = rng.randrange(256)
            case 3:
                del out[at:]
            case 4:
                lines = bytes(out).split(b"\n")
                rng.shuffle(lines)
                out = bytearray(b"\n".join(lines))
            case _:
                out[at:at] = out[max(0, at - 60) : at]
    return bytes(out)


def use(data: bytes, name: str) -> None:
    """Read the data in every layout; all facts must be what the table of kinds allows, and become rows."""
    subjects = Subjects(INSTRUMENTS)
    for layout in [*LAYOUTS, None]:
        try:
            parsed = layout.parse(data, name, every) if layout else parse_facts(data, name)
        except BadInput as error:
            assert str(error).startswith(name), "a refusal names its file"
            assert "\n" not in str(error)
            continue
        for fact in parsed.facts:
            kind = KINDS[fact.kind]
            one = 10**kind.decimals
            assert abs(fact.value) < 2**62
            assert kind.low is None or fact.value >= kind.low * one
            assert kind.high is None or fact.value <= kind.high * one
            assert fact.as_of_ns <= fact.known_ns
            assert 0 < fact.known_ns < 2**63
            assert fact.place.startswith(name)
        assert len(parsed.refused) <= parsed.refused_rows <= parsed.rows
        kept, _ = consistent(parsed.facts)
        try:
            rows = fact_rows(kept, subjects)
        except BadInput as error:
            assert name in str(error)
        else:
            assert rows.dtype == EVENT


@each_sample
@given(seed=st.integers(0, 2**32))
@settings(max_examples=EXAMPLES or 60, deadline=None)
def test_a_damaged_file_gives_facts_or_one_clear_refusal(name, seed):
    use(mutate(SAMPLES[name], seed), name)


@given(st.binary(max_size=200))
@settings(max_examples=EXAMPLES or 60, deadline=None)
def test_any_bytes_give_a_refusal_or_nothing_wrong(data):
    use(data, "f")


KEYS = ["symbolCode", "settlementDate", "currentShortPositionQuantity", "averageDailyVolumeQuantity", "data", "symbol",
        "shortInterestTable", "rows", "interest", "avgDailyShareVolume", "facts", "kind", "value", "unit", "as_of",
        "known_at", "side", "price", "SUM OF ALL PRODUCTS", "name", "call", "put", "total",
        "selectedDate", "ratios"]  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["ABC", "2026-05-15", "05/15/2026", "1,000", "adv20", "VOLUME", "", "2026-05-15T00:00:00Z"]),
    st.text(max_size=5),
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(TREES)
@settings(max_examples=EXAMPLES or 150, deadline=None)
def test_any_json_gives_facts_or_one_clear_refusal(tree):
    use(msgspec.json.encode(tree), "2026-05-15_daily_options")


def test_a_deep_json_is_refused_and_does_not_crash():
    for data in (b"[" * 100_000, b'{"data":' * 100_000, b'{"symbol":[' + b"[" * 90_000):
        use(data, "f")


def test_a_number_of_thousands_of_digits_is_refused():
    data = b'[{"symbol":"ABC","kind":"adv20","as_of":"2025-11-14","value":' + b"9" * 9_000 + b"}]"
    with pytest.raises(BadInput, match="value"):
        parse_facts(data, "f")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_files_may_be_compressed(tmp_path, pack):
    path = tmp_path / "CNMSshvol20260812.txt"
    path.write_bytes(pack(DAILY))
    (parsed,) = read_facts(path)
    assert parsed.facts[0].place == f"{path}: line 2"
    assert parsed.rows == 3


def test_a_folder_is_read_by_name_without_hidden_and_half_loaded_files(tmp_path):
    for name in ("b.csv", "a.csv", ".hidden.csv", "c.csv.part", "d.tmp", "e.csv~"):
        (tmp_path / name).write_bytes(PLAIN)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert [Path(parsed.place).name for parsed in read_facts(tmp_path)] == ["a.csv", "b.csv"]


def test_what_cannot_be_read_is_refused_with_its_path(tmp_path, monkeypatch):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(PLAIN)[:-9])
    for path in (tmp_path / "none.csv", tmp_path / "cut.gz"):
        with pytest.raises(BadInput, match=str(path)):
            read_facts(path)
    with pytest.raises(BadInput, match="folder"):
        list(list_files(tmp_path / "nowhere"))
    monkeypatch.setattr(files, "MAX_FILES", 0)
    with pytest.raises(BadInput, match="1 files"):
        read_facts(tmp_path)
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    (tmp_path / "long.csv").write_bytes(PLAIN)
    with pytest.raises(BadInput, match="64 MiB"):
        read_content(tmp_path / "long.csv")


def test_the_place_of_a_cboe_file_decides_its_date(tmp_path):
    path = tmp_path / "2026-07-02_daily_options"
    path.write_bytes(CBOE_DAY)
    assert len(read_facts(path)[0].facts) == 6


@given(st.sampled_from(list(SAMPLES)), st.sampled_from([b"\xef\xbb\xbf", b""]))
def test_a_byte_order_mark_changes_nothing(name, mark):
    expected = [fact.order for fact in parse_facts(SAMPLES[name], name).facts]
    assert [fact.order for fact in parse_facts(mark + SAMPLES[name], name).facts] == expected
