"""Websocket frames of Lighter as JSON: an array of frames, or of `{"ts": seconds, "msg": "frame"}`.

Protocol: https://apidocs.lighter.xyz/docs/websocket-reference. Books come whole once and then as changes, each `offset`
one above the last, or, where it is told, `begin_nonce` equal to the last `nonce`. Rates are told in percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from feeds.errors import BadInput
from feeds.events import BAD_TIME, EventBuffer, Events
from feeds.files._contract import Reader
from feeds.files._increments import increments
from feeds.files._lighter_frames import Frame, Frames, Level
from feeds.files._objects import objects
from feeds.files._streams import Stream
from feeds.instruments import Instrument
from feeds.source import Checks, OpenOptions

_HEAD: Final = 2_000
"""Frames looked at before reading: for markets, tick and lot."""
_HEAD_BYTES: Final = 1 << 25
_BATCH_ROWS: Final = 16_384
_S: Final = 10**9
_WORDS: Final = (b'"order_book:', b'"trade:', b'"market_stats:', b'"ticker:')


class Wrapped(msgspec.Struct):
    """A frame with the time it was received."""

    ts: Decimal
    msg: str


class LighterReader(Reader):
    """Read the frames of one or more markets of Lighter."""

    format = "lighter"
    title = "Lighter websocket frames (JSON)"

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the text begins with objects and names channels of Lighter."""
        if path.is_dir() or head.lstrip()[:1] not in {b"[", b"{"}:
            return False
        plain = head.replace(b"\\", b"").replace(b" ", b"")
        ours = any(b'"channel":' + word in plain for word in _WORDS)
        return ours and any(b'"type":"' + word in plain for word in (b"subscribed/", b"update/", b"connected"))

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Look at the first frames for markets, tick and lot."""
        return cls(path, options)

    def __init__(self, path: Path, options: OpenOptions) -> None:
        if path.is_dir():
            raise BadInput(str(path), None, "one file of frames")
        self.path = path
        self.checks = Checks()
        self.position = 0
        self.tier = "C"
        self.verification = "counter"
        self.venue = options.venue or "lighter"
        self.notes = []
        with Stream(path) as stream:
            self.size = stream.size
        self.timed = False
        self._first_ns = 0
        found = self._markets()
        if not found:
            raise BadInput(f"{path}: frames", None, "books or trades of Lighter in the first frames")
        if options.symbol is not None:
            wanted = options.symbol.casefold()
            chosen = {one: about for one, about in found.items() if wanted in (about.symbol.casefold(), one)}
            if not chosen:
                known = ", ".join(about.symbol for about in found.values())
                raise BadInput("--symbol", options.symbol, f"one of {known}")
            found = chosen
        self.numbers = {one: at for at, one in enumerate(found)}
        self.instruments = tuple(self._instrument(one, about, options) for one, about in found.items())
        if not self.timed:
            self.notes.append("no receive times: those of the venue stand in")

    def _markets(self) -> dict[str, _About]:
        """What the first frames tell of each market, by its number."""
        found: dict[str, _About] = {}
        seen = 0
        with Stream(self.path) as stream:
            for number, raw in islice(objects(stream), _HEAD):
                frame, ts = self._frame(number, raw)
                self.timed |= ts is not None
                self._first_ns = self._first_ns or ts or frame.time_ns
                market = frame.market
                if market is not None:
                    about = found.setdefault(market, _About(market))
                    about.read(frame)
                seen += len(raw)
                if seen > _HEAD_BYTES:
                    break
        return found

    def _instrument(self, one: str, about: _About, options: OpenOptions) -> Instrument:
        place = f"{self.path}: market {one}"
        found = increments(options, place, about.prices or ["0.01"], about.sizes or ["0.00001"])
        if found.derived:
            self.notes.append(f"{about.symbol}: {found.derived} derived from the decimals of the first books")
        return Instrument(
            venue=self.venue, symbol=about.symbol, tick=found.tick, lot=found.lot, currency="USDC",
            derived=bool(found.derived),
        )  # fmt: skip

    def _frame(self, number: int, raw: bytes) -> tuple[Frame, int | None]:
        """One frame and the time it was received in ns; raises BadInput where it is none."""
        ts: int | None = None
        try:
            if b'"msg"' in raw[:4_096]:
                wrapped = msgspec.json.decode(raw, type=Wrapped)
                if not wrapped.ts.is_finite() or not 0 <= wrapped.ts < 9 * _S:
                    raise BadInput("ts", str(wrapped.ts)[:60], "seconds since 1970")
                ts = int(wrapped.ts * _S)
                raw = wrapped.msg.encode()
            return msgspec.json.decode(raw, type=Frame), ts
        except (ValueError, RecursionError, ArithmeticError) as error:
            raise BadInput(f"{self.path}: frame {number}", str(error)[:200], "a frame of Lighter") from None

    def rows(self) -> Iterator[Events]:
        """Give the rows of each frame."""
        out = EventBuffer()
        frames = Frames(self.numbers, self.instruments, self.checks, out)
        late: list[tuple[int, int]] = []
        newest = self._first_ns
        problems = self.checks.problems
        said = len(problems)
        with Stream(self.path) as stream:
            try:
                for number, raw in objects(stream):
                    frame, ts = self._frame(number, raw)
                    recv_ns = ts if ts is not None else frame.time_ns or newest
                    before = len(out)
                    if frame.market is None or frame.market in self.numbers or frame.type == "connected":
                        frames.take(frame, recv_ns)
                    else:
                        self.checks.ignore("frames of other markets")
                    if recv_ns < newest and len(out) > before:
                        self.checks.out_of_order += 1
                        late.append((before, len(out)))
                    newest = max(newest, recv_ns)
                    if len(problems) != said:
                        problems[said:] = [f"{self.path.name}: frame {number}: {text}" for text in problems[said:]]
                        said = len(problems)
                    if len(out) >= _BATCH_ROWS:
                        self.position = stream.position
                        yield _take(out, late)
            except BadInput:
                if len(out):
                    yield _take(out, late)
                raise
        self.position = self.size
        if len(out):
            yield _take(out, late)


READER = LighterReader


def _take(out: EventBuffer, late: list[tuple[int, int]]) -> Events:
    rows = out.take()
    for first, last in late:
        rows["marks"][first:last] |= BAD_TIME
    late.clear()
    return rows


class _About:
    """What is found out about a market."""

    def __init__(self, market: str) -> None:
        self.symbol = f"market-{market}"
        self.prices: list[str] = []
        self.sizes: list[str] = []

    def read(self, frame: Frame) -> None:
        """Take a frame's symbol and numbers."""
        for stats in (frame.market_stats, frame.ticker):
            name: Any = getattr(stats, "symbol", None) or getattr(stats, "s", None)
            if isinstance(name, str) and name and name.isprintable() and len(name) <= 40:
                self.symbol = name
        levels: list[Level] = []
        if frame.order_book is not None:
            levels = [*frame.order_book.bids, *frame.order_book.asks]
        elif frame.trades:
            levels = [Level(one.price, one.size) for one in frame.trades]
        if len(self.prices) < 20_000:
            self.prices += [level.price for level in levels]
            self.sizes += [level.size for level in levels]
