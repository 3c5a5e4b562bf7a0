"""`tapeview record` as a person runs it, against a venue on loopback that speaks OKX's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from feeds.errors import BadInput
from feeds.events import GAP, TRADE
from feeds.recording import derive_events, open_recording, verify
from feeds.recording.manifest import read_manifest
from tapeview.cli.record import duration
from tapeview.record import Disk
from tests.feeds.test_feed import TWO, Server, engines, equal
from tests.kit.recordings import all_rows
from tests.kit.venue_server import VenueServer

LISTING = msgspec.json.encode({"data": [{"instId": name, "tickSz": "1", "lotSz": "1"} for name in TWO]})
ROOT = Path(__file__).parents[2]
ADDRESSES = ["okx:BTC-X", "okx:eth-x"]


@contextlib.asynccontextmanager
async def venue() -> AsyncIterator[tuple[VenueServer, Server]]:
    """A venue that lists two instruments and talks on its own."""
    market = Server(3)
    async with VenueServer(lambda: [market.snapshot(symbol) for symbol in TWO]) as server:
        server.pages["/api/v5/public/instruments?instType=SPOT"] = LISTING

        async def talk() -> None:
            while True:
                await server.say(market.next())
                await asyncio.sleep(0.005)

        talking = asyncio.create_task(talk())
        try:
            yield server, market
        finally:
            talking.cancel()


class Process:
    """The program, whose pipes are closed when it has ended."""

    def __init__(self, words: list[str]) -> None:
        environ = os.environ | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tapeview", "record", *words]
        self._process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.send_signal, self.kill = self._process.send_signal, self._process.kill

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """Wait for its end; what it printed and what it said."""
        return await asyncio.to_thread(self._process.communicate, timeout=60)


async def tapeview(*words: str, url: str = "") -> Process:
    """Start the program."""
    hosts = ["--url", url, "--rest", url.replace("ws://", "http://")] if url else []
    return Process([*words, *hosts])


async def until_frames(folder: Path, server: VenueServer) -> None:
    """Wait until the capture is under way."""
    async with asyncio.timeout(30):
        while not (server.clients and any((folder / "frames").glob("*.tvr"))):
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)


async def test_a_capture_becomes_a_recording_that_verifies(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    async with venue() as (server, _):
        process = await tapeview(*ADDRESSES, "-o", str(out), "--for", "2s", "--json", url=server.url)
        printed, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    told = json.loads(printed)
    assert told["frames"] > 100
    assert told["trades"] > 20
    assert told["dropped"] == 0
    manifest = read_manifest(out)
    assert [one.name for one in manifest.instruments] == ["okx:BTC-X", "okx:ETH-X"]
    assert (manifest.source_format, manifest.verification, manifest.complete) == ("live", "chain", True)
    verdict = verify(out)
    assert verdict.ok, verdict.problems
    assert verdict.frames_digest == verdict.events_digest == told["events_digest"]
    assert (verdict.live.checked, verdict.live.failed) == (1, 0)
    assert "connected" in said.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_signals_end_a_capture_in_order(tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "captured"
    async with venue() as (server, _):
        process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
        await until_frames(out, server)
        process.send_signal(number)
        _, said = await process.communicate()
    assert process.returncode == code, said.decode()
    assert b"Traceback" not in said
    assert read_manifest(out).complete
    assert verify(out).ok


async def test_what_was_received_a_second_before_a_kill_is_there(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    async with venue() as (server, market):
        process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
        await until_frames(out, server)
        there = market.trades
        await asyncio.sleep(1.5)
        process.kill()
        await process.communicate()
    derive_events(out)
    rows = all_rows(open_recording(out).batches())
    assert int(rows["ref"][rows["kind"] == TRADE].max()) >= there
    assert (rows["kind"] != GAP).all()


async def test_a_venue_that_breaks_off_leaves_its_holes_in_the_recording(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    async with venue() as (server, _):
        process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
        await until_frames(out, server)
        await server.cut()
        async with asyncio.timeout(20):
            while server.connections < 2 or not server.clients:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    rows = all_rows(open_recording(out).batches())
    assert int((rows["kind"] == GAP).sum()) == 2
    assert all(engine.book.state_name == "live" for engine in engines(rows))
    trust = verify(out).trust
    assert trust is not None
    assert [hole.cause for hole in trust.holes] == ["disconnect", "disconnect"]
    assert 0 < trust.all.clean_time < 100
    assert trust.own_drops == 0


async def test_what_was_seen_live_is_what_the_recording_gives_through_cuts_and_changes_of_sockets(
    tmp_path: Path,
) -> None:
    out = tmp_path / "captured"
    closing = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a"}'
    async with venue() as (server, _):
        process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
        await until_frames(out, server)
        await server.say(closing, to=0)
        async with asyncio.timeout(30):
            while server.connections < 2:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        await server.cut()
        async with asyncio.timeout(30):
            while server.connections < 3:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert b"went over to the new connection" in said
    verdict = verify(out)
    assert (verdict.live.checked, verdict.live.failed) == (1, 0)


async def test_the_book_at_the_end_is_the_venues(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    market = Server(8)
    async with VenueServer(lambda: [market.snapshot(symbol) for symbol in TWO]) as server:
        server.pages["/api/v5/public/instruments?instType=SPOT"] = LISTING
        process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
        async with asyncio.timeout(30):
            while not server.clients:
                await asyncio.sleep(0.05)
        for _ in range(300):
            await server.say(market.next())
        await asyncio.sleep(1)
        process.send_signal(signal.SIGINT)
        await process.communicate()
    for engine, book in zip(engines(all_rows(open_recording(out).batches())), market.books.values(), strict=True):
        assert equal(engine, book)


# -- the disk --------------------------------------------------------------------------------------
class Usage(NamedTuple):
    """As `shutil.disk_usage` gives it."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free", "seconds", "written", "held", "said"),
    [
        (50 << 30, 100.0, 10 << 20, 0, ""),
        (4 << 30, 100.0, 10 << 20, 0, "nearly full"),
        (10 << 30, 100.0, 1 << 30, 0, "full in 17 min"),
        (10 << 30, 100.0, 1 << 29, 0, ""),
        (10 << 30, 1.0, 1 << 30, 0, ""),
        (50 << 30, 100.0, 10 << 20, 40 << 20, "slow: 42 MB wait"),
    ],
)
def test_what_will_go_wrong_with_the_disk_is_said_before(
    tmp_path: Path, free: int, seconds: float, written: int, held: int, said: str
) -> None:
    disk = Disk(tmp_path, usage=lambda _: Usage(100 << 30, 0, free))
    warning = disk.warning(seconds, written, held)
    assert said in warning
    assert bool(warning) == bool(said)


