"""One line made of pieces at its left and its right edge, which go in the order of their ranks where room is short."""

from __future__ import annotations

from tapeview.ui.widgets._palette import Row, Run

Piece = tuple[int, list[Run]]
"""A part of the line and its rank: the highest ranks go first where there is no room."""


def join(left: list[Piece], right: list[Piece], width: int) -> Row:
    """Join pieces at the left and at the right edge of a line, leaving out those of the highest ranks for room."""

    def length(pieces: list[Piece]) -> int:
        return sum(len(run[0]) for _, runs in pieces for run in runs)

    while (over := length(left) + length(right) - width) > 0:
        worst = max([*left, *right], key=lambda piece: piece[0])
        side = left if worst in left else right
        if worst[0] <= 1:
            # Only the name, the clock and the badge are left: the name gives way.
            words, style = left[0][1][0]
            keep = max(4, len(words) - over)
            left[0] = (1, [(words[: keep - 2] + "… " if keep < len(words) else words, style)])
            break
        side.remove(worst)
    gap = width - length(left) - length(right)
    middle: list[Run] = [(" " * gap, "text")] if gap > 0 else []
    return (*(run for _, runs in left for run in runs), *middle, *(run for _, runs in right for run in runs))
