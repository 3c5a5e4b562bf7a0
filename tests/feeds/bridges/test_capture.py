"""Recording a bridge: what the recording holds is what the bridge brought, and the program says so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ib_async", reason="the extra 'ib' is not installed")

from feeds.bridges import bridged
from feeds.bridges.capture import capture
from feeds.bridges.ib import IbBridge
from feeds.errors import BadInput
from feeds.events import BOOK, TRADE
from feeds.source import open_source
from tests.feeds.bridges.tws import depth, last, tws

ROOT = Path(__file__).parents[3]


async def play(writer, session: int, book: int, prints: int) -> None:
    for at in range(40):
        writer.write(
            depth(book, 0, 1 if at else 0, 1, 100 + at % 5 / 100, 3 + at)
            + last(prints, 1_700_000_000 + at, 100.0, 1 + at)
        )
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_a_bridge_becomes_a_recording_of_events(tmp_path: Path) -> None:
    async with tws(play) as server:
        one = IbBridge(["AAPL"], host="127.0.0.1", port=server.port)
        stop = asyncio.Event()

        def report(_: float) -> None:
            if one.checks.messages >= 80:
                stop.set()

        manifest = await capture(one, tmp_path / "rec", 20.0, stop, report)
    assert manifest is not None
    assert (manifest.venue, manifest.source_format, manifest.verification) == ("ib", "bridge", "unverifiable")
    source = open_source(tmp_path / "rec")
    kinds = [kind for batch in source.batches() for kind in batch["kind"].tolist()]
    assert kinds.count(TRADE) == 40
    assert kinds.count(BOOK) >= 40
    assert manifest.trades == 40
    with pytest.raises(BadInput, match="does not exist yet"):
        await capture(one, tmp_path / "rec", 1.0, stop, report)


async def test_a_bridge_that_brings_nothing_leaves_no_recording(tmp_path: Path) -> None:
    async def silent(writer, session: int, book: int, prints: int) -> None:
        return

    async with tws(silent) as server:
        one = IbBridge(["AAPL"], host="127.0.0.1", port=server.port)
        assert await capture(one, tmp_path / "rec", 0.3, asyncio.Event(), lambda spent: None) is None
    assert not (tmp_path / "rec").exists()


@pytest.mark.timeout(60)
async def test_the_program_records_a_bridge_until_it_is_told_to_end(tmp_path: Path) -> None:
    async with tws(play) as server:
        environ = {**os.environ, "TAPEVIEW_IB": f"127.0.0.1:{server.port}", "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-m", "tapeview", "record", "ib:AAPL", "-o", str(tmp_path / "rec"), "--json"]
        process = await asyncio.create_subprocess_exec(
            *words, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while server.sessions == 0:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.8)
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, err.decode()
    told = json.loads(out)
    assert told["venue"] == "ib"
    assert told["trades"] == 40
    assert b"ib: ib: connected" in err
    verified = subprocess.run(
        [sys.executable, "-m", "tapeview", "verify", str(tmp_path / "rec"), "--json"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["events_digest"] == told["events_digest"]


def test_addresses_of_one_bridge_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEVIEW_IB", raising=False)
    one = bridged(["ib:AAPL", "live:ib:MSFT", "ib:AAPL"])
    assert isinstance(one, IbBridge)
    assert one.symbols == ["AAPL", "MSFT"]
    assert bridged(["binance:BTCUSDT"]) is None
    with pytest.raises(BadInput, match="one bridge alone"):
        bridged(["ib:AAPL", "binance:BTCUSDT"])
