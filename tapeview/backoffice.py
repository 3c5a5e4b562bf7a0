"""The back office: this process's one journal, and the outlets that read it. Runs of all desks are written here.

A journal that cannot be had (another program writes it, its file is damaged) turns trading off with a sentence; it
never keeps the screen from opening. An outlet that cannot begin or deliver is told of, and keeps nothing else waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from tapeview import __version__, config, journal
from tapeview.config import Config
from tapeview.desk.records import AnyRecord
from tapeview.journal import About, Journal
from tapeview.outlets import load
from tapeview.outlets._runner import Post

__all__ = ["About", "BackOffice"]

_CLOSE_S: Final = 1.5
"""How long the end of the program waits for deliveries; what is not delivered then goes out the next time."""


class BackOffice:
    """Opens the journal and the outlets at the first run; raise nothing but in `open`, `kept` and `begin`."""

    def __init__(self, settings: Config, path: Path | None = None) -> None:
        self.settings = settings
        self.path = path if path is not None else journal.own_path()
        self.outlets = tuple(name for name, one in config.outlet_options(settings).items() if one.on)
        """Names of those that are on."""
        self._opening = threading.Lock()
        self._journal: Journal | None = None
        self._posts: list[Post] = []
        self._starter: threading.Thread | None = None
        self._unfit: list[str] = []
        """Why outlets could not begin."""
        self._off = ""

    @property
    def off(self) -> str:
        """Why nothing can be journalled, '' where it can or was not tried yet."""
        return self._off

    @property
    def trouble(self) -> str:
        """Why records wait, or do not go out; '' while all is well."""
        said = [self._journal.trouble] if self._journal is not None else []
        return "; ".join(text for text in [*said, *self._unfit, *(post.trouble for post in self._posts)] if text)

    @property
    def unwritten(self) -> int:
        """Records that are not on disk yet."""
        return self._journal.unwritten if self._journal is not None else 0

    def open(self) -> Journal:
        """The journal, opened now where it was not, and the outlets with it; raise BadInput where that cannot be."""
        with self._opening:
            if self._journal is None:
                try:
                    self._journal = Journal(self.path)
                except BadInput as error:
                    self._off = str(error)
                    raise
                self._off = ""
                self._start_outlets(self._journal)
            return self._journal

    def _start_outlets(self, book: Journal) -> None:
        self._unfit, self._posts = [], []
        if self.outlets:
            # What some of them import takes longer than a key press may.
            self._starter = threading.Thread(target=self._begin, args=(book, book.newest()), daemon=True)
            self._starter.start()

    def _begin(self, book: Journal, newest: tuple[int, int]) -> None:
        options = config.outlet_options(self.settings)
        for name in self.outlets:
            try:
                post = Post(name, load(name)(options[name]), book)
                post.start(newest)
            except Exception as error:  # whatever keeps one from beginning concerns no other, nor the journal
                self._unfit.append(f"{name}: {error}")
            else:
                self._posts.append(post)

    def kept(self) -> dict[str, str]:
        """The newest line of every state that a restart reads first, by what it is of; raise BadInput as `open`."""
        return self.open().kept()

    def begin(self, source: str, about: About) -> int:
        """Begin a run and give its number; raise BadInput where the journal cannot be written."""
        settings = msgspec.json.encode(about).decode()
        return self.open().begin(source, __version__, settings, journal.now_ns())

    def post(self, run: int, records: Sequence[AnyRecord]) -> None:
        """Hand over records of a run; nobody waits for the disk."""
        self.open().post(run, records)

    def end(self, run: int, digest: str) -> None:
        """End a run in order."""
        self.open().end(run, digest, journal.now_ns())

    def close(self) -> None:
        """Write what there is, let it go out where that is soon done, and let go of the file."""
        until = time.monotonic() + _CLOSE_S
        with self._opening:
            book, self._journal = self._journal, None
            if self._starter is not None:
                self._starter.join(_CLOSE_S)
            posts, self._posts = self._posts, []
        if book is None:
            return
        book.wait(timeout_s=_CLOSE_S)
        for post in posts:
            post.ask_to_end()
        for post in posts:
            post.stop(max(0.0, until - time.monotonic()))
        book.close()
