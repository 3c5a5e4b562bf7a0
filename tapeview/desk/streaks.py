"""After losses: a pause, smaller size for a while, and the end of the session after too many in a row."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.roll import calendar_of, session_at

DAMAGED: Final = "the record of the run of losses is damaged"
_MIN: Final = 60_000_000_000


class StreakState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a run of losses stands; times are the exchange's."""

    calendar: str
    latest_ns: int = 0
    end_ns: int = 0
    """When the session ends, and what is known here with it."""
    losses: int = 0
    """Losses in a row."""
    pause_ns: int = 0
    """No entry before this time."""
    reduced: int = 0
    """Trades of reduced size still to come."""
    stopped: bool = False


class Entry(NamedTuple):
    """Whether a trade may be entered, and at what share of the usual size."""

    allowed: bool
    size: float
    reason: str


def closed(state: StreakState, exch_ns: int, net: Decimal, limits: Limits = DEFAULTS) -> StreakState:
    """Take note of a trade closed at an exchange time with a net result in money.

    One of exactly 0 is neither: it leaves the run as it is. Losses inside the pause begin it anew.
    """
    state = _at(state, exch_ns)
    reduced = max(0, state.reduced - 1)
    if net > 0:
        return msgspec.structs.replace(state, losses=0, reduced=reduced)
    if net == 0:
        return msgspec.structs.replace(state, reduced=reduced)
    losses = state.losses + 1
    return msgspec.structs.replace(
        state,
        losses=losses,
        pause_ns=state.latest_ns + limits.cooldown_min * _MIN,
        reduced=limits.cooldown_trades,
        stopped=state.stopped or losses >= limits.losses_stop,
    )


def entry(state: StreakState, exch_ns: int, limits: Limits = DEFAULTS) -> Entry:
    """Say whether a trade may be entered at an exchange time; one before the latest seen counts as the latest."""
    state = _at(state, exch_ns)
    if state.stopped and not state.losses:
        return Entry(False, 0.0, DAMAGED)
    if state.stopped:
        return Entry(False, 0.0, f"{state.losses} losses in a row: the session is over")
    if state.latest_ns < state.pause_ns:
        left = -(-(state.pause_ns - state.latest_ns) // _MIN)
        return Entry(False, 0.0, f"pause after a loss, {left} min left")
    if state.reduced:
        return Entry(True, limits.cooldown_size, f"reduced size for {state.reduced} more trades")
    return Entry(True, 1.0, "")


def _at(state: StreakState, exch_ns: int) -> StreakState:
    at = max(exch_ns, state.latest_ns)
    if at < state.end_ns:
        return msgspec.structs.replace(state, latest_ns=at)
    return StreakState(calendar=state.calendar, latest_ns=at, end_ns=session_at(state.calendar, at).end_ns)


# -- keeping it -----------------------------------------------------------------------------------


def save(state: StreakState) -> bytes:
    """The state as one line of JSON."""
    return msgspec.json.encode(state)


def load(line: bytes, place: str = "streak") -> StreakState:
    """Read what `save` wrote; raise BadInput where it is no such state."""
    try:
        state = msgspec.json.decode(line, type=StreakState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(place, str(error), "a record of a run of losses") from None
    calendar_of(state.calendar)
    return state


def resume(line: bytes, calendar: str, exch_ns: int) -> StreakState:
    """The state after a restart, from the last line kept.

    Where it is damaged nothing may be entered to the end of the session, since nobody can say what was lost.
    """
    try:
        return load(line)
    except BadInput:
        end_ns = session_at(calendar, exch_ns).end_ns
        return StreakState(calendar=calendar, latest_ns=exch_ns, end_ns=end_ns, stopped=True)
