"""Recordings and wire frames: bytes an event, writing, reading, through the core, seeking, memory, parsing.

Times are processor time of this process unless a line says wall; yardsticks run in the same call.
"""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feeds.clock import Clock
from feeds.events import EventBuffer, Events
from feeds.instruments import Instrument
from feeds.recording import RecordingWriter, open_recording
from feeds.source import Checks, SourceInfo
from tapeview.bench import Measured
from tapeview.bench.streams import level_stream

if TYPE_CHECKING:
    from tapeview.playback import Playback

_INSTRUMENT = Instrument(venue="bench", symbol="L2", tick="0.01")
_SEEKS = 40


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure all of it and give the figures."""
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory(prefix="tapeview-bench-") as name:
        folder = Path(name)
        say("making a stream")
        piece = level_stream(200_000 if quick else 1_000_000)
        events = 600_000 if quick else 10_000_000
        say(f"recording {events:,} events")
        rows = [*_stored(folder / "long", piece, events)]
        say("reading")
        rows += _read(folder / "long", piece, rounds, folder)
        say("seeking")
        rows += _seek(folder / "long")
        say("parsing frames")
        rows += _parse(rounds)
    return rows


def _tiles(piece: Events, events: int) -> Iterator[Events]:
    """The piece again and again, each time later; it begins with a snapshot, so it follows itself."""
    span = int(piece["recv_ns"].max() - piece["recv_ns"].min()) + 1_000_000
    clock = Clock()
    for number in range(-(-events // len(piece))):
        tile = piece.copy()
        for field in ("recv_ns", "exch_ns"):
            tile[field] += number * span
        yield clock.insert(tile)


def _stored(folder: Path, piece: Events, events: int) -> Iterator[Measured]:
    info = SourceInfo(
        address="bench", format="synthetic", venue="bench", tier="C", verification="unverifiable", bytes=0
    )
    tiles = list(_tiles(piece, min(events, 2 * len(piece))))
    began = time.process_time()
    with RecordingWriter(folder.with_name("short"), info, (_INSTRUMENT,)) as writer:
        for tile in tiles:
            writer.write(tile)
    spent = time.process_time() - began
    count = sum(len(t) for t in tiles)
    yield Measured("recording written", count / spent / 1e6, "M events/s")
    with RecordingWriter(folder, info, (_INSTRUMENT,)) as writer:
        for tile in _tiles(piece, events):
            writer.write(tile)
    size = sum(f.stat().st_size for f in (folder / "events").iterdir())
    gz = len(gzip.compress(_csv(piece[:200_000]), 6)) / min(len(piece), 200_000)
    mine = size / open_recording(folder).manifest.events
    yield Measured(
        "recording stored", mine, "bytes/event", mine / gz, "csv.gz of the same columns (below 1 is smaller)"
    )


def _csv(piece: Events) -> bytes:
    import polars as pl

    frame = pl.DataFrame({name: piece[name] for name in ("recv_ns", "exch_ns", "kind", "side", "tick", "lots")})
    out = io.BytesIO()
    frame.write_csv(out)
    return out.getvalue()


def _rate(rounds: int, count: int, work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    times = []
    for _ in range(rounds):
        began = clock()
        work()
        times.append(clock() - began)
    return count / statistics.median(times) / 1e6


def _read(folder: Path, piece: Events, rounds: int, scratch: Path) -> list[Measured]:
    import polars as pl

    from tapeview.engine import warm
    from tapeview.session import Session

    recording = open_recording(folder)
    few = min(len(recording.parts), 8)
    count = sum(part.rows for part in recording.parts[:few])
    reading = _rate(rounds, count, lambda: [recording.read_part(n) for n in range(few)])
    sample = piece[:200_000]
    text = scratch / "yard.csv.gz"
    text.write_bytes(gzip.compress(_csv(sample), 1))
    zipped = scratch / "yard.npz"
    np.savez_compressed(zipped, rows=sample)
    from_text = _rate(rounds, len(sample), lambda: pl.read_csv(text))
    from_npz = _rate(rounds, len(sample), lambda: np.load(zipped)["rows"])

    def through() -> None:
        for _ in Session(open_recording(folder), thresholds={}).run():
            pass

    warm()
    core = _rate(rounds, recording.manifest.events, through)
    wall = _rate(rounds, recording.manifest.events, through, time.perf_counter)
    return [
        Measured("recording read to EVENT rows", reading, "M events/s", reading / from_text, "csv.gz through polars"),
        Measured("recording read to EVENT rows", reading, "M events/s", reading / from_npz, "npz of the same rows"),
        Measured("recording read and through the core", core, "M events/s"),
        Measured("recording read and through the core, wall", wall, "M events/s"),
    ]


def _seek(folder: Path) -> list[Measured]:
    times, peak, index_s = _in_child(_seek_child, folder)
    _, busy, _ = _in_child(_play_child, folder)
    return [
        Measured("background pass, wall", index_s, "s"),
        Measured(f"seek to a random time, wall, median of {len(times)}", statistics.median(times) * 1e3, "ms"),
        Measured("seek to a random time, wall, worst", max(times) * 1e3, "ms"),
        Measured("memory of the player, peak", peak / 1e6, "MB"),
        Measured("memory of the player at full speed beside the background pass, peak", busy / 1e6, "MB"),
    ]


def _in_child(work: Callable[[Playback], tuple[list[float], float]], folder: Path) -> tuple[list[float], int, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(work, str(folder), theirs))
    child.start()
    found: tuple[list[float], int, float] = ours.recv()
    child.join()
    return found


def _child(work: Callable[[Playback], tuple[list[float], float]], folder: str, pipe: Any) -> None:
    from tapeview.engine import warm
    from tapeview.playback import Playback

    warm()
    playback = Playback([open_recording(folder)])
    times, index_s = work(playback)
    playback.close()
    pipe.send((times, _peak_bytes(), index_s))


def _seek_child(playback: Playback) -> tuple[list[float], float]:
    began = time.perf_counter()
    playback.start_index()
    while not playback.lane.index_done:
        time.sleep(0.01)
    index_s = time.perf_counter() - began
    first, last = playback.start_ns or 0, playback.end_ns or 0
    times = []
    for place in np.random.default_rng(1).integers(first, last, _SEEKS).tolist():
        began = time.perf_counter()
        playback.seek(place)
        times.append(time.perf_counter() - began)
    return times, index_s


def _play_child(playback: Playback) -> tuple[list[float], float]:
    playback.start_index()
    playback.set_speed(0.0)
    playback.play()
    while not playback.lane.index_done:
        playback.tick(time.monotonic_ns())
        time.sleep(0.001)
    return [], 0.0


def _peak_bytes() -> int:
    """The most memory this process has held; the kernel's own mark where it has one that starts with the process."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _parse(rounds: int) -> list[Measured]:
    from feeds.venues.binance_futures import BinanceFutures

    frames = [_frame(n, 100) for n in range(1, 300)]
    snapshot = _snapshot(1000)
    levels = sum(raw.count(b'["') for raw in frames)
    instrument = Instrument(venue="binance-futures", symbol="BTCUSDT", tick="0.10", lot="0.001")

    def parser() -> tuple[BinanceFutures, EventBuffer]:
        out = EventBuffer()
        venue = BinanceFutures({"BTCUSDT": (0, instrument)}, Checks())
        venue.on_snapshot("BTCUSDT", _snapshot(5), 1, out)
        return venue, out

    def ours() -> None:
        venue, out = parser()
        for raw in frames:
            venue.on_frame(raw, 1, out)
        if len(out.take()) < levels:
            raise AssertionError("levels were lost")

    def large() -> None:
        for _ in range(20):
            parser()[0].on_snapshot("BTCUSDT", snapshot, 1, EventBuffer())

    rate, yard = _rate(rounds, levels, ours), _rate(rounds, levels, lambda: plain_parse(frames))
    return [
        Measured("raw depth frames of 100 levels to EVENT rows", rate, "M levels/s", rate / yard, "json and Decimal"),
        Measured("raw snapshots of 2,000 levels to EVENT rows", _rate(rounds, 20 * 2000, large), "M levels/s"),
    ]


