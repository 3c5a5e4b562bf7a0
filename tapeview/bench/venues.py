"""Venues' frames to EVENT rows: levels and messages a second, beside what decoding the JSON alone costs.

Frames are those of real sessions where they are at hand, and made up in the venue's form where not. Times are
processor time of this process, the best of some rounds; the yardstick, `msgspec.json.decode` of the same frames into
untyped objects, runs in the same call. A level is a row that a frame states: what a parser infers is not
counted; where frames are whole books, of which only what changed becomes rows, it is a level of theirs.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from feeds.events import ADD, BOOK, CANCEL, FILL, IMPLIED, MODIFY, EventBuffer, Events
from feeds.files.venue_capture import VenueCapture
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions
from feeds.venues import venues
from feeds.venues._access import Access
from tapeview.bench import Measured
from tapeview.bench._golden import golden

_LEVELS: Final = (BOOK, ADD, MODIFY, CANCEL, FILL)
_LEAST_S: Final = 0.03
"""Frames are gone through again, by new parsers, until so much time is spent; rounds are short, so that some are not
disturbed."""


class Case(NamedTuple):
    """Frames of one venue."""

    venue: str
    source: str
    """Where they are from."""
    instruments: tuple[Instrument, ...]
    frames: tuple[tuple[str | None, bytes], ...]
    """(symbol, snapshot) or (None, frame)."""
    levels: int | None = None
    """Levels that they state, where that is not the number of rows."""


class Speed(NamedTuple):
    """What came of a case."""

    levels: int
    messages: int
    seconds: float
    yard_s: float


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure every venue and give its figures."""
    found: list[Measured] = []
    rounds = 5 if quick else 40
    for case in cases():
        say(f"{case.venue}, {case.source}: {len(case.frames):,} messages")
        speed = run(case, rounds)
        each = speed.levels / speed.messages
        what = f"{case.venue}, {case.source}, {each:.1f} levels a message"
        if speed.levels:
            found.append(
                Measured(
                    what,
                    speed.levels / speed.seconds / 1e6,
                    "M levels/s",
                    speed.yard_s / speed.seconds,
                    "decoding alone",
                )
            )
        found.append(
            Measured(
                what,
                speed.messages / speed.seconds / 1e3,
                "k messages/s",
                speed.yard_s / speed.seconds,
                "decoding alone",
            )
        )
    return found


def run(case: Case, rounds: int) -> Speed:
    """Go through a case's frames some times and take the fastest."""
    raws = [raw for _, raw in case.frames]
    parse, levels = _parser(case)
    return Speed(
        levels if case.levels is None else case.levels,
        len(raws),
        _best(rounds, parse),
        _best(rounds, lambda: _decode(raws)),
    )


def _parser(case: Case) -> tuple[Callable[[], object], int]:
    venue = venues()[case.venue]
    instruments = {one.symbol: (n, one) for n, one in enumerate(case.instruments)}

    def parse() -> Events:
        out = EventBuffer()
        _feed(venue(instruments, Checks()), case.frames, out)
        return out.take()

    rows = parse()
    stated = np.isin(rows["kind"], _LEVELS) & (rows["marks"] & IMPLIED == 0)
    return parse, int(stated.sum())


def _feed(parser: Access, frames: Iterable[tuple[str | None, bytes]], out: EventBuffer) -> None:
    parser.no_fetch = True
    for symbol, raw in frames:
        if symbol is None:
            parser.on_frame(raw, 1, out)
        else:
            parser.on_snapshot(symbol, raw, 1, out)


def _decode(raws: Sequence[bytes]) -> None:
    decode = msgspec.json.decode
    for raw in raws:
        try:
            decode(raw)
        except msgspec.DecodeError:
            continue  # a pong that is no JSON


def _best(rounds: int, work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    once = time.process_time() - began
    times = max(1, round(_LEAST_S / max(once, 1e-6)))
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        spent.append((time.process_time() - began) / times)
    return min(spent)


def cases(folder: Path | None = None) -> list[Case]:
    """Sessions that are at hand, and made-up frames for every other venue."""
    folder = folder or _data()
    found: list[Case] = []
    if folder is not None:
        for path in sorted((folder / "venue-captures").glob("*.jsonl.zst")):
            found += _captured(path)
    return found + [
        Case(name, "made up", (made.instrument,), tuple(made.frames), made.levels)
        for name, made in sorted(golden().items())
        if name not in {one.venue for one in found}
    ]


def _data() -> Path | None:
    named = os.environ.get("TAPEVIEW_DATA")
    root = Path(__file__).resolve().parents[2]
    places = [Path(named)] if named else [root.parent / "shared" / "data", root / "shared" / "data"]
    return next((place for place in places if place.is_dir()), None)


def _captured(path: Path) -> list[Case]:
    known = {name for venue in venues().values() for name in venue.captures}
    if path.name.removesuffix(".jsonl.zst") not in known:
        return []
    reader = VenueCapture.open(path, OpenOptions())
    by_venue: dict[str, list[tuple[str | None, bytes]]] = {}
    for said in reader.session():
        if said.kind in ("frame", "snapshot"):
            by_venue.setdefault(said.venue, []).append((said.symbol or None, said.raw))
    kinds = Counter(one.venue for one in reader.instruments)
    return [
        Case(
            name, f"session of {path.name.removesuffix('.jsonl.zst')}",
            tuple(one for one in reader.instruments if one.venue == name), tuple(frames),
        )
        for name, frames in by_venue.items()
        if kinds[name]
    ]  # fmt: skip