def test_a_disk_that_cannot_be_asked_is_not_warned_of(tmp_path: Path) -> None:
    assert Disk(tmp_path / "none").warning(100.0, 10, 0) == ""


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own that is soon full; skips where none can be mounted."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no disk of its own can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        out = disk / "captured"
        async with venue() as (server, market):
            process = await tapeview(*ADDRESSES, "-o", str(out), url=server.url)
            await until_frames(out, server)
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            await asyncio.sleep(3)
            filler.unlink()
            await asyncio.sleep(3)
            told = market.trades
            await asyncio.sleep(1)
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        assert b"NOT RECORDING" in said
        assert b"recording again" in said
        rows = all_rows(open_recording(out).batches())
        assert (rows["kind"] != GAP).all()
        trades = rows["ref"][rows["kind"] == TRADE]
        assert int(trades.max()) >= told
        assert (trades[1:] - trades[:-1] == 1).all()
        trust = verify(out).trust
        assert trust is not None
        assert (trust.own_drops, trust.all.clean_time) == (0, 100.0)


# -- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere:BTC", "-o", "x"], "venue: got 'nowhere', expected one of alpaca, alpaca-crypto"),
        (["okxx:BTC-USDT", "-o", "x"], "expected 'okx'?"),
        (["okx", "-o", "x"], "a symbol of the venue"),
        (["okx:BTC-X", "-o", "x", "--for", "soon"], "--for: got 'soon', expected a time such as 90s"),
        (["okx:BTC-X", "-o", "x", "--url", "http://127.0.0.1"], "--url: got 'http://127.0.0.1'"),
        (["okx:BTC-X", "-o", "x", "--rest", "ftp://127.0.0.1"], "--rest: got 'ftp://127.0.0.1'"),
        (["okx:BTC-X", "-o", "x", "--rest", "http://127.0.0.1:9"], "a venue that can be reached"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
async def test_bad_words_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    process = await tapeview(*words)
    _, error = await process.communicate()
    assert process.returncode == 2
    assert said in error.decode()
    assert error.decode().count("\n") == 1
    assert not (tmp_path / "x").exists()


async def test_a_symbol_that_is_not_listed_and_a_folder_in_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    async with venue() as (server, _):
        process = await tapeview("okx:BTC-XX", "-o", str(tmp_path / "x"), url=server.url)
        _, error = await process.communicate()
        assert process.returncode == 2
        assert "such as BTC-X" in error.decode()
        process = await tapeview("okx:BTC-X", "-o", str(tmp_path / "full"), url=server.url)
        _, error = await process.communicate()
        assert process.returncode == 2
        assert "an empty one" in error.decode()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5s", 1.5), ("1d", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "0s", "-5s", "5x", "1e9d", "999999d", "10m soon"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match="--for"):
        duration(text)
