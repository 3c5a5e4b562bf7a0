"""How long to wait before trying again, and how much may be asked of a host: pure rules over given times.

Waits have full jitter, `random(0, min(most, least * 2**failures))`, after Brooker, "Exponential Backoff And Jitter"
(2015), and shrink again only after a minute of verified data: a venue that accepts and then drops is not hammered.
Budgets are token buckets, one a host and kind of request, shared by everything that talks to the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

_S: Final = 1_000_000_000
_DOUBLINGS: Final = 30
_SLOWEST: Final = 16
_ROUNDING: Final = 1e-9


class Backoff:
    """The waits of one connection; `draw` gives a number in [0, 1)."""

    def __init__(
        self, draw: Callable[[], float], *, least_s: float = 0.5, most_s: float = 60.0, proof_s: float = 60.0
    ) -> None:
        self.failures = 0
        """Failures in a row."""
        self.pace = 1
        """So many times slower than the venue's terms allow is it talked to."""
        self._draw = draw
        self._least_s, self._most_s = least_s, most_s
        self._proof_ns = round(proof_s * _S)
        self._good_since: int | None = None

    def wait_ns(self, at_least_ns: int = 0) -> int:
        """Count a failure and say how many ns to wait; a wait the venue asks for comes before the drawn one."""
        self.failures += 1
        self._good_since = None
        most = min(self._most_s, self._least_s * 2.0 ** min(self.failures, _DOUBLINGS))
        return at_least_ns + round(self._draw() * most * _S)

    def verified(self, now_ns: int) -> None:
        """Data came that the venue's own rule vouches for."""
        if self._good_since is None:
            self._good_since = now_ns
        elif now_ns - self._good_since >= self._proof_ns:
            self.failures = 0
            self.pace = 1

    def slower(self) -> None:
        """The venue ended the connection because of how it was talked to."""
        self.pace = min(2 * self.pace, _SLOWEST)

    def doubted(self) -> None:
        """The proof is broken off: what came is not vouched for, or nothing came."""
        self._good_since = None


class Budget:
    """So much at once, so much a second; times are monotonic ns, costs in the venue's own weight."""

    def __init__(self, amount: float, per_s: float) -> None:
        if amount <= 0 or per_s <= 0:
            raise ValueError(f"a budget of {amount} with {per_s} a second gives nothing")
        self.amount, self.per_s = amount, per_s
        self.blocked_ns: int | None = None
        """Nothing may be asked before this time; None where nothing was forbidden."""
        self._left = amount
        self._at_ns: int | None = None

    def ask(self, now_ns: int, cost: float = 1.0) -> int:
        """Take `cost` and give 0, or take nothing and give the ns after which to ask again.

        A cost beyond the whole amount is let through once the budget is full, or it would wait for ever.
        """
        self._refill(now_ns)
        if self.blocked_ns is not None:
            if now_ns < self.blocked_ns:
                return self.blocked_ns - now_ns
            self.blocked_ns = None
        need = min(cost, self.amount)
        if self._left >= need - _ROUNDING:
            self._left -= cost
            return 0
        return max(1, math.ceil((need - self._left) / self.per_s * _S))

    def used(self, now_ns: int, used: float) -> None:
        """Believe the venue where it says that more has been used than was taken here."""
        self._refill(now_ns)
        self._left = min(self._left, self.amount - used)

    def block(self, until_ns: int) -> None:
        """Ask nothing before a time, as after an answer 429 with Retry-After."""
        self.blocked_ns = until_ns if self.blocked_ns is None else max(self.blocked_ns, until_ns)

    def _refill(self, now_ns: int) -> None:
        if self._at_ns is not None and now_ns > self._at_ns:
            self._left = min(self.amount, self._left + (now_ns - self._at_ns) / _S * self.per_s)
        self._at_ns = now_ns if self._at_ns is None else max(now_ns, self._at_ns)
