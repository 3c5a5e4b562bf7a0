"""`tapeview stats SOURCE`: the session in numbers."""

from __future__ import annotations

import argparse
from typing import Any

from feeds.errors import BadInput
from feeds.events import NONE
from feeds.instruments import Grid
from tapeview import format as write
from tapeview.cli import _common as common
from tapeview.times import parse_time


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser, live=True)
    parser.add_argument("--at", metavar="T", help="up to this time; the whole source where none is given")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Play the source and print the numbers."""
    from tapeview.session import Session, cut_at

    if common.is_live(args) and args.duration is None:
        raise BadInput("--for", None, f"how long to listen to {args.source}, as in --for 1m")
    settings = common.settings(args).config.engine
    source = common.open_one(args)
    indices = common.chosen(source, args)
    common.compile_kernels()
    with Session(source, settings, {}) as session:
        at = None
        for batch in common.Progress("reading", source).over(source.batches()):
            if args.at is not None and at is None:
                at = parse_time(
                    args.at, int(batch["recv_ns"][0]), source.instruments[indices[0]].timezone, place="--at"
                )
            cut = cut_at(batch, recv_ns=at)
            session.play(batch[:cut])
            if cut < len(batch):
                break
        for index in indices:
            record = statistics(session, index)
            if args.json:
                common.emit(record)
            else:
                _print(record)
    return 0


def statistics(session: Any, index: int) -> dict[str, Any]:
    """The session's numbers of one instrument, as `--json` prints them."""
    from tapeview.engine.vwap_view import vwap_text

    engine, instrument = session.engines[index], session.instruments[index]
    tape, size, price = engine.tape, instrument.size, instrument.price
    totals = tape.totals
    value = engine.vwap.value(0)
    vwap, sigma = vwap_text(value, price) if value is not None else (None, None)
    return {
        "instrument": instrument.name,
        "events": engine.events,
        "trades": totals.trades,
        "volume": size.text(totals.volume),
        "buy_volume": size.text(totals.buy),
        "sell_volume": size.text(totals.sell),
        "delta": size.text(totals.delta),
        "vwap": vwap,
        "vwap_sigma": sigma,
        "high": _price(price, tape.price("high")),
        "low": _price(price, tape.price("low")),
        "open": _price(price, tape.price("open")),
        "close": _price(price, tape.price("close")),
        "first_ns": session.first_ns[index],
        "last_ns": common.number(engine.recv_ns),
        "gaps": engine.counters["gaps"],
        "partial": bool(engine.counters["gaps"]),
    }


def _price(grid: Grid, price: tuple[int, int] | None) -> str | None:
    if price is None:
        return None
    tick, fine = price
    return grid.text(tick) if fine == NONE else grid.fine_text(fine)


def _print(record: dict[str, Any]) -> None:
    times = {"first_ns": "first", "last_ns": "last"}
    pairs = []
    for name, value in record.items():
        if name in times:
            pairs.append((times[name], f"{write.clock(value, date=True)} UTC" if value is not None else None))
        else:
            shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
            pairs.append(
                (
                    name.replace("_", " "),
                    {True: "yes", False: "no"}.get(value, shown) if isinstance(value, bool) else shown,
                )
            )
    common.pairs(pairs)
