"""What a person sees of damaged data: words, no number that is none, and everything else goes on."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from feeds.events import ASK, BID, BOOK, LAST, S_HALTED, S_LIVE, SNAPSHOT, STATUS
from feeds.instruments import Instrument
from feeds.link import LinkState
from feeds.live import RouteHealth
from feeds.recording.blocks import FRAME, unpack_frame
from feeds.recording.segments import Damage, FrameReader
from tapeview import camera
from tapeview.engine import Engine
from tapeview.livelane import link_state
from tapeview.snapshot import Snapshot, Window
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.status import TruthLine
from tapeview.ui.widgets.tape import Tape
from tests.feeds.test_feed import TWO, Server
from tests.kit import snapshots as kit
from tests.kit.live import LIST, LISTED
from tests.kit.proxy import Proxy
from tests.kit.screen import assert_aligned, drawn, lines
from tests.kit.streams import table
from tests.kit.terminal import Terminal
from tests.kit.venue_server import VenueServer

ONE = Instrument(venue="test", symbol="ONE", tick="1", lot="1")
WINDOW = Window(rows=20, tape_rows=5, meters=True)
Level = tuple[int, int, int]


def shown(*messages: list[Level], instrument: Instrument = ONE, status: int | None = None) -> Snapshot:
    """A picture after messages of (side, tick, lots), the first of them a snapshot, half a second apart."""
    ops, gaps = [], []
    for n, message in enumerate(messages):
        for k, (side, tick, lots) in enumerate(message):
            last = LAST if k == len(message) - 1 else 0
            ops.append((BOOK, side, tick, lots, n, 0, last | (SNAPSHOT if n == 0 else 0)))
            gaps.append(500_000_000 if k == 0 else 0)
        if n == 0:
            ops.append((STATUS, 0, 0, 0, n, S_LIVE, LAST))
            gaps.append(0)
    if status is not None:
        ops.append((STATUS, 0, 0, 0, 0, status, LAST))
        gaps.append(0)
    engine = Engine(instrument)
    engine.apply(table(ops, gaps, clock=True))
    state = kit.status(state=engine.book.state_name, why=engine.book.why, instrument=instrument.name)
    return camera.take(engine, instrument, WINDOW, state)


def words(snapshot: Snapshot) -> dict[str, str]:
    """The text of the panels."""
    found = {}
    for panel, size in ((TruthLine(), (120, 1)), (Ladder(), (90, 20)), (Meters(), (60, 12)), (Tape(), (60, 6))):
        rows = drawn(panel, snapshot, size=size)
        assert_aligned(rows, size[0])
        found[type(panel).__name__] = "\n".join(lines(rows))
    return found


SOUND = [(BID, 100, 5), (BID, 99, 4), (ASK, 101, 6), (ASK, 102, 2)]


def test_a_crossed_book_is_said_and_its_numbers_are_not_told_as_sound() -> None:
    well, ill = shown(SOUND), shown(SOUND, [(BID, 103, 1)], [(BID, 98, 1)], [(BID, 97, 1)])
    assert ill.status.state == "crossed"
    told = words(ill)
    assert "CROSSED" in told["TruthLine"]
    assert "CROSSED" not in words(well)["TruthLine"]
    assert "-2" not in told["Meters"], "no spread below 0"
    assert ill.ladder is not None
    assert ill.ladder.bid.sum() == 5 + 4 + 1 + 1 + 1, "what the venue said is all there"


@pytest.mark.parametrize(
    ("levels", "bid", "ask"),
    [
        ([(BID, 100, 5), (ASK, 101, 6)], 100, 101),
        ([(BID, 100, 5)], 100, None),
        ([(ASK, 101, 6)], None, 101),
        ([(BID, 100, 5), (BID, 100, 0)], None, None),
    ],
)
def test_a_book_with_one_side_or_none_is_drawn_without_a_middle(
    levels: list[Level], bid: int | None, ask: int | None
) -> None:
    picture = shown(levels)
    words(picture)
    assert picture.ladder is not None
    assert (picture.ladder.best_bid, picture.ladder.best_ask) == (bid, ask)


def test_absurd_prices_are_there_and_do_not_move_the_picture() -> None:
    picture = shown(SOUND, [(BID, 1, 1), (ASK, 10_000_000, 1)])
    assert picture.ladder is not None
    assert (picture.ladder.best_bid, picture.ladder.best_ask) == (100, 101)
    plain = shown(SOUND).ladder
    assert plain is not None
    assert picture.ladder.tick.tolist() == plain.tick.tolist()
    assert words(picture)["Ladder"] == words(shown(SOUND, [(BID, 100, 5)]))["Ladder"]


def test_a_halt_is_said() -> None:
    assert "HALTED" in words(shown(SOUND, status=S_HALTED))["TruthLine"]


@pytest.mark.parametrize("name", ["\x1b[2J", "\x07\x9b31m", "\u202eXBT", "A\u0301\u200b", "株式会社", "\U0001f600"])
def test_no_name_of_a_venue_is_obeyed_by_the_terminal_or_shifts_a_column(name: str) -> None:
    picture = shown(SOUND, instrument=Instrument(venue="test", symbol=name, tick="1"))
    picture = replace(picture, status=replace(picture.status, why=name, source=name, state="stale"))
    for text in words(picture).values():
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "\u202e" not in text


def test_of_two_sockets_the_worse_is_told() -> None:
    books = RouteHealth("wss://books", LinkState.LIVE, "", None, 0, books=True)
    prints = RouteHealth("wss://prints", LinkState.STALE, "nothing came for 60 s", None, 60)
    for routes in ([books, prints], [prints, books]):
        told = link_state(routes)
        assert (told.state, told.why) == ("stale", "nothing came for 60 s")
    assert link_state([books]).state == "live"


# -- the program in a terminal ---------------------------------------------------------------------------
def frames_in(folder: Path) -> int:
    """Frames of sockets that are on the disk."""
    if not any((folder / "frames").glob("*.tvr")):
        return 0
    records = [one for one in FrameReader(folder).records() if not isinstance(one, Damage) and one.kind == FRAME]
    return sum(unpack_frame(one.payload)[0].startswith("ws") for one in records)


async def until(what: object, seconds: float = 20.0) -> None:
    """Wait until something is so."""
    assert callable(what)
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(what):
            await asyncio.sleep(0.05)


@pytest.fixture
def away(tmp_path: Path) -> dict[str, str | None]:
    """An environment whose own files lie elsewhere."""
    names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    return dict.fromkeys(names, str(tmp_path / "own")) | {"TAPEVIEW_CONFIG": str(tmp_path / "own" / "config.toml")}


async def test_a_terminal_that_takes_nothing_holds_up_neither_feed_nor_recorder(
    tmp_path: Path, away: dict[str, str | None]
) -> None:
    market, out = Server(4), tmp_path / "kept"
    async with VenueServer(lambda: [market.snapshot(symbol) for symbol in TWO]) as venue:
        venue.pages[LIST] = LISTED
        rest = venue.url.replace("ws:", "http:")
        run = ["-m", "tapeview", "live", "okx:BTC-X", "--url", venue.url, "--rest", rest, "--record", str(out)]
        with Terminal(*run, size=(120, 36), env=away) as terminal:
            await asyncio.to_thread(terminal.wait_for, "LIVE", 40.0)
            terminal.stop_reading()
            before = await asyncio.to_thread(frames_in, out)
            for n in range(600):
                await venue.say(market.next())
                await asyncio.sleep(0.005 if n % 10 == 0 else 0)
            await until(lambda: frames_in(out) >= before + 600)
            terminal.go_on_reading()
            terminal.signal(signal.SIGTERM)
            assert await asyncio.to_thread(terminal.ended) == 143


async def test_a_screen_reaches_its_venue_through_the_proxy_it_is_told(away: dict[str, str | None]) -> None:
    market = Server(4)
    away |= dict.fromkeys(("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"))
    async with Proxy() as proxy, VenueServer(lambda: [market.snapshot(symbol) for symbol in TWO]) as venue:
        venue.pages[LIST] = LISTED
        rest = venue.url.replace("ws:", "http:")
        run = ["-m", "tapeview", "live", "okx:BTC-X", "--url", venue.url, "--rest", rest, "--proxy", proxy.url]
        with Terminal(*run, size=(120, 36), env=away) as terminal:
            await asyncio.to_thread(terminal.wait_for, "LIVE", 40.0)
            terminal.signal(signal.SIGTERM)
            assert await asyncio.to_thread(terminal.ended) == 143
    assert f"CONNECT {rest.removeprefix('http://')}" in proxy.asked
    assert any(one.startswith(f"GET {rest}") for one in proxy.asked)
