"""Scripted recordings that are traded on: a market of one's own, its journal, and time that the test makes pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feeds import script
from feeds.events import Events
from feeds.instruments import Instrument
from feeds.recording import RecordingWriter
from feeds.source import SourceInfo
from tapeview import journal
from tapeview.backoffice import BackOffice
from tapeview.config import Config
from tapeview.desk.commands import MARKET, AnyCommand, Arm, Bracket, Flatten, Place
from tapeview.desk.records import AnyRecord
from tapeview.desk.settings import DeskSettings
from tapeview.playback import Playback, open_playback
from tapeview.snapshot import DeskPart, Window
from tapeview.trading import Plan
from tests.kit.disk import FailingStorage

OPENING = "[ b20000:50 b19999:70 b19998:90 b19990:500 a20001:40 a20002:60 a20003:80 a20010:500 ] ~5500 b19999:71"
HELD = " ".join(f"~250 b19999:{70 + n % 2}" for n in range(120))
"""Half a minute in which nothing changes but the size behind the best bid."""
FALLS = "~100 b20000:0&b19999:0&b19998:0&b19990:0&b19980:60&a19981:60" + " ~250 b19980:61 ~250 b19980:60" * 40
"""Twenty ticks down, and ten seconds there."""
RISES = "~100 a20001:0&a20002:0&a20003:0&a20010:0&a20021:60&b20020:60" + " ~250 b20020:61 ~250 b20020:60" * 40
QUICK = {"latency_ms": 5, "cooldown_min": 0, "cooldown_trades": 0, "losses_stop": 20}
"""Limits under which one loss does not bar the next trade."""


def settings(account: str = "", equity: str = "25000", outlets: dict[str, Any] | None = None, **limits: Any) -> Config:
    """Settings with limits that are not the default ones."""
    import msgspec

    from tapeview.desk.limits import Limits

    chosen = msgspec.convert(QUICK | limits, Limits)
    desk = DeskSettings(account=account, equity=equity, costs="free", limits=chosen)
    return Config(desk=desk, outlets=outlets or {})


def record(folder: Path, text: str, symbol: str = "MES", start_ns: int = script.START_NS) -> Path:
    """Write a script as a recording."""
    return write(folder, script.events(text, start_ns=start_ns), symbol)


def write(folder: Path, rows: Events, symbol: str = "MES") -> Path:
    """Write rows as a recording."""
    instrument = Instrument(venue="cme", symbol=symbol, tick="0.25", multiplier="5", currency="USD")
    info = SourceInfo(address="script", format="script", venue="cme", tier="B", verification="chain", bytes=0)
    with RecordingWriter(folder / symbol, info, (instrument,), part_rows=200, storage=FailingStorage()) as out:
        out.write(rows)
    return folder / symbol


class Floor:
    """A player with paper trading."""

    def __init__(self, playback: Playback, office: BackOffice) -> None:
        self.playback = playback
        self.office = office
        self.now_ns = 1

    def go(self, ms: int, step_ms: int = 50) -> None:
        """Let market time pass."""
        self.playback.play()
        for _ in range(-(-ms // step_ms)):
            self.now_ns += step_ms * 1_000_000
            self.playback.tick(self.now_ns)
        self.playback.pause()

    def do(self, *commands: AnyCommand) -> None:
        for command in commands:
            self.playback.send(command)

    @property
    def part(self) -> DeskPart:
        part = self.playback.snapshot(Window()).desk
        assert part is not None
        return part

    @property
    def heard(self) -> list[tuple[str, str]]:
        """What was told, as (kind, words)."""
        account = self.playback.account
        assert account is not None
        return [(kind, words) for _, kind, words, _ in account.told]

    def trade(self, side: int = 1, lots: int = 2, stop: int = 8, wait_ms: int = 200) -> None:
        """Enter at market with a stop, and wait for the fill."""
        self.do(Arm(), Place(side=side, lots=lots, kind=MARKET, bracket=Bracket(stop_ticks=stop)))
        self.go(wait_ms)

    def settle(self) -> None:
        """Wait until all that was said is on disk."""
        assert self.office.open().wait()

    def flatten(self) -> None:
        self.do(Flatten())
        self.go(1000)


@contextlib.contextmanager
def floor(
    *addresses: Path,
    journal: Path,
    config: Config | None = None,
    account: str = "",
    at: str | None = "+6s",
    detectors: bool = False,
    **more: Any,
) -> Iterator[Floor]:
    """Open recordings, paused where the book is live, and trade on them."""
    chosen = settings() if config is None else config
    office = BackOffice(chosen, journal)
    playback = open_playback(
        [str(address) for address in addresses], None, chosen, at=at, paused=True, thresholds=None if detectors else {},
        desk=Plan(office, account, **more),
    )  # fmt: skip
    try:
        it = Floor(playback, office)
        playback.tick(it.now_ns)
        yield it
    finally:
        playback.close()
        office.close()


def written(path: Path, run: int | None = None, *kinds: type[Any]) -> list[AnyRecord]:
    """What the journal holds of a run, or of all."""
    db = journal.open_readonly(path)
    try:
        runs = [one.id for one in journal.runs(db)] if run is None else [run]
        return [one for number in runs for one in journal.records(db, number, kinds or None)]
    finally:
        db.close()


def runs(path: Path) -> list[journal.Run]:
    """The runs of a journal."""
    db = journal.open_readonly(path)
    try:
        return journal.runs(db)
    finally:
        db.close()


def kept(path: Path) -> dict[str, str]:
    """The states of a journal."""
    db = journal.open_readonly(path)
    try:
        return journal.kept(db)
    finally:
        db.close()
