"""What every reader promises: rows as agreed, or one clear refusal that names the file."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import ADD, BAD_TIME, BOOK, EVENT, KIND_NAMES, LAST, OFF_GRID, OFF_LOT, TRADE
from feeds.files import peek, reader_for, readers
from feeds.files._contract import Reader
from feeds.source import OpenOptions
from tests.feeds.files.samples import SAMPLES

ROOT = Path(__file__).parents[3]
EXAMPLES = int(os.environ.get("TAPEVIEW_FUZZ", "0"))
"""Fuzz examples of every reader; without it a short fixed run."""

PACKED = {"hftbacktest", "standx"}
"""Formats that are packed in themselves and read from any place in the file."""

each_reader = pytest.mark.parametrize("name", sorted(readers()))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good sample of every format."""
    return {name: make(tmp_path_factory.mktemp("samples") / name) for name, make in SAMPLES.items()}


def read(name: str, path: Path) -> np.ndarray:
    """All rows of a path through one reader."""
    reader = readers()[name].open(path, OpenOptions())
    return np.concatenate([np.zeros(0, EVENT), *reader.rows()])


def main_file(path: Path) -> Path:
    """The file of a sample that carries the data."""
    return path if path.is_file() else max(path.iterdir(), key=lambda file: ("message" in file.name, file.name))


def refusal(name: str, path: Path, names: str = "") -> str | None:
    """The text of the refusal of a path, None where it gave rows; anything else fails."""
    try:
        for rows in readers()[name].open(path, OpenOptions()).rows():
            assert rows.dtype == EVENT
    except BadInput as error:
        text = str(error)
        assert (names or path.name) in text, f"{text!r} does not name {names or path.name}"
        assert "\n" not in text
        assert all(char.isprintable() for char in text)
        return text
    return None


def unpacked(data: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The content of a file and the way back to its compressed form."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data), lambda raw: gzip.compress(raw, 1)
    if data.startswith(b"BZh"):
        return bz2.decompress(data), bz2.compress
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(data), zstandard.compress
    return data, bytes


@each_reader
def test_every_reader_has_a_sample_and_a_name_of_its_own(name: str) -> None:
    reader = readers()[name]
    assert name in SAMPLES
    assert issubclass(reader, Reader)
    assert reader.format == name
    assert reader.title


@each_reader
def test_a_sample_is_recognised_by_its_own_reader_and_by_no_other(name: str, samples: dict[str, Path]) -> None:
    path = samples[name]
    claims = [other for other, reader in readers().items() if reader.recognises(path, peek(path))]
    assert claims == [name]
    assert reader_for(path, OpenOptions()) is readers()[name]


@each_reader
def test_recognising_never_raises(name: str, tmp_path: Path) -> None:
    empty = tmp_path / "folder"
    empty.mkdir()
    noise = tmp_path / "noise"
    noise.write_bytes(random.Random(1).randbytes(70_000))
    gone = tmp_path / "gone"
    for path, head in (
        (empty, b""),
        (noise, peek(noise)),
        (noise, b""),
        (gone, b""),
        (gone, b"PAR1"),
        (gone, b"DBN\x01"),
    ):
        assert readers()[name].recognises(path, head) is False or head in {b"PAR1", b"DBN\x01"}


@each_reader
def test_rows_are_as_agreed(name: str, samples: dict[str, Path]) -> None:
    reader = readers()[name].open(samples[name], OpenOptions())
    assert reader.tier in "ABCD"
    assert reader.verification in {"chain", "counter", "checksum", "snapshot", "unverifiable"}
    assert reader.instruments
    assert all(isinstance(note, str) for note in reader.notes)
    batches = list(reader.rows())
    assert reader.position == reader.size > 0
    for batch in batches:
        assert batch.dtype == EVENT
        assert 0 < len(batch) <= 70_000
        assert batch["marks"][-1] & LAST
    rows = np.concatenate(batches)
    assert set(rows["kind"].tolist()) <= set(KIND_NAMES)
    assert rows["inst"].max() < len(reader.instruments)
    assert set(rows["side"].tolist()) <= {-1, 0, 1}
    assert (rows["lots"][np.isin(rows["kind"], (ADD, TRADE))] > 0).all()
    assert (rows["lots"] >= 0).all()
    assert (np.diff(rows["recv_ns"])[(rows["marks"][1:] & BAD_TIME) == 0] >= 0).all()
    assert {TRADE} < set(rows["kind"].tolist())


@each_reader
def test_reading_twice_gives_equal_rows(name: str, samples: dict[str, Path]) -> None:
    assert read(name, samples[name]).tobytes() == read(name, samples[name]).tobytes()


@pytest.mark.parametrize("name", sorted(readers().keys() - PACKED))
def test_another_packing_gives_the_same_rows(name: str, tmp_path: Path, samples: dict[str, Path]) -> None:
    wanted = read(name, samples[name])
    for pack, ending in ((bytes, ""), (gzip.compress, ".gz"), (bz2.compress, ".bz2"), (zstandard.compress, ".zst")):
        folder = tmp_path / f"packed{ending}"
        folder.mkdir()
        files = sorted(samples[name].iterdir()) if samples[name].is_dir() else [samples[name]]
        for file in files:
            plain = file.name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".zst")
            (folder / f"{plain}{ending}").write_bytes(pack(unpacked(file.read_bytes())[0]))
        path = folder if samples[name].is_dir() else next(folder.iterdir())
        assert read(name, path).tobytes() == wanted.tobytes()


