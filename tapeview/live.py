"""Live markets on a screen: a client for each venue, a session behind each client, and snapshots of where they are.

Clients run on one event loop in a thread of its own. Behind each of them a thread takes the rows that came and
applies them in small pieces, so that engine, detectors and recorder go on whatever the screen does; the screen takes
snapshots between two pieces. Whatever grows with time is bounded: alerts, log, holes, latencies.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from feeds.errors import BadInput
from feeds.events import NONE
from feeds.instruments import Instrument
from feeds.listing import Logged, parse, parse_line, rebased
from feeds.listing import Market as OfVenue
from feeds.livesource import Wires, open_line
from tapeview import camera
from tapeview.config import Config, Loaded
from tapeview.config import thresholds as thresholds_of
from tapeview.engine import Engine, failure, ready, start_background
from tapeview.livelane import Connection, Lane, News, Shot, link_state
from tapeview.market import Market, Place, Refused
from tapeview.snapshot import SOUND, LinkPart, SavedPart, Snapshot, StatusPart, Window
from tapeview.times import utc_offset_s
from tapeview.trading.plan import Plan, open_account, open_lane

if TYPE_CHECKING:
    from feeds.ongoing import Ongoing
    from feeds.rest import Answer
    from tapeview.desk.commands import AnyCommand
    from tapeview.detectors._declare import Thresholds
    from tapeview.trading import Account

Address = OfVenue | Logged
_S: Final = 1_000_000_000
_NEVER: Final = threading.Event()
_LIST_S: Final = 12.0
"""Longest that a venue's list is waited for before the screen is shown without it."""
_WAITS_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Waits before a list of instruments is asked for again."""
_NO_SUCH: Final = (400, 404)
"""HTTP statuses by which a venue says that it knows no such symbol."""
_NEWS: Final = 2000
_RATE_NS: Final = 2 * _S
_STILL_NS: Final = 100_000_000
"""Ages on the screen are told anew so often though nothing comes."""
MOST: Final = 9
"""Instruments at most: as many as there are keys for."""


class Options(NamedTuple):
    """How a person wants venues reached."""

    url: str | None = None
    rest: str | None = None
    """Scheme and host that take the place of the venue's, as of a test net or a mirror."""
    record: Path | None = None
    """The recording's folder; with several venues, the folder of their recordings."""


class _Line:
    """The addresses that share one client, from the moment they were asked for."""

    def __init__(self, addresses: Sequence[Address], folder: Path | None) -> None:
        self.addresses = list(addresses)
        self.folder = folder
        self.lane: Lane | None = None
        self.state = "connecting"
        self.why = "asking the venue for its instruments"
        self.retry_at: float | None = None
        """When the venue is asked again, by the monotonic clock."""
        self.ended = threading.Event()


class _Tab(NamedTuple):
    """An instrument on the screen."""

    line: _Line
    address: Address


