"""Whole sessions with a venue, `*.jsonl.zst`: a header line, then every answer over HTTP, connect, send and frame.

A line is one JSON object: `t` its kind (header, http, connect, send, recv), `conn` the connection, `ts` its time
in seconds, `data` a string or `b64`. Lines are grouped by connection; they are given here in the order of time.
A session may be with several markets of a venue, each with a parser of its own: connections are told apart by
their address, answers by what they list.
"""

from __future__ import annotations

import base64
import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Self

import msgspec

from feeds.errors import BadInput
from feeds.events import BAD_TIME, EventBuffer, Events
from feeds.files._contract import Reader, Spoken
from feeds.files._streams import Stream
from feeds.instruments import Instrument, parse_decimal
from feeds.source import Checks, OpenOptions
from feeds.venues import venues
from feeds.venues._access import FAULTS, Access

MAX_CONNECTIONS: Final = 64
"""Connections of one capture; each is a pass over the file of its own where they are interleaved in time."""
HEAD_FRAMES: Final = 2_000
"""Frames kept for a venue that lists no tick, to derive it from."""
_HEAD_BYTES: Final = 1 << 24
_BATCH_ROWS: Final = 16_384
_HEADER: Final = re.compile(rb'\s*\{\s*"t"\s*:\s*"header"')


class _Line(msgspec.Struct, gc=False):
    t: str
    conn: str = ""
    ts: msgspec.Raw = msgspec.Raw()
    url: str = ""
    data: str = ""
    b64: str = ""


class _Place(msgspec.Struct, gc=False):
    t: str
    conn: str = ""
    ts: msgspec.Raw = msgspec.Raw()
    addr: str = ""


class _Header(msgspec.Struct):
    exchange: str
    t: str = ""


class _Timed(NamedTuple):
    ns: int
    number: int
    line: bytes
    fault: str = ""


class _Span(msgspec.Struct):
    """Where one connection's lines are."""

    first: int
    last: int
    venue: str
    """Name of the market it is with."""


class _Survey(msgspec.Struct):
    """What a pass over the file tells."""

    venues: dict[str, type[Access]]
    """The markets that the header's venue may stand for, by name."""
    spans: dict[str, _Span] = {}
    verified: bool = False
    """Some frame holds what the venue's verification needs."""
    ordered: bool = True
    """Times rise along the file."""
    listed: dict[tuple[str, str], Instrument] = {}
    """Instruments by market and symbol."""
    used: dict[tuple[str, str], None] = {}
    heads: list[bytes] = []
    """The first frames."""
    held: int = 0
    """Bytes of `heads`."""
    lines: int = 0

    @property
    def venue(self) -> type[Access]:
        """The first market, where only what all have in common is asked for."""
        return next(iter(self.venues.values()))


_LINE: Final = msgspec.json.Decoder(_Line)
_PLACE: Final = msgspec.json.Decoder(_Place)
_HEAD: Final = msgspec.json.Decoder(_Header)


