"""From a venue's sockets to EVENT rows: a parser for each socket, and the change from one socket to its follower.

A venue is reached over one or more routes, and each route by one socket at a time. Before a socket's known end
another is opened on its route: the follower. Its rows are held until its books are live; then, at one moment, they
take the place of the old ones as a snapshot, and what the old socket had not told yet is told, so that nothing is
missing and nothing comes twice. Live and a rebuild from recorded frames both come through here, so they are equal.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from feeds.events import FACT, GAP, LAST, PRINTS_ONLY, QUOTE, S_LIVE, SNAPSHOT, STATUS, TRADE, EventBuffer, Events
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import Access, Notice
from feeds.venues._contract import Want

OVERLAP_NS: Final = 60_000_000_000
"""How long after a change of sockets the new one may repeat what the old one told."""
PATIENCE_NS: Final = 15_000_000_000
"""How long a follower may take to bring all books before it takes over with those it has."""
_TOLD: Final = (TRADE, FACT)
_ASIDE: Final = (TRADE, FACT, QUOTE, GAP)
_RECENT: Final = 4096
"""Messages with prints or facts that are remembered at the most, for a follower that begins by repeating them."""


class Heard(NamedTuple):
    """What a frame was."""

    data: bool
    """It made rows."""
    doubted: bool
    """It broke the venue's own rule, or could not be read."""


_NOTHING: Final = Heard(data=False, doubted=False)


class _Line:
    """One socket and its parser."""

    def __init__(self, route: int, parser: Access, opened_ns: int) -> None:
        self.route = route
        self.parser = parser
        self.opened_ns = opened_ns
        self.books = False
        """It has told of a book."""
        self.recent: deque[Events] = deque(maxlen=_RECENT)
        """The newest messages with prints or facts."""
        self.held: list[Events] = []
        self.live: set[int] = set()
        """Instruments whose book a follower has."""
        self.told: Counter[tuple[Any, ...]] = Counter()
        """Prints and facts the line before has told; what this one repeats is taken from it."""
        self.told_until_ns: int | None = None


