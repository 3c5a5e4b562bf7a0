"""What a person or a script may tell the desk. A command that was journalled does the same when it is read back."""

from __future__ import annotations

import msgspec

LIMIT, MARKET, STOP = KINDS = ("limit", "market", "stop")


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """Exits that are placed as an entry is filled; a fill of one side takes the other away in its proportion."""

    stop_ticks: int
    """Distance of the stop from the entry's average price, rounded away from it."""
    targets: tuple[tuple[int, int], ...] = ()
    """(ticks from the entry, share in percent) of each target, nearest first; what they leave is held to the stop."""
    trail: bool = False
    """Trail the stop once a distance of `stop_ticks` has been gained."""
    scale_out: bool = False
    """Instead of all of it at the one target, half goes out near it and the rest trails."""


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """Base of all commands."""

    inst: int = 0
    """Which of the session's instruments."""


class Arm(Command, frozen=True, tag="arm"):
    """Let trading commands through."""


class Disarm(Command, frozen=True, tag="disarm"):
    """Refuse trading commands from now on."""

    reason: str = ""


class Place(Command, frozen=True, tag="place"):
    """Send an order."""

    side: int
    """+1 buys, -1 sells."""
    lots: int
    kind: str = LIMIT
    """One of KINDS."""
    tick: int | None = None
    """A limit's price or a stop's trigger; None at market."""
    by_quote: bool = False
    """A stop triggers by the other side's best price instead of by prints."""
    bracket: Bracket | None = None
    setup: str = ""
    """The trader's name for what this is."""
    sure: float | None = None
    """The trader's own probability that it works out."""
    note: str = ""


class Call(Command, frozen=True, tag="call"):
    """Say what one would do, without an order."""

    side: int
    tick: int | None = None
    stop_tick: int | None = None
    target_tick: int | None = None
    setup: str = ""
    sure: float | None = None
    note: str = ""


class Cancel(Command, frozen=True, tag="cancel"):
    """Take one order back."""

    order: int


class CancelAt(Command, frozen=True, tag="cancel_at"):
    """Take back all orders at a price."""

    tick: int


class CancelAll(Command, frozen=True, tag="cancel_all"):
    """Take back all orders of the instrument, exits too."""


class Flatten(Command, frozen=True, tag="flatten"):
    """Take back all orders of the instrument and close its position at market."""


class Trail(Command, frozen=True, tag="trail"):
    """Trail the stops of the instrument, or hold them where they are."""

    on: bool = True


class Note(Command, frozen=True, tag="note"):
    """Write a line into the journal, to the newest decision."""

    text: str
    followed: bool | None = None
    """Whether the plan was followed."""


class Lock(Command, frozen=True, tag="lock"):
    """Lock the desk to the end of the session, flattening it: another desk of the account has locked."""

    reason: str


class Elsewhere(Command, frozen=True, tag="elsewhere"):
    """What other desks of the same account have made since this one began; the daily limit counts it."""

    profit: str
    """Money as decimal text, open positions at the exit side of the book."""
    worst: str = "0"
    """What positions and entries there may still lose from their entries, all their stops hit."""
    unrealised: str = "0"
    """The part of `profit` that open positions stand at."""


class Scale(Command, frozen=True, tag="scale"):
    """Allow only a share of the usual size from now on, as where positions elsewhere move together with this one."""

    share: float
    """Above 0, at most 1."""
    why: str = ""


class PayIn(Command, frozen=True, tag="pay_in"):
    """Pay into the account, or take out of it; every desk of the account is to be told."""

    amount: str
    """Money as decimal text, below 0 for a withdrawal."""


class Facts(Command, frozen=True, tag="facts"):
    """What is known of an instrument beyond its market; entries are held to it from now on."""

    warn_lots: int | None = None
    """Largest position without a warning, None where volumes say nothing."""
    most_lots: int | None = None
    """Largest position that is not refused."""
    day_lots: float | None = None
    """Average daily volume, None where history is insufficient."""
    sigma: float | None = None
    """Standard deviation of a day's return."""
    note: str = ""
    dates: tuple[tuple[str, str], ...] = ()
    """(day as 2026-12-01, words) of what is to come."""


AnyCommand = (
    Arm
    | Disarm
    | Place
    | Call
    | Cancel
    | CancelAt
    | CancelAll
    | Flatten
    | Trail
    | Note
    | Lock
    | Elsewhere
    | Scale
    | PayIn
    | Facts
)
