"""The drills that were called, in the journal: one run for each visit, its source `drill:` and the first seed."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from tapeview import journal
from tapeview.backoffice import About, BackOffice
from tapeview.desk.records import Drilled

PREFIX: Final = "drill:"
"""How the source of a run of drills begins."""
ACCOUNT: Final = "drills"


class History:
    """Keeps what is called; nothing is lost where the journal cannot be had, but then it lasts no longer than this."""

    def __init__(self, office: BackOffice | None) -> None:
        self.off = "" if office is not None else "nothing is journalled here"
        """Why drills are not kept, '' while they are."""
        self.here: list[Drilled] = []
        """Those of this visit."""
        self._office = office
        self._run: int | None = None
        self._sums = hashlib.blake2b(digest_size=16)

    def keep(self, record: Drilled) -> None:
        """Keep one; why it could not be is in `off`."""
        self.here.append(record)
        self._sums.update(msgspec.json.encode(record))
        if self._office is None:
            return
        try:
            if self._run is None:
                about = About(
                    account=ACCOUNT, live=False, equity="0", calendar="crypto", costs="", limits={}
                )  # fmt: skip
                self._run = self._office.begin(f"{PREFIX}{record.seed}", about)
            self._office.post(self._run, [record])
            self.off = ""
        except BadInput as error:
            self.off = str(error)

    def close(self) -> None:
        """End the run in order."""
        run, self._run = self._run, None
        if run is None or self._office is None:
            return
        try:
            self._office.end(run, self._sums.hexdigest())
        except BadInput as error:
            self.off = str(error)


def drilled(db: sqlite3.Connection) -> list[Drilled]:
    """All drills of a journal, the oldest first; raises BadInput where one is damaged."""
    return [
        record
        for run in journal.runs(db)
        if run.source.startswith(PREFIX)
        for record in journal.records(db, run.id, [Drilled])
        if isinstance(record, Drilled)
    ]


def read(path: Path) -> list[Drilled]:
    """The same of a file, none where there is no file yet; raises BadInput where it cannot be read."""
    if not path.exists():
        return []
    with journal.reading(path) as db:
        return drilled(db)
