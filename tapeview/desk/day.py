"""The daily loss limit: what a session may lose, warnings on the way, and a lock that nothing but the exchange lifts.

A pure state machine over (exchange time, equity). What has been lost is equity less what it was at the session's roll
less what was paid in since, so that a deposit neither raises the limit nor hides a loss. Times are the exchange's:
they never go back here, and a clock that is set does not reach them. The share that may be lost is fixed at the roll;
another setting acts from the next session on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.instruments import parse_decimal
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import cents, decimal, exact, total
from tapeview.desk.roll import calendar_of, session_at

_VERSION: Final = 1
DAMAGED: Final = "the record of the daily loss limit is damaged"


class LockState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a session stands; everything a restart needs."""

    calendar: str
    start_ns: int
    """When the session began, exchange time."""
    end_ns: int
    """When it ends, and with it the lock."""
    latest_ns: int
    """The latest exchange time seen."""
    start_equity: str
    """Equity at the roll, E0."""
    equity: str
    """Equity last seen, open positions marked at the exit side of the book."""
    paid_in: str
    """Deposits less withdrawals since the roll."""
    share: str
    """Share of E0 that may be lost in this session."""
    warned: int
    """How many of the warnings have been given."""
    locked_ns: int | None = None
    """When it locked; None while it has not."""
    reason: str = ""

    @property
    def locked(self) -> bool:
        """Whether planning, tickets and keys are shut until the session ends."""
        return self.locked_ns is not None

    @property
    def profit(self) -> Decimal:
        """What the session has made so far, open positions included."""
        return total(Decimal(self.equity), -Decimal(self.start_equity), -Decimal(self.paid_in))

    @property
    def limit(self) -> Decimal:
        """What it may lose, above 0."""
        return decimal(Fraction(self.share) * Fraction(self.start_equity))

    @property
    def room(self) -> Decimal:
        """What is left to lose before it locks."""
        return total(self.limit, self.profit)


class Told(NamedTuple):
    """Something to say: 'warn', 'lock' or 'roll', and the words."""

    kind: str
    text: str


def begin(calendar: str, exch_ns: int, equity: Decimal, limits: Limits = DEFAULTS) -> LockState:
    """The state of a session seen for the first time; raise BadInput for equity that is not above 0."""
    calendar_of(calendar)
    if equity <= 0:
        raise BadInput("equity", str(equity), "an amount above 0")
    session = session_at(calendar, exch_ns)
    return LockState(
        calendar=calendar,
        start_ns=session.start_ns,
        end_ns=session.end_ns,
        latest_ns=exch_ns,
        start_equity=f"{equity:f}",
        equity=f"{equity:f}",
        paid_in="0",
        share=f"{decimal(exact(limits.daily_loss)):f}",
        warned=0,
    )


def mark(state: LockState, exch_ns: int, equity: Decimal, limits: Limits = DEFAULTS) -> tuple[LockState, list[Told]]:
    """Take note of equity at an exchange time: warn, lock, or roll into the next session.

    Locks where profit <= -share x E0. A time before the latest counts as the latest. Equity of 0 and less in a new
    session locks it at once.
    """
    at = max(exch_ns, state.latest_ns)
    told: list[Told] = []
    if at >= state.end_ns:
        state = _rolled(state, at, equity, limits)
        told.append(Told("roll", f"session {session_at(state.calendar, at).day} begins with {cents(equity)}"))
    state = msgspec.structs.replace(state, latest_ns=at, equity=f"{equity:f}")
    if state.locked:
        return state, told
    lost = -Fraction(state.profit)
    limit = Fraction(state.limit)
    if limit <= 0 or lost >= limit:
        reason = f"daily loss limit: lost {cents(lost)}, the limit is {cents(limit)}"
        return _locked(state, reason), [*told, Told("lock", reason)]
    steps = _steps(limits)
    reached = sum(lost >= exact(step) * limit for step in steps)
    if reached > state.warned:
        state = msgspec.structs.replace(state, warned=reached)
        left = cents(state.room)
        told.append(Told("warn", f"{steps[reached - 1]:.0%} of the daily loss limit is lost, {left} left"))
    return state, told


