"""What trading costs: commission by bracket of the month, fees, rebates, and slippage against the mid at decision."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

from feeds.errors import BadInput
from tapeview.desk.limits import DEFAULTS, Limits
from tapeview.desk.money import decimal, exact, read_money, times, total
from tapeview.desk.terms import Terms


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bracket of the month's contracts and its commission per contract and side."""

    commission: str
    up_to: int | None = None
    """The last contract in it; None for the last bracket."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker's and an exchange's charges, per contract and side."""

    name: str
    tier: list[Tier]
    source: str = ""
    checked: str = ""
    """Date it was compared with its source, or 'verify'."""
    note: str = ""
    regulatory: str = "0"
    rebate: str = "0"
    """Taken off on every contract."""
    taker: str = "0"
    """Share of the value of an order that takes, as where coins are traded; below 0 a rebate."""
    maker: str = "0"
    """The same of one that waited."""
    exchange: dict[str, str] = {}
    """Symbol -> the exchange's fee."""
    exchange_other: str = ""
    """The exchange's fee for every other symbol; empty where those are refused."""

    @property
    def doubtful(self) -> bool:
        """Whether it still wants checking."""
        return self.checked == "verify"


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    profile: list[Profile]


def read_profiles(text: str, place: str) -> dict[str, Profile]:
    """Read a table of profiles (TOML); raise BadInput for amounts that are none and brackets out of order."""
    try:
        rows = msgspec.convert(tomllib.loads(text), _Table).profile
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadInput(place, str(error), "a table of [[profile]] rows") from None
    found: dict[str, Profile] = {}
    for row in rows:
        where = f"{place}: {row.name}"
        if row.name in found:
            raise BadInput(f"{place}: name", row.name, "each name once")
        ends = [tier.up_to for tier in row.tier]
        known = [end for end in ends if end is not None]
        if (
            not ends
            or ends[-1] is not None
            or None in ends[:-1]
            or known != sorted(set(known))
            or min(known, default=1) < 1
        ):
            raise BadInput(f"{where}: tier", str(ends), "rising up_to, and a last bracket without one")
        for amount in (
            row.regulatory,
            row.rebate,
            row.taker,
            row.maker,
            *row.exchange.values(),
            *(tier.commission for tier in row.tier),
        ):
            read_money(amount, where)
        if row.exchange_other:
            read_money(row.exchange_other, where)
        if not (row.exchange or row.exchange_other):
            row = msgspec.structs.replace(row, exchange_other="0")  # noqa: PLW2901
        found[row.name] = row
    return found


@cache
def profiles() -> dict[str, Profile]:
    """The profiles shipped with the program, by name."""
    text = (resources.files("tapeview.desk") / "costs.toml").read_text(encoding="utf-8")
    return read_profiles(text, "costs.toml")


def commission(profile: Profile, lots: int, month_lots: int = 0) -> Decimal:
    """Commission of one side of an order after so many contracts in the month: each costs what its bracket says."""
    if lots < 0 or month_lots < 0:
        raise ValueError(f"{lots} contracts after {month_lots}")
    out = Decimal(0)
    first = 0
    for tier in profile.tier:
        last = month_lots + lots if tier.up_to is None else min(tier.up_to, month_lots + lots)
        counted = max(0, last - max(first, month_lots))
        out = total(out, times(Decimal(tier.commission), counted))
        first = last if tier.up_to is None else tier.up_to
    return out


def side_cost(
    profile: Profile,
    terms: Terms,
    lots: int,
    month_lots: int = 0,
    slippage_half_ticks: int = 0,
    *,
    tick: int | None = None,
    maker: bool = False,
) -> Decimal:
    """What one side of an order costs: commission + exchange + regulatory - rebate + slippage; below 0 where paid for.

    `tick` is its price, wanted where the profile charges a share of the value, that of makers or of takers. Raises
    BadInput where the profile does not know the symbol's exchange fee, or the price is wanted and not given.
    """
    fee = profile.exchange.get(terms.symbol, profile.exchange_other)
    if fee == "":
        known = ", ".join(sorted(profile.exchange))
        raise BadInput(f"costs {profile.name}", terms.symbol, f"one of {known}: it has no other exchange fees")
    each = total(Decimal(fee), Decimal(profile.regulatory), -Decimal(profile.rebate))
    slipped = decimal(Fraction(terms.money(slippage_half_ticks * lots)) / 2)
    share = Fraction(profile.maker if maker else profile.taker)
    if share and tick is None:
        raise BadInput(f"costs {profile.name}", None, "a price: it charges a share of the value")
    charged = decimal(share * Fraction(terms.money((tick or 0) * lots)))
    return total(commission(profile, lots, month_lots), times(each, lots), slipped, charged)