class LiveMarket(Market):
    """Instruments of venues, as they are now."""

    follows: ClassVar[bool] = True

    def __init__(
        self,
        options: Options | None = None,
        settings: Config | None = None,
        thresholds: Mapping[str, Thresholds] | None = None,
        draw: Callable[[], float] = random.random,
        desk: Plan | None = None,
    ) -> None:
        """`draw` gives the numbers in [0, 1) by which waits between tries are spread.

        Without `desk` there is no paper trading.
        """
        self._draw = draw
        self.settings = settings or Config()
        self.account = None if desk is None else open_account(desk, self.settings, None, live=True)
        """The paper account of all lanes."""
        self._listening = desk is not None and bool(desk.office.outlets)
        """Somebody hears of alerts from the start."""
        self.options = options or Options()
        self.wires = Wires(_agent())
        self.playing = True
        self.coalesced = 0
        self.index = 0
        """The instrument shown."""
        self.recorded: list[Path] = []
        """Folders with frames, in the order they were begun."""
        self.news: deque[News] = deque(maxlen=_NEWS)
        """What happened to connections, books and the disk, oldest first."""
        self.told = 0
        """News so far, those no longer kept included."""
        self._thresholds = thresholds_of(Loaded(self.settings, {})) if thresholds is None else thresholds
        self._tabs: list[_Tab] = []
        self._blank: dict[Address, Engine] = {}
        self._number = 0
        self._rate: deque[tuple[int, int]] = deque()
        self._shown: tuple[object, ...] = ()
        self._next_ns = 0
        self._telling = threading.Lock()
        self._began_ns = time.time_ns()

    # -- instruments ---------------------------------------------------------------------------
    def open(self, addresses: Iterable[str], wait_s: float = _LIST_S) -> None:
        """Connect to the instruments, one client a venue; for the first ones.

        Raises BadInput for addresses that are none and for symbols their venue does not list. A venue that does not
        answer is asked again and again meanwhile.
        """
        by_venue: dict[Any, list[Address]] = {}
        for address in dict.fromkeys(map(parse_line, addresses)):
            by_venue.setdefault(address.key, []).append(address)
        lines = [_Line(found, self._folder(found, len(by_venue))) for found in by_venue.values()]
        for line in lines:
            self._tabs += [_Tab(line, address) for address in line.addresses]
        if len(self._tabs) > MOST:
            raise BadInput("instruments", len(self._tabs), f"{MOST} at most")
        firsts = [self._begin(line, at_once=True) for line in lines]
        end = time.monotonic() + wait_s
        for first in firsts:
            with contextlib.suppress(concurrent.futures.TimeoutError):
                first.result(max(0.0, end - time.monotonic()))

    def add(self, text: str) -> int:
        """Show one more instrument, on a connection of its own; give its place. Raises BadInput where it is none."""
        address = parse_line(text)
        symbol = address.symbol.casefold()
        for index, tab in enumerate(self._tabs):
            if tab.address.key == address.key and tab.address.symbol.casefold() == symbol:
                self.select(index)
                return index
        if len(self._tabs) >= MOST:
            raise Refused(f"{MOST} instruments are the most; I takes the one shown away")
        line = _Line([address], self._folder([address], 2))
        self._tabs.append(_Tab(line, address))
        self._begin(line)
        self.select(len(self._tabs) - 1)
        return self.index

    def remove(self, index: int) -> None:
        """Take an instrument away, and end its connection where no other needs it.

        Refused while an order works or a position is open on it.
        """
        if len(self._tabs) == 1:
            raise Refused("the only instrument: q leaves")
        self._hold_still(self._tabs[index].line.lane, "take it away")
        tab = self._tabs.pop(index)
        self._blank.pop(tab.address, None)
        self.select(min(self.index if index > self.index else max(0, self.index - 1), len(self._tabs) - 1))
        if not any(other.line is tab.line for other in self._tabs):
            threading.Thread(target=self._end, args=(tab.line,), name="ending", daemon=True).start()

    def _folder(self, addresses: Sequence[Address], venues: int) -> Path | None:
        base = self.options.record
        if base is None:
            return None
        if venues == 1:
            return base
        name = addresses[0].venue.name
        folder = base / name if not self._tabs else base.with_name(f"{base.name}+{name}")
        number = 1
        place = folder
        while place.exists() or place in self.recorded:
            number += 1
            place = folder.with_name(f"{folder.name}-{number}")
        return place

    # -- connecting ----------------------------------------------------------------------------
    def _begin(self, line: _Line, *, at_once: bool = False) -> concurrent.futures.Future[None]:
        """Ask for the list until it comes; the future is done, or fails, after the first try."""
        first: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.wires.start(self._attach(line, first, at_once))
        return first

    async def _attach(self, line: _Line, first: concurrent.futures.Future[None], at_once: bool) -> None:
        tries = 0
        while not line.ended.is_set():
            line.state, line.retry_at = "connecting", None
            try:
                await self._connect(line)
                _done(first)
                return
            except BadInput as error:
                line.state, line.why = "refused", str(error)
                self.tell(line.addresses[0].venue.name, str(error), loud=True)
                if at_once and not first.done():
                    first.set_exception(error)
                _done(first)
                return
            except OSError as error:
                wait = _WAITS_S[min(tries, len(_WAITS_S) - 1)]
                tries += 1
                line.why = f"no list of instruments: {str(error)[:160] or type(error).__name__}"
                line.state, line.retry_at = "reconnecting", time.monotonic() + wait
                self.tell(line.addresses[0].venue.name, line.why)
                _done(first)
                await asyncio.sleep(wait)
            except Exception as error:
                line.state, line.why = "refused", f"a fault in the program: {type(error).__name__}: {error}"
                self.tell(line.addresses[0].venue.name, line.why, loud=True)
                _done(first)
                return

    async def _connect(self, line: _Line) -> None:
        kept: dict[str, Answer] = {}

        async def get(url: str, **more: Any) -> Answer:
            if url not in kept:
                answer = await self.wires.get(url, **more)
                if answer.status not in (200, *_NO_SUCH):
                    raise OSError(f"{urlsplit(url).netloc} answers {answer.status}")
                kept[url] = answer
            return kept[url]

        source = await open_line(
            line.addresses, self.wires, get, url=self.options.url, rest=self.options.rest, record=line.folder,
            draw=self._draw,
        )  # fmt: skip
        if line.folder is not None:
            self.recorded.append(line.folder)
        if line.ended.is_set():
            source.stop()
            return
        line.lane = self._lane(source, line.folder)
        self._show()
        if not self.playing:
            line.lane.hold()

    def _lane(self, source: Ongoing, folder: Path | None) -> Lane:
        lane = Lane(source, self.settings.engine, self._thresholds, self.tell)
        if self.account is not None:
            with lane.quiet():
                lane.trading = open_lane(
                    self.account, None, lane.session, lambda: lane.log,
                    recording="" if folder is None else str(folder.absolute()), at_once=self._listening,
                )  # fmt: skip
        return lane

    def _end(self, line: _Line) -> None:
        line.ended.set()
        if line.lane is not None:
            line.lane.close()

    # -- news ----------------------------------------------------------------------------------
    def tell(self, where: str, text: str, *, wall_ns: int | None = None, loud: bool = False) -> None:
        """Keep a line for the log; a loud one is also told on the bottom line."""
        with self._telling:
            self.news.append(News(time.time_ns() if wall_ns is None else wall_ns, where, text, loud))
            self.told += 1

    def news_since(self, told: int) -> list[News]:
        """What was told after the first `told` lines, oldest first."""
        with self._telling:
            new = min(self.told - told, len(self.news))
            return list(self.news)[len(self.news) - new :] if new > 0 else []

    # -- what there is -------------------------------------------------------------------------
    @property
    def addresses(self) -> list[str]:
        """The instruments shown, as addresses."""
        return [tab.address.text for tab in self._tabs]

    @property
    def lanes(self) -> list[Lane | None]:
        """The lane behind each instrument; None while its venue has not told of it."""
        return [tab.line.lane for tab in self._tabs]

    def _each(self) -> list[Lane]:
        return list({id(lane): lane for lane in self.lanes if lane is not None}.values())

    def _here(self) -> tuple[_Tab, Lane | None, int]:
        tab = self._tabs[self.index]
        lane = tab.line.lane
        return tab, lane, lane.place_of(tab.address.symbol) if lane is not None else 0

    def place(self) -> Place:
        """The instrument shown; Refused while its venue has not told of it."""
        _, lane, k = self._here()
        if lane is None:
            raise Refused("not connected yet")
        return Place(lane.session, lane.log, k)

    @property
    def start_ns(self) -> int | None:
        """When the market was opened on this screen."""
        return self._began_ns

    @property
    def market_ns(self) -> int | None:
        """Now; while the picture is held, the moment it is of as well."""
        _, lane, _ = self._here()
        return lane.source.times.now()[0] if lane is not None else time.time_ns()

    @property
    def ended(self) -> bool:
        """Never: a venue goes on."""
        return False

    # -- going on ------------------------------------------------------------------------------
    def tick(self, now_ns: int) -> bool:
        """See whether anything is new; the rows are applied elsewhere."""
        tab, lane, _ = self._here()
        for other in self._each():
            other.check()
        if self.account is not None:
            self._sample(self.account)
        told = self.account.told[-1][0] if self.account is not None and self.account.told else 0
        shown = (id(lane), lane.session.seq if lane is not None else -1, tab.line.state, self.playing, told)
        if shown == self._shown and now_ns < self._next_ns:
            return False
        self._shown, self._next_ns = shown, now_ns + _STILL_NS
        return True

    def play(self) -> None:
        """Show what is now again."""
        self.playing = True
        for lane in self._each():
            lane.release()

    def pause(self) -> None:
        """Hold the picture; the market, the detectors and the recorder go on."""
        self.playing = False
        for lane in self._each():
            lane.hold()

    def select(self, index: int) -> bool:
        """Show another instrument; False where there is none of that number."""
        if not 0 <= index < len(self._tabs):
            return False
        lane = self._tabs[self.index].line.lane if self.index < len(self._tabs) else None
        if lane is not None and lane.trading is not None and index != self.index:
            with lane.quiet():
                lane.trading.disarm("another instrument is shown")
        self.index = index
        self._rate.clear()
        self._show()
        return True

    def _show(self) -> None:
        _, lane, k = self._here()
        if lane is not None:
            lane.source.show(lane.source.symbols[k])

    def anchor(self) -> int:
        """Start a VWAP anchor now; give its slot."""
        with self._quiet():
            return super().anchor()

    def drop_anchor(self, slot: int) -> None:
        """Remove a user's anchor."""
        with self._quiet():
            super().drop_anchor(slot)

    def _quiet(self) -> Any:
        _, lane, _ = self._here()
        if lane is None:
            raise Refused("not connected yet")
        return lane.quiet()

    def close(self) -> None:
        """End the connections and the recordings in order."""
        for line in {id(tab.line): tab.line for tab in self._tabs}.values():
            self._end(line)
        self.wires.close()

    # -- trading -------------------------------------------------------------------------------
    def _sample(self, account: Account) -> None:
        account.tick()
        lanes = self._each()
        if not account.together.alone:
            with contextlib.ExitStack() as still:
                for lane in lanes:
                    still.enter_context(lane.quiet())
                account.together.sample(time.time_ns())

    def send(self, command: AnyCommand) -> None:
        """Give the desk of the instrument shown a command, after the newest row; Refused where there is none."""
        _, lane, k = self._here()
        if lane is None:
            raise Refused("not connected yet")
        if lane.trading is None:
            super().send(command)
            return
        lane.trading.account.open_journal()
        with lane.quiet():
            lane.trading.send(msgspec.structs.replace(command, inst=k))

    def touched(self) -> None:
        """A person pressed a key: work goes on."""
        if self.account is not None:
            self.account.touched()

    def _hold_still(self, lane: Lane | None, what: str) -> None:
        if lane is not None and lane.trading is not None:
            with lane.quiet():
                lane.trading.refuse_while_busy(what)

    # -- thresholds ----------------------------------------------------------------------------
    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """The thresholds in force."""
        return self._thresholds

    def prepare(
        self,
        thresholds: Mapping[str, Thresholds],
        stop: threading.Event = _NEVER,
        told: Callable[[float], None] | None = None,  # noqa: ARG002
    ) -> Mapping[str, Thresholds] | None:
        """Nothing is to be prepared: what has been cannot be run again.

        Refused while an order works or a position is open.
        """
        for lane in self._each():
            self._hold_still(lane, "run other detectors")
        return None if stop.is_set() else thresholds

    def adopt(self, prepared: Mapping[str, Thresholds]) -> None:
        """Run the detectors under other thresholds from now on."""
        for lane in self._each():
            self._hold_still(lane, "run other detectors")
        self._thresholds = prepared
        for lane in self._each():
            lane.retune(prepared)
        self.tell("detectors", "other thresholds, from now on")

    # -- the picture ---------------------------------------------------------------------------
    def snapshot(self, window: Window) -> Snapshot:
        """Copy what the window asks for, of now or of the moment that is held."""
        self._number += 1
        tab, lane, k = self._here()
        if lane is None:
            # Nothing is known of the instrument yet, not even its tick: no price is shown.
            asked = replace(window, rows=0, meters=False)
            return camera.take(self._blank_engine(tab), self._instrument(tab), asked, self._unknown(tab), self._number)
        with lane.quiet():
            shot = lane.held or lane.now()
            status = self._status(tab, lane, shot, k)
            alerts = lane.log.part(k, shot.seq, window) if lane.session.watches and window.alert_rows else None
            taken = camera.take(
                shot.engines[k], lane.session.instruments[k], window, status, self._number, alerts,
                lane.session.gaps.newest(k, shot.seq),
                desk=lane.trading.part(k) if lane.trading is not None else None,
            )  # fmt: skip
            last = lane.sound.get(k)
            if last is None or taken.ladder is None or status.state in SOUND or lane.held is not None:
                return taken
            # The old numbers stay readable under the words that say why they are old.
            return replace(taken, ladder=camera.ladder(last, taken.scale, window))

    def _instrument(self, tab: _Tab) -> Instrument:
        return Instrument(venue=tab.address.venue.name, symbol=tab.address.symbol, tick="1")

    def _blank_engine(self, tab: _Tab) -> Engine:
        if tab.address not in self._blank:
            self._blank[tab.address] = Engine(self._instrument(tab), self.settings.engine)
        return self._blank[tab.address]

    def _common(self, tab: _Tab, now: int) -> dict[str, Any]:
        venue, lane = tab.address.venue, tab.line.lane
        about = venue if lane is None else lane.source.info
        return {
            "instrument": f"{venue.name}:{tab.address.symbol}",
            "instruments": tuple(one.address.symbol for one in self._tabs),
            "index": self.index, "source": "", "mode": "LIVE", "tier": about.tier, "verification": about.verification,
            "market_ns": now, "playing": self.playing, "speed": 1.0, "ended": False, "start_ns": self._began_ns,
            "end_ns": now, "timeline": (), "indexed": 1.0, "coalesced": self.coalesced,
        }  # fmt: skip

    def _unknown(self, tab: _Tab) -> StatusPart:
        line, now = tab.line, time.time_ns()
        retry = None if line.retry_at is None else max(0, round((line.retry_at - time.monotonic()) * _S))
        link = LinkPart(line.state, line.why, retry, line.state, 0, 0, 0, None, None, 0, 0)
        why = Connection(line.state, line.why, retry).words()
        return StatusPart(
            **self._common(tab, now), state=line.state, why=why, events=0, events_per_s=0.0, book_age_ns=None,
            tape_age_ns=None, gaps=0, partial_since_ns=None, notice=_notice(), link=link,
        )  # fmt: skip

    def _status(self, tab: _Tab, lane: Lane, shot: Shot, k: int) -> StatusPart:
        engine, instrument = shot.engines[k], lane.session.instruments[k]
        now = lane.source.times.now()[0]
        health = lane.source.client.health()
        carriers = [route for route in health if route.books] or health
        book_state = engine.book.state_name
        down = link_state(carriers)
        whole = link_state(health)
        state = down.state if down.state != "live" else book_state
        worse = whole.state if whole.state != "live" else book_state
        why = whole.why if whole.state != "live" else engine.book.why
        others = [route for route in health if not route.books] if len(carriers) < len(health) else health
        counters = engine.counters
        waiting, lag_ns = lane.lag(now)
        hole, newest = lane.session.gaps.first(k, shot.seq), lane.session.gaps.newest(k, shot.seq, 1)
        book_ns = engine.book.last_update_ns
        if book_ns == NONE and newest and newest[0].until_ns is None:
            book_ns = newest[0].since_ns
        link = LinkPart(
            state=worse, why=why, retry_ns=whole.retry_ns, tape_state=link_state(others).state,
            checked=counters["checked"], failed=counters["suspect"], messages=lane.source.checks.messages,
            latency_ns=lane.late.middle_and_worst(), clock_off_ns=lane.late.off_ns(), waiting=waiting, lag_ns=lag_ns,
            held_ns=shot.at_ns if lane.held is not None else None, saved=self._saved(lane),
        )  # fmt: skip
        return StatusPart(
            **self._common(tab, now), state=state, why=down.words() if down.state != "live" else engine.book.why,
            events=engine.events, events_per_s=self._events_per_s(engine.events, now),
            book_age_ns=_age(book_ns, now), tape_age_ns=_age(engine.tape.last_ns, now),
            gaps=counters["gaps"], partial_since_ns=hole.since_ns if hole is not None else None, notice=_notice(),
            counters=tuple((name, int(value)) for name, value in counters.items()),
            utc_offset_s=utc_offset_s(now, instrument.timezone), zone=instrument.timezone, link=link,
        )  # fmt: skip

    def _saved(self, lane: Lane) -> SavedPart | None:
        queue = lane.source.queue
        if queue is None:
            return None
        trouble = lane.trouble
        return SavedPart(queue.frames, queue.bytes, queue.dropped, trouble[0] if trouble else "",
                         trouble[1] if trouble else None)  # fmt: skip

    def _events_per_s(self, events: int, now: int) -> float:
        while self._rate and self._rate[0][0] < now - _RATE_NS:
            self._rate.popleft()
        self._rate.append((now, events))
        (then, before), (_, after) = self._rate[0], self._rate[-1]
        return max(0.0, (after - before) * 1e9 / (now - then)) if now > then else 0.0


