"""What tests on whole sessions with a venue share: the capture's lines, its rows, and its books in plain decimals."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import zstandard

from feeds.events import ASK, BID, BOOK, CLEAR, LAST, OFF_GRID, OFF_LOT, SNAPSHOT, STATUS
from feeds.files.venue_capture import READER
from feeds.source import OpenOptions


def frames_of(path):
    """The received frames as (connection, object) in the capture's order, read without the project's code."""
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    for line in map(json.loads, text.splitlines()):
        if line["t"] == "recv":
            yield line["conn"], json.loads(line["data"])


def rows_of(path, **options):
    """The reader, gone through, and all its rows."""
    reader = READER.open(path, OpenOptions(**options))
    return reader, np.concatenate(list(reader.rows()))


def decimals(one, tick, lots, marks):
    """A row's price and size as decimals."""
    price = one.price.fine_text(tick) if marks & OFF_GRID else one.price.text(tick)
    size = one.size.fine_text(lots) if marks & OFF_LOT else one.size.text(lots)
    return Decimal(price), Decimal(size)


def books_after(reader, rows):
    """(instrument's name, ref, book) after each message that changes one; the book is the same dictionaries again."""
    books = {one.name: {BID: {}, ASK: {}} for one in reader.instruments}
    fields = ["inst", "kind", "side", "tick", "lots", "marks", "ref"]
    for inst, kind, side, tick, lots, marks, ref in rows[fields].tolist():
        one = reader.instruments[inst]
        book = books[one.name]
        if kind == CLEAR:
            book[BID].clear()
            book[ASK].clear()
        elif kind == BOOK:
            price, size = decimals(one, tick, lots, marks)
            if size:
                book[side][price] = size
            else:
                book[side].pop(price, None)
        if marks & LAST and (kind == BOOK or (kind == STATUS and not marks & SNAPSHOT)):
            yield one.name, ref, book


def touch(book):
    """Best bid and ask with their sizes; 0 where there is none."""
    bid, ask = max(book[BID], default=0), min(book[ASK], default=0)
    return bid, book[BID].get(bid, 0), ask, book[ASK].get(ask, 0)


def change(book, side, price, size):
    """A level set, or deleted by any spelling of 0."""
    if Decimal(size):
        book[side][Decimal(price)] = Decimal(size)
    else:
        book[side].pop(Decimal(price), None)
