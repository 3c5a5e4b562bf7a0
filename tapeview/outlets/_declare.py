"""What an outlet is: options, and a way to deliver records; whoever takes them never calls back.

tapeview routes no real order. What goes out says what a person signalled and what paper orders did; who acts on it
acts on his own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from feeds.errors import BadInput
from tapeview.desk.records import ALARMS, Alerted, Closed, Decided, Filled, Record, Told
from tapeview.journal import Line, tag_of

KINDS: Final = tuple(sorted(str(kind.__struct_config__.tag) for kind in Record.__subclasses__()))
"""Kinds of record there are."""
SIGNALS: Final = frozenset({"decided", "refused", "sent", "changed", "filled", "closed", "noted", "alerted", "told"})
"""Kinds that go out where an outlet's options name none: all but commands and what a restart needs."""
CALLS: Final = frozenset({"decided", "filled", "closed", "alerted", "told"})
"""Kinds of which there are words that a person may be called with."""
_QUIET: Final = frozenset({"armed", "disarmed", "facts"})
"""Kinds of Told that the screen alone shows: most come of a key that was just pressed."""
_ENCODER: Final = msgspec.json.Encoder()


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every outlet may be told."""

    on: Annotated[bool, Meta(description="Records go out here.")] = False
    kinds: Annotated[
        list[str], Meta(description=f"Kinds of record that go out ({', '.join(KINDS)}); none: what concerns a person.")
    ] = msgspec.field(default_factory=list)
    replays: Annotated[bool, Meta(description="Records of recordings that are played go out too.")] = False
    history: Annotated[
        bool, Meta(description="When first switched on: everything in the journal goes out, not only what comes.")
    ] = False


class CallOptions(Options, frozen=True):
    """What an outlet is told that calls a person."""

    grade: Annotated[
        int, Meta(ge=1, le=3, description="Least grade of alerts that it calls for: 1 notable, 2 strong, 3 extreme.")
    ] = 2


class Refused(Exception):
    """The other end will never take this: it is noted and passed over."""


class Later(OSError):
    """The other end asks to be tried again, not before so many seconds."""

    def __init__(self, text: str, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class Outlet(ABC):
    """One way out. `deliver` is called in a thread of its own, never twice at a time."""

    options: ClassVar[type[Options]] = Options
    kinds: ClassVar[frozenset[str]] = SIGNALS
    """Kinds that go out where the options name none."""
    most: ClassVar[int] = 100
    """Records of one delivery."""

    def __init__(self, options: Any) -> None:
        self.settings = options

    @classmethod
    def check(cls, options: Any) -> None:
        """Refuse options that it could not work with: BadInput whose place is the option's name."""
        for kind in options.kinds:
            if kind not in KINDS:
                raise BadInput("kinds", kind, "one of " + ", ".join(KINDS))

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


def words(line: Line, grade: int = 1) -> str:
    """A record in a few words, '' for one that nobody need be called for; of fills the pessimist's."""
    match line.record:
        case Filled(view="pessimist"):
            return f"{'bought' if line.record.side > 0 else 'sold'} {line.record.lots}"
        case Closed(view="pessimist"):
            r = "" if line.record.r is None else f", {line.record.r:+.2f} R"
            return f"trade closed: {line.record.net}{r}"
        case Decided():
            return f"signal: {'buy' if line.record.side > 0 else 'sell'} {line.record.setup}".rstrip()
        case Alerted(phase="confirmed") if line.record.grade >= grade:
            return f"{line.record.detector}: {line.record.text}"
        case Told() if line.record.kind not in _QUIET:
            return line.record.text
        case _:
            return ""


def urgent(line: Line) -> bool:
    """Whether it is an alarm that nothing mutes."""
    return isinstance(line.record, Told) and line.record.kind in ALARMS