class Feed:
    """The sockets of one venue, by connection numbers that are never used twice."""

    def __init__(self, venue: type[Access], instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        self.venue = venue
        self.instruments = instruments
        self.checks = checks
        self.no_fetch = False
        """Nobody will fetch a snapshot: the frames are those of a recording without any."""
        self._lines: dict[int, _Line] = {}
        self._current: dict[int, int] = {}
        self._follower: dict[int, int] = {}
        self._books: dict[int, int] = {}

    def __contains__(self, conn: int) -> bool:
        return conn in self._lines

    def has_books(self, conn: int) -> bool:
        """Whether a socket has told of a book."""
        line = self._lines.get(conn)
        return line is not None and line.books

    def open(self, conn: int, route: int, recv_ns: int) -> None:
        """A socket was opened on a route; where the route has one already, it is that one's follower."""
        parser = self.venue(self.instruments, self.checks)
        parser.no_fetch = self.no_fetch
        self._lines[conn] = _Line(route, parser, recv_ns)
        if route not in self._current:
            self._current[route] = conn
            return
        self._drop(self._follower.pop(route, None))
        self._follower[route] = conn
        for told in self._lines[self._current[route]].recent:
            if told["recv_ns"][-1] >= recv_ns - OVERLAP_NS:
                self._lines[conn].told.update(map(_key, told))

    def frame(self, conn: int, raw: bytes | str, recv_ns: int, out: EventBuffer) -> Heard:
        """Parse a frame of a socket; one that has been left behind is not listened to."""
        line = self._lines.get(conn)
        if line is None:
            return _NOTHING
        doubts, before = self._doubts(), len(out)
        line.parser.on_frame(raw, recv_ns, out)
        return self._heard(conn, line, before, doubts, recv_ns, out)

    def snapshot(self, conn: int, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> Heard:
        """Parse the answer to a snapshot request that a socket's parser wanted."""
        line = self._lines.get(conn)
        if line is None:
            return _NOTHING
        doubts, before = self._doubts(), len(out)
        line.parser.on_snapshot(symbol, raw, recv_ns, out)
        return self._heard(conn, line, before, doubts, recv_ns, out)

    def close(self, conn: int, recv_ns: int, out: EventBuffer) -> None:
        """A socket ended: its books are lost, unless a follower has them."""
        line = self._lines.pop(conn, None)
        if line is None:
            return
        if self._follower.get(line.route) == conn:
            del self._follower[line.route]
            return
        follower = self._follower.pop(line.route, None)
        if follower is None:
            del self._current[line.route]
            out.extend(_ends(line, recv_ns))
            return
        self._current[line.route] = follower
        self._take_over(line, self._lines[follower], recv_ns, out)

    def _doubts(self) -> tuple[int, int, int]:
        return (self.checks.gaps, self.checks.checksums_failed, self.checks.damaged)

    def _heard(
        self, conn: int, line: _Line, before: int, doubts: tuple[int, int, int], recv_ns: int, out: EventBuffer
    ) -> Heard:
        heard = Heard(len(out) > before, self._doubts() != doubts)
        if self._follower.get(line.route) == conn:
            self._hold(conn, line, out.cut(before), recv_ns, out)
        elif heard.data:
            self._tell(line, before, recv_ns, out)
        return heard

    # -- what is told, and what was told before --------------------------------------------------
    def _tell(self, line: _Line, before: int, recv_ns: int, out: EventBuffer) -> None:
        kinds = out.kinds(before)
        if not line.books:
            line.books = any(kind not in _ASIDE for kind in kinds)
        if TRADE not in kinds and FACT not in kinds:
            return
        rows = out.cut(before)
        if line.told_until_ns is not None:
            if recv_ns > line.told_until_ns:
                line.told.clear()
                line.told_until_ns = None
            rows = _untold(rows, line.told)
        told = rows[np.isin(rows["kind"], _TOLD)]
        if len(told):
            line.recent.append(told)
            follower = self._follower.get(line.route)
            if follower is not None:
                self._lines[follower].told.update(map(_key, told))
        out.extend(rows)

    # -- going over ------------------------------------------------------------------------------
    def _hold(self, conn: int, line: _Line, rows: Events, recv_ns: int, out: EventBuffer) -> None:
        if len(rows):
            line.held.append(rows)
            line.books = line.books or not np.isin(rows["kind"], _ASIDE).all()
            for row in rows[rows["kind"] == STATUS]:
                (line.live.add if row["aux"] == S_LIVE else line.live.discard)(int(row["inst"]))
        left = self._current[line.route]
        old = self._lines[left]
        ready = len(line.live) >= self._expected(line.route) if old.books else bool(line.held)
        if ready or (line.held and recv_ns - line.opened_ns >= PATIENCE_NS):
            del self._follower[line.route], self._lines[left]
            self._current[line.route] = conn
            self._take_over(old, line, recv_ns, out)

    def _expected(self, route: int) -> int:
        """How many instruments have their book on a route; the routes are the venue's own sockets."""
        if route not in self._books:
            sockets = self.venue.sockets(list(self.instruments))
            symbols = sockets[route].symbols if route < len(sockets) else ()
            self._books[route] = sum(symbol in self.instruments for symbol in symbols) or len(self.instruments)
        return self._books[route]

    def _take_over(self, old: _Line, line: _Line, recv_ns: int, out: EventBuffer) -> None:
        ends = _ends(old, recv_ns)
        if old.books or not line.held:
            out.extend(ends[~np.isin(ends["inst"], list(line.live))])
        line.told_until_ns = recv_ns + OVERLAP_NS
        if not line.held:
            return
        rows = np.concatenate(line.held)
        line.held.clear()
        books = rows[~np.isin(rows["kind"], _ASIDE)]
        if len(books):
            books["marks"] |= SNAPSHOT
            books["marks"] &= np.uint16(0xFFFF ^ LAST)
            books["marks"][-1] |= LAST
        told = _untold(rows[np.isin(rows["kind"], _TOLD)], line.told)
        told["marks"] |= LAST
        if len(told):
            line.recent.append(told.copy())
        for some in (books, told):
            some["recv_ns"] = recv_ns
            out.extend(some)

    def _drop(self, conn: int | None) -> None:
        if conn is not None:
            self._lines.pop(conn, None)

    # -- what the parsers ask for ----------------------------------------------------------------
    def wants(self) -> list[tuple[int, Want]]:
        """What should be fetched or asked again, and for which socket; each is given once."""
        return [(conn, want) for conn, line in self._lines.items() for want in line.parser.wants()]

    def renewal(self, conn: int, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew on a socket; none where it knows of none."""
        line = self._lines.get(conn)
        return () if line is None else line.parser.renewal(symbol)

    def replies(self) -> list[tuple[int, str]]:
        """Text frames to send back, and on which socket; each is given once."""
        return [(conn, text) for conn, line in self._lines.items() for text in line.parser.replies()]

    def notices(self) -> list[tuple[int, Notice]]:
        """What the venue said of its sockets since the last call."""
        return [(conn, said) for conn, line in self._lines.items() for said in line.parser.notices()]


def _ends(line: _Line, recv_ns: int) -> Events:
    """What a socket's end means: its books are lost, or, where it had none, prints may be missing."""
    out = EventBuffer()
    line.parser.on_disconnect(recv_ns, out)
    rows = out.take()
    if line.books:
        return rows
    rows = rows[rows["kind"] == GAP]
    rows["marks"] |= PRINTS_ONLY | LAST
    return rows


def _key(row: Any) -> tuple[Any, ...]:
    # Not aux: a print that a venue repeats after a subscription may be marked late.
    return tuple(row[name].item() for name in ("kind", "inst", "exch_ns", "tick", "lots", "side", "ref"))


def _untold(rows: Events, told: Counter[tuple[Any, ...]]) -> Events:
    """Rows without the prints and facts that were told before, each of which is taken from `told`."""
    keep = np.ones(len(rows), bool)
    for at in np.flatnonzero(np.isin(rows["kind"], _TOLD)):
        key = _key(rows[at])
        if told[key] > 0:
            told[key] -= 1
            keep[at] = False
            if rows["marks"][at] & LAST and at and keep[at - 1]:
                rows["marks"][at - 1] |= LAST
    return rows[keep]
