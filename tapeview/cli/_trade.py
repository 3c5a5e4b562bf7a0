"""What `size` and `plan` share: the instrument's terms, costs, and words for shares and amounts."""

from __future__ import annotations

import argparse
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import BadInput
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from tapeview.desk.costs import Profile
    from tapeview.desk.limits import Limits
    from tapeview.desk.terms import Terms


def add_terms(parser: argparse.ArgumentParser) -> None:
    """Add the words that say what is traded and what that costs."""
    parser.add_argument("symbol", metavar="SYMBOL", help="a future of the table (MES, MNQ, MCL …), or any with --tick")
    parser.add_argument("--tick", metavar="T", help="price increment of a symbol that is not in the table")
    parser.add_argument("--lot", metavar="L", help="size increment of it (1)")
    parser.add_argument("--multiplier", metavar="M", help="money per unit of price and size of it (1)")
    parser.add_argument(
        "--costs", default="free", metavar="NAME|FILE", help="a cost profile, or a TOML file of one (free)"
    )
    parser.add_argument("--month-lots", default="0", metavar="N", help="contracts traded in the month before (0)")
    parser.add_argument("--slip", default="1", metavar="TICKS", help="ticks a stop fills worse than its price (1)")
    parser.add_argument("--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE", help="a setting")
    common.add_json(parser)


def terms(args: argparse.Namespace) -> Terms:
    """The terms of the SYMBOL: of the table, or of the words."""
    from feeds.instruments import Instrument, contracts
    from tapeview.desk.terms import Terms, terms_of_symbol

    said = {name: getattr(args, name) for name in ("tick", "lot", "multiplier") if getattr(args, name) is not None}
    known = terms_of_symbol(args.symbol)
    if "tick" in said:
        return Terms.of(Instrument(venue="any", symbol=args.symbol, **said))
    if known is None:
        raise BadInput("symbol", args.symbol, f"one of {', '.join(contracts())}, or --tick")
    if said:
        raise BadInput(f"--{next(iter(said))}", next(iter(said.values())), "--tick with it")
    return known


def limits(args: argparse.Namespace) -> Limits:
    """The limits of the configuration."""
    found: Limits = common.settings(args).config.desk.limits
    return found


def profile(args: argparse.Namespace) -> Profile:
    """The cost profile the words name."""
    from tapeview.desk.costs import profiles, read_profiles

    known = profiles()
    if args.costs in known:
        return known[args.costs]
    path = Path(args.costs)
    if not path.is_file():
        raise BadInput("--costs", args.costs, f"a file, or one of {', '.join(known)}")
    try:
        found = read_profiles(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("--costs", args.costs, f"a TOML file that can be read ({error})") from None
    if len(found) != 1:
        raise BadInput("--costs", args.costs, "a file of one profile")
    return next(iter(found.values()))


def count(text: str, place: str, least: int = 0) -> int:
    """A whole number of at most 12 digits."""
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise BadInput(place, text, f"a whole number from {least} on")
    return int(text)


def amount(text: str, place: str, *, above: bool = True) -> Decimal:
    """An amount of money, above 0 unless said otherwise."""
    from tapeview.desk.money import read_money

    value = read_money(text, place)
    if above and value <= 0:
        raise BadInput(place, text, "an amount above 0")
    return value


def share(text: str, place: str) -> Fraction:
    """A share: `1%` or `0.01`, above 0 and at most all."""
    from tapeview.desk.money import read_money

    bare = text.removesuffix("%").rstrip()
    value = Fraction(read_money(bare, place)) / (100 if text.endswith("%") else 1)
    if not 0 < value <= 1:
        raise BadInput(place, text, "a share such as 1% or 0.01, above 0 and at most 100%")
    return value


def price(known: Terms, text: str, place: str) -> int:
    """A price in ticks."""
    try:
        return known.price.exact(text)
    except BadInput as error:
        raise BadInput(place, text, f"a price in steps of {known.price.increment}") from error


def warnings(known: Terms, costs: Profile) -> list[str]:
    """What is in doubt of the tables used."""
    out = []
    if known.doubtful:
        out.append(f"{known.symbol}: verify its tick against the exchange")
    if costs.doubtful:
        out.append(f"costs {costs.name}: verify them against your statement")
    return out


def percent(value: float | Fraction) -> str:
    """A share in percent to a tenth."""
    return f"{float(value) * 100:.1f} %"