class VenueCapture(Reader):
    """One captured session with a venue."""

    format: ClassVar[str] = "venue-capture"
    title: ClassVar[str] = "a session with a venue: header, HTTP answers and frames, one JSON object a line"

    def __init__(self, path: Path, survey: _Survey, options: OpenOptions) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.position = 0
        self.notes = [] if survey.ordered else [f"{len(survey.spans)} connections merged by time"]
        self.tier = survey.venue.tier
        self.verification = survey.venue.verification if survey.verified else survey.venue.verified_else
        self.checks = Checks()
        self._survey = survey
        self.instruments = tuple(_chosen(path, survey, options))
        if any(one.derived for one in self.instruments):
            self.notes.append("tick derived from the prices at hand, as the venue lists none")
        self._parsers: dict[str, Access] = {}
        for name in dict.fromkeys(one.venue for one in self.instruments):
            mine = {one.symbol: (i, one) for i, one in enumerate(self.instruments) if one.venue == name}
            self._parsers[name] = survey.venues[name](mine, self.checks)
            self._parsers[name].no_fetch = True
        self.venue = "+".join(self._parsers)
        self._connected: set[str] = set()

    @classmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Say whether the first line is a capture's header."""
        return not path.is_dir() and _HEADER.match(head) is not None

    @classmethod
    def open(cls, path: Path, options: OpenOptions) -> Self:
        """Go through the file once: connections, instruments, symbols that have frames."""
        if path.is_dir():
            raise BadInput(str(path), None, "one capture file")
        return cls(path, _survey(path), options)

    def rows(self) -> Iterator[Events]:
        """Give the rows in the order of the lines' times."""
        out = EventBuffer()
        late: list[tuple[int, int]] = []
        newest = said = 0
        problems = self.checks.problems
        try:
            for ns, number, raw, fault in self._lines():
                before = len(out)
                try:
                    if fault:
                        raise ValueError(fault)
                    self._line(_LINE.decode(raw), ns, out)
                except FAULTS as error:
                    self.checks.damaged += 1
                    self.checks.problem(str(error)[:200] or type(error).__name__)
                if ns < newest and len(out) > before:
                    self.checks.out_of_order += 1
                    late.append((before, len(out)))
                newest = max(newest, ns)
                if len(problems) != said:
                    problems[said:] = [f"{self.path.name}: line {number}: {text}" for text in problems[said:]]
                    said = len(problems)
                if len(out) >= _BATCH_ROWS:
                    yield self._take(out, late)
        except BadInput:
            if len(out):
                yield self._take(out, late)
            raise
        self.position = self.size
        if len(out):
            yield self._take(out, late)

    def _take(self, out: EventBuffer, late: list[tuple[int, int]]) -> Events:
        for parser in self._parsers.values():
            parser.wants()
            parser.notices()
            parser.replies()
        rows = out.take()
        for first, last in late:
            rows["marks"][first:last] |= BAD_TIME
        late.clear()
        return rows

    def _line(self, line: _Line, ns: int, out: EventBuffer) -> None:
        if line.t == "http":
            for parser in self._parsers.values():
                symbol = parser.snapshot_symbol(line.url)
                if symbol is not None:
                    parser.on_snapshot(symbol, line.data, ns, out)
            return
        span = self._survey.spans.get(line.conn)
        mine = self._parsers.get(span.venue) if span else None
        if line.t == "recv":
            if mine is None:
                self.checks.ignore("frames of another market")
                return
            mine.on_frame(base64.b64decode(line.b64, validate=True) if line.b64 else line.data.encode(), ns, out)
        elif line.t == "connect":
            if line.conn in self._connected and mine is not None:
                mine.on_disconnect(ns, out)
            self._connected.add(line.conn)
        elif line.t not in ("send", "header"):
            self.checks.ignore("lines of another kind")

    def session(self) -> Iterator[Spoken]:
        """Give everything that was said in the order of the lines' times, unparsed; what cannot be read is left out."""
        for ns, _, raw, fault in self._lines():
            try:
                line = _LINE.decode(raw)
                data = base64.b64decode(line.b64, validate=True) if line.b64 else line.data.encode()
            except FAULTS:
                continue
            span = self._survey.spans.get(line.conn)
            if fault:
                continue
            if line.t in ("recv", "connect") and span is not None:
                yield Spoken(ns, "frame" if line.t == "recv" else "connect", span.venue, line.conn, data, url=line.url)
            elif line.t == "http":
                for name, parser in self._parsers.items():
                    symbol = parser.snapshot_symbol(line.url)
                    if symbol is not None:
                        yield Spoken(ns, "snapshot", name, line.conn, data, symbol, line.url)
                        break
                else:
                    yield Spoken(ns, "answer", self.venue, line.conn, data, url=line.url)

    def _lines(self) -> Iterator[_Timed]:
        survey = self._survey
        if survey.ordered or len(survey.spans) > MAX_CONNECTIONS:
            yield from self._pass(None, _Span(0, survey.lines, ""), whole=True)
            return
        passes = [self._pass(conn, span, whole=False) for conn, span in survey.spans.items()]
        yield from heapq.merge(*passes, key=lambda timed: timed[:2])

    def _pass(self, conn: str | None, span: _Span, *, whole: bool) -> Iterator[_Timed]:
        ns = 0
        with Stream(self.path) as stream:
            for number, raw in stream.lines():
                if number < span.first:
                    continue
                if number > span.last and not whole:
                    return
                fault = ""
                try:
                    place = _PLACE.decode(raw)
                    if conn is not None and place.conn != conn:
                        continue
                    ns = _to_ns(place.ts) if place.ts else ns
                except FAULTS as error:
                    # Told once: by the pass of the first connection whose lines stand around it.
                    if not raw or not (whole or self._owner(number) == conn):
                        continue
                    fault = str(error)[:200] or type(error).__name__
                self.position = max(self.position, stream.position)
                yield _Timed(ns, number, raw, fault)

    def _owner(self, number: int) -> str | None:
        spans = self._survey.spans
        return next((conn for conn, span in spans.items() if span.first <= number <= span.last), None)