class Charges:
    """What fills cost one after the other: each counts towards the month's brackets."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.month_lots = 0
        """Contracts of the month so far."""

    def take(self, terms: Terms, lots: int, tick: int, *, maker: bool) -> Decimal:
        """Take note of a fill and give what it costs."""
        cost = side_cost(self.profile, terms, lots, self.month_lots, tick=tick, maker=maker)
        self.month_lots += lots
        return cost

    def leaving(self, terms: Terms, lots: int, tick: int) -> Decimal:
        """What closing a position would cost now."""
        return side_cost(self.profile, terms, lots, self.month_lots, tick=tick)

    def both_ways(self, terms: Terms, lots: int, tick: int) -> Decimal:
        """What a round trip would cost from now on."""
        return round_trip(self.profile, terms, lots, self.month_lots, tick=tick)


def round_trip(
    profile: Profile, terms: Terms, lots: int = 1, month_lots: int = 0, *, tick: int | None = None
) -> Decimal:
    """What getting in and out costs, the way out counted after the way in; both take, at the price `tick`."""
    return total(
        side_cost(profile, terms, lots, month_lots, tick=tick),
        side_cost(profile, terms, lots, month_lots + lots, tick=tick),
    )


def too_costly(cost_r: Fraction, limits: Limits = DEFAULTS) -> bool:
    """Whether costs are a greater share of R than is borne."""
    return cost_r > exact(limits.cost_red)


# -- slippage -------------------------------------------------------------------------------------


class Attempt(NamedTuple):
    """An order as it was decided on and what came of it; prices in ticks."""

    order: str
    """market, limit, stop ..."""
    side: int
    lots: int
    bid: int
    """Best bid when it was decided."""
    ask: int
    """Best ask then."""
    fill: int | None
    """Where it filled; None for one that did not."""
    touch_later: int | None = None
    """Of one that did not: the price one would have had to take when it was given up (ask of a buy, bid of a sale)."""


class Slippage(NamedTuple):
    """What an order type cost against the mid at decision, and what it saved against taking the touch then."""

    filled: int
    missed: int
    half_ticks_lots: int
    """Sum of side x (fill - mid) x lots of those that filled, in half ticks; above 0 is a cost."""
    saved_ticks_lots: int
    """Sum of what was paid less than the touch at decision; a missed order saves what the touch has moved since,
    which is below 0 where the market ran away from it."""

    def saved(self, terms: Terms) -> Decimal:
        """The same as money."""
        return terms.money(self.saved_ticks_lots)


def slippage_half_ticks(attempt: Attempt) -> int:
    """Fill against mid at decision, in half ticks a lot; above 0 is a cost. Raises ValueError for one not filled."""
    if attempt.fill is None:
        raise ValueError("an order that did not fill has no slippage")
    return attempt.side * (2 * attempt.fill - attempt.bid - attempt.ask)


def slippage(attempts: Iterable[Attempt]) -> dict[str, Slippage]:
    """Slippage by order type, missed orders included."""
    out: dict[str, Slippage] = {}
    for one in attempts:
        so_far = out.get(one.order, Slippage(0, 0, 0, 0))
        touch = one.ask if one.side > 0 else one.bid
        if one.fill is not None:
            saved = one.side * (touch - one.fill) * one.lots
            cost = slippage_half_ticks(one) * one.lots
            out[one.order] = Slippage(
                so_far.filled + 1, so_far.missed, so_far.half_ticks_lots + cost, so_far.saved_ticks_lots + saved
            )
        elif one.touch_later is not None:
            saved = one.side * (touch - one.touch_later) * one.lots
            out[one.order] = so_far._replace(missed=so_far.missed + 1, saved_ticks_lots=so_far.saved_ticks_lots + saved)
        else:
            raise ValueError("a missed order needs the touch when it was given up")
    return out
