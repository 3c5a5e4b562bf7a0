"""A venue, live: its sockets opened, watched, replaced and opened again, and what they bring as EVENT rows.

Every frame is handed to the recorder before it is looked into. What a frame means is `feeds.feed`'s to say, how a
socket does is `feeds.link`'s; here is only the I/O between them, on one event loop. Where the reader of the rows
falls behind, sockets are read no further, and the venue's own network buffers hold what waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from feeds.backoff import Budget
from feeds.clock import TICK_NS, Clock
from feeds.errors import BadInput
from feeds.events import EventBuffer
from feeds.feed import Feed
from feeds.inbox import Inbox
from feeds.instruments import Instrument
from feeds.link import FIRST_DATA_NS, Do, Link, LinkState
from feeds.listing import key_for, rebased
from feeds.recording.blocks import CLOCKS, DISCONNECT
from feeds.recording.derived import FRAME_CHANNEL, SNAPSHOT_CHANNEL
from feeds.renewals import TRIES, Renewals
from feeds.rest import Answer
from feeds.source import Checks
from feeds.times import STEP_NS, Times
from feeds.venues._access import MAX_FRAME, Access, Socket, clean

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = [
    "STEP_NS", "WAITING_ROWS", "Client", "Fetch", "Inbox", "RouteHealth", "Sink", "Times", "Told",
]  # fmt: skip

_S: Final = 1_000_000_000
WAITING_ROWS: Final = 500_000
"""Rows that may wait for their reader before sockets are read no further."""
STILL_NS: Final = 1_000_000_000
"""A round of the loop that comes so late means that this process stood still."""
SHORT_NS: Final = 10_000_000_000
SHORT_LIVED: Final = 3
"""So many connections in a row that ended within so long make one of their symbols suspect."""
QUARANTINE_NS: Final = 600_000_000_000
"""How long a symbol is left out that ends every connection."""
_PING_S: Final = 5.0
_LOG: Final = 1000
_FETCH_S: Final = 10.0
_PAUSE_S: Final = 0.005
_TURN_S: Final = 0.1
_HTTP: Final = "http:"
"""Before a host's name where its budget is for requests."""


Fetch = Callable[..., Awaitable[Answer]]
"""Get a URL, with `body` by POST and with `headers`; raises OSError or TimeoutError where nothing came."""


