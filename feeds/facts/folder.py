"""A folder of slow inputs that is looked at again and again, and tells what is new in it.

`Watch` decides and remembers, and touches no file; `WatchedFolder` lists and reads. Nothing here waits or runs by
itself: whoever has the clock calls `poll`. A file is read when its time of change or size is new, and only once it
has rested, so that one half written is left alone: it has not changed for 2 s, or since the poll before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from feeds.events import F_LIQUIDATION, Events
from feeds.facts.fact import Consistency, Fact, Parsed
from feeds.facts.files import list_files, parse_facts, read_content
from feeds.facts.rows import TOTAL, Subjects, fact_rows
from feeds.instruments import Instrument

REST_NS: Final = 2_000_000_000
"""A file that has not changed for this long is taken to be whole."""
_Stamp = tuple[int, int]


class Watch:
    """Which files to read, and which of their facts are news."""

    def __init__(self, key: Callable[[str], object] = str) -> None:
        self.refused: dict[str, BadInput] = {}
        """Why a file as it is now was refused, by name; '' for the folder itself."""
        self.parsed: dict[str, Parsed] = {}
        """What each file gave, without its facts."""
        self.inconsistent: list[BadInput] = []
        """Facts of the newest poll that others, or the clock, contradict."""
        self._read: dict[str, _Stamp] = {}
        self._last: dict[str, _Stamp] = {}
        self._told: dict[tuple[object, ...], int] = {}
        self._consistency = Consistency(key)

    def due(self, listing: Iterable[tuple[str, int, int]], now_ns: int) -> list[str]:
        """Names of the files to read now, of (name, time of change in ns, bytes) each."""
        stamps = {name: (mtime_ns, size) for name, mtime_ns, size in listing}
        for name in [name for name in self._read if name not in stamps]:
            del self._read[name]
            self.refused.pop(name, None)
            self.parsed.pop(name, None)
        names = [
            name
            for name, stamp in stamps.items()
            if self._read.get(name) != stamp and (self._last.get(name) == stamp or now_ns - stamp[0] >= REST_NS)
        ]
        self._last = stamps
        return names

    def took(self, name: str, result: Parsed | BadInput) -> list[Fact]:
        """Note what a file that was due gave; give its facts."""
        self._read[name] = self._last.get(name, (0, 0))
        self.refused.pop(name, None)
        self.parsed.pop(name, None)
        if isinstance(result, BadInput):
            self.refused[name] = result
            return []
        facts, result.facts = result.facts, []
        self.parsed[name] = result
        return facts

    def news(self, facts: Iterable[Fact], now_ns: int) -> list[Fact]:
        """Of the facts of a poll, those not told before, or told with another value, in order."""
        newest: dict[tuple[object, ...], Fact] = {}
        for fact in sorted(facts, key=lambda one: one.order):
            newest[_identity(fact)] = fact
        told: list[Fact] = []
        self.inconsistent = []
        for identity, fact in sorted(newest.items(), key=lambda pair: pair[1].order):
            if self._told.get(identity) == fact.value:
                continue
            try:
                self._consistency.check(fact, now_ns)
            except BadInput as error:
                self.inconsistent.append(error)
                continue
            self._told[identity] = fact.value
            told.append(fact)
        return told


def _identity(fact: Fact) -> tuple[object, ...]:
    event = (fact.value, fact.side, fact.price) if fact.kind == F_LIQUIDATION else ()
    return (fact.symbol, fact.kind, fact.as_of_ns, fact.source, *event)


class WatchedFolder:
    """A folder of slow inputs of some instruments; `poll` it once a second or less often."""

    def __init__(
        self,
        path: Path,
        instruments: Sequence[Instrument],
        aliases: Mapping[str, str] | None = None,
        market: str = TOTAL,
    ) -> None:
        self.path = path
        self.subjects = Subjects(instruments, aliases, market)
        self.watch = Watch(self.subjects.of)

    def poll(self, now_ns: int) -> Events:
        """FACT rows of what is new, received now (ns since 1970); none of it is numbered.

        A file that is here is known, whatever its day of publication. Files that cannot be read are left out and
        named in `watch.refused` until they change; so is the folder. Never raises for what lies in it.
        """
        try:
            due = self.watch.due(list_files(self.path), now_ns)
            self.watch.refused.pop("", None)
        except BadInput as error:
            self.watch.refused[""] = error
            return fact_rows((), self.subjects)
        facts: list[Fact] = []
        for name in due:
            place = self.path / name
            try:
                found = parse_facts(read_content(place), str(place), self.subjects.wanted)
                fact_rows(found.facts, self.subjects)  # what no row can hold refuses the file
            except BadInput as error:
                facts += self.watch.took(name, error)
            else:
                facts += self.watch.took(name, found)
        return fact_rows(self.watch.news(facts, now_ns), self.subjects, now_ns)