def _done(first: concurrent.futures.Future[None]) -> None:
    if not first.done():
        first.set_result(None)


def _age(then: int, now: int) -> int | None:
    return None if then == NONE else max(0, now - then)


def _notice() -> str:
    if ready():
        return ""
    return failure() or "kernels are being compiled, once on this machine; plain Python until then"


def _agent() -> str:
    from feeds.recording.manifest import program

    return program()


def symbols(venue: str, rest: str | None = None) -> tuple[str, ...]:
    """The symbols a venue lists, in their order; raises OSError or BadInput where it does not. For a thread."""
    found = parse(f"{venue}:*").venue
    with Wires(_agent()) as wires:
        listed_there: dict[str, Instrument] = {}
        for url in dict.fromkeys((*found.listing_urls(()), found.instruments_url())):
            answer = wires.wait(wires.get(rebased(url, rest), body=found.instruments_body), _LIST_S)
            if answer.status != 200:
                raise OSError(f"{url} answers {answer.status}")
            listed_there |= found.read_instruments(answer.body)
    return tuple(sorted(listed_there))


def open_market(
    addresses: Sequence[str],
    options: Options | None = None,
    settings: Config | None = None,
    thresholds: Mapping[str, Thresholds] | None = None,
    recorded: list[Path] | None = None,
    desk: Plan | None = None,
) -> LiveMarket:
    """Open venues for the screen; raise BadInput for what can be no instrument. Takes a while: for a thread.

    The folders of recordings are put into `recorded` as they are begun.
    """
    import tapeview.watch  # noqa: F401  (detectors' kernels are compiled with the engine's)

    for address in addresses:
        parse_line(address)
    start_background()
    market = LiveMarket(options, settings, thresholds, desk=desk)
    if recorded is not None:
        market.recorded = recorded
    try:
        market.open(addresses)
    except BaseException:
        market.close()
        raise
    return market
