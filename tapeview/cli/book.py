"""`tapeview book SOURCE`: the book at an instant, or after every venue message."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from feeds.errors import BadInput
from feeds.events import ADD, BOOK, CANCEL, CLEAR, FILL, GAP, MODIFY, NONE, STATUS, Events
from feeds.instruments import Instrument
from tapeview import format as write
from tapeview.cli import _common as common
from tapeview.times import parse_time

_BOOK_KINDS = [BOOK, ADD, MODIFY, CANCEL, FILL, CLEAR, GAP, STATUS]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser, live=True)
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="T", help="time: 09:45:12.250, ISO, +90s or ns; the end where none is given")
    when.add_argument("--seq", type=int, metavar="N", help="after the row with this sequence number")
    when.add_argument("--follow", action="store_true", help="print it after every venue message that concerns the book")
    parser.add_argument("--depth", type=int, default=10, metavar="N", help="levels a side (10)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Play up to the instant and print the book."""
    from tapeview.session import Session

    if args.depth < 1:
        raise BadInput("--depth", args.depth, "a whole number of at least 1")
    if args.seq is not None and args.seq < 0:
        raise BadInput("--seq", args.seq, "a whole number of at least 0")
    settings = common.settings(args).config.engine
    source = common.open_one(args)
    indices = common.chosen(source, args)
    common.compile_kernels()
    with Session(source, settings, {}) as session:
        if args.follow:
            _follow(session, indices, args)
            return 0
        at = None
        # A venue's market has no end of its own: without a time, its first whole book is the answer.
        at_once = common.is_live(args) and args.duration is None
        for batch in common.Progress("reading", source).over(source.batches()):
            if args.at is not None and at is None:
                at = parse_time(
                    args.at, int(batch["recv_ns"][0]), source.instruments[indices[0]].timezone, place="--at"
                )
            from tapeview.session import cut_at

            cut = cut_at(batch, recv_ns=at, seq=args.seq)
            session.play(batch[:cut])
            if cut < len(batch) or (at_once and all(_whole(session, index) for index in indices)):
                break
        for index in indices:
            _print(session, index, args)
    return 0


def _whole(session: Any, index: int) -> bool:
    return session.engines[index].book.state_name == "live"


def _follow(session: Any, indices: list[int], args: argparse.Namespace) -> None:
    from tapeview.session import message_ends

    for batch in session.source.batches():
        start = 0
        for end in message_ends(batch).tolist():
            piece = batch[start:end]
            start = end
            session.step(piece)
            touched = _touched(piece)
            for index in indices:
                if index in touched:
                    _print(session, index, args)
        session.step(batch[start:])


def _touched(piece: Events) -> set[int]:
    return {int(i) for i in piece["inst"][np.isin(piece["kind"], _BOOK_KINDS)]}


def _print(session: Any, index: int, args: argparse.Namespace) -> None:
    engine, instrument = session.engines[index], session.instruments[index]
    bids, asks = engine.book.bids(args.depth), engine.book.asks(args.depth)
    if args.json:
        common.emit(
            {
                "instrument": instrument.name,
                "seq": engine.seq,
                "venue_seq": common.number(engine.venue_seq),
                "exch_ns": common.number(engine.exch_ns),
                "recv_ns": common.number(engine.recv_ns),
                "state": engine.book.state_name,
                "bids": [_level(instrument, row) for row in bids],
                "asks": [_level(instrument, row) for row in asks],
            }
        )
        return
    book = engine.book
    why = f" ({book.why})" if book.why else ""
    moment = "–" if engine.recv_ns == NONE else write.clock(engine.recv_ns, date=True)
    numbers = f"seq {engine.seq}  venue seq {_or_dash(engine.venue_seq)}"
    print(f"{instrument.name}  {moment} UTC  {book.state_name}{why}  {numbers}")
    body = []
    for n in range(max(len(bids), len(asks))):
        bid = _level(instrument, bids[n]) if n < len(bids) else ("", "", "")
        ask = _level(instrument, asks[n]) if n < len(asks) else ("", "", "")
        body.append([_or_dash(bid[2]), bid[1], bid[0], ask[0], ask[1], _or_dash(ask[2])])
    common.table(["n", "bid size", "bid", "ask", "ask size", "n"], body, dict.fromkeys(range(6), True))


def _or_dash(value: object) -> str:
    return "–" if value is None or value == NONE else str(value)


def _level(instrument: Instrument, row: Any) -> tuple[str, str, int | None]:
    price = instrument.price.text(row["tick"]) if row["fine"] == NONE else instrument.price.fine_text(row["fine"])
    return price, instrument.size.text(row["lots"]), int(row["orders"]) or None
