"""The bridge to Databento: the real package against a gateway on loopback that speaks its protocol."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytest.importorskip("databento", reason="the extra 'databento' is not installed whole")

import databento_dbn as dbn

from feeds.bridges import bridge
from feeds.bridges.databento import DatabentoBridge
from feeds.errors import BadInput
from feeds.events import (
    ADD,
    C_DISCONNECT,
    CANCEL,
    CLEAR,
    GAP,
    LAST,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
)  # fmt: skip
from feeds.link import LinkState
from tests.feeds.bridges.following import follow
from tests.feeds.bridges.lsg import KEY, Gateway

NOW = 1_700_000_000_000_000_000


def mbo(action: str, side: str, price: int, size: int, order: int, flags: int = 128) -> bytes:
    """A record; price in quarters."""
    return bytes(
        dbn.MBOMsg(
            1, 7, NOW, order, price * 250_000_000, size, dbn.Action.from_str(action), dbn.Side.from_str(side), NOW + 5,
            flags=flags, sequence=order,
        )
    )  # fmt: skip


def mapping() -> bytes:
    """Instrument 7 is MESM4."""
    return bytes(
        dbn.SymbolMappingMsg(
            1, 7, NOW, dbn.SType.RAW_SYMBOL, "MESM4", dbn.SType.INSTRUMENT_ID, "MESM4", NOW, NOW + 10**15
        )
    )


def metadata(schema: str) -> bytes:
    """The head of a live session."""
    return dbn.Metadata(
        dataset="GLBX.MDP3", start=NOW, stype_in=None, stype_out=dbn.SType.INSTRUMENT_ID, schema=None, symbols=[],
        mappings=[], ts_out=False,
    ).encode()  # fmt: skip


START = (
    mbo("R", "N", 0, 0, 0, 32), mbo("A", "B", 20_000, 3, 1, 32), mbo("A", "A", 20_004, 2, 2, 160),
)  # fmt: skip


def made(gateway: Gateway, symbol: str = "GLBX.MDP3/MESM4", key: str = KEY) -> DatabentoBridge:
    """A bridge to a gateway, quick to try again."""
    return DatabentoBridge([symbol], gateway="127.0.0.1", port=gateway.port, key=key, least_wait_s=0.01)


def kinds(rows: np.ndarray) -> list[int]:
    """Kinds in order."""
    return rows["kind"].tolist()


async def test_orders_come_with_their_snapshot_through_the_real_client() -> None:
    async def play(writer, session: int) -> None:
        data = metadata("mbo") + mapping() + b"".join(START) + mbo("A", "B", 20_001, 5, 3) + mbo("C", "B", 20_000, 3, 1)
        for at in range(0, len(data), 37):  # records come in pieces
            writer.write(data[at : at + 37])
            await writer.drain()
        await asyncio.sleep(30)

    with Gateway(play) as gateway:
        one = made(gateway)
        rows = await follow(one, lambda rows: CANCEL in kinds(rows))
    assert kinds(rows) == [CLEAR, ADD, ADD, STATUS, ADD, CANCEL]
    assert one.instruments[0].tick == "0.25"
    assert rows["tick"][[1, 2, 4]].tolist() == [20_000, 20_004, 20_001]
    assert rows["lots"][[1, 2, 4]].tolist() == [3, 2, 5]
    assert rows["marks"][3] == SNAPSHOT | LAST
    assert rows["aux"][3] == S_LIVE
    assert (rows["exch_ns"] == NOW).all()
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    assert gateway.lines[0] == "auth dataset=GLBX.MDP3"
    assert gateway.lines[1].startswith("schema=mbo|stype_in=raw_symbol|symbols=MESM4|snapshot=1")
    assert one.health()[0].state is LinkState.LIVE


async def test_a_session_that_ends_is_begun_anew_and_its_hole_told_with_its_length() -> None:
    async def play(writer, session: int) -> None:
        writer.write(metadata("mbo") + mapping() + b"".join(START))
        await writer.drain()
        if session > 1:
            await asyncio.sleep(30)
        await asyncio.sleep(0.2)

    with Gateway(play) as gateway:
        one = made(gateway)
        rows = await follow(one, lambda rows: kinds(rows).count(ADD) == 4)
    assert kinds(rows) == [CLEAR, ADD, ADD, STATUS, CLEAR, STATUS, GAP, CLEAR, ADD, ADD, STATUS]
    gap = rows[rows["kind"] == GAP][0]
    assert gap["lots"] == C_DISCONNECT
    assert gap["aux"] > 100_000_000
    assert rows["aux"][rows["kind"] == STATUS].tolist() == [S_LIVE, S_SYNCING, S_LIVE]
    assert one.checks.gaps == 1
    assert any("after a hole of" in line.text for line in one.log)


async def test_silence_ends_a_session() -> None:
    async def play(writer, session: int) -> None:
        writer.write(metadata("mbo") + mapping() + b"".join(START))
        await writer.drain()
        await asyncio.sleep(30)

    with Gateway(play) as gateway:
        one = made(gateway)
        one.silence_s = 0.3
        await follow(one, lambda rows: GAP in kinds(rows))
    assert any("nothing came for" in line.text for line in one.log)
    assert gateway.sessions >= 2


async def test_bytes_that_are_no_records_end_a_session_and_not_the_bridge() -> None:
    async def play(writer, session: int) -> None:
        writer.write(metadata("mbo") + mapping() + b"".join(START))
        await writer.drain()
        if session == 1:
            await asyncio.sleep(0.1)
            writer.write(bytes(64))
            await writer.drain()
        await asyncio.sleep(30)

    with Gateway(play) as gateway:
        one = made(gateway)
        one.silence_s = 2.0
        rows = await follow(one, lambda rows: kinds(rows).count(ADD) == 4)
    assert kinds(rows).count(GAP) == 1
    assert gateway.sessions == 2


async def test_a_wrong_key_is_told_and_never_shown() -> None:
    async def play(writer, session: int) -> None:
        raise AssertionError

    wrong = "db-wrongwrongwrongwrongwrongwron"
    with Gateway(play) as gateway:
        one = made(gateway, key=wrong)
        await follow(one, lambda rows: any("Authentication failed" in line.text for line in one.log))
    assert gateway.refused >= 1
    assert not any(wrong in line.text for line in one.log)


async def test_trades_alone_are_read_by_their_schema() -> None:
    async def play(writer, session: int) -> None:
        trade = dbn.TradeMsg(
            1, 7, NOW, 20_000 * 250_000_000, 4, dbn.Action.TRADE, dbn.Side.ASK, 0, NOW + 5, flags=128, sequence=9
        )
        writer.write(metadata("trades") + mapping() + bytes(trade))
        await writer.drain()
        await asyncio.sleep(30)

    with Gateway(play) as gateway:
        one = made(gateway, "GLBX.MDP3/MESM4@trades")
        rows = await follow(one, lambda rows: TRADE in kinds(rows))
    trade = rows[rows["kind"] == TRADE][0]
    assert (int(trade["tick"]), int(trade["lots"]), int(trade["side"])) == (20_000, 4, -1)
    assert one.tier == "D"
    assert "snapshot=0" in gateway.lines[1]


async def test_a_key_that_is_nowhere_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.delenv("DATABENTO_API_KEY", raising=False)
    monkeypatch.setenv("TAPEVIEW_KEYS", str(tmp_path / "none.toml"))
    with pytest.raises(BadInput, match="DATABENTO_API_KEY"):
        await DatabentoBridge(["GLBX.MDP3/MESM4"]).run()


@pytest.mark.parametrize("symbol", ["", "GLBX.MDP3", "/ESM4", "GLBX.MDP3/", "GLBX.MDP3/ESM4@ohlcv"])
def test_addresses_that_are_none_are_refused(symbol: str) -> None:
    with pytest.raises(BadInput, match="databento"):
        DatabentoBridge([symbol])


def test_the_address_leads_to_the_bridge() -> None:
    assert bridge("databento") is DatabentoBridge
    assert bridge("binance") is None
