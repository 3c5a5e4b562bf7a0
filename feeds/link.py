"""The health of one socket: which state it is in, and what has to be done about it, decided from given times alone.

The owner of the socket tells what happened (`opened`, `heard`, `closed` ...) and calls `tick`, which says what to do
now; `next_ns` says when to call it again. There is no I/O and no clock, so that days pass in a test in milliseconds.

What counts: only market data is data. Pongs, heartbeats and acknowledgements keep a socket from being taken for dead
but do not make it live, and a close with 1000 or 1001 is a disconnect like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from feeds.backoff import Backoff
from feeds.venues._access import Terms

_S: Final = 1_000_000_000
HANDSHAKE_NS: Final = 10 * _S
"""Name lookup, TCP, TLS and upgrade together."""
ACK_NS: Final = 5 * _S
FIRST_DATA_NS: Final = 15 * _S
HAND_OVER_NS: Final = 300 * _S
"""How long before a forced end the next socket is opened, at the latest; jitter spreads it over as long again."""
POLICY_NS: Final = 30 * _S
"""Least wait after a close for misbehaviour (1008) or overload (1013)."""
REFUSED_NS: Final = 60 * _S
"""Least wait after an answer that says no: 401, 403, 418, 429, 451 without a time of its own."""
_POLICY: Final = (1008, 1013)
_REFUSALS: Final = (401, 403, 418, 429, 451)


class LinkState(Enum):
    """What a person is told of a socket."""

    DOWN = "down"
    """Not connected; `retry_ns` says when it will be tried again."""
    CONNECTING = "connecting"
    SYNCING = "syncing"
    """Connected, no data yet."""
    LIVE = "live"
    STALE = "stale"
    """Connected, but its data has stopped."""


class Do(Enum):
    """What the owner of the socket has to do."""

    CONNECT = "connect"
    PING = "ping"
    """Send the venue's own ping text."""
    RESUBSCRIBE = "resubscribe"
    REPLACE = "replace"
    """Open another socket beside this one and go over to it when it has data: this one's end is known."""
    CLOSE = "close"
    """Close it; `closed` is then called as for any end."""


class Act(NamedTuple):
    """Something to do, and why."""

    do: Do
    why: str = ""


