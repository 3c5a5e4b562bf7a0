"""Making a run again: its source, its settings and its commands must give its records, one by one, and its digest.

On the screen the records are compared as they come; `remake` does the same without one.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from feeds.clock import TICK_NS, Clock
from feeds.errors import BadInput
from feeds.events import CLOCK, KEYFRAME, Events
from feeds.source import OpenOptions, Source, open_source
from tapeview import config, journal
from tapeview.alertlog import AlertLog
from tapeview.config import Config
from tapeview.desk.commands import AnyCommand
from tapeview.desk.limits import Limits
from tapeview.desk.records import AnyRecord, Commanded, Kept, Told
from tapeview.market import Refused
from tapeview.session import Session, cut_at
from tapeview.trading.account import Account
from tapeview.trading.lane import END, Recipe, Trading

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds

_MOST: Final = 20
"""Differences that are told."""


class Remade(NamedTuple):
    """What came of making a run again."""

    records: int
    """Records compared."""
    differences: list[str]
    """Sentences with their place, the first ones; none where all was the same."""
    digest_ok: bool
    """The digest at its end is the run's; False for a run that has none."""


class KeptRun(NamedTuple):
    """A run as the journal has it."""

    run: journal.Run
    about: Recipe
    records: list[AnyRecord]

    @property
    def in_order(self) -> bool:
        """It was ended, and not cut off by force."""
        return any(isinstance(record, Told) and record.kind == END for record in self.records)

    @property
    def end_seq(self) -> int:
        """The newest row when it ended."""
        newest = max((record.seq for record in self.records), default=self.about.from_seq)
        # What comes between two rows is told after the first of them, when the second comes.
        return newest if self.in_order else newest + 1


def read_run(path: Path, number: int) -> KeptRun:
    """Read a run of a journal; raise BadInput where there is none of that number."""
    db = journal.open_readonly(path)
    try:
        run = next((one for one in journal.runs(db) if one.id == number), None)
        if run is None:
            raise BadInput("run", number, "a run of the journal: see tapeview journal runs")
        try:
            about = msgspec.json.decode(run.settings, type=Recipe)
        except msgspec.MsgspecError as error:
            raise BadInput(f"{path}: run {number}", str(error), "settings that a run was begun with") from None
        return KeptRun(run, about, [one for one in journal.records(db, number) if not isinstance(one, Kept)])
    except sqlite3.DatabaseError as error:
        raise BadInput(str(path), str(error), "a journal of tapeview") from None
    finally:
        db.close()


def settings_of(about: Recipe, base: Config | None = None) -> tuple[Config, dict[str, Thresholds]]:
    """The settings and thresholds a run was made under."""
    import tapeview.watch  # noqa: F401  (detectors' kernels are compiled with the engine's)

    try:
        limits = msgspec.convert(about.limits, Limits)
        plain = msgspec.to_builtins(base or Config())
        plain["engine"], plain["detectors"] = about.engine, {}
        plain["desk"] |= {"costs": about.costs, "calendar": about.calendar, "limits": msgspec.to_builtins(limits)}
        made = config.check(plain, "run")
        known = config.thresholds(config.Loaded(made, {}))
        found = {name: msgspec.convert(said, type(known[name])) for name, said in about.detectors.items()}
    except (msgspec.ValidationError, KeyError) as error:
        raise BadInput("run", str(error), "settings and detectors that this build has") from None
    return made, found


class Again(Trading):
    """A run that is made again: it begins at its row, takes its commands from the journal, and writes nothing."""

    def __init__(self, kept: KeptRun, session: Session, account: Account, log: Callable[[], AlertLog]) -> None:
        super().__init__(session, account, log)
        self.kept = kept
        self.compared = 0
        self.differences: list[str] = []
        self.digest_ok = False
        self.over = False
        """The run's end was reached."""
        self._wanted: Iterator[AnyRecord] = iter(one for one in kept.records if not _apart(one))

    def begin(self) -> None:
        """Attach the desk; the session stands after the row at which the run began."""
        about = self.kept.about
        self.account.set_equity(Decimal(about.equity))
        self.run = self.kept.run.id
        self.hindsight = about.hindsight
        self._attach(self.make_desk(about))
        commands = [(one.seq, one.command) for one in self.kept.records if isinstance(one, Commanded)]
        self.session.script.extend(commands)

    def play(self, batch: Events) -> list[Any]:
        """Take rows through the session; the run ends with the row it ended at."""
        if self.run is None:
            return self.session.play(batch)
        cut = cut_at(batch, seq=self.kept.end_seq)
        found = super().play(batch[:cut])
        if self.session.seq >= self.kept.end_seq and self.run is not None:
            self.finish()
        return found + self.session.play(batch[cut:]) if cut < len(batch) else found

    def finish(self) -> None:
        """Let go of the desk where the run ended, and compare its digest."""
        desk = self.session.desk
        if desk is None:
            return
        self.session.repeat()
        self._take(())
        missing = next(self._wanted, None)
        if missing is not None:
            self._differ(f"it ends before {_words(missing)}")
        ended = self.kept.run.digest is not None
        self.digest_ok = ended and desk.digest() == self.kept.run.digest
        if ended and not self.digest_ok:
            self._differ(f"digest {desk.digest()} in place of {self.kept.run.digest}")
        self.over = True
        self._let_go()
        same = "the same" if not self.differences else f"not the same: {self.differences[0]}"
        digest = "digest equal" if self.digest_ok else "no digest: it ended by force" if not ended else "another digest"
        self.account.say("again", f"run {self.kept.run.id} made again, {same}; {self.compared} records, {digest}")

    def send(self, command: AnyCommand) -> None:
        """Refuse: what is made again is not traded in."""
        del command
        raise Refused(f"run {self.kept.run.id} is being made again: open its source without --journal to trade")

    def end(self, why: str) -> None:
        """Leave the run unfinished."""
        if self.run is not None:
            self._let_go()
            self.account.say("again", f"run {self.kept.run.id} was left: {why}")

    def _write(self, records: Sequence[AnyRecord]) -> None:
        for record in records:
            if _apart(record):
                continue
            wanted = next(self._wanted, None)
            if wanted is None and not self.kept.in_order:
                continue
            self.compared += 1
            if wanted is None:
                self._differ(f"{_words(record)} comes after its end")
            elif record != wanted:
                self._differ(f"{_words(record)} in place of {_words(wanted)}")
        self.account.hear(self, records)

    def _differ(self, words: str) -> None:
        if not self.differences:
            self.account.say("again", f"run {self.kept.run.id} is not the same: {words}")
        if len(self.differences) < _MOST:
            self.differences.append(words)


