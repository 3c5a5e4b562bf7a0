"""How far a capture may be trusted: shares and holes that were worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from feeds.events import (
    BOOK,
    C_CHECKSUM,
    C_DISCONNECT,
    C_DROPS,
    C_SEQUENCE,
    CHECKED,
    GAP,
    LAST,
    NONE,
    PRINTS_ONLY,
    S_LIVE,
    STATUS,
    SUSPECT,
    TRADE,
    EventBuffer,
)
from feeds.recording import FrameWriter, Manifest, derive_events, verify
from feeds.recording.blocks import DISCONNECT
from feeds.recording.blocks import GAP as GAP_RECORD
from feeds.recording.columns import split
from feeds.recording.derived import GapTold
from feeds.recording.trust import Account, Trust
from tapeview.cli import main
from tests.feeds.test_feed import ONE, Server
from tests.kit.recordings import write_recording
from tests.kit.rows import INSTRUMENTS, stream

S = 10**9


class Story:
    """Rows of a session that begins at 0 s; times are in seconds."""

    def __init__(self, instruments: int = 1) -> None:
        self.out, self.instruments = EventBuffer(), instruments

    def row(self, at: float, kind: int, *, marks: int = LAST, **fields: int) -> Story:
        self.out.append(kind, round(at * S), marks=marks, **fields)
        return self

    def live(self, at: float, inst: int = 0) -> Story:
        return self.row(at, STATUS, aux=S_LIVE, inst=inst)

    def change(self, at: float, mark: int = 0, inst: int = 0) -> Story:
        return self.row(at, BOOK, tick=1, lots=1, side=1, marks=LAST | mark, inst=inst)

    def gap(self, at: float, cause: int, lost: int = NONE, length: float | None = None, inst: int = 0, marks: int = 0):
        length_ns = NONE if length is None else round(length * S)
        return self.row(at, GAP, lots=cause, ref=lost, aux=length_ns, inst=inst, marks=LAST | marks)

    def told(self, verification: str, cut: int = 3) -> Trust:
        account, rows = Account(INSTRUMENTS[: self.instruments], verification), self.out.take()
        rows["seq"] = range(len(rows))
        for at in range(0, len(rows), cut):
            account.take(split(rows[at : at + cut]))
        return account.result()


def shares(trust: Trust) -> tuple[float, float, float]:
    return trust.all.verified_time, trust.all.verified_messages, trust.all.clean_time


def chain_story() -> Story:
    """10 s: synced at 1 s, a gap found at 4 s after a message at 3 s, whole again at 6 s."""
    story = Story().change(0).live(1).change(2).change(3)
    story.gap(4, C_SEQUENCE, lost=7).change(5)
    return story.live(6).change(8).row(9, TRADE).change(10)


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_a_chain_verifies_from_message_to_message_while_the_book_is_live(cut: int) -> None:
    trust = chain_story().told("chain", cut)
    # Verified 1-3 s and 6-10 s; the hole is 3-6 s; of eight messages about the book the first and the one in the
    # hole were not vouched for.
    assert shares(trust) == (60.0, 75.0, 70.0)
    assert trust.messages == 8
    (hole,) = trust.holes
    assert (hole.since_ns, hole.until_ns, hole.length_ns) == (3 * S, 6 * S, 3 * S)
    assert (hole.cause, hole.lost, hole.seq, hole.instrument) == ("sequence", 7, 4, "test:ONE")


def test_a_feed_without_a_rule_is_clean_but_never_verified() -> None:
    assert shares(chain_story().told("unverifiable")) == (0.0, 0.0, 70.0)


def test_a_checksum_vouches_for_all_messages_before_it_and_a_wrong_one_for_none() -> None:
    story = Story().live(0).change(1).change(2).change(3, CHECKED)
    story.change(4).change(5, SUSPECT).gap(5, C_CHECKSUM).live(7).change(8, CHECKED).change(9).change(10)
    trust = story.told("checksum")
    # Verified 0-3 s (status and three changes) and 7-8 s (two); what no checksum followed is not.
    assert shares(trust) == (40.0, 60.0, 80.0)


def test_a_hole_in_a_hole_is_one_time_and_two_reasons() -> None:
    story = Story().live(0).change(2).gap(3, C_DISCONNECT).gap(5, C_SEQUENCE).live(6).change(10)
    trust = story.told("chain")
    assert shares(trust) == (60.0, 100.0, 60.0)
    assert [(hole.cause, hole.since_ns // S, hole.length_ns // S) for hole in trust.holes] == [
        ("disconnect", 2, 3), ("sequence", 2, 4),
    ]  # fmt: skip


def test_a_hole_that_is_never_healed_lasts_to_the_end() -> None:
    trust = Story().live(0).change(4).gap(5, C_DISCONNECT).row(10, TRADE).told("chain")
    assert shares(trust) == (40.0, 100.0, 40.0)
    assert (trust.holes[0].until_ns, trust.holes[0].length_ns) == (None, 6 * S)


def test_missing_prints_leave_the_book_verified() -> None:
    trust = Story().live(0).change(4).gap(6, C_DISCONNECT, length=1, marks=PRINTS_ONLY).change(10).told("chain")
    assert shares(trust) == (90.0, 100.0, 90.0)
    assert trust.holes[0].prints_only


def test_frames_we_lost_count_once_however_many_instruments_there_are() -> None:
    story = Story(2).live(0, 0).live(0, 1).change(4, inst=0).change(4, inst=1)
    story.gap(5, C_DROPS, lost=12, length=0.5, inst=0).gap(5, C_DROPS, lost=12, length=0.5, inst=1)
    trust = story.live(6, 0).change(10, inst=0).change(10, inst=1).told("chain")
    assert trust.own_drops == 12
    assert [(drop.at_ns, drop.lost, drop.length_ns, drop.cause) for drop in trust.drops] == [
        (5 * S, 12, S // 2, "drops")
    ]
    assert len(trust.holes) == 2
    assert trust.instruments["test:ONE"].clean_time == 85.0
    assert trust.instruments["test:TWO"].clean_time == 45.0
    assert trust.all.clean_time == 65.0


def test_shares_are_never_rounded_up_to_all() -> None:
    story = Story().live(0).change(1).gap(1.01, C_SEQUENCE).live(1.02).change(100_000)
    assert story.told("chain").all.clean_time == 99.999


def test_nothing_is_nothing() -> None:
    trust = Account(INSTRUMENTS, "chain").result()
    assert (trust.session_ns, shares(trust)) == (0, (0.0, 0.0, 0.0))


# -- recordings ----------------------------------------------------------------------------------
def capture(folder: Path) -> None:
    """A capture of 20 s with a disconnect of 3 s and frames we lost after 15 s."""
    market = Server(5)
    about = Manifest(
        venue="okx", source_format="live", tier="C", verification="chain", instruments=(ONE["BTC-X"][1],)
    )  # fmt: skip
    with FrameWriter(folder, about) as out:

        def say(raw: bytes, at: float, conn: int = 1) -> None:
            out.frame("ws:0", raw, wall_ns=round(at * S), mono_ns=round(at * S), conn=conn)

        def talk(start: float, end: float, conn: int) -> None:
            at = start
            while at < end:
                frame = market.next()
                if b"BTC-X" in frame:
                    say(frame, at, conn)
                    at += 0.5

        say(market.snapshot("BTC-X"), 0)
        talk(0.5, 10, 1)
        out.record(DISCONNECT, b"1006", wall_ns=10 * S, mono_ns=10 * S, conn=1)
        say(market.snapshot("BTC-X"), 13, 2)
        talk(13.5, 15, 2)
        lost = msgspec.json.encode(GapTold(cause=C_DROPS, lost=40, length_ns=S))
        out.record(GAP_RECORD, lost, wall_ns=16 * S, mono_ns=16 * S)
        say(market.snapshot("BTC-X"), 17, 2)
        talk(17.5, 20.4, 2)


def test_verify_tells_of_a_capture_what_may_be_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture(tmp_path / "c")
    derive_events(tmp_path / "c")
    trust = verify(tmp_path / "c").trust
    assert trust is not None
    assert (trust.session_ns, trust.own_drops) == (20 * S, 40)
    causes = [(hole.cause, hole.since_ns / S, hole.until_ns and hole.until_ns / S) for hole in trust.holes]
    assert causes == [("disconnect", 9.5, 13.0), ("drops", 15.0, 17.0)]
    # 3.5 s and 2 s of 20 s, the second from a second before the frames were missed.
    assert trust.all.clean_time == 72.5
    assert trust.all.verified_time == 72.5

    assert main(["verify", str(tmp_path / "c")]) == 1
    printed = capsys.readouterr().out
    assert "verified" in printed
    assert "72.5 % of the time" in printed
    assert "our own drops" in printed
    assert "40 frames" in printed
    assert "okx:BTC-X book  disconnect, 3.500 s  seq" in printed
    assert main(["verify", str(tmp_path / "c"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["trust"]
    assert told["all"]["clean_time"] == 72.5
    assert told["drops"][0]["lost"] == 40
    assert told["holes"][0]["cause"] == "disconnect"


def test_a_capture_whose_events_are_not_made_yet_is_told_of_as_well(tmp_path: Path) -> None:
    capture(tmp_path / "c")
    trust = verify(tmp_path / "c").trust
    assert trust is not None
    assert trust.all.clean_time == 72.5


def test_what_has_no_frames_has_no_such_shares(tmp_path: Path) -> None:
    write_recording(tmp_path / "r", stream(3, 20)).close()
    assert verify(tmp_path / "r").trust is None
