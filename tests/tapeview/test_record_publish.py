"""`tapeview record --publish` as a person runs it: a venue and a broker on loopback, and readers beside the capture."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.broker.address import Login, parse_target
from feeds.broker.batches import About
from feeds.broker.client import open_broker
from feeds.broker.publisher import Publisher
from feeds.errors import BadInput
from feeds.events import EVERY, Events
from feeds.inbox import Inbox
from feeds.recording import open_recording, verify
from tapeview.engine import Engine
from tapeview.live import Options, open_market
from tapeview.snapshot import Window
from tests.feeds.broker.test_publisher import put, until
from tests.feeds.test_feed import TWO
from tests.kit.broker import NatsServer, needs_server
from tests.kit.recordings import all_rows
from tests.kit.rows import INSTRUMENTS, stream
from tests.tapeview.test_record import ADDRESSES, ROOT, tapeview, until_frames, venue


def digest(rows: Events, symbol: str, inst: int, upto: int) -> str:
    """Of the engine of one instrument after the row `upto`."""
    engine = Engine(TWO[symbol][1])
    engine.apply(rows[((rows["inst"] == inst) | (rows["inst"] == EVERY)) & (rows["seq"] <= upto)])
    return engine.digest()


@needs_server
async def test_a_reader_of_the_broker_has_the_digest_of_the_recording_through_a_restart(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    with NatsServer(tmp_path / "js") as server:
        async with venue() as (market, _):
            process = await tapeview(*ADDRESSES, "-o", str(out), "--publish", server.url, url=market.url)
            await until_frames(out, market)
            server.kill()
            await asyncio.sleep(0.5)
            server.start()
            await asyncio.sleep(2.5)
            process.send_signal(signal.SIGTERM)
            _, said = await process.communicate()
        assert process.returncode == 143, said.decode()
        assert b"Traceback" not in said
        assert b"published" in said
        assert verify(out).ok
        recorded = all_rows(open_recording(out).batches())
        for inst, symbol in enumerate(TWO):
            source = await asyncio.to_thread(open_broker, f"broker://127.0.0.1:{server.port}/okx:{symbol}?from=first")
            read = await asyncio.to_thread(lambda source=source: all_rows(source.batches()))
            assert source.instruments[0] == TWO[symbol][1]
            last = int(recorded["seq"][-1])
            for upto in (last // 3, last // 2, last):
                assert digest(read, symbol, 0, upto) == digest(recorded, symbol, inst, upto)
            # A terminal that comes late begins with a whole book.
            late = await asyncio.to_thread(open_broker, f"broker://127.0.0.1:{server.port}/okx:{symbol}")
            engine, whole = Engine(TWO[symbol][1]), Engine(TWO[symbol][1])
            engine.apply(await asyncio.to_thread(lambda late=late: all_rows(late.batches())))
            whole.apply(read)
            assert (engine.book.bids() == whole.book.bids()).all()
            assert (engine.book.asks() == whole.book.asks()).all()


@needs_server
def test_a_live_screen_follows_a_capture_through_the_broker_and_says_when_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.broker.client.STALE_NS", 300_000_000)
    rows = stream(5, 400, 2)
    with NatsServer(tmp_path / "js") as server:
        inbox = Inbox()
        abouts = [About(instrument=one, tier="B", verification="chain") for one in INSTRUMENTS]
        publisher = Publisher(parse_target(server.url), abouts, inbox, who=Login())
        try:
            put(inbox, rows[:200])
            until(lambda: not publisher.state().waiting_bytes and publisher.state().rows)
            places = [f"broker://127.0.0.1:{server.port}/{one.name}?from=first" for one in INSTRUMENTS]
            shown = open_market(places)
            try:
                assert all(lane is not None for lane in shown.lanes)
                assert shown.addresses == [f"live:{place}" for place in places]
                assert shown.add(places[1]) == 1, "it is there already"
                put(inbox, rows[200:])
                inbox.close()
                publisher.close()
                lanes = [lane for lane in shown.lanes if lane is not None]
                until(lambda: all(lane.source.client.follower.ended and not lane.lag(0)[0] for lane in lanes))
                for k, lane in enumerate(lanes):
                    whole = Engine(INSTRUMENTS[k])
                    whole.apply(rows[(rows["inst"] == k) | (rows["inst"] == EVERY)])
                    until(lambda lane=lane, whole=whole: lane.session.engines[0].digest() == whole.digest())
                until(lambda: "the capture has ended" in shown.snapshot(Window(rows=20)).status.why)
                told = shown.snapshot(Window(rows=20)).status
                assert (told.instrument, told.tier, told.verification) == (INSTRUMENTS[1].name, "B", "chain")
            finally:
                shown.close()
        finally:
            publisher.close()


@needs_server
def test_what_a_broker_tells_is_not_recorded_again_and_what_it_does_not_have_is_named(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "js") as server:
        place = f"broker://127.0.0.1:{server.port}/okx:BTC-X"
        with pytest.raises(BadInput, match="nothing is published there"):
            open_market([place])
        with pytest.raises(BadInput, match="its capture has recorded"):
            open_market([place], Options(record=tmp_path / "again"))
        assert not (tmp_path / "again").exists()


@needs_server
async def test_commands_read_a_broker_like_any_source(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    with NatsServer(tmp_path / "js") as server:
        async with venue() as (market, _):
            words = [*ADDRESSES, "-o", str(out), "--publish", server.url, "--for", "3s"]
            await (await tapeview(*words, url=market.url)).communicate()
        address = f"broker://127.0.0.1:{server.port}/okx:BTC-X?from=first"

        def run(*command: str) -> list[str]:
            done = subprocess.run(
                [sys.executable, "-m", "tapeview", *command], capture_output=True, text=True, check=False, timeout=100,
                env=os.environ | {"PYTHONPATH": str(ROOT), "TAPEVIEW_JIT": "0"},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        here = json.loads(run("stats", address, "--json")[0])
        there = json.loads(run("stats", str(out), "--symbol", "BTC-X", "--json")[0])
        assert {**here, "events": 0, "last_ns": 0} == {**there, "events": 0, "last_ns": 0}
        tape = [json.loads(line) for line in run("tape", address, "--raw", "--json")]
        assert len(tape) == here["trades"]
        assert run("book", address, "--json")[0]


async def test_a_capture_runs_without_the_broker_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "captured"
    async with venue() as (market, _):
        words = [*ADDRESSES, "-o", str(out), "--publish", "nats://127.0.0.1:9", "--for", "2s"]
        process = await tapeview(*words, url=market.url)
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"NOT PUBLISHING" in said
    assert b"unpublished" in said
    assert verify(out).ok


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://me:s3cret@127.0.0.1", "never an address"),
        ("redis://127.0.0.1", "expected nats://HOST[:PORT] or tls://HOST[:PORT]"),
    ],
)
async def test_a_broker_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, url: str, said: str
) -> None:
    process = await tapeview("okx:BTC-X", "-o", str(tmp_path / "x"), "--publish", url)
    _, error = await process.communicate()
    assert process.returncode == 2
    assert said in error.decode()
    assert "s3cret" not in error.decode()
    assert not (tmp_path / "x").exists()