class Link:
    """One socket. Times are monotonic ns; `draw` gives numbers in [0, 1)."""

    def __init__(self, terms: Terms, draw: Callable[[], float], backoff: Backoff | None = None) -> None:
        self.terms = terms
        self.state = LinkState.DOWN
        self.why = ""
        """Why it is down or stale, in words for a person."""
        self.backoff = backoff or Backoff(draw)
        self.retry_ns: int | None = None
        """When a connection is tried again; None before the first."""
        self.awaits_ack = False
        """A subscription was sent and its acknowledgement has not come."""
        self._draw = draw
        self._since = self._any_ns = self._data_ns = self._pinged_ns = 0
        self._asked_ns: int | None = None
        self._replacing = False
        self._ended = False
        self._end_ns: int | None = None

    # -- what happened ---------------------------------------------------------------------------
    def connecting(self, now_ns: int) -> None:
        """A connection is being made."""
        self._become(LinkState.CONNECTING, "", now_ns)

    def opened(self, now_ns: int, *, awaits_ack: bool = False) -> None:
        """It is open and the subscriptions were sent."""
        self._become(LinkState.SYNCING, "", now_ns)
        self._any_ns = self._data_ns = self._pinged_ns = now_ns
        self._asked_ns, self.awaits_ack, self._ended, self._replacing = None, awaits_ack, False, False
        age = self.terms.max_age_s * _S
        # Half an age at the least, where the venue allows so little that the margins would eat it all.
        early = round(HAND_OVER_NS * (1.0 + self._draw()))
        self._end_ns = now_ns + max(age - early, age // 2) if age else None

    def acknowledged(self, now_ns: int) -> None:
        """The venue accepted the subscriptions; this is no data."""
        self.awaits_ack = False
        self._any_ns = now_ns

    def heard(self, now_ns: int, *, data: bool, verified: bool = False) -> None:
        """A frame came: market data, vouched for by the venue's rule or not, or anything else."""
        self._any_ns = now_ns
        if not data:
            return
        self._data_ns = now_ns
        self._asked_ns = None
        self.awaits_ack = False
        if self.state is not LinkState.LIVE:
            self._become(LinkState.LIVE, "", now_ns)
        if verified:
            self.backoff.verified(now_ns)

    def doubted(self) -> None:
        """What came is not vouched for: a gap, a checksum that disagrees."""
        self.backoff.doubted()

    def ending(self, now_ns: int, why: str) -> None:
        """The venue said that it will end this connection soon."""
        self.why = why
        self._end_ns = now_ns if self._end_ns is None else min(self._end_ns, now_ns)

    def closed(self, now_ns: int, code: int | None, why: str, *, retry_after_ns: int = 0) -> None:
        """It ended, or could not be opened; `code` is the close code or the HTTP status, None where there is none."""
        least = retry_after_ns
        if not least and code in _REFUSALS:
            least = REFUSED_NS
        elif code in _POLICY:
            least = max(least, POLICY_NS)
            self.backoff.slower()
        self.retry_ns = now_ns + self.backoff.wait_ns(least)
        self._become(LinkState.DOWN, why, now_ns)
        self.awaits_ack = False

    def stood_still(self, ns: int) -> None:
        """Our own process did nothing for so long: whatever was silent meanwhile, the venue is not to blame."""
        self._since += ns
        self._any_ns += ns
        self._data_ns += ns
        self._pinged_ns += ns
        if self._asked_ns is not None:
            self._asked_ns += ns

    def _become(self, state: LinkState, why: str, now_ns: int) -> None:
        self.state, self.why, self._since = state, why, now_ns

    # -- what to do ------------------------------------------------------------------------------
    def tick(self, now_ns: int, silence_ns: int | None = None) -> list[Act]:
        """Say what to do now; `silence_ns` is how long its data may be silent, where that was learnt."""
        if self.state is LinkState.DOWN:
            return [Act(Do.CONNECT)] if self.retry_ns is None or now_ns >= self.retry_ns else []
        if self._ended:
            return []
        if self.state is LinkState.CONNECTING:
            return self._end("no handshake within 10 s") if now_ns - self._since >= HANDSHAKE_NS else []
        acts = self._watch(now_ns, self._limit(silence_ns))
        if not self._ended:
            if self.terms.ping and now_ns - max(self._pinged_ns, self._any_ns) >= self.terms.ping_s * _S:
                self._pinged_ns = now_ns
                acts.append(Act(Do.PING))
            if self._end_ns is not None and now_ns >= self._end_ns and not self._replacing:
                self._replacing = True
                acts.append(Act(Do.REPLACE, self.why or "the venue ends connections of this age"))
        return acts

    def _watch(self, now_ns: int, limit: int) -> list[Act]:
        if now_ns - self._any_ns >= self.terms.silence_s * _S:
            return self._end(f"nothing came for {self.terms.silence_s} s")
        if self.awaits_ack and now_ns - self._since >= ACK_NS:
            return self._end("the subscription was not answered within 5 s")
        if self.state is LinkState.SYNCING:
            limit = self._first_data_ns()
            late = now_ns - self._since >= limit
            return self._end(f"no data within {limit // _S} s of connecting") if late else []
        if now_ns - self._data_ns < limit:
            return []
        if self.state is LinkState.LIVE:
            self._become(LinkState.STALE, f"no data for {limit / _S:.0f} s", now_ns)
            self.backoff.doubted()
            self._asked_ns = now_ns
            return [Act(Do.RESUBSCRIBE, self.why)]
        if self._asked_ns is not None and now_ns - self._asked_ns >= limit:
            return self._end(f"no data for {(now_ns - self._data_ns) / _S:.0f} s, nor after asking again")
        return []

    def _end(self, why: str) -> list[Act]:
        self._ended = True
        self.why = why
        return [Act(Do.CLOSE, why)]

    def _limit(self, silence_ns: int | None) -> int:
        return max(self.terms.silence_s * _S, silence_ns or 0)

    def _first_data_ns(self) -> int:
        return max(FIRST_DATA_NS, self.terms.first_data_s * _S)

    def next_ns(self, now_ns: int, silence_ns: int | None = None) -> int:
        """When to call `tick` again, should nothing happen before."""
        if self.state is LinkState.DOWN:
            return max(now_ns, self.retry_ns or now_ns)
        if self.state is LinkState.CONNECTING:
            return self._since + HANDSHAKE_NS
        limit = self._limit(silence_ns)
        due = [self._any_ns + self.terms.silence_s * _S]
        if self.awaits_ack:
            due.append(self._since + ACK_NS)
        if self.state is LinkState.SYNCING:
            due.append(self._since + self._first_data_ns())
        elif self.state is LinkState.LIVE:
            due.append(self._data_ns + limit)
        elif self._asked_ns is not None:
            due.append(self._asked_ns + limit)
        if self.terms.ping:
            due.append(max(self._pinged_ns, self._any_ns) + self.terms.ping_s * _S)
        if self._end_ns is not None and not self._replacing:
            due.append(self._end_ns)
        return max(now_ns, min(due))
