"""How a trade was made, whatever came of it: what is shown and scored while results are hidden."""

from __future__ import annotations

from typing import NamedTuple


class Process(NamedTuple):
    """Four questions about a trade; None where the answer is not known yet."""

    planned: bool | None
    """A plan was there before the entry: entry, stop and target."""
    size_kept: bool | None
    """The size was within its cap."""
    stop_placed: bool | None
    """A covering stop rested at the venue within the time allowed."""
    plan_followed: bool | None
    """It was left at the stop, the target or the trail, and not otherwise."""

    @property
    def score(self) -> float | None:
        """Share of the questions answered so far that were answered with yes; None before there is an answer."""
        answers = [answer for answer in self if answer is not None]
        return sum(answers) / len(answers) if answers else None

    @property
    def faults(self) -> tuple[str, ...]:
        """What was not done, in words."""
        words = ("no plan before the entry", "more than the size allowed", "no stop in time", "left against the plan")
        return tuple(text for text, answer in zip(words, self, strict=True) if answer is False)
