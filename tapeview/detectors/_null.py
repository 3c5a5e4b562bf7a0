"""Evidence shuffled inside a kernel, so that every alert it leads to is a false one.

A detector with a threshold `null_seed` above 0 measures as always, and then takes something else's measurement of the
same class instead of its own: a life for a life, a move for a move. Prices, sizes, times and their clustering stay.
"""

from __future__ import annotations

from typing import Any, Final

from tapeview.engine._jit import part

KEPT: Final = 64
"""Values of a class that one may be exchanged with."""
TENTHS: Final = 10
MOVES: Final = 4096
"""Steps of moves kept: nearly seven minutes."""
_FEW: Final = 8
_TRIES: Final = 4
_SECOND: Final = 10


def fields(classes: int) -> tuple[tuple[Any, ...], ...]:
    """The memory fields of `swap` for so many classes."""
    return (("x_random", "i8"), ("x_n", "i8", (classes,)), ("x_value", "i8", (classes * KEPT,)))


def move_fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of `borrowed`."""
    return (
        ("y_random", "i8"), ("y_n", "i8", (TENTHS,)), ("y_step", "i8", (TENTHS * KEPT,)), ("y_moved", "i8", (MOVES,)),
        ("y_donor", "i8"), ("y_drawn", "i8"),
    )  # fmt: skip


@part
def drawn(state: int, seed: int) -> int:
    """The next state of a linear congruence that starts at a seed; its upper bits are the draw."""
    return ((state if state != 0 else seed) * 1_103_515_245 + 12_345) & 0x7FFFFFFF


@part
def swap(m: Any, seed: int, which: int, value: int) -> int:
    """Give another value of a class and keep this one in its place; its own while few are known."""
    m.x_random = drawn(m.x_random, seed)
    n = m.x_n[which]
    if n < KEPT:
        m.x_value[which * KEPT + n] = value
        m.x_n[which] = n + 1
        if n < _FEW:
            return value
        return m.x_value[which * KEPT + (m.x_random >> 8) % n]
    at = which * KEPT + (m.x_random >> 8) % KEPT
    other = m.x_value[at]
    m.x_value[at] = value
    return other


@part
def borrowed(m: Any, seed: int, step: int, flow: int, moved: int, cells: int, share: float) -> int:
    """Give the move of another window whose flow was in the same tenth, as it went on from there.

    `step` is the time in tenths of a second, `cells` the window's length in those, `share` the part of recent windows
    with less flow. Another window is chosen every window's length, and its moves are followed from its end on, so
    that what is borrowed lasts as long as what is real. Moves are kept towards the flow's side.
    """
    side = 1 if flow >= 0 else -1
    tenth = min(int(share * TENTHS), TENTHS - 1)
    m.y_moved[step % MOVES] = moved * side
    if step % _SECOND == 0:
        m.y_step[tenth * KEPT + m.y_n[tenth] % KEPT] = step
        m.y_n[tenth] += 1
    if step - m.y_drawn >= cells:
        m.y_drawn = step
        m.y_donor = -1
        held = min(m.y_n[tenth], KEPT)
        if held >= _FEW:
            for _ in range(_TRIES):
                m.y_random = drawn(m.y_random, seed)
                donor = m.y_step[tenth * KEPT + (m.y_random >> 8) % held]
                if m.y_donor < 0 and step - donor < MOVES - 2 * cells and step - donor > cells:
                    m.y_donor = donor
    if m.y_donor < 0:
        return moved
    return m.y_moved[(m.y_donor + step - m.y_drawn) % MOVES] * side
