"""Is a position covered by stops that will really work: side, price, quantity, and who holds them.

A stop that the program itself would have to send is not a hard stop and covers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from tapeview.desk.limits import DEFAULTS, Limits

GRADES: Final = ("venue", "broker", "client")
"""Who holds a stop, best first."""
FLAT, COVERED, WAITING, UNKNOWN, NAKED = "flat", "covered", "waiting", "unknown", "naked"
NAKED_WORDS: Final = "NAKED POSITION"
RESIDUAL: Final = (
    "A venue's stop with protection fills only within its protection range, about half the non-reviewable range; the "
    "rest becomes a limit order, and a fast market can leave you in. No stop works in a halt or across a gap."
)
_NOT_HARD: Final = "is held by this program: not a hard stop"
_NS: Final = 1_000_000_000


class Stop(NamedTuple):
    """A resting stop: `side` is that of the order, 1 buys and -1 sells."""

    side: int
    lots: int
    tick: int
    held_by: str
    """One of GRADES."""


class Band(NamedTuple):
    """Prices between which a venue takes orders, in ticks."""

    low: int
    high: int


class Cover(NamedTuple):
    """What stops make of a position."""

    lots: int
    """Lots of the position that hard stops cover, at most all."""
    grade: str
    """Who holds the worst of the stops needed; '' where none covers."""
    faults: tuple[str, ...]
    """What is wrong with stops that do not count, in words."""


class Status(NamedTuple):
    """What is shown and said of a position's stops."""

    state: str
    """flat, covered, waiting, unknown or naked."""
    cover: Cover
    alarm: bool
    """Say it now: naked for the first time, or again after the time to repeat."""
    text: str


def cover(position: int, stops: Iterable[Stop], bid: int, ask: int, band: Band | None = None) -> Cover:
    """Count the lots of a position (above 0 a long) that hard stops cover.

    A stop counts where it is of the other side, lies behind the market, inside the band, and is held by a venue or
    broker.
    """
    good: list[Stop] = []
    faults: list[str] = []
    held = 1 if position > 0 else -1
    for stop in stops:
        if stop.held_by not in GRADES or stop.lots <= 0:
            raise ValueError(f"a stop of {stop.lots} lots held by {stop.held_by!r}")
        behind = stop.tick < bid if held > 0 else stop.tick > ask
        if stop.side == held:
            faults.append(f"a stop at {stop.tick} adds to the position")
        elif not behind:
            faults.append(f"a stop at {stop.tick} is on the wrong side of the market")
        elif band is not None and not band.low <= stop.tick <= band.high:
            faults.append(f"a stop at {stop.tick} lies beyond the price limit")
        elif stop.held_by == "client":
            faults.append(f"a stop at {stop.tick} {_NOT_HARD}")
        else:
            good.append(stop)
    left, grade = abs(position), ""
    for stop in sorted(good, key=lambda one: GRADES.index(one.held_by)):
        if left > 0:
            left -= min(left, stop.lots)
            grade = stop.held_by
    return Cover(abs(position) - left, grade, tuple(faults))


class StopWatch:
    """Follows a position's cover in time: a moment's grace, then the alarm, and again until it is covered."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self._grace_ns = int(limits.naked_s * _NS)
        self._repeat_ns = int(limits.naked_repeat_s * _NS)
        self._silence_ns = int(limits.unknown_s * _NS)
        self._position = 0
        self._cover = Cover(0, "", ())
        self._bare_since_ns: int | None = None
        self._said_ns: int | None = None
        self._heard_ns: int | None = None
        self._unknown = False

    def look(self, now_ns: int, position: int, found: Cover) -> Status:
        """Take what is told of position and stops at a local time in ns that never goes back."""
        self._heard_ns = now_ns
        self._position, self._cover, self._unknown = position, found, False
        if position == 0 or (found.lots >= abs(position) and not _harmful(found)):
            self._bare_since_ns = self._said_ns = None
        elif self._bare_since_ns is None:
            self._bare_since_ns = now_ns
        return self._status(now_ns)

    def wait(self, now_ns: int) -> Status:
        """What is to be shown while nothing is told: after the silence allowed nothing counts as covered any more.

        An alarm stays an alarm and goes on repeating.
        """
        status = self._status(now_ns)
        silent = self._heard_ns is None or now_ns - self._heard_ns > self._silence_ns
        if not silent or status.state == NAKED:
            return status
        first, self._unknown = not self._unknown, True
        return Status(UNKNOWN, self._cover, first, "stop status unknown: the feed is silent")

    def _status(self, now_ns: int) -> Status:
        found, size = self._cover, abs(self._position)
        if size == 0:
            return Status(FLAT, found, False, "")
        words = "; ".join(found.faults)
        if self._bare_since_ns is None:
            text = f"covered, {found.grade}-held"
            return Status(COVERED, found, False, f"{text}; {words}" if words else text)
        text = f"stops cover {found.lots} of {size}" + (f"; {words}" if words else "")
        if not _harmful(found) and now_ns - self._bare_since_ns < self._grace_ns:
            return Status(WAITING, found, False, text)
        return Status(NAKED, found, self._due(now_ns), f"{NAKED_WORDS}: {text}")

    def _due(self, now_ns: int) -> bool:
        if self._said_ns is not None and now_ns - self._said_ns < self._repeat_ns:
            return False
        self._said_ns = now_ns
        return True


def _harmful(found: Cover) -> bool:
    """Whether a stop is wrong by more than who holds it: that is said at once and not after a moment."""
    return any(not fault.endswith(_NOT_HARD) for fault in found.faults)