def _apart(record: AnyRecord) -> bool:
    """Whether a record is not the desk's own: kept states are the account's, and the end is the market's."""
    return isinstance(record, Kept) or (isinstance(record, Told) and record.kind == END)


def _words(record: AnyRecord) -> str:
    return f"{journal.tag_of(record)} after row {record.seq}: {msgspec.json.encode(record).decode()}"


def remake(path: Path, number: int) -> Remade:
    """Make a run of a journal again, from the source it names; raise BadInput where that cannot be begun."""
    kept = read_run(path, number)
    about = kept.about
    source = open_kept(kept)
    settings, thresholds = settings_of(about)
    account = Account(settings, None, live=about.live, name=about.account, again=True)
    log = AlertLog()
    with Session(source, settings.engine, thresholds if about.watch_from < 0 else {}) as session:
        again = Again(kept, session, account, lambda: log)
        content = _Content(source, about.content)
        newest_ns = 0
        for batch in source.batches():
            content.add(batch)
            told = batch["recv_ns"][batch["kind"] != CLOCK]
            newest_ns = max(newest_ns, int(told.max(initial=0)))
            if again.over:
                if content.known:
                    break
                continue
            _through(again, batch, about, thresholds, log)
        if about.live and not again.over:
            silence = _silence(session, newest_ns, kept)
            if len(silence):
                _through(again, silence, about, thresholds, log)
        if not again.over and again.run is None:
            again.differences.append(f"the source ends at row {session.seq}, the run begins after row {about.from_seq}")
        elif not again.over:
            again.finish()
        said = content.difference()
        return Remade(again.compared, [*([said] if said else []), *again.differences], again.digest_ok and not said)


def _silence(session: Session, newest_ns: int, kept: KeptRun) -> Events:
    """The CLOCK rows after the last frame that a live market still saw; a recording ends with that frame."""
    end_ns = max((record.recv_ns for record in kept.records), default=0)
    # A tick more, for what was told between two of them.
    return Clock(session.seq + 1, newest_ns // TICK_NS).due(end_ns if kept.in_order else end_ns + TICK_NS)


def _through(again: Again, batch: Events, about: Recipe, thresholds: dict[str, Thresholds], log: AlertLog) -> None:
    """Take a batch through, with the places at which detectors and desk come in."""
    session = again.session
    if session.seq < about.watch_from and not session.watches:
        cut = cut_at(batch, seq=about.watch_from)
        log.add(session.play(batch[:cut]))
        batch = batch[cut:]
        if session.seq >= about.watch_from or len(batch):
            session.thresholds = thresholds
            session.watches = session.fresh_watches()
    if again.run is None and not again.over:
        cut = cut_at(batch, seq=about.from_seq)
        log.add(session.play(batch[:cut]))
        batch = batch[cut:]
        if session.seq >= about.from_seq:
            again.begin()
            if session.seq >= again.kept.end_seq:
                again.finish()
    if len(batch):
        log.add(again.play(batch))


def options_of_run(kept: KeptRun) -> tuple[str, OpenOptions]:
    """The address of a run's source and how it was opened; raise BadInput for a market that is past."""
    about = kept.about
    if about.live and not about.recording:
        raise BadInput(f"run {kept.run.id}", kept.run.source, "a live market that was recorded: it cannot be had again")
    try:
        return about.recording or kept.run.source, msgspec.convert(about.options, OpenOptions)
    except msgspec.ValidationError as error:
        raise BadInput(f"run {kept.run.id}", str(error), "options of a source") from None


def open_kept(kept: KeptRun) -> Source:
    """Open the source of a run; raise BadInput where it is gone."""
    address, options = options_of_run(kept)
    try:
        return open_source(address, options)
    except (BadInput, OSError) as error:
        raise BadInput(f"run {kept.run.id}: its source {address}", str(error), "the source as it was") from None


class _Content:
    """Compares what a source holds with what the run was made on."""

    def __init__(self, source: Source, wanted: str) -> None:
        manifest = getattr(source, "manifest", None)
        self._found: str | None = getattr(manifest, "events_digest", None)
        self._wanted = wanted
        self._sums = hashlib.blake2b(digest_size=32)

    @property
    def known(self) -> bool:
        """Nothing more has to be read for it."""
        return not self._wanted or self._found is not None

    def add(self, batch: Events) -> None:
        if not self.known:
            self._sums.update(batch[batch["marks"] & KEYFRAME == 0].tobytes())

    def difference(self) -> str:
        if not self._wanted:
            return ""
        found = self._found if self._found is not None else self._sums.hexdigest()
        return "" if found == self._wanted else "the source holds other events than it did"
