"""Work and rest: two hours, then a break; hints to look up between, and quiet meanwhile but for alarms of risk.

A pure state machine. Spans are taken from a monotonic time in ns, which never goes back; the wall's time is kept only
to tell, after a restart, how long the screen was off. Two hours are a convention, so every span is a setting.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from tapeview.desk.limits import DEFAULTS, Limits

NEVER_MUTED: Final = frozenset({"NAKED", "LOCK", "STALE"})
"""Alarms that a break never silences."""
IDLE, WORK, PAUSED, GRACE, BREAK = "idle", "work", "paused", "grace", "break"
_MIN: Final = 60_000_000_000


class RestState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the cycle stands; everything a restart needs."""

    phase: str = IDLE
    """idle before the first key, work, paused, grace or break."""
    worked_ns: int = 0
    nudged: int = 0
    """Hints given in this cycle."""
    since_ns: int = 0
    """Monotonic time at which grace or break began."""
    touched_ns: int = 0
    """Monotonic time of the last key."""
    now_ns: int = 0
    """Monotonic time last seen."""
    wall_ns: int = 0
    """The wall's time then."""

    @property
    def quiet(self) -> bool:
        """Whether alerts are muted."""
        return self.phase == BREAK


class Noted(NamedTuple):
    """Something to log and perhaps to show."""

    kind: str
    """began, nudge, paused, resumed, grace, break, early, rested or restored."""
    text: str


def muted(state: RestState, alarm: str) -> bool:
    """Whether an alert is to be silent now; it is logged all the same."""
    return state.quiet and alarm not in NEVER_MUTED


def touch(
    state: RestState, now_ns: int, wall_ns: int, *, position_open: bool = False, limits: Limits = DEFAULTS
) -> tuple[RestState, list[Noted]]:
    """Take note of a key; the first one after the session has opened begins the cycle."""
    state, noted = tick(state, now_ns, wall_ns, position_open=position_open, limits=limits)
    if state.phase == IDLE:
        state = msgspec.structs.replace(state, phase=WORK)
        noted.append(Noted("began", "work begins"))
    elif state.phase == PAUSED:
        state = msgspec.structs.replace(state, phase=WORK)
        noted.append(Noted("resumed", f"work goes on after {_minutes(state.worked_ns)}"))
    elif state.phase == BREAK and state.now_ns - max(state.since_ns, state.touched_ns) >= _MIN:
        left = limits.break_min * _MIN - (state.now_ns - max(state.since_ns, state.touched_ns))
        noted.append(Noted("early", f"a key within the break, which had {_minutes(left)} left and begins again"))
    return msgspec.structs.replace(state, touched_ns=state.now_ns), noted


def tick(
    state: RestState, now_ns: int, wall_ns: int, *, position_open: bool = False, limits: Limits = DEFAULTS
) -> tuple[RestState, list[Noted]]:
    """Let time pass; a time that goes back counts as none."""
    now = max(now_ns, state.now_ns)
    idle_at = state.touched_ns + limits.idle_min * _MIN
    noted: list[Noted] = []
    worked = state.worked_ns
    if state.phase in (WORK, GRACE):
        worked += max(0, min(now, idle_at) - min(state.now_ns, idle_at))
    state = msgspec.structs.replace(state, worked_ns=worked, now_ns=now, wall_ns=wall_ns)
    if state.phase in (WORK, PAUSED) and now - state.touched_ns >= limits.break_min * _MIN:
        return _rested(state, noted, f"away for {_minutes(now - state.touched_ns)}: the cycle begins anew")
    if state.phase == WORK:
        state = _working(state, noted, position_open, limits)
        if state.phase == WORK and now > idle_at:
            state = msgspec.structs.replace(state, phase=PAUSED)
            noted.append(Noted("paused", f"no key for {limits.idle_min} min: the timer pauses"))
    if state.phase == GRACE:
        over = now - state.since_ns >= limits.grace_min * _MIN
        if over or not position_open:
            state = _on_break(state, noted, "grace is over" if over else "the position is closed")
    elif state.phase == BREAK and now - max(state.since_ns, state.touched_ns) >= limits.break_min * _MIN:
        return _rested(state, noted, "rested: the next key begins a new cycle")
    return state, noted


def _working(state: RestState, noted: list[Noted], position_open: bool, limits: Limits) -> RestState:
    if state.worked_ns >= limits.work_min * _MIN:
        if not position_open or limits.grace_min == 0:
            return _on_break(state, noted, f"{limits.work_min} min of work")
        noted.append(Noted("grace", f"{limits.work_min} min of work: {limits.grace_min} min to close the position"))
        return msgspec.structs.replace(state, phase=GRACE, since_ns=state.now_ns)
    due = state.worked_ns // (limits.nudge_min * _MIN)
    if due > state.nudged:
        noted.append(Noted("nudge", f"{_minutes(state.worked_ns)} of work: look up, stand up"))
        return msgspec.structs.replace(state, nudged=due)
    return state


def _on_break(state: RestState, noted: list[Noted], why: str) -> RestState:
    noted.append(Noted("break", f"break: {why}; alerts are muted but for {', '.join(sorted(NEVER_MUTED))}"))
    return msgspec.structs.replace(state, phase=BREAK, since_ns=state.now_ns)


def _rested(state: RestState, noted: list[Noted], why: str) -> tuple[RestState, list[Noted]]:
    noted.append(Noted("rested", why))
    fresh = RestState(now_ns=state.now_ns, wall_ns=state.wall_ns, touched_ns=state.touched_ns)
    return fresh, noted


def save(state: RestState) -> bytes:
    """The state as one line of JSON."""
    return msgspec.json.encode(state)


def restore(
    line: bytes, now_ns: int, wall_ns: int, limits: Limits = DEFAULTS, place: str = "rest"
) -> tuple[RestState, list[Noted]]:
    """The state after a restart: time with the screen off is time away; a wall clock set back makes it none.

    Raises BadInput where the line is no state.
    """
    try:
        kept = msgspec.json.decode(line, type=RestState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(place, str(error), "a saved state of work and rest") from None
    if kept.phase not in (IDLE, WORK, PAUSED, GRACE, BREAK):
        raise BadInput(place, kept.phase, "a phase of work and rest")
    away = max(0, wall_ns - kept.wall_ns)
    # Monotonic times begin anew with the machine: the old ones are moved to end where this one begins.
    shift = now_ns - kept.now_ns - away
    state = msgspec.structs.replace(
        kept,
        since_ns=kept.since_ns + shift,
        touched_ns=kept.touched_ns + shift,
        now_ns=kept.now_ns + shift,
        wall_ns=kept.wall_ns,
    )
    noted = [Noted("restored", f"off for {_minutes(away)}, {_minutes(kept.worked_ns)} worked before")]
    if state.phase == WORK:
        state = msgspec.structs.replace(state, phase=PAUSED)
    elif state.phase == GRACE:
        state = msgspec.structs.replace(state, phase=BREAK)
    state, more = tick(state, now_ns, wall_ns, limits=limits)
    return state, noted + more


def _minutes(ns: int) -> str:
    return f"{max(0, ns) // _MIN} min"