READER = VenueCapture


def _to_ns(raw: msgspec.Raw) -> int:
    text = bytes(raw).decode()
    mantissa, decimals = parse_decimal(text)
    ns: int = mantissa * 10 ** (9 - decimals) if decimals <= 9 else mantissa // 10 ** (decimals - 9)
    if not 0 <= ns < 2**62:
        raise BadInput("ts", text, "seconds since 1970")
    return ns


def _survey(path: Path) -> _Survey:
    with Stream(path) as stream:
        lines = stream.lines()
        survey = _Survey(venues=_venues(path, next(lines, (1, b""))[1]))
        find = survey.venue.symbol_pattern.search
        newest = 0
        for number, raw in lines:
            survey.lines = number
            try:
                place = _PLACE.decode(raw)
                ns = _to_ns(place.ts) if place.ts else newest
            except FAULTS:
                continue
            if place.conn not in survey.spans:
                survey.spans[place.conn] = _Span(number, number, survey.venue.name)
            span = survey.spans[place.conn]
            span.last = number
            if place.t == "connect" and len(survey.venues) > 1:
                span.venue = _market(survey, place.addr)
            survey.ordered = survey.ordered and ns >= newest
            newest = max(newest, ns)
            if place.t in ("recv", "http"):
                _look(raw, place.t, survey, span.venue, find)
    for name, one in survey.venues.items():
        for symbol, instrument in one.read_heads(survey.heads).items():
            survey.listed.setdefault((name, symbol), instrument)
    survey.heads.clear()
    return survey


def _venues(path: Path, first: bytes) -> dict[str, type[Access]]:
    try:
        header = _HEAD.decode(first)
    except FAULTS:
        raise BadInput(f"{path}: line 1", first[:40], 'a header such as {"t":"header","exchange":"KRAKEN"}') from None
    found = {venue.name: venue for venue in venues().values() if header.exchange in venue.captures}
    if not found:
        known = sorted({name for venue in venues().values() for name in venue.captures})
        raise BadInput(f"{path}: exchange", header.exchange, "one of " + ", ".join(known))
    return found


def _market(survey: _Survey, addr: str) -> str:
    """Name the market whose own address a connection was made to, the first one where it is nobody's."""
    for name, venue in survey.venues.items():
        if any(addr.partition("?")[0] == socket.url.partition("?")[0] for socket in venue.sockets(())):
            return name
    return survey.venue.name


def _look(
    raw: bytes, kind: str, survey: _Survey, market: str, find: Callable[[str], re.Match[str] | None]
) -> None:  # fmt: skip
    try:
        line = _LINE.decode(raw)
    except FAULTS:
        return
    if kind == "recv":
        survey.verified = survey.verified or survey.venue.verified_by in line.data
        found = find(line.data)
        if found and len(survey.used) < 100_000:
            survey.used.setdefault((market, found[1]))
        if len(survey.heads) < HEAD_FRAMES and survey.held < _HEAD_BYTES:
            survey.heads.append(line.data.encode("utf-8", "surrogatepass"))
            survey.held += len(line.data)
        return
    for name, venue in survey.venues.items():
        if venue.snapshot_symbol(line.url) is None:
            try:
                listed = venue.read_instruments(line.data)
            except BadInput:
                continue
            survey.listed |= {(name, symbol): one for symbol, one in listed.items()}


def _chosen(path: Path, survey: _Survey, options: OpenOptions) -> Iterable[Instrument]:
    used = [key for key in survey.used if key in survey.listed and key[1].isprintable()]
    if options.venue is not None:
        if options.venue not in survey.venues:
            names = " or ".join(repr(name) for name in survey.venues)
            raise BadInput("--venue", options.venue, f"{names}, whose capture this is")
        used = [key for key in used if key[0] == options.venue]
    known = [survey.listed[key] for key in used]
    if options.symbol is not None:
        known = [one for one in known if one.symbol.upper() == options.symbol.upper()]
        if not known:
            near = ", ".join(dict.fromkeys(symbol for _, symbol in used))
            raise BadInput("--symbol", options.symbol, f"one of {near}")
    if not known:
        raise BadInput(str(path), None, "frames of instruments that the capture lists")
    changes: dict[str, str] = {name: value for name, value in (("tick", options.tick), ("lot", options.lot)) if value}
    said = len(changes) == 2
    return [msgspec.structs.replace(one, derived=one.derived and not said, **changes) for one in known]
