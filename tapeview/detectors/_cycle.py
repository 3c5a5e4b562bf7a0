"""The life of an alert: armed, confirmed, cleared, cooled down; with hysteresis, so that nothing flickers.

`fields(n)` gives a memory n lives. `step` moves one on by a measured value and says what is to be told. A life is
frozen by not stepping it, as while the book is not live; `drop` ends it without a word where what it was about is gone.
"""

from __future__ import annotations

from typing import Any, Final

from tapeview.engine._jit import part

IDLE, ARMED, ACTIVE, COOLING = range(4)
NOTHING: Final = 0
CONFIRM: Final = 1
CLEAR: Final = 2
RAISE: Final = 3


def fields(lives: int) -> tuple[tuple[Any, ...], ...]:
    """The memory fields of so many lives, and the count of stories told."""
    return (
        ("c_phase", "i8", (lives,)), ("c_since_ns", "i8", (lives,)), ("c_low_ns", "i8", (lives,)),
        ("c_cool_ns", "i8", (lives,)), ("c_grade", "i8", (lives,)), ("c_key", "i8", (lives,)), ("c_keys", "i8"),
    )  # fmt: skip


@part
def finish(m: Any, k: int, now_ns: int, cool_ns: int) -> None:
    """End an active life for a reason of its own; the caller tells of it."""
    m.c_phase[k] = COOLING
    m.c_cool_ns[k] = now_ns + cool_ns


@part
def step(
    m: Any, k: int, now_ns: int, value: float, arm: float, on: float, off: float, hold_ns: int, off_ns: int,
    cool_ns: int, grade: int,
) -> int:  # fmt: skip
    """Move life k on by a value; give NOTHING, CONFIRM, CLEAR or RAISE.

    Armed at `arm`, confirmed once `on` has been reached for `hold_ns`, cleared after the value has been below `off`
    for `off_ns`; then `cool_ns` must pass, unless the grade is higher than it was. While active a higher grade is
    told once.
    """
    phase = m.c_phase[k]
    if phase == COOLING and (now_ns >= m.c_cool_ns[k] or (value >= on and grade > m.c_grade[k])):
        phase = IDLE
    if phase == IDLE and value >= arm:
        phase = ARMED
        m.c_since_ns[k] = -1
    if phase == ARMED:
        if value >= on:
            if m.c_since_ns[k] < 0:
                m.c_since_ns[k] = now_ns
            if now_ns - m.c_since_ns[k] >= hold_ns:
                m.c_phase[k] = ACTIVE
                m.c_low_ns[k] = -1
                m.c_grade[k] = grade
                m.c_keys += 1
                m.c_key[k] = m.c_keys
                return CONFIRM
        else:
            m.c_since_ns[k] = -1
            if value < off:
                phase = IDLE
    elif phase == ACTIVE:
        if value >= off:
            m.c_low_ns[k] = -1
            if grade > m.c_grade[k]:
                m.c_grade[k] = grade
                return RAISE
        else:
            if m.c_low_ns[k] < 0:
                m.c_low_ns[k] = now_ns
            if now_ns - m.c_low_ns[k] >= off_ns:
                finish(m, k, now_ns, cool_ns)
                return CLEAR
    m.c_phase[k] = phase
    return NOTHING


@part
def drop(m: Any, k: int) -> None:
    """Forget what was not told yet; an active life is the caller's to clear first."""
    m.c_phase[k] = IDLE
    m.c_since_ns[k] = -1
