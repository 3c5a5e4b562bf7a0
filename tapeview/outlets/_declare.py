"""What an outlet is: options, and a way to deliver records; whoever takes them never calls back.

tapeview routes no real order. What goes out says what a person signalled and what paper orders did; who acts on it
acts on his own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from tapeview.journal import Line, tag_of

SIGNALS = frozenset({"decided", "refused", "sent", "changed", "filled", "closed", "alerted", "told"})
"""Kinds of record that go out where an outlet's options name none."""
_ENCODER = msgspec.json.Encoder()


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every outlet may be told."""

    on: bool = False
    kinds: tuple[str, ...] = ()
    """Kinds of record to deliver; none: all that concern signals, orders and alerts."""


class Refused(Exception):
    """The other end will never take this: it is counted and passed over."""


class Outlet(ABC):
    """One way out. `deliver` is called in a thread of its own, never twice at a time."""

    options: ClassVar[type[Options]] = Options

    def __init__(self, options: Any) -> None:
        self.settings = options

    @abstractmethod
    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Hand over records in order, all or none; OSError: try again later; Refused: leave them out.

        `journal` names the journal; with it `key_of` gives a record's key, the same whenever it is delivered again.
        """

    def close(self) -> None:
        """Let go of what is held."""


def key_of(journal: str, line: Line) -> str:
    """The key of a record: whoever has seen it need not take it again."""
    return f"{journal}:{line.run}:{line.n}"


def body_of(journal: str, line: Line) -> bytes:
    """A record as one JSON object."""
    fields = msgspec.to_builtins(line.record)
    return _ENCODER.encode(
        {"key": key_of(journal, line), "run": line.run, "n": line.n, "is": tag_of(line.record)} | fields
    )