def plain_parse(frames: list[bytes]) -> int:
    """The yardstick: frames through the standard library into a dictionary book; gives its levels."""
    book: dict[Decimal, Decimal] = {}
    for raw in frames:
        data = json.loads(raw)["data"]
        for price, size in data["b"] + data["a"]:
            book[Decimal(price)] = Decimal(size)
    return len(book)


def _frame(number: int, levels: int) -> bytes:
    sides = []
    for sign in (-1, 1):
        texts = [f'["{(279_850 + sign * (k + number % 7)) / 10:.2f}","{(k * 37 + number) % 5000 / 1000:.3f}"]'
                 for k in range(levels // 2)]  # fmt: skip
        sides.append(",".join(texts))
    head = f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000{number % 1000:03},'
    ids = (
        f'"T":1700000000{number % 1000:03},"s":"BTCUSDT","U":{number * 10},"u":{number * 10 + 9},"pu":{number * 10 - 1}'
    )
    return f'{head}{ids},"b":[{sides[0]}],"a":[{sides[1]}]}}}}'.encode()


def _snapshot(levels: int) -> bytes:
    bids = ",".join(f'["{(279_850 - k) / 10:.2f}","{k % 50 + 1}.000"]' for k in range(levels))
    asks = ",".join(f'["{(279_851 + k) / 10:.2f}","{k % 50 + 1}.000"]' for k in range(levels))
    return f'{{"lastUpdateId":9,"E":1700000000000,"T":1700000000000,"bids":[{bids}],"asks":[{asks}]}}'.encode()