@each_reader
def test_a_stated_tick_and_lot_are_taken(name: str, samples: dict[str, Path]) -> None:
    options = OpenOptions(tick="0.001", lot="0.00000001")
    reader = readers()[name].open(samples[name], options)
    assert [(one.tick, one.lot, one.derived) for one in reader.instruments] == [("0.001", "0.00000001", False)]
    grids = readers()[name].open(samples[name], OpenOptions()).instruments[0]
    plain, finer = read(name, samples[name]), np.concatenate(list(reader.rows()))
    mine = reader.instruments[0]

    def value(rows: np.ndarray, field: str, mark: int, grid) -> list[str]:
        keep = np.isin(rows["kind"], (BOOK, ADD, TRADE))
        columns = zip(rows[field][keep].tolist(), rows["marks"][keep].tolist(), strict=True)
        texts = [grid.fine_text(n) if marks & mark else grid.text(n) for n, marks in columns]
        return [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]

    assert value(finer, "tick", OFF_GRID, mine.price) == value(plain, "tick", OFF_GRID, grids.price)
    assert value(finer, "lots", OFF_LOT, mine.size) == value(plain, "lots", OFF_LOT, grids.size)


def corpus(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Ways for a file to be wrong, from one that is right."""
    raw, pack = unpacked(good)
    noise = random.Random(2)
    yield "empty", b""
    yield "one byte", good[:1]
    yield "only a newline", b"\n"
    yield "noise", noise.randbytes(4096)
    yield "text", b"this is not market data\n" * 100
    yield "zeros", bytes(100_000)
    yield "html", b"<!doctype html><html><title>403 Forbidden</title></html>\n"
    yield "byte order mark", b"\xef\xbb\xbf" + raw
    yield "wrong magic", b"XYZ!" + good[4:]
    for part in (0.1, 0.5, 0.9, 0.999):
        yield f"cut at {part}", good[: int(len(good) * part)]
        yield f"content cut at {part}", pack(raw[: int(len(raw) * part)])
    for magic in (b"\x1f\x8b\x08\x00", b"BZh9", b"\x28\xb5\x2f\xfd", b"PAR1", b"DBN\x01", b"DBN\x03\xff\xff\xff\xff"):
        yield f"magic {magic!r} and noise", magic + noise.randbytes(2048)
        yield f"magic {magic!r} alone", magic
    for word in (
        b"NaN",
        b"Infinity",
        b"-1",
        b"1e999",
        b"0x10",
        b"",
        b'"abc"',
        b"null",
        b"1_000",
        b"\xff\xfe",
        b"9" * 400,
    ):
        yield f"numbers as {word[:12]!r}", pack(replaced(raw, word))
    yield "lines without their last column", pack(b"\n".join(line.rpartition(b",")[0] for line in raw.split(b"\n")))
    yield "a line of 1 MB", pack(raw[: len(raw) // 2] + b"7" * 1_000_000 + raw[len(raw) // 2 :])
    yield "nesting", pack(raw[:200] + b"[" * 100_000 + raw[200:])
    yield "nothing but nesting", pack(b"1367847000000 order_created " + b'{"a":' * 100_000)


def replaced(raw: bytes, word: bytes) -> bytes:
    """The content with a number in its second half replaced."""
    at = next((at for at in range(len(raw) // 2, len(raw)) if raw[at : at + 1].isdigit()), len(raw) // 2)
    end = next((end for end in range(at, len(raw)) if raw[end] not in b"0123456789."), len(raw))
    return raw[:at] + word + raw[end:]


@each_reader
@pytest.mark.timeout(60)
def test_bad_files_are_refused_by_name_or_read(name: str, tmp_path: Path, samples: dict[str, Path]) -> None:
    source = main_file(samples[name])
    must_refuse = {"empty", "one byte", "noise", "text", "zeros", "html", "wrong magic"}
    for at, (what, data) in enumerate(corpus(source.read_bytes())):
        path = tmp_path / f"bad{at}" / source.name
        path.parent.mkdir()
        path.write_bytes(data)
        text = refusal(name, path)
        assert text is not None or what not in must_refuse, f"{what} gave rows"
        if what in must_refuse:
            with pytest.raises(BadInput, match="format"):
                reader_for(path, OpenOptions())


@each_reader
def test_truncated_files_give_the_rows_before_the_damage_or_a_refusal(
    name: str, tmp_path: Path, samples: dict[str, Path]
) -> None:
    source = main_file(samples[name])
    raw, _ = unpacked(source.read_bytes())
    path = tmp_path / source.name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".zst")
    path.write_bytes(raw)
    wanted = read(name, path)
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(raw[: int(len(raw) * part)])
        rows: list[np.ndarray] = []
        refusal(name, path)
        with contextlib.suppress(BadInput):
            rows.extend(readers()[name].open(path, OpenOptions()).rows())
        n = sum(map(len, rows))
        assert n <= len(wanted)
        if n:
            got = np.concatenate(rows)
            got["marks"] &= ~np.uint16(LAST)
            first = wanted[:n].copy()
            first["marks"] &= ~np.uint16(LAST)
            assert got.tobytes() == first.tobytes()


@each_reader
def test_a_folder_with_nothing_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "nothing-here"
    folder.mkdir()
    assert refusal(name, folder) is not None
    (folder / "SOURCE.txt").write_text("where it came from")
    assert refusal(name, folder) is not None
    with pytest.raises(BadInput, match="nothing-here"):
        reader_for(folder, OpenOptions())


@each_reader
def test_a_file_that_is_gone_or_may_not_be_read_is_refused(name: str, tmp_path: Path) -> None:
    assert refusal(name, tmp_path / "gone.csv") is not None
    dangling = tmp_path / "dangling.csv"
    dangling.symlink_to(tmp_path / "gone.csv")
    assert refusal(name, dangling) is not None


CHILD = """
import resource, sys, time
from pathlib import Path
from feeds.errors import BadInput
from feeds.files import readers, reader_for
from feeds.source import OpenOptions
name, *paths = sys.argv[1:]
for text in paths:
    path = Path(text)
    try:
        try:
            reader_for(path, OpenOptions())
        except BadInput as error:
            assert path.name in str(error)
        for rows in readers()[name].open(path, OpenOptions()).rows():
            pass
        print("rows")
    except BadInput as error:
        assert path.name in str(error), str(error)
        print("refused", str(error)[:200])
# ru_maxrss is inherited from the process that started this one, the kernel's mark of this program is not.
status = Path("/proc/self/status")
told = status.read_text().splitlines() if status.exists() else []
mark = [line.split()[1] for line in told if line.startswith("VmHWM")]
print(mark[0] if mark else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@each_reader
@pytest.mark.timeout(120)
def test_a_sparse_gigabyte_takes_little_memory_and_time(name: str, tmp_path: Path, samples: dict[str, Path]) -> None:
    source = main_file(samples[name])
    raw, _ = unpacked(source.read_bytes())
    paths = []
    for what, head in (("nothing", b""), ("good", raw), ("packed", source.read_bytes())):
        path = tmp_path / what / source.name
        path.parent.mkdir()
        path.write_bytes(head)
        os.truncate(path, 1 << 30)
        paths.append(str(path))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name, *paths], cwd=ROOT, capture_output=True, text=True, check=False
    )
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert done.returncode == 0, done.stderr
    *outcomes, peak_kb = done.stdout.splitlines()
    assert outcomes[0].startswith("refused")
    assert all(outcome.startswith(("refused", "rows")) for outcome in outcomes)
    assert int(peak_kb) < 700_000, f"{int(peak_kb) // 1024} MB at the peak: {outcomes}"
    assert spent < 60, f"{spent:.0f} s of CPU: {outcomes}"


