"""Raw websocket frames of Hyperliquid as recorders write them: `<local ns> <json>` a line.

The local time is ns, µs or ms by its number of digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Final, Self

import msgspec

from feeds.errors import BadInput
from feeds.events import BAD_TIME, EventBuffer, Events
from feeds.files._contract import Reader, Spoken
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions
from feeds.venues.hyperliquid import Hyperliquid

HEAD_LINES: Final = 5_000
"""Lines looked at before reading: for coins, tick and lot."""
_HEAD_BYTES: Final = 1 << 25
_BATCH_ROWS: Final = 16_384
_LINE: Final = re.compile(rb"(\d{13}|\d{16}|[0-8]\d{18}) +(\{.*)", re.ASCII | re.DOTALL).match
_SCALE: Final = {13: 1_000_000, 16: 1_000, 19: 1}
_OURS: Final = re.compile(rb'"channel"\s*:\s*"(?:l2Book|bbo|trades|activeAssetCtx|subscriptionResponse)"').search


class HyperliquidCapture(Reader):
    """A file of frames of Hyperliquid."""

    format: ClassVar[str] = "hyperliquid-capture"
    title: ClassVar[str] = "Hyperliquid websocket frames, '<local time> <json>' a line"

    def __init__(self, path: Path, instruments: list[Instrument]) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.position = 0
        self.tier = Hyperliquid.tier
        self.verification = Hyperliquid.verification
        self.venue = Hyperliquid.name
        self.checks = Checks()
        self.instruments = tuple(instruments)
        derived = any(one.derived for one in instruments)
        self.notes = ["tick and lot derived from the first books, as the venue lists no tick"] if derived else []
        self._parser = Hyperliquid({one.symbol: (i, one) for i, one in enumerate(instruments)}, self.checks)

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether lines are times and frames of Hyperliquid."""
        lines = [] if path.is_dir() else head.split(b"\n")[:200]
        return any(_LINE(line) and _OURS(line[:200]) for line in lines)

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Look at the beginning for the coins."""
        if path.is_dir():
            raise BadInput(str(path), None, "one capture file")
        if options.venue not in (None, Hyperliquid.name):
            raise BadInput("--venue", options.venue, f"{Hyperliquid.name!r}, whose capture this is")
        return cls(path, _instruments(path, options))

    def rows(self) -> Iterator[Events]:
        """Give the rows; a line that cannot be read is counted and named."""
        out = EventBuffer()
        late: list[tuple[int, int]] = []
        problems = self.checks.problems
        newest = said = 0
        with Stream(self.path) as stream:
            try:
                for number, line in stream.lines():
                    match = _LINE(line)
                    if match is not None:
                        recv_ns = int(match[1]) * _SCALE[len(match[1])]
                        before = len(out)
                        self._parser.on_frame(match[2], recv_ns, out)
                        if recv_ns < newest and len(out) > before:
                            self.checks.out_of_order += 1
                            late.append((before, len(out)))
                        newest = max(newest, recv_ns)
                    elif line:
                        self.checks.damaged += 1
                        self.checks.problem(f"{line[:40]!r} is no '<local time> <json>'")
                    if len(problems) != said:
                        problems[said:] = [f"{self.path.name}: line {number}: {text}" for text in problems[said:]]
                        said = len(problems)
                    if len(out) >= _BATCH_ROWS:
                        self.position = stream.position
                        yield self._take(out, late)
            except BadInput:
                if len(out):
                    yield self._take(out, late)
                raise
        self.position = self.size
        if len(out):
            yield self._take(out, late)

    def session(self) -> Iterator[Spoken]:
        """Give everything that was said, unparsed; what cannot be read is left out."""
        with Stream(self.path) as stream:
            for _, line in stream.lines():
                match = _LINE(line)
                if match is not None:
                    yield Spoken(int(match[1]) * _SCALE[len(match[1])], "frame", self.venue, "", match[2])

    def _take(self, out: EventBuffer, late: list[tuple[int, int]]) -> Events:
        self._parser.notices()
        rows = out.take()
        for first, last in late:
            rows["marks"][first:last] |= BAD_TIME
        late.clear()
        return rows


READER = HyperliquidCapture


def _instruments(path: Path, options: OpenOptions) -> list[Instrument]:
    bodies: list[bytes] = []
    held = 0
    with Stream(path) as stream:
        try:
            for _, line in islice(stream.lines(), HEAD_LINES):
                match = _LINE(line)
                held += len(line)
                if match is not None:
                    bodies.append(match[2])
                if held > _HEAD_BYTES:
                    break
        except BadInput:
            if not bodies:
                raise
    known = [one for one in Hyperliquid.read_heads(bodies).values() if one.symbol.isprintable()]
    if not known:
        raise BadInput(str(path), None, "books of Hyperliquid in the first lines")
    if options.symbol is not None:
        near = ", ".join(one.symbol for one in known[:20])
        known = [one for one in known if one.symbol.upper() == options.symbol.upper()]
        if not known:
            raise BadInput("--symbol", options.symbol, f"one of {near}")
    changes: dict[str, str] = {name: value for name, value in (("tick", options.tick), ("lot", options.lot)) if value}
    derived = len(changes) < 2
    return [msgspec.structs.replace(one, derived=derived, **changes) for one in known]
