"""Live markets: what was live is what its recording replays, holes are told, and one instrument never hurts another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest

from feeds import open_source
from feeds.clock import TICK_NS, Clock
from feeds.errors import BadInput
from feeds.events import CLOCK
from feeds.recording.derived import derive_events
from feeds.source import Source
from tapeview.live import MOST, LiveMarket, open_market, symbols
from tapeview.market import Refused
from tapeview.session import Session
from tapeview.snapshot import Window
from tests.feeds.test_feed import TWO, equal
from tests.kit.live import BTC, ETH, LIST, LISTED, floor

WINDOW = Window(rows=20, tape_rows=30, chart_columns=40, alert_rows=5)


async def test_the_book_of_every_instrument_is_the_venues() -> None:
    async with floor(BTC, ETH) as it:
        await it.live(0)
        await it.live(1)
        await it.say(300)
        await it.caught_up()
        lane = it.lane()
        assert it.venue.connections == 1, "one client a venue"
        with lane.quiet():
            for engine, book in zip(lane.session.engines, it.server.books.values(), strict=True):
                assert equal(engine, book)


def continued(session: Session, source: Source, until_ns: int) -> None:
    """Play a recording and the silence after it."""
    last = None
    for batch in source.batches():
        session.play(batch)
        told = batch[batch["kind"] != CLOCK]
        last = int(told["recv_ns"][-1]) if len(told) else last
    assert last is not None
    session.play(Clock(session.seq + 1, last // TICK_NS).due(until_ns))


@pytest.mark.parametrize("broken", [False, True])
async def test_what_was_live_is_what_its_recording_replays(tmp_path: Path, broken: bool) -> None:
    async with floor(BTC, ETH, record=tmp_path / "recorded") as it:
        await it.live()
        for _ in range(6):
            await it.say(150)
            await it.caught_up()
            if broken:
                await it.venue.cut()
                it.server.change()
                await it.until(lambda: it.state() != "live")
                await it.live()
        lane = it.lane()
        findings = [f for k in range(2) for n in range(len(lane.log)) for f in lane.log.story(k, n)]
    session = lane.session
    assert session.recv_ns is not None
    assert it.market.recorded == [tmp_path / "recorded"]
    made = derive_events(tmp_path / "recorded")
    assert made.events > 500
    with Session(open_source(tmp_path / "recorded"), session.settings) as again:
        alerts = []
        play = again.play
        again.play = lambda batch: alerts.extend(found := play(batch)) or found  # type: ignore[method-assign]
        continued(again, again.source, session.recv_ns)
        assert again.seq == session.seq
        assert again.digest() == session.digest()
        assert again.watch_digest() == session.watch_digest()
    key = lambda f: (f.alert.seq, f.alert.inst, f.alert.detector, f.alert.key, f.alert.phase, f.alert.text)  # noqa: E731
    assert sorted(map(key, findings)) == sorted(map(key, alerts))
    assert bool(session.gaps.newest(0, session.seq)) == broken


async def test_a_broken_connection_is_told_with_its_cause_and_its_end_with_the_holes_length() -> None:
    async with floor(BTC) as it:
        await it.live()
        await it.say(100)
        await it.caught_up()
        whole = it.market.snapshot(WINDOW)
        assert whole.status.partial_since_ns is None
        it.venue.refuse = 503
        await it.venue.drop(1012, "service restart")
        taken = [whole]

        def down() -> bool:
            taken.append(it.market.snapshot(WINDOW))
            return taken[-1].status.state == "reconnecting"

        await it.until(down)
        broken = taken[-1]
        link = broken.status.link
        assert link is not None
        assert link.state == "reconnecting"
        assert link.retry_ns is not None
        assert broken.status.state == "reconnecting"
        assert "next try in" in broken.status.why
        assert broken.ladder is not None
        assert whole.ladder is not None
        assert (broken.ladder.bid > 0).any(), "the old numbers stay readable"
        assert broken.status.book_age_ns is not None
        it.venue.refuse = None
        await it.live()
        await it.until(lambda: any("live again" in news.text for news in it.market.news))
        mended = it.market.snapshot(WINDOW)
        hole = it.lane().session.gaps.newest(0, 10**9, 1)[0]
        assert hole.cause == "disconnect"
        assert hole.length_ns is not None
        assert hole.length_ns > 0
        assert mended.status.partial_since_ns == hole.since_ns
        assert mended.tape is not None
        assert list(mended.tape.holes.values()) == [hole]
        told = [news for news in it.market.news if news.loud]
        assert [("broken" in news.text, "live again" in news.text) for news in told] == [(True, False), (False, True)]


async def test_a_refusal_is_a_ban_with_its_end() -> None:
    async with floor(BTC) as it:
        await it.live()
        it.venue.refuse = 429
        await it.venue.cut()
        await it.until(lambda: it.state() == "banned")
        link = it.market.snapshot(WINDOW).status.link
        assert link is not None
        assert link.retry_ns is not None
        assert link.retry_ns > 30_000_000_000
        assert "429" in link.why


async def test_a_venue_that_does_not_list_is_asked_again_until_it_does() -> None:
    async with floor(BTC, listing=False, refuse=503) as it:
        shown = it.market.snapshot(WINDOW)
        assert shown.status.state == "reconnecting"
        assert "answers 503" in shown.status.why
        with pytest.raises(Refused):
            it.market.place()
        it.venue.refuse = None
        it.venue.pages[LIST] = LISTED
        await it.live()


def test_a_host_that_is_not_there_is_asked_again_and_again() -> None:
    from tapeview.live import Options

    market = open_market([BTC], Options("ws://127.0.0.1:9", "http://127.0.0.1:9"))
    try:
        shown = market.snapshot(WINDOW)
        assert shown.status.state == "reconnecting"
        assert "no list of instruments" in shown.status.why
        assert shown.status.link is not None
        assert shown.status.link.retry_ns is not None
        assert shown.ladder is None, "no price is invented"
        assert "next try in" in shown.status.why
    finally:
        market.close()


async def test_a_symbol_the_venue_does_not_list_is_bad_input_with_the_nearest() -> None:
    with pytest.raises(BadInput) as told:
        async with floor("live:okx:BTC-Y"):
            pass
    assert "BTC-X" in str(told.value)


async def test_an_instrument_comes_and_goes_while_another_runs_on() -> None:
    async with floor(BTC) as it:
        await it.live()
        await it.say(50)
        assert it.market.add("okx:ETH-X") == 1
        await it.live(1)
        assert it.venue.connections == 2, "a connection of its own"
        await it.say(50)
        await it.caught_up(0)
        await it.caught_up(1)
        assert it.market.snapshot(WINDOW).status.instruments == ("BTC-X", "ETH-X")
        ended = it.lane(1)
        it.market.remove(1)
        await it.until(lambda: ended.source.client.inbox.over)
        await it.say(50)
        await it.caught_up()
        assert it.market.snapshot(WINDOW).status.instruments == ("BTC-X",)
        assert it.lane().session.gaps.newest(0, 10**9) == ()
        with pytest.raises(Refused):
            it.market.remove(0)


async def test_a_bad_symbol_added_later_is_told_and_hurts_no_other() -> None:
    async with floor(BTC) as it:
        await it.live()
        it.market.add("okx:NONSENSE-X")
        await it.until(lambda: it.state(1) == "refused")
        with pytest.raises(BadInput):
            it.market.add("nowhere:BTC")
        it.market.select(0)
        await it.say(50)
        await it.caught_up()
        assert it.state(0) == "live"
        assert any("NONSENSE" in news.text for news in it.market.news)


async def test_the_same_instrument_again_is_the_one_there_is() -> None:
    async with floor(BTC) as it:
        assert it.market.add("okx:btc-x") == 0
        assert len(it.market.addresses) == 1


async def test_a_held_picture_stands_still_while_the_market_goes_on() -> None:
    async with floor(BTC) as it:
        await it.live()
        await it.say(80)
        await it.caught_up()
        it.market.pause()
        before = it.market.snapshot(WINDOW)
        await it.say(200)
        await it.caught_up()
        held = it.market.snapshot(WINDOW)
        assert held.ladder is not None
        assert before.ladder is not None
        assert held.tape is not None
        assert before.tape is not None
        assert (held.ladder.bid == before.ladder.bid).all()
        assert (held.tape.prints["last_seq"] == before.tape.prints["last_seq"]).all()
        assert held.status.link is not None
        assert held.status.link.held_ns is not None
        assert held.status.market_ns is not None
        assert held.status.market_ns > held.status.link.held_ns
        it.market.play()
        after = it.market.snapshot(WINDOW)
        assert after.tape is not None
        assert after.tape.prints["last_seq"][0] > before.tape.prints["last_seq"][0]
        assert after.status.link is not None
        assert after.status.link.held_ns is None


@pytest.mark.parametrize(
    "what", ["step_event", "step_trade", "back", "slower", "faster", "seek", "seek_relative", "replay_alert"]
)
def test_what_only_a_recording_can_do_is_refused_with_a_sentence(what: str) -> None:
    market = LiveMarket()
    try:
        with pytest.raises(Refused, match="live market cannot"):
            getattr(market, what)(*([0] if what in ("seek", "seek_relative", "replay_alert") else []))
    finally:
        market.close()


async def test_other_thresholds_act_from_now_on() -> None:
    async with floor(BTC) as it:
        await it.live()
        await it.say(100)
        await it.caught_up()
        prepared = it.market.prepare({})
        assert prepared == {}
        it.market.adopt(prepared)
        await it.say(50)
        await it.caught_up()
        assert it.lane().session.watches == []
        assert it.market.thresholds == {}


async def test_a_second_recording_lies_beside_the_first(tmp_path: Path) -> None:
    async with floor(BTC, record=tmp_path / "kept") as it:
        it.market.add(ETH)
        await it.live(1)
        await it.say(20)
        await it.caught_up(0)
        shown = it.market.snapshot(WINDOW).status.link
        assert shown is not None
        assert shown.saved is not None
        assert shown.saved.frames > 0
        assert shown.saved.trouble == ""
    assert len(it.market.recorded) == 2
    assert {folder.parent for folder in it.market.recorded} == {tmp_path}
    assert all(any((folder / "frames").iterdir()) for folder in it.market.recorded)


async def test_symbols_are_the_venues_own() -> None:
    async with floor(BTC) as it:
        rest = it.venue.url.replace("ws:", "http:")
        assert await asyncio.to_thread(symbols, "okx", rest) == tuple(sorted(TWO))
        it.venue.pages.clear()
        with pytest.raises(OSError, match="answers"):
            await asyncio.to_thread(symbols, "okx", rest)


def test_more_instruments_than_keys_are_refused() -> None:
    with pytest.raises(BadInput, match=str(MOST)):
        open_market([f"okx:A{n}-X" for n in range(MOST + 1)])


async def test_latency_and_a_clock_that_is_off_are_told() -> None:
    async with floor(BTC) as it:
        await it.live()
        await it.say(20)
        await it.caught_up()
        await it.until(lambda: it.market.snapshot(WINDOW).status.link.latency_ns is not None)  # type: ignore[union-attr]
        link = it.market.snapshot(WINDOW).status.link
        assert link is not None
        assert link.clock_off_ns is not None, "the venue's times are years back: no network takes so long"
        assert link.clock_off_ns > 365 * 86_400 * 10**9
        assert link.latency_ns is not None
        assert 0 <= link.latency_ns[0] < link.clock_off_ns, "lateness is counted from the least"
        ahead = it.lane().late
        rows = np.zeros(4, it.lane().session.engines[0].apply(Clock().due(0)).events.dtype)
        rows["kind"], rows["marks"], rows["exch_ns"] = 1, 1, 2_000_000_000
        rows["recv_ns"] = 1_900_000_000
        ahead.__init__()  # type: ignore[misc]
        ahead.add(rows)
        assert ahead.off_ns() == 100_000_000


def test_the_list_of_the_kit_is_one_that_the_venue_would_send() -> None:
    assert LIST.startswith("/api/")
    assert msgspec.json.decode(LISTED)["code"] == "0"
