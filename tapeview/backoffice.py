"""The back office: this process's one journal, and the outlets that read it. Runs of all desks are written here.

A journal that cannot be had (another program writes it, its file is damaged) turns trading off with a sentence; it
never keeps the screen from opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from feeds.errors import BadInput
from tapeview import __version__, journal
from tapeview.config import Config
from tapeview.desk.records import AnyRecord
from tapeview.journal import Journal


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs to be made again, besides its source and its commands."""

    account: str
    live: bool
    """A venue's market, as it happened."""
    equity: str
    """The account's at the run's start."""
    calendar: str
    costs: str
    """Name of the profile."""
    limits: dict[str, float]
    from_seq: int = -1
    """The newest row that was applied when the desk began; -1 for the source's start."""
    kept: dict[str, str] = {}
    """States the desk began with."""
    hindsight: bool = False
    """The rows had been on the screen before."""


class BackOffice:
    """Opens the journal at the first run; raise nothing but in `begin`."""

    def __init__(self, settings: Config, path: Path | None = None) -> None:
        self.settings = settings
        self.path = path if path is not None else journal.own_path()
        self._journal: Journal | None = None
        self._off = ""

    @property
    def off(self) -> str:
        """Why nothing can be journalled, '' where it can or was not tried yet."""
        return self._off

    @property
    def trouble(self) -> str:
        """Why records wait, '' while all is well."""
        return self._journal.trouble if self._journal is not None else ""

    @property
    def unwritten(self) -> int:
        """Records that are not on disk yet."""
        return self._journal.unwritten if self._journal is not None else 0

    def open(self) -> Journal:
        """The journal, opened now where it was not; raise BadInput where that cannot be."""
        if self._journal is None:
            try:
                self._journal = Journal(self.path)
            except BadInput as error:
                self._off = str(error)
                raise
        return self._journal

    def kept(self) -> dict[str, str]:
        """The newest line of every state that a restart reads first, by what it is of; raise BadInput as `open`."""
        return self.open().kept()

    def begin(self, source: str, about: About) -> int:
        """Begin a run and give its number; raise BadInput where the journal cannot be written."""
        settings = msgspec.json.encode(about).decode()
        return self.open().begin(source, __version__, settings, journal.now_ns())

    def post(self, run: int, records: Sequence[AnyRecord]) -> None:
        """Hand over records of a run."""
        self.open().post(run, records)

    def end(self, run: int, digest: str) -> None:
        """End a run in order."""
        self.open().end(run, digest, journal.now_ns())

    def close(self) -> None:
        """Write what there is and let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