def pay_in(state: LockState, amount: Decimal) -> LockState:
    """Take note of a deposit, or of a withdrawal below 0; neither changes E0 nor what has been lost."""
    return msgspec.structs.replace(
        state,
        paid_in=f"{total(Decimal(state.paid_in), amount):f}",
        equity=f"{total(Decimal(state.equity), amount):f}",
    )


def lock(state: LockState, reason: str) -> LockState:
    """Lock by hand or by another rule, to the end of the session; nothing here unlocks."""
    return state if state.locked else _locked(state, reason)


def refusal(state: LockState, unrealised: Decimal, worst_cases: Iterable[Decimal]) -> str:
    """Why a plan may not be entered; '' where it may.

    `worst_cases` are what the plan and every open one lose from their entries if all stops are hit, costs and a tick
    for every lot included; `unrealised`, what the open ones stand at, is therefore taken out of the profit.
    """
    if state.locked:
        return f"locked to the end of the session: {state.reason}"
    realised = total(state.profit, -unrealised)
    worst = total(*worst_cases)
    left = total(state.limit, realised)
    if worst > left:
        return f"the worst case of all plans, {cents(worst)}, is more than the {cents(left)} left of the daily loss"
    return ""


def _steps(limits: Limits) -> list[float]:
    return sorted({step for step in (limits.daily_warn_1, limits.daily_warn_2, limits.daily_warn_3) if step < 1})


def _rolled(state: LockState, exch_ns: int, equity: Decimal, limits: Limits) -> LockState:
    session = session_at(state.calendar, exch_ns)
    return msgspec.structs.replace(
        state,
        start_ns=session.start_ns,
        end_ns=session.end_ns,
        start_equity=f"{equity:f}",
        paid_in="0",
        share=f"{decimal(exact(limits.daily_loss)):f}",
        warned=0,
        locked_ns=None,
        reason="",
    )


def _locked(state: LockState, reason: str) -> LockState:
    return msgspec.structs.replace(state, locked_ns=state.latest_ns, reason=reason)


# -- keeping it -----------------------------------------------------------------------------------


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    state: msgspec.Raw
    checksum: str


def save(state: LockState) -> bytes:
    """The state as one line of JSON with its checksum, for an append-only journal."""
    raw = msgspec.json.encode(state)
    return msgspec.json.encode(_Kept(_VERSION, msgspec.Raw(raw), _checksum(raw)))


def load(line: bytes, place: str = "lock") -> LockState:
    """Read what `save` wrote; raise BadInput where a byte of it is another."""
    try:
        kept = msgspec.json.decode(line, type=_Kept)
        raw = bytes(kept.state)
        if kept.version != _VERSION or kept.checksum != _checksum(raw):
            raise BadInput(place, None, f"a record of version {_VERSION} whose checksum fits")
        state = msgspec.json.decode(raw, type=LockState)
        calendar_of(state.calendar)
        for amount in (state.start_equity, state.equity, state.paid_in, state.share):
            parse_decimal(amount)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(place, str(error), "a record of the daily loss limit") from None
    return state


def resume(
    line: bytes | None, calendar: str, exch_ns: int, equity: Decimal, limits: Limits = DEFAULTS
) -> tuple[LockState, list[Told]]:
    """The state after a restart, from the last line kept.

    Where there is none a session begins; where it is damaged a session begins locked, since nobody can say that it
    was not.
    """
    if line is None:
        return begin(calendar, exch_ns, equity, limits), []
    try:
        state = load(line)
    except BadInput:
        state = lock(begin(calendar, exch_ns, equity, limits), DAMAGED)
        return state, [Told("lock", DAMAGED)]
    return mark(state, exch_ns, equity, limits)


def equity_of(line: bytes | None, exch_ns: int, otherwise: Decimal) -> Decimal:
    """What the account had by the last line kept, where its session goes on at that time; else `otherwise`."""
    try:
        state = None if line is None else load(line)
    except BadInput:
        return otherwise
    return otherwise if state is None or exch_ns >= state.end_ns else Decimal(state.equity)


def _checksum(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=16).hexdigest()
