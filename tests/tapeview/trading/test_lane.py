"""One lane's desk: when a run begins and ends, what is refused meanwhile, and that the market never stops for it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tapeview.desk.commands import LIMIT, Arm, Cancel, CancelAll, Place
from tapeview.desk.costs import commission, profiles
from tapeview.desk.desk import Desk
from tapeview.desk.records import Alerted, Closed, Commanded, Filled, Refused, Told
from tapeview.desk.settings import DeskSettings
from tapeview.market import Refused as No
from tapeview.playback import open_playback
from tapeview.snapshot import Window
from tapeview.trading import remake
from tapeview.trading.lane import END, Recipe, calendar_of
from tests.kit.trading import FALLS, HELD, OPENING, RISES, floor, record, runs, settings, written


@pytest.fixture
def held(tmp_path: Path) -> Path:
    return record(tmp_path, f"{OPENING} {HELD} {HELD}")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_nothing_is_written_before_the_first_command(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.go(1000)
        it.playback.seek_relative(2)
        assert not it.part.armed
        assert it.part.loss_left == "500.00"
    assert not book.exists()


def test_a_run_goes_from_the_first_command_to_the_next_jump_in_time(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        begun_seq = it.playback.lane.session.seq
        it.trade()
        assert it.part.position == 2
        it.flatten()
        it.playback.seek_relative(3)
        assert not it.part.armed
        assert it.part.position == 0
        it.do(Arm())
    first, second = runs(book)
    assert first.source == second.source == str(held)
    assert first.ended_ns is not None
    assert first.digest is not None
    about = msgspec.json.decode(first.settings, type=Recipe)
    assert (about.account, about.from_seq, about.hindsight) == ("practice", begun_seq, False)
    assert [type(one.command).__name__ for one in written(book, 1, Commanded)] == ["Arm", "Place", "Flatten", "Disarm"]
    assert [one.text for one in written(book, 1, Told) if one.kind == END] == ["another moment is shown"]
    assert len(written(book, 1, Closed)) == 2


def test_what_was_on_the_screen_before_is_traded_with_hindsight_and_what_was_not_is_not(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.go(4000)
        assert not it.part.hindsight
        it.playback.seek_relative(-3)
        assert it.part.hindsight
        it.do(Arm())
        it.go(4000)
        assert not it.part.hindsight
        it.do(*[Arm()] * 2)  # armed already: the run goes on
        it.playback.select(0)
        it.playback.lane.trading.disarm("a test")  # type: ignore[union-attr]
        it.do(Arm())
    about = [msgspec.json.decode(run.settings, type=Recipe) for run in runs(book)]
    assert [one.hindsight for one in about] == [True, False]


@pytest.mark.parametrize(
    "ask",
    [
        lambda p: p.seek_relative(5), lambda p: p.seek(p.start_ns), lambda p: p.back(), lambda p: p.retune({}),
        lambda p: p.prepare({}), lambda p: p.adopt(None),
    ],
)  # fmt: skip
def test_with_a_position_open_rows_are_neither_left_out_nor_seen_again(held: Path, book: Path, ask: object) -> None:
    with floor(held, journal=book) as it:
        it.trade()
        seq = it.playback.lane.session.seq
        with pytest.raises(No, match="a position is open: flatten before you"):
            ask(it.playback)  # type: ignore[operator]
        assert it.playback.lane.session.seq == seq
        assert it.part.position == 2
        it.flatten()
        if not {"adopt", "prepare"} & {*ask.__code__.co_names}:  # type: ignore[attr-defined]
            ask(it.playback)  # type: ignore[operator]
            assert it.playback.lane.trading.run is None  # type: ignore[union-attr]


def test_a_working_order_holds_the_place_too_and_the_end_does_not_begin_again_with_it(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.do(Arm(), Place(side=1, lots=1, kind=LIMIT, tick=19990))
        it.go(200)
        (own,) = it.part.orders
        assert (own.side, own.lots, own.kind, own.tick, own.state, own.why) == (
            1,
            1,
            "limit",
            19990,
            "working",
            "entry",
        )
        assert own.ahead == (500, 500)
        with pytest.raises(No, match="an order works"):
            it.playback.back()
        it.playback.set_speed(0.0)
        it.go(60_000, 1000)
        assert it.playback.ended
        with pytest.raises(No, match="an order works"):
            it.playback.toggle()
        it.do(Cancel(order=own.id))


def test_steps_forward_go_through_the_desk(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.do(Arm(), Place(side=1, lots=2, kind="market"))
        for _ in range(3):
            it.playback.step_event()
        assert it.part.position == 2
        assert it.part.entry_tick == 20001.0


def test_a_fault_in_the_desk_turns_trading_off_and_the_market_goes_on(
    held: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = open_playback([str(held)], None, settings(), at="+6s", paused=True, thresholds={})
    with floor(held, journal=book) as it:
        it.do(Arm(), Place(side=1, lots=1, kind="market"))
        it.go(300)

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a planted fault")

        monkeypatch.setattr(Desk, "after", broken)
        it.go(3000)
        assert "planted fault" in it.part.off
        assert [kind for kind, _ in it.heard][-1] == "off"
        with pytest.raises(No, match="planted fault"):
            it.do(Arm())
        it.playback.seek_relative(-1)  # nothing is held any more
        it.playback.seek_relative(3)
        alone.seek(it.playback.market_ns or 0)
        assert it.playback.lane.session.digest() == alone.lane.session.digest()
    alone.close()
    (run,) = runs(book)
    assert run.ended_ns is None, "a run that broke has no digest"


def test_the_engine_is_where_it_would_be_without_a_desk(held: Path, book: Path) -> None:
    alone = open_playback([str(held)], None, settings(), at="+6s", paused=True, thresholds={})
    with floor(held, journal=book) as it:
        it.trade()
        it.go(5000)
        alone.seek(it.playback.market_ns or 0)
        assert it.playback.lane.session.digest() == alone.lane.session.digest()
    alone.close()


def test_a_refused_command_says_why_and_is_journalled(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.do(Place(side=1, lots=1, kind="market"))
        assert it.heard == [("refused", "not armed")]
        it.do(Arm(), Place(side=1, lots=999, kind="market"))
        assert it.heard[-1] == ("refused", "999 lots, the limit for an order is 10")
    assert [one.reason for one in written(book, 1, Refused)] == [words for kind, words in it.heard if kind == "refused"]


def test_a_position_is_shown_with_its_risk_its_exits_and_what_is_left_of_the_day(tmp_path: Path, book: Path) -> None:
    with floor(record(tmp_path, f"{OPENING} ~2500 b19999:70 {RISES}"), journal=book) as it:
        it.trade(lots=2, stop=8)
        part = it.part
        assert (part.position, part.entry_tick, part.stop_tick) == (2, 20001.0, 19993)
        # A tick of 2 lots is 2.50: at the bid it stands a tick under its entry, an eighth of its risk.
        assert (part.profit, part.r, part.cover) == ("-2.50", -0.125, "covered")
        it.go(4000)
        part = it.part
        assert (part.profit, part.r) == ("+47.50", 19 / 8)
        assert part.session_profit == "+47.50"
        it.flatten()
        part = it.part
        assert (part.position, part.profit, part.session_profit, part.trades) == (0, "", "+47.50", 1)
        assert part.loss_left == "547.50"
        assert ("filled", "sold 2 at 5005.00") in it.heard


def test_alerts_go_into_the_journal_while_a_run_is_open(book: Path) -> None:
    from tapeview import bundled

    path = next(one.path for one in bundled.recordings() if one.name == "quiet-open")
    with floor(Path(path), journal=book, at="+20s", detectors=True) as it:
        it.do(Arm())
        it.playback.set_speed(100.0)
        it.go(1500)
        log = it.playback.lane.log
        (about,) = [msgspec.json.decode(run.settings, type=Recipe) for run in runs(book)]
        told = [f.alert for n in range(len(log)) for f in log.story(0, n)]
        seq = it.playback.lane.session.seq
    wanted = [
        (a.seq, a.detector, a.text) for a in told
        if a.phase == "confirmed" and not a.held and about.from_seq < a.seq <= seq
    ]  # fmt: skip
    assert len(wanted) >= 2
    assert sorted((a.seq, a.detector, a.text) for a in written(book, 1, Alerted)) == sorted(wanted)


def test_alerts_that_stood_before_the_desk_came_are_known_to_it(book: Path) -> None:
    from tapeview import bundled
    from tapeview.desk.commands import Call
    from tapeview.desk.records import Decided

    path = next(one.path for one in bundled.recordings() if one.name == "quiet-open")
    with floor(Path(path), journal=book, at="+60s", detectors=True) as it:
        seq = it.playback.lane.session.seq
        stands, newest = it.playback.lane.log.standing(0, seq)
        part = it.playback.lane.log.part(0, seq, Window(alert_rows=50))
        it.do(Call(side=1))
    assert newest is not None
    assert {one.text for one in stands} >= {line.text for line in part.lines if line.lasts and line.phase != "cleared"}
    (decided,) = written(book, 1, Decided)
    assert decided.last_alert == newest.detector
    assert sorted(decided.alerts) == sorted(one.text for one in stands if not one.held)


def test_another_instrument_on_the_screen_disarms(tmp_path: Path, book: Path) -> None:
    first, second = (record(tmp_path, f"{OPENING} {HELD}", symbol) for symbol in ("MES", "MNQ"))
    with floor(first, second, journal=book) as it:
        it.do(Arm())
        assert it.part.armed
        it.playback.select(0)
        assert it.part.armed
        it.playback.select(1)
        assert not it.part.armed
        assert it.heard[-1] == ("disarmed", "MES: disarmed: another instrument is shown")
        it.playback.select(0)
        assert not it.part.armed


def test_a_lane_that_is_not_shown_is_played_on_where_its_desk_holds_a_position(tmp_path: Path, book: Path) -> None:
    first, second = (record(tmp_path, f"{OPENING} {HELD}", symbol) for symbol in ("MES", "MNQ"))
    with floor(first, second, journal=book) as it:
        it.trade()
        it.playback.select(1)
        for _ in range(5):
            it.playback.step_event()
        other, shown = it.playback.lanes[0], it.playback.lanes[1]
        assert other.trading is not None
        assert other.trading.holding
        assert other.player.market_ns == shown.player.market_ns
        alone = open_playback([str(first)], None, settings(), paused=True, thresholds={})
        alone.seek(shown.player.market_ns or 0)
        assert alone.lane.session.digest() == other.session.digest()
        alone.close()


def test_a_journal_that_another_program_writes_turns_trading_off_with_a_sentence(held: Path, book: Path) -> None:
    with floor(held, journal=book) as it:
        it.do(Arm())
        with floor(held, journal=book) as second, pytest.raises(No, match="no other tapeview"):
            second.do(Arm())


def test_an_account_with_nothing_left_is_not_traded(held: Path, book: Path) -> None:
    with floor(held, journal=book, config=settings(equity="0")) as it, pytest.raises(No, match="has nothing left"):
        it.do(Arm())


def test_costs_that_cannot_charge_the_instrument_turn_trading_off(tmp_path: Path, book: Path) -> None:
    config = msgspec.structs.replace(settings(), desk=msgspec.structs.replace(settings().desk, costs="ibkr-micro"))
    with floor(record(tmp_path, f"{OPENING} {HELD}", "MGC"), journal=book, config=config) as it:
        assert "no other exchange fees" in it.part.off
        with pytest.raises(No, match="no other exchange fees"):
            it.do(Arm())


def test_fees_are_those_of_the_profile_that_is_named(held: Path, book: Path) -> None:
    config = msgspec.structs.replace(settings(), desk=msgspec.structs.replace(settings().desk, costs="ibkr-micro"))
    with floor(held, journal=book, config=config) as it:
        it.trade(lots=2)
        it.flatten()
    with floor(held, journal=book, config=config, account="other") as it:
        it.trade(lots=2)
        # 1.24 to get in and 1.24 to get out, of 2.50 a tick.
        assert it.part.break_even_tick == pytest.approx(20001 + 2.48 / 2.5)
        it.flatten()
    fees = [Decimal(one.fee) for one in written(book, 1, Filled) if one.view == "pessimist"]
    # 0.25 commission, 0.35 exchange and 0.02 regulatory for each of two lots on each of two sides.
    assert fees == [Decimal("1.24"), Decimal("1.24")]


@pytest.mark.parametrize(
    ("venue", "symbol", "calendar"),
    [
        ("CME", "MESZ6", "futures"), ("cme", "ES", "futures"), ("glbx.mdp3", "ESH4", "futures"),
        ("ib", "MNQ", "futures"),
        ("nasdaq", "AAPL", "equities"), ("ib", "AAPL", "equities"), ("binance-futures", "BTCUSDT", "crypto"),
        ("kraken", "BTC/USD", "crypto"), ("XSIM", "SIM", "futures"),
    ],
)  # fmt: skip
def test_the_day_rolls_by_what_is_traded_where(venue: str, symbol: str, calendar: str) -> None:
    from feeds.instruments import Instrument

    assert calendar_of(Instrument(venue=venue, symbol=symbol, tick="1"), "auto") == calendar
    assert calendar_of(Instrument(venue=venue, symbol=symbol, tick="1"), "crypto") == "crypto"


def test_a_stop_that_is_hit_closes_the_trade_and_tells_of_it(tmp_path: Path, book: Path) -> None:
    with floor(record(tmp_path, f"{OPENING} {FALLS.replace('~100', '~900 -19990:1 ~5', 1)}"), journal=book) as it:
        it.trade(lots=2, stop=8)
        it.go(3000)
        assert it.part.position == 0
        assert "closed" in [kind for kind, _ in it.heard]
        assert not it.part.orders
        it.do(CancelAll())


def test_a_fault_in_what_is_shown_turns_trading_off_and_the_picture_is_there(
    held: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with floor(held, journal=book) as it:
        it.trade()

        def broken(_: object) -> None:
            raise ZeroDivisionError("a planted fault")

        monkeypatch.setattr(Desk, "at_stake", broken)
        part = it.part
        assert "planted fault" in part.off
        assert part.position == 0
        it.go(500)
        assert it.playback.snapshot(Window(rows=10)).ladder is not None


def test_sizes_are_held_to_the_volumes_of_a_file_and_said_again_when_the_run_is_made_again(
    held: Path, book: Path, tmp_path: Path
) -> None:
    days = tmp_path / "volumes.csv"
    days.write_text("date,symbol,volume\n" + "".join(f"2019-03-{day:02},MES,100\n" for day in range(1, 29)))
    one = settings(account="", order_lots=50, position_lots=50)
    one = msgspec.structs.replace(one, desk=msgspec.structs.replace(one.desk, volumes=str(days)))
    with floor(held, config=one, journal=book) as it:
        it.do(Arm(), Place(side=1, lots=3, kind="market"))
        it.do(Place(side=1, lots=1, kind="market"))
        it.go(1000)
        assert it.part.position == 1
        it.flatten()
    (refused,) = written(book, 1, Refused)
    assert "2" in refused.reason
    assert remake(book, 1).differences == []


def test_volumes_that_cannot_be_read_refuse_the_first_command(held: Path, book: Path, tmp_path: Path) -> None:
    one = settings()
    one = msgspec.structs.replace(one, desk=msgspec.structs.replace(one.desk, volumes=str(tmp_path / "none.csv")))
    with floor(held, config=one, journal=book) as it, pytest.raises(No, match=r"none\.csv"):
        it.do(Arm())


def test_a_contract_costs_what_its_own_profile_says(held: Path, book: Path) -> None:
    with floor(held, config=msgspec.structs.replace(settings(), desk=DeskSettings()), journal=book) as it:
        it.trade()
    fill = written(book, 1, Filled)[0]
    one_side = commission(profiles()["ibkr-micro"], 2) + 2 * (Decimal("0.35") + Decimal("0.02"))
    assert Decimal(fill.fee) == one_side
