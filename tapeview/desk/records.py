"""What the desk says happened, in order: the lines of the journal, and all that screens and outlets are told."""

from __future__ import annotations

from typing import Final

import msgspec

from tapeview.desk.commands import AnyCommand

PESSIMIST, OPTIMIST = VIEWS = ("pessimist", "optimist")
"""Two views of the same orders: what was certainly filled, and what may have been. The account follows the first."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="is"):
    """Base of all records."""

    seq: int
    """The newest row applied, -1 before the first."""
    recv_ns: int
    inst: int = 0


class Commanded(Record, frozen=True, tag="commanded"):
    """A command was taken; `number` counts them and names the orders that come of it."""

    number: int
    command: AnyCommand


class Refused(Record, frozen=True, tag="refused"):
    """A command was not carried out, or a part of it."""

    number: int
    reason: str


class Decided(Record, frozen=True, tag="decided"):
    """A signal as a decision: what was on the screen, and what was planned."""

    number: int
    side: int
    lots: int
    """0 for a call without an order."""
    entry_tick: int | None
    stop_tick: int | None
    target_ticks: tuple[int, ...]
    setup: str
    sure: float | None
    note: str
    state: str
    """Validity of the book in a word."""
    bid: int | None
    ask: int | None
    bid_lots: int
    ask_lots: int
    imbalance: float | None
    vwap_z: float | None
    """Distance of the mid from the session's VWAP in its sigmas."""
    alerts: tuple[str, ...]
    """Texts of the alerts that were active."""
    last_alert: str
    """The detector that told of something last, and how long before."""
    waited_ns: int | None
    """Time since that alert: how long deciding took."""


class Sent(Record, frozen=True, tag="sent"):
    """An order was sent to the paper venue."""

    order: int
    view: str
    side: int
    lots: int
    kind: str
    tick: int | None
    parent: int | None
    why: str = ""
    """entry, add (to an open position), stop, target, flatten, lock (flattened by the loss limit)."""


class Changed(Record, frozen=True, tag="changed"):
    """An order's state is another: working, waiting, triggered, cancelled, refused, moved, cut, merged."""

    order: int
    view: str
    state: str
    why: str = ""
    ahead: int | None = None
    """Lots ahead of it in its queue."""
    tick: int | None = None
    lots: int | None = None
    touch: int | None = None
    """Of an entry that ended with nothing filled: the price one would have had to take then."""


class Filled(Record, frozen=True, tag="filled"):
    """Lots of an order were executed."""

    order: int
    view: str
    side: int
    tick: int
    lots: int
    liquidity: str
    fee: str
    """Money, as decimal text; below 0 for a rebate."""
    position: int
    """The view's position after it, in lots."""
    slip_half_ticks: int | None = None
    """What each lot cost against the mid, in half ticks: at the decision for what was decided, at the trigger for a
    stop; None for a target."""


class Closed(Record, frozen=True, tag="closed"):
    """A trade went from flat to flat."""

    view: str
    trade: int
    decision: int | None
    setup: str
    side: int
    lots: int
    """The most that was held."""
    entry: str
    """Average price of entry in ticks, as a fraction."""
    opened_ns: int
    opened_seq: int
    gross: str
    fees: str
    net: str
    risk_ticks: int | None
    r: float | None
    """Net result in units of what was risked; None where no stop was set."""
    mae_r: float | None
    mfe_r: float | None
    mae_ticks: float | None
    mfe_ticks: float | None
    slippage: str | None = None
    """Money its fills cost against the mid at decision, targets left out; None where none is known."""
    planned: bool | None = None
    """Stop and target were set before the entry."""
    size_kept: bool | None = None
    """What was at risk was within a trade's share of the account; None without a stop."""
    stop_placed: bool | None = None
    """A covering stop rested at the venue in time; None where it was over before that."""
    plan_followed: bool | None = None
    """It was left by stop or target alone; None without a plan."""
    score: float | None = None
    """Share of the four questions above answered with yes."""


class Noted(Record, frozen=True, tag="noted"):
    """A line of the trader's on the newest decision."""

    number: int
    """The decision's."""
    text: str
    followed: bool | None = None


class Told(Record, frozen=True, tag="told"):
    """Something a person must hear: armed, disarmed, warn, lock, roll, naked, stop (moved by an entry), facts."""

    kind: str
    text: str


class Alerted(Record, frozen=True, tag="alerted"):
    """A detector told of something while the run went on."""

    detector: str
    phase: str
    text: str
    side: int
    tick: int | None
    score: float
    confidence: float | None
    grade: int


class Kept(Record, frozen=True, tag="kept"):
    """State that a restart reads before anything else: the daily lock, the run of losses."""

    what: str
    line: str


class Drilled(Record, frozen=True, tag="drilled"):
    """A drill was called: what was asked, what was said, and what came of it; `seq` and `recv_ns` are of the stop."""

    seed: int
    """What the recording, the start and the stop were drawn from."""
    source: str
    """Address of the recording."""
    symbol: str
    start_ns: int
    by: str
    """The detector whose alert it stopped at; '' for a moment drawn beforehand."""
    side: int | None
    """The call: +1 buys, -1 sells, 0 does nothing; None where it was left without one."""
    sure: float | None
    """The probability given to the call's being right."""
    waited_ns: int
    """From the stop to the call, by the wall clock."""
    horizon_s: int
    bid: int
    ask: int
    """Ticks at the stop."""
    bid_then: int
    ask_then: int
    """The same at the horizon's end."""
    threshold: int
    """Half ticks by which the mid must have moved to count as a move."""
    sigma: float | None
    """Standard deviation of the mid's move over the horizon in ticks, by what came before the stop."""
    again: bool = False
    """It had been seen before."""


AnyRecord = Commanded | Refused | Decided | Sent | Changed | Filled | Closed | Noted | Told | Alerted | Kept | Drilled
ALARMS: Final = frozenset({"naked", "lock"})
"""Kinds of Told that nothing mutes."""
