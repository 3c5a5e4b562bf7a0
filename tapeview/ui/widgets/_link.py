"""Words for how a live market is connected, and for what a hole has done to numbers that sum up."""

from __future__ import annotations

from tapeview import format as text
from tapeview.snapshot import StatusPart


def until(ns: int | None) -> str:
    """Whole seconds until something, as words: `in 3 s`; empty where it is not known."""
    return "" if ns is None else f"in {-(-ns // 1_000_000_000)} s"


def link_words(status: StatusPart, *, tape: bool = False) -> str:
    """What the connection does, where it does not run; empty where it runs or nothing is connected."""
    link = status.link
    if link is None:
        return ""
    state = link.tape_state if tape else link.state
    if state == "reconnecting":
        return f"RECONNECTING {until(link.retry_ns)}".rstrip()
    if state == "banned":
        at = None if link.retry_ns is None or status.market_ns is None else status.market_ns + link.retry_ns
        return f"BANNED until {text.clock(at, millis=False, offset_s=status.utc_offset_s)}"
    if state == "refused":
        return "REFUSED"
    if state == "stale" and tape:
        return "STALE"
    return "CONNECTING" if state == "connecting" else ""


def partial_words(status: StatusPart) -> str:
    """Since when sums lack something; empty where they are whole."""
    if status.partial_since_ns is None:
        return ""
    return f"partial since {text.clock(status.partial_since_ns, millis=False, offset_s=status.utc_offset_s)}"
