"""Which trades a person wants to see: words, and `what:word` for one of what trades can be told apart by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from feeds.errors import BadInput
from tapeview.ledger import BY, Row

_OTHERS: Final[dict[str, Callable[[Row], tuple[str, ...]]]] = {
    "run": lambda one: (str(one.run),),
    "day": lambda one: (str(_day(one)),),
}
WHAT: Final = (*BY, *_OTHERS)
"""What may stand before a colon."""
_EXACT: Final = frozenset({"run", "hour"})


def _day(one: Row) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(one.opened_ns / 1e9, UTC).strftime("%Y-%m-%d")


def matching(trades: Iterable[Row], words: str) -> list[Row]:
    """The trades that every word fits, upper and lower case alike; `_` stands for a blank.

    A word alone may be a part of the instrument, setup, detector, tag or account. Raises BadInput for an unknown
    `what:` that is no venue's name either.
    """
    found = list(trades)
    for word in words.casefold().split():
        test = _test(word, {one.instrument.partition(":")[0].casefold() for one in found})
        found = [one for one in found if test(one)]
    return found


def _test(word: str, venues: set[str]) -> Callable[[Row], bool]:
    what, colon, value = word.partition(":")
    if not colon or what in venues:
        wanted = word.replace("_", " ")
        return lambda one: any(wanted in name.casefold().replace("_", " ") for name in _named(one))
    if what not in WHAT:
        raise BadInput("filter", f"{what}:", ", ".join(f"{name}:" for name in WHAT))
    of, wanted = BY.get(what) or _OTHERS[what], value.replace("_", " ")
    if what in _EXACT:
        return lambda one: value in of(one)
    return lambda one: any(wanted in name.casefold().replace("_", " ") for name in of(one))


def _named(one: Row) -> tuple[str, ...]:
    return (one.instrument, one.setup, one.detector, one.account, one.side, *one.tags)
