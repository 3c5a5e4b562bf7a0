"""Faults on command: read from words, planned by seed and frame, shown by the mirror, survived by the real client."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.events import C_DAMAGED, C_DISCONNECT, C_SEQUENCE, GAP, S_LIVE, STATUS, SUSPECT, TRADE
from feeds.link import LinkState
from feeds.mirror import KINDS, Plan, parse_fault
from feeds.recording import FrameWriter, rebuild
from feeds.recording.manifest import Manifest
from feeds.venues import venues
from feeds.venues.kraken import Kraken
from tests.feeds.mirror.test_voices import book_of
from tests.kit.mirrored import mirrored, visiting
from tests.kit.recordings import all_rows
from tests.kit.spoken import MARKETS


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch):
    """Subscriptions without the pauses that real venues want between them."""
    for venue in venues().values():
        monkeypatch.setattr(venue, "terms", msgspec.structs.replace(venue.terms, send_gap_ms=1))


@contextlib.asynccontextmanager
async def troubled(venue, *faults, seed=0, messages=200, speed=3.0, market_seed=5, sink=None):
    """A market of a venue with faults, and a client on it."""
    reel, book = MARKETS[venue](market_seed, messages)
    plan = Plan([parse_fault(one) for one in faults], seed)
    known = {symbol: (n, one) for n, (symbol, one) in enumerate(reel.markets[venue].items())}
    async with (
        mirrored(reel, speed=speed, plan=plan, settle_s=0.05) as mirror,
        visiting(mirror, venue, instruments=known, sink=sink) as visit,
    ):  # fmt: skip
        yield visit, book


def live_again(visit):
    rows = visit.rows
    told = rows[rows["kind"] == STATUS]
    return len(told) and told["aux"][-1] == S_LIVE


def gaps(rows, cause):
    return int(((rows["kind"] == GAP) & (rows["lots"] == cause)).sum())


# -- words ------------------------------------------------------------------------------------------
def test_words_become_faults():
    assert parse_fault("close:1008").args == {"code": 1008.0}
    assert parse_fault("close:1008:at=7").at == 7
    assert parse_fault("drop:every=50:of=depth").every == 50
    assert parse_fault("drop:every=50:of=depth").of == "depth"
    assert parse_fault("stall:2.5:at=10s").args == {"for": 2.5}
    assert parse_fault("stall:2.5:at=10s").at_ns == 10_000_000_000
    assert parse_fault("skew:-1500").args == {"ms": -1500.0}
    assert parse_fault("refuse:503:retry=7:on=rest:times=3").args == {"status": 503.0, "retry": 7.0, "on": "rest"}
    assert parse_fault("duplicate:chance=0.25:times=2").chance == 0.25
    assert all(parse_fault(name) for name in KINDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("drip", "'drop'"),
        ("nonsense", "one of drop, duplicate, reorder"),
        ("drop:much=3", "one of n, at, every"),
        ("drop:at=soon", "a number of frames, or a time"),
        ("drop:at=0", "a whole number from 1"),
        ("drop:n=0", "at least 1 frame"),
        ("drop:chance=2", "a chance above 0 and up to 1"),
        ("close:1004", "a close code"),
        ("close:999", "a close code"),
        ("refuse:200", "a status of 400 to 599"),
        ("refuse:429:on=air", "on ws, rest or both"),
        ("garbage:kind=odd", "one of bytes, utf8, cut, types"),
        ("huge:9999", "at most 256 MiB"),
        ("stall:for=x", "a number for for"),
        ("", "one of drop"),
    ],
)
def test_words_that_are_none_are_refused_with_what_there_is(words, said):
    with pytest.raises(BadInput, match="--fault") as told:
        parse_fault(words)
    assert said in str(told.value)


# -- the plan ---------------------------------------------------------------------------------------
def fired(plan, frames=400, topic="book X"):
    return [n for n in range(1, frames + 1) if plan.on_frame(topic, n * 10_000_000)]


def test_the_same_seed_has_the_same_faults_and_another_has_others():
    faults = [parse_fault("drop:chance=0.1"), parse_fault("duplicate:chance=0.05")]
    first, again, other = (fired(Plan(faults, seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert 30 < len(first) < 90


def test_one_more_fault_moves_none_of_the_others():
    alone = fired(Plan([parse_fault("drop:chance=0.1")], 3))
    both = Plan([parse_fault("drop:chance=0.1"), parse_fault("duplicate:every=7")], 3)
    assert [n for n in range(1, 401) if any(one.name == "drop" for one in both.on_frame("t", n * 10**7))] == alone


def test_faults_come_at_their_frames_and_times_and_no_more_often_than_asked():
    assert fired(Plan([parse_fault("drop:at=17")])) == [17]
    assert fired(Plan([parse_fault("drop:at=1s")])) == [100]
    assert fired(Plan([parse_fault("drop:every=90")])) == [90, 180, 270, 360]
    assert fired(Plan([parse_fault("drop:every=1s:times=2")])) == [100, 200]
    assert fired(Plan([parse_fault("drop:every=10:of=trade")])) == []
    plan = Plan([parse_fault("drop:at=5")])
    assert fired(plan) == [5]
    plan.begin()
    assert fired(plan) == [5]


# -- F01, F02, F03: frames missing, twice, out of order ------------------------------------------------
@pytest.mark.parametrize("venue", ["okx", "gemini", "coinbase-full", "bitfinex"])
async def test_a_frame_that_never_came_is_a_gap_and_the_book_is_the_venues_again(venue):
    async with troubled(venue, "drop:at=60", "drop:at=150:n=3") as (visit, book):
        await visit.over()
        rows, checks = visit.rows, visit.client.checks
    assert checks.gaps == gaps(rows, C_SEQUENCE) >= 1
    assert checks.damaged == 0
    assert book_of(rows) == book
    assert checks.resyncs >= 1
    if venue == "coinbase-full":  # the counter tells how many
        assert 3 in rows["ref"][rows["kind"] == GAP].tolist()


@pytest.mark.parametrize("venue", ["okx", "gemini", "coinbase-full", "kraken"])
async def test_every_single_frame_may_be_lost_and_the_book_ends_as_the_venues(venue):
    async with troubled(venue, "drop:every=23") as (visit, book):
        await visit.over()
        rows = visit.rows
        assert visit.mirror.progress().faults["drop"] > 2
    assert book_of(rows) == book or not live_again(visit)
    assert gaps(rows, C_SEQUENCE) > 0 or visit.client.checks.checksums_failed > 0


@pytest.mark.parametrize("venue", ["okx", "gemini", "coinbase-full", "bitfinex"])
async def test_a_frame_that_comes_twice_changes_nothing(venue):
    async with troubled(venue, "duplicate:every=9") as (visit, book):
        await visit.over()
        checks, rows = visit.client.checks, visit.rows
        done = visit.mirror.progress().faults["duplicate"]
    assert done > 20
    assert (checks.gaps, checks.checksums_failed) == (0, 0)
    assert checks.duplicates > 10
    assert book_of(rows) == book


@pytest.mark.parametrize("venue", ["okx", "gemini", "coinbase-full"])
async def test_frames_out_of_order_are_never_applied_backwards(venue):
    async with troubled(venue, "reorder:at=50:of=" + {"okx": "books", "gemini": "depth"}.get(venue, "full")) as (
        visit,
        book,
    ):
        await visit.over()
        rows, checks = visit.rows, visit.client.checks
    assert checks.gaps == 1
    assert book_of(rows) == book


async def test_what_happens_within_a_gap_is_never_sent_and_the_gap_is_told_once_a_book():
    async with troubled("okx", "gap:0.2:at=0.4s") as (visit, book):
        await visit.over()
        rows = visit.rows
    assert gaps(rows, C_SEQUENCE) == 1
    assert book_of(rows) == book


# -- F06: checksums ---------------------------------------------------------------------------------
@pytest.mark.parametrize("venue", ["kraken", "bitfinex"])
async def test_a_checksum_that_disagrees_is_marked_at_once_and_the_symbol_asked_for_anew(venue):
    times = {"kraken": 1, "bitfinex": 8}[venue]  # of the one every frame states one, of the other every sixth
    async with troubled(venue, f"checksum:every=1:times={60 if venue == 'bitfinex' else 1}:of=book") as (visit, book):
        await visit.over()
        rows, checks = visit.rows, visit.client.checks
        assert visit.mirror.progress().faults["checksum"] >= 1
    assert 1 <= checks.checksums_failed <= 60
    assert (rows["marks"] & SUSPECT).any()
    assert checks.resyncs >= 1
    assert "checksum" in visit.told
    assert book_of(rows) == book
    assert visit.mirror.progress().connections == 1, "on the same connection"
    assert times


async def test_a_checksum_that_keeps_disagreeing_is_said_and_the_book_goes_on():
    async with troubled("kraken", "checksum:every=1:of=book") as (visit, book):
        await visit.over()
        rows, checks = visit.rows, visit.client.checks
    assert checks.checksums_failed > 20
    assert sum("keep disagreeing" in line for line in visit.told) == 1
    assert checks.resyncs == 2
    assert book_of(rows) == book


# -- F13, F15, F16: what cannot be read ----------------------------------------------------------------
@pytest.mark.parametrize("kind", ["bytes", "cut", "types", "utf8"])
async def test_a_frame_that_cannot_be_read_is_recorded_counted_and_mended(kind, tmp_path):
    about = Manifest(venue="okx", instruments=tuple(MARKETS["okx"](5, 1)[0].markets["okx"].values()), created_by="test")
    with FrameWriter(tmp_path / "r", about) as sink:
        async with troubled("okx", f"garbage:{kind}:at=60:of=books", sink=sink) as (visit, book):
            await visit.over()
            rows, checks = visit.rows, visit.client.checks
    assert checks.damaged == 1
    assert gaps(rows, C_DAMAGED) + gaps(rows, C_SEQUENCE) == 1
    assert book_of(rows) == book
    again = all_rows(rebuild(tmp_path / "r"))
    assert again.tobytes() == rows[: len(again)].tobytes()


async def test_many_frames_that_cannot_be_read_end_the_connection_and_it_comes_back():
    async with troubled("okx", "garbage:cut:every=10:times=8:of=books") as (visit, book):
        await visit.told_of("too many frames could not be read")
        await visit.over()
        rows = visit.rows
        assert visit.mirror.progress().connections >= 2
    assert book_of(rows) == book


async def test_a_frame_beyond_all_size_ends_the_connection():
    async with troubled("okx", "huge:20:at=60") as (visit, book):
        await visit.until(lambda: visit.mirror.progress().connections == 2)
        await visit.over()
        rows = visit.rows
        said = " ".join(visit.told)
    assert "too big" in said or "1009" in said, said
    assert gaps(rows, C_DISCONNECT) == 1
    assert book_of(rows) == book


# -- F33, F34, F39: ends and refusals ------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    [1000, 1001, 1005, 1006, 1012, *(pytest.param(n, marks=pytest.mark.slow) for n in (1009, 1011, 1014, 3000, 4000))],
)
async def test_every_close_code_is_a_disconnect_and_the_client_comes_back(code):
    async with troubled("okx", f"close:{code}:at=60", messages=200) as (visit, book):
        await visit.until(lambda: visit.mirror.progress().connections == 2)
        await visit.over()
        rows = visit.rows
    assert gaps(rows, C_DISCONNECT) == 1
    assert book_of(rows) == book


@pytest.mark.parametrize("code", [1008, 1013])
async def test_after_a_close_for_misbehaviour_it_waits_and_talks_more_slowly(code):
    async with troubled("okx", f"close:{code}:at=60", messages=120) as (visit, _):
        await visit.until(lambda: visit.client.health()[0].retry_in_ns)
        health = visit.client.health()[0]
        assert health.retry_in_ns is not None
        assert health.retry_in_ns > 25 * 10**9
        assert visit.client._routes[0].current.link.backoff.pace == 2


async def test_resets_again_and_again_lose_nothing_but_what_happened_between():
    async with troubled("okx", "reset:every=300ms", messages=200) as (visit, book):
        await visit.over()
        rows = visit.rows
        assert visit.mirror.progress().faults["reset"] >= 2
        await visit.until(lambda: live_again(visit))
        rows = visit.rows
    assert gaps(rows, C_DISCONNECT) >= 2
    assert book_of(rows) == book


@pytest.mark.parametrize("status", [403, 418, 429, 451])
async def test_a_refused_handshake_is_told_with_its_status_and_not_tried_again_soon(status):
    async with troubled("okx", f"refuse:{status}:on=ws:retry=90:times=99", messages=20) as (visit, _):
        await visit.told_of(f"the venue answers {status}")
        health = visit.client.health()[0]
        assert health.retry_in_ns is not None
        assert health.retry_in_ns > 80 * 10**9
        await asyncio.sleep(0.3)
        assert sum(str(status) in line for line in visit.told) == 1


async def test_a_server_error_is_tried_again_soon():
    async with troubled("okx", "refuse:503:on=ws:times=2", messages=60) as (visit, book):
        await visit.over()
        assert sum("answers 503" in line for line in visit.told) == 2
        assert book_of(visit.rows) == book


async def test_a_ban_ends_everything_and_says_how_long_it_is():
    async with troubled("okx", "ban:120:at=60", messages=100) as (visit, _):
        await visit.until(lambda: visit.client.health()[0].retry_in_ns)
        assert visit.client.health()[0].retry_in_ns > 25 * 10**9
        answer = await visit.rest.get(visit.mirror.rest + "/api/v5/public/instruments?instType=SPOT")
        assert answer.status == 418
        assert 100 < answer.retry_after_s <= 120


# -- F29, F30, F31, F32: silence -----------------------------------------------------------------------
async def test_a_half_open_connection_is_noticed_by_pings_of_our_own(monkeypatch):
    monkeypatch.setattr("feeds.live._PING_S", 0.3)
    async with troubled("okx", "half-open:at=60", messages=200) as (visit, book):
        await visit.until(lambda: visit.mirror.progress().connections == 2)
        await visit.over()
        rows = visit.rows
    assert gaps(rows, C_DISCONNECT) == 1
    assert book_of(rows) == book


async def test_a_mute_connection_is_stale_then_asked_again_then_replaced(monkeypatch):
    monkeypatch.setattr(Kraken, "terms", msgspec.structs.replace(Kraken.terms, silence_s=1, ping_s=60))
    async with troubled("kraken", "mute:at=60") as (visit, _):
        await visit.until(lambda: visit.mirror.progress().connections == 2)
        said = visit.told
    assert any("nothing came for 1 s" in line or "no data for" in line for line in said), said


async def test_heartbeats_without_data_do_not_make_a_channel_live(monkeypatch):
    monkeypatch.setattr(Kraken, "terms", msgspec.structs.replace(Kraken.terms, silence_s=2, ping_s=60))
    reel, _ = MARKETS["kraken"](5, 20)
    async with mirrored(reel, settle_s=0.1) as mirror, visiting(mirror, "kraken") as visit:
        await visit.over()
        await visit.until(lambda: visit.client.health()[0].state is LinkState.STALE)
        assert any("subscribing again" in line for line in visit.told)
        assert visit.client.checks.ignored["heartbeat"] >= 1


async def test_a_handshake_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr("feeds.link.HANDSHAKE_NS", 300_000_000)
    async with troubled("okx", "slow-handshake:1:times=1", messages=60) as (visit, book):
        await visit.over()
        assert book_of(visit.rows) == book
        assert len(visit.told) >= 2


# -- F04, F05: snapshots over HTTP ---------------------------------------------------------------------
async def test_a_stale_snapshot_is_fetched_again_until_one_fits():
    async with troubled("coinbase-full", "drop:at=80", "stale-rest:times=2:at=0.2s") as (visit, book):
        await visit.over()
        await visit.until(lambda: live_again(visit))
        rows = visit.rows
    assert book_of(rows) == book
    assert any("older than the first message kept" in line for line in visit.told)


async def test_an_answer_that_says_wait_is_obeyed_and_told(monkeypatch):
    async with troubled("coinbase-full", "refuse:429:retry=1:on=rest:at=0.1s:times=1", "drop:at=80") as (visit, book):
        await visit.told_of("answers 429")
        await visit.over()
        await visit.until(lambda: live_again(visit))
        assert book_of(visit.rows) == book


@pytest.mark.parametrize("status", [403, 418, 451, 502])
async def test_whatever_an_answer_is_that_is_none_it_is_told_and_the_book_comes_later(status):
    faults = (f"refuse:{status}:retry=1:on=rest:at=0.1s:times=1", "drop:at=80")
    async with troubled("coinbase-full", *faults, messages=120) as (visit, book):
        await visit.told_of(f"answers {status}")
        await visit.over()
        await visit.until(lambda: live_again(visit))
        assert book_of(visit.rows) == book


@pytest.mark.parametrize(
    "page", [b"<html><body>Just a moment...</body></html>", b"", b"null", b'{"msg":"ok"}', b"\xff"]
)
async def test_a_page_that_is_no_snapshot_is_damage_and_asked_for_again(page, monkeypatch):
    voice = venues()["coinbase-full"].voice()
    real, pages = voice.snapshot, [page]

    def once(self, symbol, path):
        answer = real(self, symbol, path)
        return pages.pop() if answer is not None and pages else answer

    monkeypatch.setattr(voice, "snapshot", once)
    async with troubled("coinbase-full", messages=120) as (visit, book):
        await visit.over()
        await visit.until(lambda: live_again(visit))
        assert not pages
        assert visit.client.checks.damaged == 1
        assert book_of(visit.rows) == book


async def test_a_slow_answer_has_a_deadline(monkeypatch):
    monkeypatch.setattr("feeds.live._FETCH_S", 0.3)
    async with troubled("coinbase-full", "slow-rest:1:at=0.1s:times=1", "drop:at=80") as (visit, book):
        await visit.told_of("no snapshot from")
        await visit.over()
        await visit.until(lambda: live_again(visit))
        assert book_of(visit.rows) == book


# -- F43, F44, F50: load and time ----------------------------------------------------------------------
async def test_a_stall_and_the_burst_after_it_lose_nothing():
    async with troubled("okx", "stall:0.5:at=0.3s") as (visit, book):
        await visit.over()
        assert visit.client.checks.gaps == 0
        assert book_of(visit.rows) == book


async def test_a_venue_whose_clock_is_wrong_is_told_as_it_says():
    async with troubled("okx", messages=120) as (visit, _):
        await visit.over()
        plain = visit.rows
    async with troubled("okx", "skew:3600000", messages=120) as (visit, book):
        await visit.over()
        rows = visit.rows
    assert book_of(rows) == book
    told, was = (some["exch_ns"][some["kind"] == TRADE] for some in (rows, plain))
    assert (told - was == 3_600_000 * 1_000_000).all()
    assert (np.diff(rows["recv_ns"]) >= 0).all()
    assert abs(int(rows["recv_ns"][0]) - int(plain["recv_ns"][0])) < 60 * 10**9
