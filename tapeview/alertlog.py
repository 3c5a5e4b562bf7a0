"""What detectors told of one source, in the order of its rows, whoever played it: for lists, marks and jumps."""

from __future__ import annotations

import bisect
import threading
from typing import TYPE_CHECKING, Final

from tapeview.snapshot import AlertLine, AlertsPart, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tapeview.alert import Alert
    from tapeview.watch import Finding

_Key = tuple[int, str, int]
_BEGAN: Final = 256
"""Beginnings handed out for marks on the tape, at most."""


class AlertLog:
    """Findings of a source, each once, though it is played more than once and by two threads.

    A story is all that is told under one instrument, detector and key. What is asked for a moment holds what was
    told at or before it, whatever is known of later.
    """

    def __init__(self, most: int | None = None) -> None:
        """`most` stories of an instrument are kept, the newest; all for None."""
        self._most = most
        self._gone: dict[int, int] = {}
        """By instrument, stories that were let go: numbers of the others stay what they are."""
        self._lock = threading.Lock()
        self._seen: set[tuple[int, int, str, int, str]] = set()
        self._stories: dict[_Key, list[Finding]] = {}
        self._order: dict[int, list[tuple[int, str, int]]] = {}
        """By instrument, (seq of the first line, detector, key) in order."""
        self._lines: dict[int, list[int]] = {}
        """By instrument, the seq of every line in order."""
        self._made: tuple[tuple[object, ...], AlertsPart] = ((), AlertsPart((), 0, 0, 0, (), ()))

    def add(self, findings: Iterable[Finding]) -> None:
        """Take findings in; those known already are left out."""
        for finding in findings:
            alert = finding.alert
            name = (alert.seq, alert.inst, alert.detector, alert.key, alert.phase)
            with self._lock:
                known = (alert.inst, alert.detector, alert.key) in self._stories
                if name in self._seen or (alert.phase != "confirmed" and not known and alert.inst in self._gone):
                    continue  # told already, or of a story that was let go
                self._seen.add(name)
                bisect.insort(self._lines.setdefault(alert.inst, []), alert.seq)
                story = self._stories.setdefault((alert.inst, alert.detector, alert.key), [])
                order = self._order.setdefault(alert.inst, [])
                if story and alert.seq < story[0].alert.seq:
                    order.remove((story[0].alert.seq, alert.detector, alert.key))
                bisect.insort(story, finding, key=lambda f: f.alert.seq)
                if story[0] is finding:
                    bisect.insort(order, (alert.seq, alert.detector, alert.key))
                if self._most is not None and len(order) > self._most:
                    self._let_go(alert.inst, order)

    def _let_go(self, inst: int, order: list[tuple[int, str, int]]) -> None:
        # A tenth at a time, so that the lists are not moved with every story.
        count = max(1, len(order) // 10)
        for _, detector, key in order[:count]:
            for finding in self._stories.pop((inst, detector, key)):
                alert = finding.alert
                self._seen.discard((alert.seq, alert.inst, alert.detector, alert.key, alert.phase))
                lines = self._lines[inst]
                del lines[bisect.bisect_left(lines, alert.seq)]
        del order[:count]
        self._gone[inst] = self._gone.get(inst, 0) + count

    def __len__(self) -> int:
        return len(self._stories)

    def story(self, inst: int, number: int) -> tuple[Finding, ...]:
        """All that was told of a story, oldest first; its number is its place among the instrument's."""
        with self._lock:
            order = self._order.get(inst, [])
            number -= self._gone.get(inst, 0)
            if not 0 <= number < len(order):
                return ()
            _, detector, key = order[number]
            return tuple(self._stories[inst, detector, key])

    def number(self, finding: Finding) -> int:
        """The number of the story a finding belongs to; -1 where it is not of this log."""
        alert = finding.alert
        with self._lock:
            story = self._stories.get((alert.inst, alert.detector, alert.key))
            if not story:
                return -1
            name = (story[0].alert.seq, alert.detector, alert.key)
            return self._gone.get(alert.inst, 0) + bisect.bisect_left(self._order[alert.inst], name)

    def next_after(self, inst: int, seq: int, muted: frozenset[str] = frozenset()) -> Finding | None:
        """The beginning of the first story after a row."""
        return self._near(inst, seq, muted, forward=True)

    def last_before(self, inst: int, seq: int, muted: frozenset[str] = frozenset()) -> Finding | None:
        """The beginning of the last story before a row."""
        return self._near(inst, seq, muted, forward=False)

    def _near(self, inst: int, seq: int, muted: frozenset[str], *, forward: bool) -> Finding | None:
        with self._lock:
            order = self._order.get(inst, [])
            at = bisect.bisect_right(order, seq, key=lambda o: o[0]) if forward else -1
            if not forward:
                at = bisect.bisect_left(order, seq, key=lambda o: o[0]) - 1
            while 0 <= at < len(order):
                _, detector, key = order[at]
                first = self._stories[inst, detector, key][0]
                if detector not in muted and not first.alert.held:
                    return first
                at += 1 if forward else -1
        return None

    def standing(self, inst: int, seq: int) -> tuple[list[Alert], Alert | None]:
        """What stands after a row, each as it was told last, and the newest line that was not held back."""
        stands: list[Alert] = []
        newest: Alert | None = None
        with self._lock:
            for first, detector, key in self._order.get(inst, []):
                if first > seq:
                    break
                told = [found.alert for found in self._stories[inst, detector, key] if found.alert.seq <= seq]
                if told[-1].lasts and told[-1].phase != "cleared":
                    stands.append(told[-1])
                for alert in told:
                    known = alert.phase != "cleared" and not alert.held
                    if known and (newest is None or alert.seq >= newest.seq):
                        newest = alert
        return stands, newest

    def part(self, inst: int, seq: int, window: Window) -> AlertsPart:
        """What a screen shows of the stories told up to a row."""
        with self._lock:
            # Later lines of a story change what is shown as much as new stories do.
            told = bisect.bisect_right(self._lines.get(inst, []), seq)
        asked = (
            inst, told, self._gone.get(inst, 0), window.alert_rows, window.alert_until, window.alert_muted,
            window.tape_until,
        )  # fmt: skip
        if self._made[0] != asked:
            self._made = (asked, self._part(inst, seq, window))
        return self._made[1]

    def _part(self, inst: int, seq: int, window: Window) -> AlertsPart:
        lines: list[AlertLine] = []
        active: list[tuple[int, int, int, int]] = []
        began: list[tuple[int, int]] = []
        newest: tuple[int, AlertLine] | None = None
        standing: AlertLine | None = None
        total = newer = held = 0
        with self._lock:
            order = self._order.get(inst, [])
            end = bisect.bisect_right(order, seq, key=lambda o: o[0])
            gone = self._gone.get(inst, 0)
            for number in range(gone + end - 1, gone - 1, -1):
                _, detector, key = order[number - gone]
                if detector in window.alert_muted:
                    continue
                story = self._stories[inst, detector, key]
                first = story[0].alert
                if first.held:
                    held += 1
                    continue
                total += 1
                told = len(story)
                while story[told - 1].alert.seq > seq:
                    told -= 1
                last = story[told - 1].alert
                over = last.phase == "cleared"
                grown = story[told - 2].alert if over and told > 1 else last
                listed = window.alert_until is None or number <= window.alert_until
                newer += not listed
                latest = newest is None or grown.seq > newest[0]
                stands = standing is None and first.lasts and not over
                if latest or stands or (listed and len(lines) < window.alert_rows):
                    line = _line(number, first, grown, last)
                    if latest:
                        newest = (grown.seq, line)
                    if stands:
                        standing = line
                    if listed and len(lines) < window.alert_rows:
                        lines.append(line)
                if first.lasts and not over and first.tick is not None and first.side != 0:
                    to = first.tick_to if first.tick_to is not None else first.tick
                    active.append((first.side, first.tick, to, last.grade))
                if len(began) < _BEGAN and (window.tape_until is None or first.seq <= window.tape_until):
                    began.append((first.seq, grown.grade))
        return AlertsPart(
            tuple(lines), total, newer, held, tuple(sorted(window.alert_muted)), tuple(active),
            newest[1] if newest is not None else None, standing, tuple(began),
        )  # fmt: skip


def _line(number: int, first: Alert, grown: Alert, last: Alert) -> AlertLine:
    # How grave and how sure it was is told by the newest line of its life; that it is over says nothing of that.
    return AlertLine(
        number, first.detector, first.method, first.seq, first.recv_ns, first.side, first.tick, first.tick_to,
        grown.grade, grown.score, grown.confidence, grown.tier, last.text, last.phase, last.reason, last.recv_ns,
        first.lasts,
    )  # fmt: skip
