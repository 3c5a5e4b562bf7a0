"""A source with slow inputs put in at the moments they became known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.clock import TICK_NS, Clock, boundaries, clock_rows
from feeds.events import CLOCK, LAST, Events, empty
from feeds.facts.fact import Fact, consistent
from feeds.facts.rows import TOTAL, Subjects, fact_rows
from feeds.instruments import Instrument
from feeds.source import Checks, Source


class WithFacts(Source):
    """A source's rows with FACT rows between its messages, numbered anew, with one clock.

    A fact comes before the first message whose receive time (the greatest so far) is not before `known_ns`; all
    that was known when the source begins comes first, received at its first row's time. What becomes known after
    the source's last row does not come. The rows are the same however the source cuts its batches.
    """

    def __init__(
        self,
        source: Source,
        facts: Iterable[Fact],
        aliases: Mapping[str, str] | None = None,
        market: str = TOTAL,
    ) -> None:
        self.source = source
        self.instruments: tuple[Instrument, ...] = source.instruments
        self.subjects = Subjects(source.instruments, aliases, market)
        kept, self.refused = consistent((fact for fact in facts if self.subjects.wanted(fact.symbol)), self.subjects.of)
        """Facts that others contradict, and why."""
        self.facts: list[Fact] = kept
        """The facts that concern the source, in the order they became known."""
        fact_rows(kept, self.subjects)
        note = f"{len(kept)} slow inputs" + (f", {len(self.refused)} refused" if self.refused else "")
        self.info = msgspec.structs.replace(source.info, notes=(*source.info.notes, note))

    @property
    def checks(self) -> Checks:  # type: ignore[override]
        """What the source's reader found."""
        return self.source.checks

    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all) of the source."""
        return self.source.progress

    def batches(self) -> Iterator[Events]:
        """Give the rows from the start; without facts, the source's own."""
        if not self.facts:
            yield from self.source.batches()
            return
        merging = _Merging(self.facts, self.subjects)
        for batch in self.source.batches():
            if len(batch):
                yield merging.put_into(batch)

    def close(self) -> None:
        """Close the source."""
        self.source.close()


class _Merging:
    """Batches of a source, facts put in.

    The source's CLOCK rows are those of `Clock` after its rows. Where a fact comes in a silence, those after it up to
    the next message are made anew, as they would have been live; everywhere else the source's rows go through.
    """

    def __init__(self, facts: list[Fact], subjects: Subjects) -> None:
        self._facts = facts
        self._known = np.array([fact.known_ns for fact in facts], dtype=np.int64)
        self._subjects = subjects
        self._next = 0
        self._next_seq = 0
        self._newest: int | None = None
        """Greatest time of the source's rows, None before the first that is no CLOCK row."""
        self._active: int | None = None
        """Boundary of the newest row that is no CLOCK row, facts among them."""
        self._theirs: int | None = None
        """The same of the source's rows alone."""
        self._ticked = 0
        """Boundary up to which CLOCK rows were given."""

    def put_into(self, batch: Events) -> Events:
        lead = 0
        if self._newest is None:  # CLOCK rows before the first row stay as they are
            real = batch["kind"] != CLOCK
            lead = int(np.argmax(real)) if real.any() else len(batch)
        if lead == 0:
            rows = self._merge(batch)
        elif lead < len(batch):
            rows = np.concatenate([batch[:lead], self._merge(batch[lead:])])
        else:
            rows = batch
        if rows is not batch or rows["seq"][0] != self._next_seq:
            rows = rows.copy() if rows is batch else rows
            rows["seq"] = np.arange(self._next_seq, self._next_seq + len(rows))
        self._next_seq += len(rows)
        return rows

    def _merge(self, batch: Events) -> Events:
        last_ns = int(batch["recv_ns"].max())
        last_ns = last_ns if self._newest is None else max(last_ns, self._newest)
        due = int(np.searchsorted(self._known, last_ns, side="right"))
        ends_real = batch["kind"][-1] != CLOCK
        if due == self._next and self._active == self._theirs and self._newest is not None and ends_real:
            self._active = self._theirs = last_ns // TICK_NS
            self._newest = last_ns
            return batch
        real = batch["kind"] != CLOCK
        rows = self._between(batch[real], np.maximum.accumulate(batch["recv_ns"])[real], due)
        parts = [self._clocked(rows)] if len(rows) else []
        if not ends_real and self._active is not None:
            numbers = boundaries(self._active, last_ns // TICK_NS)
            parts.append(clock_rows(numbers[numbers > self._ticked]))
            self._ticked = max(self._ticked, last_ns // TICK_NS)
        self._newest = last_ns
        return np.concatenate([empty(), *parts])

    def _between(self, rows: Events, times: NDArray[np.int64], due: int) -> Events:
        least_ns = int(times[0]) if self._newest is None else self._newest
        if len(rows):
            self._theirs = max(int(times[-1]), least_ns) // TICK_NS
        if due == self._next:
            return rows
        facts, known = self._facts[self._next : due], self._known[self._next : due]
        self._next = due
        ends = np.flatnonzero(rows["marks"] & LAST) + 1
        if len(rows) and (not len(ends) or ends[-1] != len(rows)):
            ends = np.append(ends, len(rows))
        starts = np.concatenate([np.zeros(1, ends.dtype), ends])
        before = np.searchsorted(np.maximum(times[ends - 1], least_ns), known)
        places, firsts = np.unique(starts[before], return_index=True)
        parts: list[Events] = []
        at = 0
        for place, first, last in zip(
            places.tolist(), firsts.tolist(), [*firsts.tolist()[1:], len(facts)], strict=True
        ):
            put = fact_rows(facts[first:last], self._subjects)
            np.maximum(put["recv_ns"], least_ns, out=put["recv_ns"])
            parts += [rows[at:place], put]
            at = place
        return np.concatenate([*parts, rows[at:]])

    def _clocked(self, rows: Events) -> Events:
        clock = Clock(boundary=self._active)
        out = clock.insert(rows)
        self._active = clock.boundary
        given = int(np.argmax((out["kind"] != CLOCK) | (out["recv_ns"] // TICK_NS > self._ticked)))
        self._ticked = max(self._ticked, clock.boundary or 0)
        return out[given:]
