"""GAP rows for what a recording lost."""

from __future__ import annotations

from feeds.events import GAP, LAST, NONE, Events, empty


def gap_rows(instruments: int, recv_ns: int, cause: int, lost: int | None, length_ns: int | None) -> Events:
    """One GAP row an instrument, together one message."""
    rows = empty(max(1, instruments))
    rows["recv_ns"] = recv_ns
    rows["exch_ns"] = NONE
    rows["inst"] = range(len(rows))
    rows["kind"] = GAP
    rows["lots"] = cause
    rows["ref"] = NONE if lost is None else lost
    rows["aux"] = NONE if length_ns is None else length_ns
    rows["marks"][-1] = LAST
    return rows
