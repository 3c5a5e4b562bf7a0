"""EVENT rows from one line of text, for worked cases, tests and documentation.

    b100:5      bid level 100 now shows 5 lots        a101:2     ask level
    b100:5/3    the same, made of 3 orders            +101:2     2 lots bought at 101
    -100:1      1 lot sold at 100                     ?100:1     a trade of unknown side
    o7b100:5    order 7 added to the bid              m7b100:3   order 7 is now this
    x7 or x7:2  order 7 cancelled (2 lots of it)      f7:2       2 lots of order 7 filled
    $borrow_fee:0.44      a slow input, one of FACTS        $borrow_fee:0.4@5   the same as of 5 days before
    $+101:2               2 lots bought at 101 to close a position by force        $-101:2   sold
    ~50         50 ms pass                            |          ends a message of several rows
    !live !syncing !auction !halted !gap !clear       market phase, gap, clear
    [ ... ]     rows of a snapshot: one message, ends in !live

Each word is a message of its own, unless words are joined by '&': `b100:5&a101:2`.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    F_LIQUIDATION,
    FACT,
    FACT_DECIMALS,
    FACTS,
    FILL,
    GAP,
    LAST,
    MODIFY,
    NONE,
    S_LIVE,
    SNAPSHOT,
    STATUS,
    STATUSES,
    TRADE,
    EventBuffer,
    Events,
)  # fmt: skip
from feeds.instruments import parse_decimal

START_NS: Final = 1_700_000_000_000_000_000
"""Receive time of a script's first row."""
_LEVEL: Final = re.compile(r"([ba])(-?\d+):(\d+)(?:/(\d+))?\Z", re.ASCII)
_TRADE: Final = re.compile(r"([+\-?])(-?\d+):(\d+)\Z", re.ASCII)
_ORDER: Final = re.compile(r"([om])(\d+)([ba])(-?\d+):(\d+)\Z", re.ASCII)
_LESS: Final = re.compile(r"([xf])(\d+)(?::(\d+))?\Z", re.ASCII)
_INPUT: Final = re.compile(r"\$([a-z_0-9]+):(-?\d+(?:\.\d+)?)(?:@(\d{1,4}))?\Z", re.ASCII)
_FORCED: Final = re.compile(r"\$([+-])(-?\d+):(\d+)\Z", re.ASCII)
_DAY_NS: Final = 86_400_000_000_000
_WAIT: Final = re.compile(r"~(\d{1,15})\Z", re.ASCII)
_SIDES: Final = {"b": BID, "a": ASK, "+": 1, "-": -1, "?": 0}


def events(text: str, *, clock: bool = True, start_ns: int = START_NS, inst: int = 0) -> Events:
    """Turn a script into EVENT rows, with CLOCK rows and `seq` unless `clock` is off.

    >>> [int(row["kind"]) for row in events("b100:5 +101:2")]
    [1, 6]
    """
    out = EventBuffer()
    now, serial, inside = start_ns, 0, False
    for word in text.split():
        if wait := _WAIT.match(word):
            now += int(wait[1]) * 1_000_000
        elif word in ("[", "]") and inside == (word == "["):
            raise BadInput("script", word, "brackets in pairs, one inside no other")
        elif word == "[":
            inside = True
            out.append(CLEAR, now, now, inst=inst, marks=SNAPSHOT)
        elif word == "]":
            inside = False
            out.append(STATUS, now, now, aux=S_LIVE, inst=inst, marks=SNAPSHOT | LAST)
        elif word != "|":
            for part in word.split("&"):
                serial += 1
                try:
                    _row(out, part, now, serial, inst, SNAPSHOT if inside else 0)
                except struct.error:
                    raise BadInput("script", word, "numbers of at most 64 bits") from None
            if not inside:
                out.mark_last()
    if inside:
        raise BadInput("script", "[", "brackets in pairs, one inside no other")
    rows = out.take()
    return Clock().insert(rows) if clock else rows


def _row(out: EventBuffer, word: str, now: int, serial: int, inst: int, marks: int) -> None:
    if m := _LEVEL.match(word):
        out.append(BOOK, now, now, int(m[2]), int(m[3]), _SIDES[m[1]], serial, int(m[4] or 0), inst, marks)
    elif m := _TRADE.match(word):
        out.append(TRADE, now, now, int(m[2]), int(m[3]), _SIDES[m[1]], serial, 0, inst, marks)
    elif m := _ORDER.match(word):
        kind = ADD if m[1] == "o" else MODIFY
        out.append(kind, now, now, int(m[4]), int(m[5]), _SIDES[m[3]], int(m[2]), serial, inst, marks)
    elif m := _LESS.match(word):
        kind = CANCEL if m[1] == "x" else FILL
        out.append(kind, now, now, 0, int(m[3] or 0), 0, int(m[2]), serial, inst, marks)
    elif m := _FORCED.match(word):
        out.append(FACT, now, now, int(m[2]), int(m[3]), _SIDES[m[1]], now, F_LIQUIDATION, inst, marks)
    elif (m := _INPUT.match(word)) and m[1] in FACTS:
        which = FACTS.index(m[1])
        mantissa, digits = parse_decimal(m[2])
        shift = (FACT_DECIMALS[which] or 0) - digits
        if shift < 0:
            raise BadInput("script", word, f"at most {FACT_DECIMALS[which] or 0} decimals")
        out.append(FACT, now, NONE, 0, mantissa * 10**shift, 0, now - int(m[3] or 0) * _DAY_NS, which, inst, marks)
    elif word.startswith("!") and word[1:] in STATUSES:
        out.append(STATUS, now, now, aux=STATUSES.index(word[1:]), inst=inst, marks=marks)
    elif word == "!gap":
        out.append(GAP, now, now, aux=NONE, inst=inst, marks=marks)
    elif word == "!clear":
        out.append(CLEAR, now, now, inst=inst, marks=marks)
    else:
        raise BadInput("script", word, "a word such as b100:5, +101:2, o7b100:5, ~50 or !gap")
