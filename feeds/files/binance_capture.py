"""Raw websocket frames of Binance spot, USD-M or COIN-M as recorders write them: `<local_ts> <json>` a line.

The local time is ns, µs or ms by its number of digits. The REST snapshot is a bare line among the frames.
A folder of such files is one continuous session in the order of their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Self

import msgspec

from feeds.errors import BadInput
from feeds.events import BAD_TIME, EventBuffer, Events
from feeds.files._contract import Reader, Spoken
from feeds.files._increments import increments
from feeds.files._streams import Stream, peek
from feeds.instruments import Instrument, parse_decimal
from feeds.source import Checks, OpenOptions
from feeds.venues._access import FAULTS, MAX_FRAME
from feeds.venues._binance import Binance
from feeds.venues.binance import BinanceSpot, BinanceUS
from feeds.venues.binance_futures import BinanceDelivery, BinanceFutures

VENUES: Final[dict[str, type[Binance]]] = {v.name: v for v in (BinanceSpot, BinanceUS, BinanceFutures, BinanceDelivery)}
HEAD_LINES: Final = 5_000
"""Lines looked at before reading: for the venue, the symbols, tick and lot, and whether a snapshot comes."""
_HEAD_BYTES: Final = 1 << 25
_PRICES: Final = 2_000
_DECIMALS: Final = 18
_SYMBOL_CHARS: Final = 40
_BATCH_ROWS: Final = 16_384
_BLOCK_LINES: Final = 512
_BLOCK_BYTES: Final = 1 << 19
"""Lines whose levels are read at once."""
_LINE: Final = re.compile(rb"(\d{13}|\d{16}|[0-8]\d{18}) +([\[{].*)", re.ASCII | re.DOTALL).match
_SCALE: Final = {13: 1_000_000, 16: 1_000, 19: 1}
_DELIVERY: Final = re.compile(r"USD_(PERP|\d{6})\Z", re.ASCII)
_EVENTS: Final = (
    b'"depthUpdate"', b'"aggTrade"', b'"bookTicker"', b'"markPriceUpdate"', b'"forceOrder"', b'"lastUpdateId"',
    b"@depth", b"@trade", b"@aggTrade", b"@bookTicker", b"@markPrice",
)  # fmt: skip


class _Body(msgspec.Struct):
    e: str = ""
    s: str = ""
    symbol: str = ""
    u: msgspec.Raw = msgspec.Raw()
    pu: int | None = None
    T: int | None = None
    M: bool | None = None
    b: msgspec.Raw = msgspec.Raw()
    a: msgspec.Raw = msgspec.Raw()
    p: str = ""
    q: str = ""
    A: str = ""
    B: str = ""
    lastUpdateId: int | None = None  # noqa: N815
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


class _Frame(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BODY: Final = msgspec.json.Decoder(_Body)
_LEVELS: Final = msgspec.json.Decoder(list[tuple[str, str]])
_TEXT: Final = msgspec.json.Decoder(str)


class _Seen:
    """What the head of a capture tells of one symbol."""

    def __init__(self) -> None:
        self.levels: list[tuple[str, str]] = []
        """Of its snapshot."""
        self.others: list[tuple[str, str]] = []
        """Of its updates, trades and quotes."""

    def add(self, levels: list[tuple[str, str]]) -> None:
        """Keep prices and sizes while more are wanted."""
        if len(self.others) < _PRICES:
            self.others += _sound(levels)


class _Head(NamedTuple):
    venue: type[Binance]
    seen: dict[str, _Seen]
    snapshot: bool


class BinanceCapture(Reader):
    """A file or folder of frames of one Binance venue."""

    format: ClassVar[str] = "binance-capture"
    title: ClassVar[str] = "Binance websocket frames, '<local time> <json>' a line; a folder is one session"

    def __init__(self, files: list[Path], head: _Head, options: OpenOptions, notes: list[str]) -> None:
        self.files = files
        self.notes = notes
        self.size = sum(file.stat().st_size for file in files)
        self.position = 0
        self.tier = "C"
        self.verification = head.venue.verification
        self.venue = head.venue.name
        self.checks = Checks()
        self.instruments = tuple(_instrument(head.venue, name, seen, options) for name, seen in head.seen.items())
        if any(one.derived for one in self.instruments):
            self.notes.append("tick and lot derived from the decimals the capture uses")
        self._symbols = {one.symbol: (i, one) for i, one in enumerate(self.instruments)}
        self._parser = head.venue(self._symbols, self.checks)
        self._parser.no_fetch = True
        if not head.snapshot:
            self.notes.append(
                f"no snapshot in the first {HEAD_LINES:,} lines: "
                "the book holds what has changed since the start and its state stays syncing"
            )
            for market in self._parser.markets.values():
                market.partial = True
        self._newest = self._said = 0
        self._near: dict[str, float] = {name: _middle(seen) for name, seen in head.seen.items()}

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether lines are times and Binance frames; of a folder, whether any of its files is such."""
        try:
            if path.is_dir():
                return any(_looks_like(peek(file, 1 << 16)) for file in _listing(path)[:20])
            return _looks_like(head)
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Find the files, the venue and the symbols."""
        notes: list[str] = []
        files = _files(path, notes)
        return cls(files, _read_head(files, options), options, notes)

    def rows(self) -> Iterator[Events]:
        """Give the rows; a line that cannot be read is counted and named."""
        out = EventBuffer()
        late: list[tuple[int, int]] = []
        block: list[tuple[int, int, bytes]] = []
        consumed = held = 0
        for file in self.files:
            with Stream(file) as stream:
                try:
                    for number, line in stream.lines():
                        match = _LINE(line)
                        if match is not None:
                            stamp, body = match.groups()
                            block.append((number, int(stamp) * _SCALE[len(stamp)], body))
                            held += len(body)
                        elif line:
                            self._block(block, file.name, out, late)
                            self.checks.damaged += 1
                            self.checks.problem(f"{line[:40]!r} is no '<local time> <json>'")
                            self._place(file.name, number)
                        if len(block) >= _BLOCK_LINES or held >= _BLOCK_BYTES:
                            self._block(block, file.name, out, late)
                            held = 0
                            if len(out) >= _BATCH_ROWS:
                                self.position = consumed + stream.position
                                yield self._take(out, late)
                    self._block(block, file.name, out, late)
                except BadInput:
                    self._block(block, file.name, out, late)
                    if len(out):
                        yield self._take(out, late)
                    raise
                consumed += stream.size
        self.position = self.size
        if len(out):
            yield self._take(out, late)

    def session(self) -> Iterator[Spoken]:
        """Give everything that was said, unparsed; what cannot be read is left out."""
        for file in self.files:
            with Stream(file) as stream:
                for _, line in stream.lines():
                    match = _LINE(line)
                    if match is None:
                        continue
                    ns, body = int(match[1]) * _SCALE[len(match[1])], match[2]
                    if body.startswith(b'{"stream"') or b'"lastUpdateId"' not in body[:40]:
                        yield Spoken(ns, "frame", self.venue, "", body)
                    elif (symbol := self._snapshot_symbol(body)) is not None:
                        yield Spoken(ns, "snapshot", self.venue, "", body, symbol)

    def _block(
        self, block: list[tuple[int, int, bytes]], name: str, out: EventBuffer, late: list[tuple[int, int]]
    ) -> None:
        parser, problems = self._parser, self.checks.problems
        ready = parser.prepare([(body, recv_ns) for _, recv_ns, body in block])
        for (number, recv_ns, body), one in zip(block, ready, strict=True):
            backwards = recv_ns < self._newest
            before = len(out) if backwards else 0
            if one is not None:
                parser.on_ready(one, recv_ns, out)
            else:
                self._line(body, recv_ns, out)
            if backwards:
                self.checks.out_of_order += 1
                late.append((before, len(out)))
            else:
                self._newest = recv_ns
            if len(problems) != self._said:
                self._place(name, number)
        block.clear()

    def _place(self, name: str, number: int) -> None:
        problems = self.checks.problems
        problems[self._said :] = [f"{name}: line {number}: {text}" for text in problems[self._said :]]
        self._said = len(problems)

    def _take(self, out: EventBuffer, late: list[tuple[int, int]]) -> Events:
        self._parser.wants()
        self._parser.notices()
        rows = out.take()
        for first, last in late:
            rows["marks"][first:last] |= BAD_TIME
        late.clear()
        return rows

    def _line(self, body: bytes, recv_ns: int, out: EventBuffer) -> None:
        if not body.startswith(b'{"stream"') and b'"lastUpdateId"' in body[:40]:
            symbol = self._snapshot_symbol(body)
            if symbol is None:
                self.checks.ignore("snapshot of another symbol")
            else:
                self._parser.on_snapshot(symbol, body, recv_ns, out)
        else:
            self._parser.on_frame(body, recv_ns, out)

    def _snapshot_symbol(self, body: bytes) -> str | None:
        if len(self._symbols) == 1:
            return next(iter(self._symbols))
        # A bare snapshot names no symbol on spot and USD-M: it is the waiting one whose price is nearest.
        try:
            found = _BODY.decode(body)
            middle = _middle_of(found.bids[:1] + found.asks[:1])
        except FAULTS:
            return None
        if found.symbol:
            return found.symbol if found.symbol in self._symbols else None
        distance = {name: abs(math.log(price / middle)) for name, price in self._near.items() if price and middle}
        best = min(distance, key=distance.__getitem__, default=None)
        return best if best is not None and distance[best] < 0.2 else None


READER = BinanceCapture


def _looks_like(head: bytes) -> bool:
    lines = head.split(b"\n")[:200]
    return any(_LINE(line) and any(event in line[:200] for event in _EVENTS) for line in lines)


def _listing(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))


def _files(path: Path, notes: list[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    files, starts = [], []
    ignored = []
    for file in _listing(path):
        head = peek(file, 1 << 16)
        if not _looks_like(head):
            ignored.append(file.name)
            continue
        first = next(m for line in head.split(b"\n") if (m := _LINE(line)))
        files.append(file)
        starts.append(int(first[1]) * _SCALE[len(first[1])])
    if not files:
        raise BadInput(str(path), None, "files with lines of '<local time> <json>'")
    for i in range(1, len(files)):
        if starts[i] < starts[i - 1]:
            place = f"{path}: {files[i].name}"
            raise BadInput(place, f"starts before {files[i - 1].name}", "files of one session, named in order of time")
    if ignored:
        notes.append(f"ignored: {', '.join(ignored[:20])}")
    return files


def _read_head(files: list[Path], options: OpenOptions) -> _Head:
    if options.venue is not None and options.venue not in VENUES:
        raise BadInput("--venue", options.venue, "one of " + ", ".join(VENUES))
    seen: dict[str, _Seen] = {}
    bare: list[_Body] = []
    bodies: list[_Body] = []
    try:
        for body in _first_bodies(files):
            if not _shown(body.s) or not _shown(body.symbol):
                continue
            bodies.append(body)
            if body.lastUpdateId is not None:
                bare.append(body)
                if body.symbol:
                    seen.setdefault(body.symbol, _Seen()).levels = _sound(body.bids + body.asks)
            elif body.s:
                seen.setdefault(body.s, _Seen()).add(_prices_of(body))
    except BadInput:
        if not seen:
            raise
    if options.symbol is not None:
        wanted = options.symbol.upper()
        if wanted not in seen:
            known = "one of " + ", ".join(list(seen)[:20]) if seen else "a symbol of the capture"
            raise BadInput("--symbol", options.symbol, known)
    if not seen:
        raise BadInput(str(files[0]), None, "frames of Binance that name a symbol in the first lines")
    for body in bare:
        if not body.symbol and (name := _nearest(seen, body)) is not None and not seen[name].levels:
            seen[name].levels = _sound(body.bids + body.asks)
    venue = VENUES[options.venue] if options.venue else _venue(bodies, list(seen))
    if options.symbol is not None:
        seen = {wanted: seen[wanted]}
    if not (options.tick and options.lot):
        seen = {name: one for name, one in seen.items() if one.levels or one.others}
        if not seen:
            raise BadInput(
                str(files[0]), None, "prices in the first lines to derive tick and lot from, or --tick and --lot"
            )
    return _Head(venue, seen, any(one.levels for one in seen.values()))


def _first_bodies(files: list[Path]) -> Iterator[_Body]:
    taken = lines = 0
    with Stream(files[0]) as stream:
        for _, line in stream.lines():
            lines += 1
            taken += len(line)
            if lines > HEAD_LINES or taken > _HEAD_BYTES:
                return
            match = _LINE(line)
            if match is None or len(line) > MAX_FRAME:
                continue
            try:
                frame = _FRAME.decode(match[2])
                yield _BODY.decode(frame.data or match[2])
            except FAULTS:
                continue


def _prices_of(body: _Body) -> list[tuple[str, str]]:
    try:
        if body.e == "depthUpdate":
            return _LEVELS.decode(body.b) + _LEVELS.decode(body.a)
        if body.p and body.q:
            return [(body.p, body.q)]
        if body.A and body.B:
            return [(_TEXT.decode(body.b), body.B), (_TEXT.decode(body.a), body.A)]
    except FAULTS:
        pass
    return []


def _shown(symbol: str) -> bool:
    return len(symbol) <= _SYMBOL_CHARS and symbol.isprintable()


def _sound(levels: list[tuple[str, str]]) -> list[tuple[str, str]]:
    # One damaged value must not decide what a tick is.
    def good(text: str) -> bool:
        try:
            mantissa, decimals = parse_decimal(text[:40])
        except BadInput:
            return False
        return 0 <= decimals <= _DECIMALS and 0 <= mantissa < 10 ** (18 + decimals)

    return [pair for pair in levels if good(pair[0]) and good(pair[1]) and parse_decimal(pair[0])[0]]


def _venue(bodies: list[_Body], symbols: list[str]) -> type[Binance]:
    if any(_DELIVERY.search(name) for name in symbols):
        return BinanceDelivery
    for body in bodies:
        if body.e in ("depthUpdate", "bookTicker") and (body.pu is not None or body.T is not None):
            return BinanceFutures
        if body.e == "depthUpdate" or (body.u and body.A and not body.e) or body.M is not None:
            return BinanceSpot
        if body.e in ("markPriceUpdate", "forceOrder") or (body.lastUpdateId is not None and body.T is not None):
            return BinanceFutures
    return BinanceFutures


def _middle_of(levels: list[tuple[str, str]]) -> float:
    return math.exp(sum(math.log(float(price)) for price, _ in levels) / len(levels)) if levels else 0.0


def _middle(seen: _Seen) -> float:
    try:
        prices = sorted(float(price) for price, _ in (seen.others or seen.levels))
        return prices[len(prices) // 2] if prices and prices[0] > 0 and math.isfinite(prices[-1]) else 0.0
    except ValueError:
        return 0.0


def _nearest(seen: dict[str, _Seen], body: _Body) -> str | None:
    if len(seen) == 1:
        return next(iter(seen))
    try:
        middle = _middle_of(body.bids[:1] + body.asks[:1])
        distance = {name: abs(math.log(_middle(one) / middle)) for name, one in seen.items()}
    except (ValueError, ZeroDivisionError):
        return None
    best = min(distance, key=distance.__getitem__)
    return best if distance[best] < 0.2 else None


def _instrument(venue: type[Binance], symbol: str, seen: _Seen, options: OpenOptions) -> Instrument:
    levels = seen.levels or seen.others
    sizes = [size for _, size in seen.levels + seen.others]
    prices = [_unpadded(price, venue) for price, _ in levels]
    found = increments(options, f"tick and lot of {symbol}: number", prices, sizes)
    return Instrument(venue=venue.name, symbol=symbol, tick=found.tick, lot=found.lot, derived=bool(found.derived))


def _unpadded(text: str, venue: type[Binance]) -> str:
    # Spot writes every number with eight decimals, whatever the tick.
    if issubclass(venue, BinanceSpot) and "." in text:
        return text.rstrip("0").removesuffix(".") or "0"
    return text