class Sink(Protocol):
    """Where frames go before anything else; `feeds.recording.FrameWriter` is one."""

    def frame(
        self, channel: str, raw: bytes | str, *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take a frame."""

    def record(
        self, kind: int, payload: bytes = b"", *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take a record of another kind."""


class Told(NamedTuple):
    """A line for a person: what happened to a connection or a book, and when."""

    wall_ns: int
    where: str
    text: str


class RouteHealth(NamedTuple):
    """How one route does, for a screen."""

    url: str
    state: LinkState
    why: str
    retry_in_ns: int | None
    """Time until it is tried again, None where it is connected."""
    data_age_ns: int | None
    """Time since its last data, None before the first."""
    books: bool = False
    """It has told of a book; else it carries prints and slow inputs, or nothing yet."""


class _Open:
    """One socket that is being opened or is open."""

    def __init__(self, conn: int, link: Link) -> None:
        self.conn = conn
        self.link = link
        self.ws: ClientConnection | None = None
        self.task: asyncio.Task[None] | None = None
        self.closing = ""
        self.opened_ns = 0
        self.fruitful = False
        """It has brought data."""
        self.heard_all = False
        """Of every symbol."""
        self.unheard: set[int] = set()
        """Instruments that nothing came of, and until when that is well."""
        self.unheard_ns = 0


class _Route:
    """One of the venue's routes: the socket that is listened to, and the one that is to take its place."""

    def __init__(self, number: int, socket: Socket, link: Link, symbols: Sequence[str] = (), index: int = 0) -> None:
        self.number = number
        self.socket = socket
        self.current = _Open(0, link)
        self.next: _Open | None = None
        self.books = False
        self.symbols = tuple(symbols)
        self.index = index
        """Its place among the sockets of its symbols."""
        self.short = 0
        """Connections in a row that ended soon."""
        self.sibling: _Route | None = None
        """What has the other half of the symbols that were once asked for together."""


class Client:
    """The sockets of one venue for some instruments, on the running event loop."""

    def __init__(
        self,
        venue: type[Access],
        instruments: Mapping[str, tuple[int, Instrument]],
        *,
        fetch: Fetch,
        sockets: Sequence[Socket] | None = None,
        rest: str | None = None,
        sink: Sink | None = None,
        times: Times | None = None,
        draw: Callable[[], float] = random.random,
        budgets: dict[str, Budget] | None = None,
        again: Callable[[Sequence[str]], Sequence[Socket]] | None = None,
    ) -> None:
        """`again` gives the sockets of some of the symbols, to find out which of them a venue will not have."""
        self.venue = venue
        self.checks = Checks()
        self.feed = Feed(venue, instruments, self.checks)
        self.inbox = Inbox()
        self.log: deque[Told] = deque(maxlen=_LOG)
        """What happened, oldest first."""
        self._fetch, self._rest, self._sink = fetch, rest, sink
        self._times = times or Times()
        self._draw = draw
        self._budgets = budgets if budgets is not None else {}
        self._conns = 0
        self._stopping = False
        self._due = False
        """Rows are on their way to the inbox."""
        self._clock = Clock()
        self._out = EventBuffer()
        self._fetching: set[tuple[int, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._data_ns: dict[int, int] = {}
        self._renewals = Renewals(draw)
        self._symbols = {inst: symbol for symbol, (inst, _) in instruments.items()}
        self.shown = ""
        """The symbol somebody looks at: of many that come back at once it comes first."""
        self._urgent = 0
        """Requests that are waiting to be made for it."""
        self._again = again or (venue.sockets if sockets is None else None)
        self._round_ns = self._times.mono_ns()
        names = tuple(instruments)
        made = venue.sockets(instruments) if sockets is None else sockets
        self._routes = []
        alike: Counter[tuple[str, ...]] = Counter()
        for n, socket in enumerate(made):
            some = socket.symbols or names
            self._routes.append(_Route(n, socket, Link(venue.terms, draw), some if self._again else (), alike[some]))
            alike[some] += 1
        if self._again is not None and any(len(self._again(some)) != n for some, n in alike.items()):
            self._again = None  # which symbols are on which socket is not known
            for route in self._routes:
                route.symbols = ()
        self._key = None
        if venue.secrets:
            places = [socket.url for socket in made] + [rebased(venue.instruments_url(), rest)]
            self._key = key_for(venue, names, places)
            if self._key is None:
                self._tell(places[0], "no key is sent here: it is not the venue's own address")

    # -- running ---------------------------------------------------------------------------------
    async def run(self) -> None:
        """Keep the venue connected until cancelled; sockets are then closed and what they brought is delivered."""
        try:
            while True:
                self._clocks()
                now = self._times.mono_ns()
                for route in sorted(self._routes, key=lambda route: self.shown not in route.socket.symbols):
                    self._look_after(route, now)
                self._deliver()
                self.inbox.put(self._clock.due(self._times.now()[0]))
                await asyncio.sleep(TICK_NS / 2 / _S)
        finally:
            await self._stop()

    def _clocks(self) -> None:
        now = self._times.mono_ns()
        still, self._round_ns = now - self._round_ns, now
        if still >= STILL_NS:
            self._tell("clock", f"this process stood still for {still / _S:.1f} s")
            for one in self._opens():
                one.link.stood_still(still)
        step, slept = self._times.check(), self._times.slept()
        if step:
            self._tell("clock", f"the clock of this machine stepped by {step / _S:+.3f} s")
            if self._sink is not None:
                wall, mono = self._times.now()
                self._sink.record(CLOCKS, wall_ns=wall, mono_ns=mono)
        if slept:
            self._tell("clock", f"this machine slept for {slept / _S:.1f} s; every book is asked for anew")
            for one in self._opens():
                self._end(one, "this machine slept")

    def _opens(self) -> list[_Open]:
        return [one for route in self._routes for one in (route.current, route.next) if one is not None]

    async def _stop(self) -> None:
        # Our own end leaves no hole: the books stand as they were last.
        self._stopping = True
        opens = self._opens()
        for one in opens:
            if one.task is not None:
                one.task.cancel()
        for task in self._tasks:
            task.cancel()
        waiting = [one.task for one in opens if one.task is not None] + list(self._tasks)
        await asyncio.gather(*waiting, return_exceptions=True)
        self._deliver()
        self.inbox.close()

    def health(self) -> list[RouteHealth]:
        """How each route does now."""
        now = self._times.mono_ns()
        told = []
        for route in self._routes:
            link = route.current.link
            retry = max(0, link.retry_ns - now) if link.state is LinkState.DOWN and link.retry_ns is not None else None
            data = self._data_ns.get(route.number)
            told.append(
                RouteHealth(
                    route.socket.url, link.state, link.why, retry, None if data is None else now - data, route.books
                )
            )
        return told

    def _tell(self, where: str, text: str) -> None:
        self.log.append(Told(self._times.now()[0], where, clean(text, 300)))

    def _deliver(self, one: _Open | None = None) -> None:
        self._due = False
        if len(self._out):
            rows = self._out.take()
            if one is not None and one.unheard:
                one.unheard.difference_update(rows["inst"].tolist())
                one.heard_all = not one.unheard
            self.inbox.put(self._clock.insert(rows))

    # -- one route -------------------------------------------------------------------------------
    def _look_after(self, route: _Route, now: int) -> None:
        for one in (route.current, route.next):
            if one is None:
                continue
            if one.unheard and now >= one.unheard_ns:
                self._name_unheard(one)
            for act in one.link.tick(now):
                match act.do:
                    case Do.CONNECT if one is route.current or one.task is None:
                        self._connect(route, one, now)
                    case Do.CLOSE:
                        self._end(one, act.why)
                    case Do.PING:
                        self._send(one, self.venue.terms.ping)
                    case Do.RESUBSCRIBE:
                        self._tell(route.socket.url, f"{act.why}; subscribing again")
                        self._subscribe_again(route, one)
                    case Do.REPLACE if one is route.current and route.next is None:
                        self._tell(route.socket.url, f"{act.why}: another connection is opened first")
                        route.next = _Open(0, Link(self.venue.terms, self._draw, one.link.backoff))
                    case _:
                        pass

    def _connect(self, route: _Route, one: _Open, now: int) -> None:
        host = urlsplit(route.socket.url).netloc
        wait = self._budget(host).ask(now)
        if wait:
            one.link.retry_ns = now + wait
            return
        self._conns += 1
        one.conn = self._conns
        one.closing = ""
        one.link.connecting(now)
        one.task = asyncio.get_running_loop().create_task(self._socket(route, one))

    def _budget(self, host: str) -> Budget:
        if host not in self._budgets:
            terms = self.venue.terms
            plain = host.startswith(_HTTP)
            self._budgets[host] = Budget(10, 1.0) if plain else Budget(terms.connect_burst, 1.0 / terms.connect_s)
        return self._budgets[host]

    async def _socket(self, route: _Route, one: _Open) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

        code: int | None = None
        why = "closed"
        retry_after = 0
        opened = False
        try:
            async with connect(
                route.socket.url, open_timeout=10, ping_interval=_PING_S, ping_timeout=_PING_S, close_timeout=1,
                max_size=2 * MAX_FRAME, max_queue=64, process_exception=lambda error: error,
            ) as one.ws:  # fmt: skip
                opened = True
                self._opened(route, one)
                # Read from the first: answers may come before the last request is sent.
                asking = asyncio.get_running_loop().create_task(self._ask(route, one))
                try:
                    await self._read(route, one, one.ws)
                finally:
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else error.sent.code if error.sent is not None else 1006
            why = (
                one.closing or (error.rcvd.reason if error.rcvd is not None else "") or f"the connection ended ({code})"
            )
        except InvalidStatus as error:
            code = error.response.status_code
            after = error.response.headers.get("Retry-After", "")
            retry_after = int(after) * _S if after.isdigit() and len(after) < 7 else 0
            why = f"the venue answers {code}"
        except (OSError, TimeoutError, WebSocketException) as error:
            why = one.closing or str(error)[:200] or type(error).__name__
        finally:
            one.ws = None
            self._ended(route, one, opened, code, why, retry_after)

    def _opened(self, route: _Route, one: _Open) -> None:
        wall, mono = self._times.now()
        self.feed.open(one.conn, route.number, wall)
        one.opened_ns, one.fruitful, one.heard_all = mono, False, False
        found = self.feed.instruments
        one.unheard = {found[symbol][0] for symbol in route.symbols} if len(route.symbols) > 1 else set()
        one.unheard_ns = mono + FIRST_DATA_NS
        one.link.opened(mono, awaits_ack=bool(route.socket.frames))
        self._tell(route.socket.url, "connected")

    def _ended(self, route: _Route, one: _Open, opened: bool, code: int | None, why: str, retry_after: int) -> None:
        wall, mono = self._times.now()
        if opened and not self._stopping:
            if self._sink is not None:
                self._sink.record(DISCONNECT, str(code or "").encode(), wall_ns=wall, mono_ns=mono, conn=one.conn)
            self.feed.close(one.conn, wall, self._out)
        one.link.closed(mono, code, why, retry_after_ns=retry_after)
        one.task = None
        one.unheard.clear()
        self._renewals.ended(one.conn)
        if route.next is one:
            # The old socket is still there; what it is to be replaced by is tried again after the wait.
            self._tell(route.socket.url, f"the connection that was to follow failed: {why}")
        elif route.current is one:
            self._tell(route.socket.url, why)
            if route.next is not None:
                route.current, route.next = route.next, None
            elif not self._stopping:
                self._suspect(route, one, opened, mono)

    # -- symbols that a venue will not have ------------------------------------------------------
    def _suspect(self, route: _Route, one: _Open, opened: bool, mono: int) -> None:
        """Where connections end soon, again and again, part their symbols until the one is alone that ends them."""
        if opened and mono - one.opened_ns >= SHORT_NS:
            route.short = 0
        elif opened and not one.closing:
            # One that has brought data of every symbol was not ended for a symbol.
            route.short = 0 if one.heard_all else route.short + 1
        if route.short < SHORT_LIVED or self._again is None:
            return
        # A venue that is down ends every connection: that is no symbol's fault.
        fine = route.sibling is not None and route.sibling.current.link.state is LinkState.LIVE
        if not (fine or one.fruitful):
            return
        route.short = 0
        if len(route.symbols) > 1:
            self._part(route, self._again)
        elif fine:
            one.link.retry_ns = mono + QUARANTINE_NS
            minutes = QUARANTINE_NS // (60 * _S)
            text = f"the venue ends every connection that asks for it; left out for {minutes} min"
            self._tell(route.symbols[0], text)

    def _part(self, route: _Route, again: Callable[[Sequence[str]], Sequence[Socket]]) -> None:
        half = (len(route.symbols) + 1) // 2
        self._tell(route.socket.url, f"ends soon again and again; its {len(route.symbols)} symbols are asked for apart")
        at = self._routes.index(route)
        number = max(one.number for one in self._routes) + 1
        parts = [
            _Route(number + n, again(some)[route.index], Link(self.venue.terms, self._draw), some, route.index)
            for n, some in enumerate((route.symbols[:half], route.symbols[half:]))
        ]
        parts[0].sibling, parts[1].sibling = parts[1], parts[0]
        self._routes[at : at + 1] = parts

    def _name_unheard(self, one: _Open) -> None:
        for inst in sorted(one.unheard):
            symbol = self._symbols[inst]
            self._tell(symbol, f"subscribed, but no data within {FIRST_DATA_NS // _S} s; asked for once more")
            for text in self.feed.renewal(one.conn, symbol):
                self._send(one, text)
        one.unheard.clear()

    async def _ask(self, route: _Route, one: _Open) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._subscribe(route, one)
        except ConnectionClosed:
            pass
        except (OSError, TimeoutError) as error:
            self._end(one, str(error)[:200] or type(error).__name__)

    async def _subscribe(self, route: _Route, one: _Open) -> None:
        # What holds a key is sent, and neither told nor recorded.
        token = await self._token(route)
        frames: tuple[str, ...] = ()
        if self._key is not None:
            frames = self.venue.login(route.socket, self._key, token, self._times.now()[0] // _S)
        if self._key is None or not self.venue.awaits_login:
            frames += self._sealed(route, token)
        await self._send_all(one, frames)

    async def _send_all(self, one: _Open, frames: Sequence[str]) -> None:
        for frame in frames:
            if one.ws is not None:
                await one.ws.send(frame)
            await asyncio.sleep(self.venue.terms.send_gap_ms * one.link.backoff.pace / 1000 if len(frames) > 1 else 0)

    def _sealed(self, route: _Route, token: str) -> tuple[str, ...]:
        if self._key is None:
            return route.socket.frames
        return self.venue.sealed(route.socket, self._key, token, self._times.now()[0] // _S)

    async def _token(self, route: _Route) -> str:
        """Get what a socket's frames need besides the key; '' where that is enough. Raises OSError."""
        wanted = None if self._key is None else self.venue.token_request(self._key, self._times.now()[0] // 1_000_000)
        if wanted is None or not route.socket.symbols:
            return ""
        url = rebased(wanted.url, self._rest)
        async with asyncio.timeout(_FETCH_S):
            answer = await self._fetch(url, body=wanted.body, headers=wanted.headers)
        if answer.status != 200:
            raise OSError(f"no token: {urlsplit(url).netloc} answers {answer.status}")
        try:
            return self.venue.read_token(answer.body)
        except BadInput as error:
            raise OSError(str(error)) from None

    def _subscribe_again(self, route: _Route, one: _Open) -> None:
        if not route.socket.frames or self._key is not None:
            self._end(one, one.link.why)
            return
        for frame in route.socket.frames:
            self._send(one, frame)

    async def _read(self, route: _Route, one: _Open, ws: ClientConnection) -> None:
        while True:
            raw = await ws.recv(decode=False)
            wall, mono = self._times.now()
            if self._sink is not None:
                self._sink.frame(f"{FRAME_CHANNEL}:{route.number}", raw, wall_ns=wall, mono_ns=mono, conn=one.conn)
            damaged = self.checks.damaged
            heard = self.feed.frame(one.conn, raw, wall, self._out)
            if self.checks.damaged != damaged and self._renewals.damaged(one.conn, mono):
                self._end(one, "too many frames could not be read")
            one.link.heard(mono, data=heard.data, verified=self.venue.verification != "unverifiable" and heard.data)
            if heard.doubted:
                one.link.doubted()
            if heard.data:
                one.fruitful = True
                one.heard_all = one.heard_all or len(route.symbols) == 1
                self._data_ns[route.number] = mono
                route.books = route.books or self.feed.has_books(one.conn)
            self._follow(route, one)
            self._serve(mono)
            if one.unheard:
                self._deliver(one)
            elif not self._due:
                # At the loop's next turn: frames that are there already are read before it, and go with this one.
                self._due = True
                asyncio.get_running_loop().call_soon(self._deliver)
            while self.inbox.rows + len(self._out) > WAITING_ROWS:
                await asyncio.sleep(_PAUSE_S)

    def _follow(self, route: _Route, one: _Open) -> None:
        """Leave the old socket once the feed has gone over to its follower."""
        if route.next is one and route.current.conn not in self.feed and route.current.task is not None:
            old, route.current, route.next = route.current, one, None
            self._tell(route.socket.url, "went over to the new connection without a hole")
            self._end(old, "replaced")

    def _end(self, one: _Open, why: str) -> None:
        one.closing = why
        if one.ws is not None:
            self._spawn(self._close(one.ws))
        elif one.task is not None:
            one.task.cancel()

    async def _close(self, ws: ClientConnection) -> None:
        with contextlib.suppress(Exception):
            await ws.close()

    def _send(self, one: _Open, text: str) -> None:
        if one.ws is not None:
            self._spawn(self._say(one.ws, text))

    async def _say(self, ws: ClientConnection, text: str) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await ws.send(text)

    async def _say_all(self, one: _Open, frames: Sequence[str]) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self._send_all(one, frames)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what the parsers ask for ----------------------------------------------------------------
    def _by_conn(self, conn: int) -> Iterator[tuple[_Route, _Open]]:
        for route in self._routes:
            for one in (route.current, route.next):
                if one is not None and one.conn == conn:
                    yield route, one

    def _serve(self, mono: int) -> None:
        for conn, text in self.feed.replies():
            for _, one in self._by_conn(conn):
                self._send(one, text)
        for conn, said in self.feed.notices():
            for route, one in self._by_conn(conn):
                if said.kind == "ack":
                    one.link.acknowledged(mono)
                elif said.kind == "login":
                    self._spawn(self._say_all(one, self._sealed(route, "")))
                elif said.kind == "closing":
                    one.link.ending(mono, f"the venue says that it will close: {said.text}")
                elif said.kind == "error":
                    self._tell(route.socket.url, f"the venue says: {said.text}")
        for conn, want in self.feed.wants():
            self._tell(want.symbol, want.why)
            if want.what == "snapshot" and (conn, want.symbol) not in self._fetching:
                self._fetching.add((conn, want.symbol))
                self._spawn(self._snapshot(conn, want.symbol))
            elif want.what == "resubscribe":
                self._renew(conn, want.symbol, want.why, mono)

    def _renew(self, conn: int, symbol: str, why: str, mono: int) -> None:
        if why == "checksum" and not self._renewals.checksum(symbol, mono):
            self._tell(symbol, "checksums keep disagreeing; the book goes on and is not verified")
            return
        frames = self.feed.renewal(conn, symbol)
        for _, one in self._by_conn(conn):
            for text in frames:
                self._send(one, text)
            if not frames:
                self._end(one, why)  # to ask again on the same socket may bring nothing

    async def _snapshot(self, conn: int, symbol: str) -> None:
        url = self.venue.snapshot_url(symbol)
        try:
            if url is None:
                return
            url = rebased(url, self._rest)
            tries = 0
            wait, asked = self._renewals.snapshot(symbol, self._times.mono_ns())
            if asked == TRIES:
                self._tell(symbol, f"no snapshot fits after {TRIES - 1} tries; it is tried again")
            await asyncio.sleep(wait / _S)
            while conn in self.feed:
                answer = await self._get(url, symbol)
                if conn not in self.feed:
                    return  # nobody waits for it any more, and a recording with it would be another story
                if answer is not None:
                    wall, mono = self._times.now()
                    if self._sink is not None:
                        self._sink.frame(SNAPSHOT_CHANNEL + symbol, answer, wall_ns=wall, mono_ns=mono, conn=conn)
                    self.feed.snapshot(conn, symbol, answer, wall, self._out)
                    self._fetching.discard((conn, symbol))
                    self._serve(mono)
                    self._deliver()
                    return
                tries += 1
                await asyncio.sleep(self._draw() * min(60.0, 0.5 * 2.0 ** min(tries, 10)))
        finally:
            self._fetching.discard((conn, symbol))

    async def _turn(self, budget: Budget, symbol: str) -> None:
        """Wait until a host may be asked, and longer while the symbol somebody looks at waits for the same."""
        first = symbol == self.shown
        self._urgent += first
        try:
            while True:
                if self._urgent and not first:
                    await asyncio.sleep(_TURN_S)
                elif wait := budget.ask(self._times.mono_ns()):
                    await asyncio.sleep(wait / _S)
                else:
                    return
        finally:
            self._urgent -= first

    async def _get(self, url: str, symbol: str) -> bytes | None:
        host = urlsplit(url).netloc
        budget = self._budget(_HTTP + host)
        await self._turn(budget, symbol)
        try:
            async with asyncio.timeout(_FETCH_S):
                answer = await self._fetch(url)
        except (OSError, TimeoutError) as error:
            self._tell(symbol, f"no snapshot from {host}: {str(error)[:120] or type(error).__name__}")
            return None
        if answer.status == 200:
            return answer.body
        pause = answer.retry_after_s
        if answer.status in (418, 429, 403, 451):
            budget.block(self._times.mono_ns() + round((pause if pause is not None else 60.0) * _S))
        self._tell(symbol, f"no snapshot: {host} answers {answer.status}")
        return None
