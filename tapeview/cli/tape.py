"""`tapeview tape SOURCE`: time and sales, merged or raw."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from feeds.errors import BadInput
from feeds.events import NONE, OFF_GRID, OFF_LOT, PRINTS, TRADE
from feeds.instruments import Instrument
from tapeview import format as write
from tapeview.cli import _common as common
from tapeview.times import parse_time

_PIECE = 8192
"""Rows a step, so that no merged print leaves the ring before it was written."""
_SIDES = {1: "buy", -1: "sell", 0: None}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser, live=True)
    parser.add_argument("--from", dest="start", metavar="T", help="first time")
    parser.add_argument("--to", dest="end", metavar="T", help="last time")
    parser.add_argument("--min-lots", type=int, default=0, metavar="N", help="least size in lots")
    parser.add_argument("--follow", action="store_true", help="of a live source, go on until Ctrl-C; it always does")
    parser.add_argument("--raw", action="store_true", help="every print by itself, not merged")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the prints."""
    if args.min_lots < 0:
        raise BadInput("--min-lots", args.min_lots, "a whole number of at least 0")
    with contextlib.closing(common.open_one(args)) as source:
        return _show(source, args)


def _show(source: Any, args: argparse.Namespace) -> int:
    indices = common.chosen(source, args)
    prints = _raw(source, indices) if args.raw else _merged(source, indices, args)
    start = end = None
    for first_ns, index, record in prints:
        instrument = source.instruments[index]
        if start is None:
            start = parse_time(args.start, first_ns, instrument.timezone, place="--from") if args.start else -(2**63)
            end = parse_time(args.end, first_ns, instrument.timezone, place="--to") if args.end else 2**63 - 1
            if start > end:
                raise BadInput("--to", args.end, f"a time after --from {args.start}")
        if record["recv_ns"] < start or record["lots"] < args.min_lots:
            continue
        if record["recv_ns"] > end:
            if len(indices) == 1:
                break
            continue
        _write(instrument, record, args, len(source.instruments) > 1)
    return 0


def _raw(source: Any, indices: list[int]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    first = None
    for batch in common.Progress("reading", source).over(source.batches()):
        first = int(batch["recv_ns"][0]) if first is None else first
        rows = batch[batch["kind"] == TRADE]
        for row in rows[np.isin(rows["inst"], indices)]:
            yield first, int(row["inst"]), _record(source.instruments[int(row["inst"])], row)


def _record(instrument: Instrument, row: Any) -> dict[str, Any]:
    marks = int(row["marks"])
    fine = int(row["tick"]) if marks & OFF_GRID else NONE
    lots = int(row["lots"])
    return {
        "seq": int(row["seq"]), "exch_ns": int(row["exch_ns"]), "recv_ns": int(row["recv_ns"]),
        "tick": int(row["tick"]), "fine": fine, "side": int(row["side"]),
        "lots": lots // instrument.size.fine if marks & OFF_LOT else lots,
        "size": instrument.size.fine_text(lots) if marks & OFF_LOT else instrument.size.text(lots),
        "ref": int(row["ref"]), "count": 1, "kind": int(row["aux"]) & 0xFF,
    }  # fmt: skip


def _merged(source: Any, indices: list[int], args: argparse.Namespace) -> Iterator[tuple[int, int, dict[str, Any]]]:
    from tapeview.session import Session

    settings = common.settings(args).config.engine
    common.compile_kernels()
    session = Session(source, settings, {})
    done = dict.fromkeys(indices, -1)
    first = None
    for batch in common.Progress("reading", source).over(source.batches()):
        first = int(batch["recv_ns"][0]) if first is None else first
        for at in range(0, len(batch), _PIECE):
            session.step(batch[at : at + _PIECE])
            for index in indices:
                # The newest print may still grow, so it waits for the one after it.
                for record in _new(session.engines[index], done[index])[:-1]:
                    done[index] = int(record["seq"])
                    yield first, index, _plain(session.instruments[index], record)
    for index in indices:
        for record in _new(session.engines[index], done[index]):
            yield first or 0, index, _plain(session.instruments[index], record)


def _new(engine: Any, after: int) -> Any:
    newest_first = engine.tape.prints(_PIECE * 2)
    return newest_first[newest_first["seq"] > after][::-1]


def _plain(instrument: Instrument, record: Any) -> dict[str, Any]:
    names = ("seq", "exch_ns", "recv_ns", "tick", "fine", "lots", "side", "ref", "count", "kind")
    out = {name: int(record[name]) for name in names}
    return out | {"size": instrument.size.text(out["lots"])}


def _write(instrument: Instrument, record: dict[str, Any], args: argparse.Namespace, named: bool) -> None:
    grid = instrument.price
    price = grid.text(record["tick"]) if record["fine"] == NONE else grid.fine_text(record["fine"])
    if args.json:
        line: dict[str, Any] = {"instrument": instrument.name} if named else {}
        common.emit(
            line
            | {
                "seq": record["seq"], "exch_ns": common.number(record["exch_ns"]), "recv_ns": record["recv_ns"],
                "price": price, "size": record["size"], "side": _SIDES[record["side"]],
                "trade_id": common.number(record["ref"]), "merged": record["count"], "kind": PRINTS[record["kind"]],
            }
        )  # fmt: skip
        return
    glyph = {1: "▲", -1: "▼", 0: "·"}[record["side"]]
    times = f"  ×{record['count']}" if record["count"] > 1 else ""
    kind = "" if record["kind"] == 0 else f"  {PRINTS[record['kind']]}"
    name = f"{instrument.symbol:<12} " if named else ""
    print(f"{write.clock(record['recv_ns'])}  {name}{glyph} {price:>12} {record['size']:>14}{times}{kind}")
