"""One side of a book in plain Python, for readers that must know the inside while they read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort


class Side:
    """Amounts by price, the prices in order."""

    __slots__ = ("amounts", "prices", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        """BID or ASK."""
        self.amounts: dict[int, int] = {}
        self.prices: list[int] = []

    def change(self, price: int, by: int) -> None:
        """Add to a price; it goes where nothing is left of it."""
        have = self.amounts.get(price)
        if have is None:
            if by > 0:
                self.amounts[price] = by
                insort(self.prices, price)
        elif have + by > 0:
            self.amounts[price] = have + by
        else:
            del self.amounts[price]
            del self.prices[bisect_left(self.prices, price)]

    @property
    def best(self) -> int | None:
        """The best price, None where the side is empty."""
        return (self.prices[-1] if self.sign > 0 else self.prices[0]) if self.prices else None

    def down_to(self, worst: int) -> list[int]:
        """Prices from the best to `worst`."""
        if self.sign > 0:
            return self.prices[bisect_left(self.prices, worst) :][::-1]
        return self.prices[: bisect_right(self.prices, worst)]


def lean(bid: int | None, ask: int | None, price: int) -> int:
    """Sign a trade by the quote: 1 above the middle, -1 below, 0 at it or where there is no sound quote."""
    if bid is None or ask is None or bid >= ask:
        return 0
    twice = 2 * price - bid - ask
    return (twice > 0) - (twice < 0)