def mutations(size: int) -> st.SearchStrategy[list[tuple[str, int, bytes]]]:
    """Edits of a file: bytes changed, inserted, cut out or doubled."""
    edit = st.tuples(
        st.sampled_from(("set", "insert", "cut", "double")), st.integers(0, size), st.binary(min_size=1, max_size=9)
    )
    return st.lists(edit, min_size=1, max_size=4)


def mutate(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Apply edits."""
    for what, at, some in edits:
        if what == "set":
            data = data[:at] + some + data[at + len(some) :]
        elif what == "insert":
            data = data[:at] + some + data[at:]
        elif what == "cut":
            data = data[:at] + data[at + some[0] :]
        else:
            data = data[: at + some[0]] + data[at:]
    return data


@each_reader
@pytest.mark.timeout(600)
def test_mutated_files_give_rows_or_a_refusal(name: str, tmp_path: Path, samples: dict[str, Path]) -> None:
    source = main_file(samples[name])
    good = source.read_bytes()
    raw, pack = unpacked(good)
    raw = raw[: raw.rfind(b"\n", 0, 12_000) + 1] if name not in {*PACKED, "databento", "itch"} else raw
    path = tmp_path / source.name

    @settings(
        max_examples=EXAMPLES or 60,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(mutations(max(len(raw), len(good))), st.booleans())
    def run(edits: list[tuple[str, int, bytes]], inside: bool) -> None:
        path.write_bytes(pack(mutate(raw, edits)) if inside else mutate(good, edits))
        refusal(name, path)

    run()


@pytest.mark.timeout(600)
def test_mutated_book_files_of_lobster_give_rows_or_a_refusal(tmp_path: Path, samples: dict[str, Path]) -> None:
    for file in samples["lobster"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    book = next(tmp_path.glob("*orderbook*"))
    good = book.read_bytes()

    @settings(
        max_examples=EXAMPLES or 60, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(mutations(120))
    def run(edits: list[tuple[str, int, bytes]]) -> None:
        book.write_bytes(mutate(good, edits))
        refusal("lobster", tmp_path, names=book.name)

    run()
