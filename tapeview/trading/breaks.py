"""Work and rest of the person before the screen: `tapeview.desk.rest` with its clocks and the line that is kept."""

from __future__ import annotations

from tapeview.desk import rest
from tapeview.desk.limits import Limits

_MIN_NS = 60_000_000_000


class Breaks:
    """Follows the keys of a person."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = rest.RestState()
        self._kept_ns = 0

    def load(self, line: str | None, now_ns: int, wall_ns: int) -> None:
        """Go on where an earlier process left off; raise BadInput for a line that is no such state."""
        if line is not None:
            self._state, _ = rest.restore(line.encode(), now_ns, wall_ns, self._limits)

    def touch(self, now_ns: int, wall_ns: int, *, position_open: bool) -> list[tuple[str, str]]:
        """Take note of a key; give what is to be said as (kind, words)."""
        self._state, noted = rest.touch(
            self._state, now_ns, wall_ns, position_open=position_open, limits=self._limits
        )  # fmt: skip
        return [(one.kind, one.text) for one in noted]

    def tick(self, now_ns: int, wall_ns: int, *, position_open: bool) -> list[tuple[str, str]]:
        """Let time pass; give what is to be said."""
        self._state, noted = rest.tick(self._state, now_ns, wall_ns, position_open=position_open, limits=self._limits)
        return [(one.kind, one.text) for one in noted]

    def due(self, said: list[tuple[str, str]]) -> str | None:
        """The line to keep now, None where the one kept is good enough for another minute."""
        if self._state.phase == rest.IDLE or (not said and self._state.now_ns - self._kept_ns < _MIN_NS):
            return None
        self._kept_ns = self._state.now_ns
        return rest.save(self._state).decode()

    @property
    def is_due(self) -> bool:
        """Whether a break is due: only risk speaks."""
        return self._state.phase in (rest.GRACE, rest.BREAK)

    @property
    def words(self) -> str:
        """Where work and rest stand; '' before the first key."""
        state, limits = self._state, self._limits
        worked = state.worked_ns // _MIN_NS
        match state.phase:
            case rest.IDLE:
                return ""
            case rest.GRACE:
                left = limits.grace_min - (state.now_ns - state.since_ns) // _MIN_NS
                return f"{worked} min of work: {max(0, left)} min to close the position"
            case rest.BREAK:
                left = limits.break_min - (state.now_ns - max(state.since_ns, state.touched_ns)) // _MIN_NS
                return f"break, {max(0, left)} min left"
            case rest.PAUSED:
                return f"{worked} of {limits.work_min} min worked, paused"
        return f"{worked} of {limits.work_min} min worked"
