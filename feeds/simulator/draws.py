"""Random draws that are the same on every platform and with every release of numpy.

Only the raw 64-bit words of PCG64 are taken from numpy, which promises that stream for ever; its distributions
may change between releases and go through the platform's `log` and `exp`. Distributions here are quantile
tables of integers, computed once in decimal arithmetic, and a draw is a look-up by some bits of a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

UNIT: Final = 1 << 20
"""Fixed-point one of the exponential table."""
CELLS: Final = 4096
"""Entries of a quantile table: 12 bits of a word choose one."""
_BLOCK: Final = 4096


class Draws:
    """One independent stream of 64-bit words for a purpose."""

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(stream,)))
        self.word: Callable[[], int] = self._words().__next__
        """Give the next word."""

    def _words(self) -> Iterator[int]:
        while True:
            yield from self._bits.random_raw(_BLOCK).tolist()


class BlockDraws:
    """One independent stream of words, taken many at a time."""

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=(stream,)))

    def words(self, n: int) -> NDArray[np.uint64]:
        """Give the next n words, the same ones however the calls are cut."""
        return np.asarray(self._bits.random_raw(n), dtype=np.uint64)


@cache
def exponential() -> tuple[int, ...]:
    """Quantiles of the exponential distribution of mean 1 in units of 2**-20, CELLS + 1 of them.

    Interpolated linearly between neighbours by `wait`; the longest wait is about 9.7 means.
    """
    with localcontext() as context:
        context.prec = 18
        inner = [-(1 - Decimal(i) / CELLS).ln() for i in range(CELLS)]
        inner.append(inner[-1] + (Decimal(4)).ln())
        mean = sum(((a + b) / 2 for a, b in pairwise(inner)), Decimal(0)) / CELLS
        return tuple(int((value / mean * UNIT).to_integral_value()) for value in inner)


def wait(word: int, mean_ns: int) -> int:
    """Turn 28 bits of a word into an exponential waiting time in ns."""
    table = exponential()
    cell = word & 4095
    low = table[cell]
    return (mean_ns * (low + ((table[cell + 1] - low) * (word >> 12 & 0xFFFF) >> 16))) >> 20


def quantiles(weights: Sequence[tuple[int, Decimal]]) -> tuple[int, ...]:
    """Spread values over CELLS cells in proportion to their weights, ascending."""
    ordered = sorted(weights)
    total = sum(weight for _, weight in ordered)
    out: list[int] = []
    reached = Decimal(0)
    for value, weight in ordered:
        reached += weight
        out += [value] * (int((reached / total * CELLS).to_integral_value()) - len(out))
    return tuple(out)


@cache
def pareto(power: str, most: int) -> tuple[int, ...]:
    """Quantiles of a whole number N from 1 to `most` with P(N >= n) = n ** -power."""
    with localcontext() as context:
        context.prec = 18
        tail = [Decimal(n) ** -Decimal(power) for n in range(1, most + 2)]
        return quantiles([(n, tail[n - 1] - tail[n]) for n in range(1, most)] + [(most, tail[most - 1])])


@cache
def poisson(mean: str) -> tuple[int, ...]:
    """Quantiles of a Poisson count."""
    with localcontext() as context:
        context.prec = 18
        rate = Decimal(mean)
        weights, term = [], (-rate).exp()
        for n in range(12):
            weights.append((n, term))
            term = term * rate / (n + 1)
        return quantiles(weights)


@cache
def sizes(mean: str, points: tuple[tuple[int, str], ...]) -> tuple[int, ...]:
    """Quantiles of a size: geometric with this mean, mixed with point masses (size, share)."""
    with localcontext() as context:
        context.prec = 18
        shares = {size: Decimal(share) for size, share in points}
        rest = 1 - sum(shares.values())
        stop = 1 / Decimal(mean)
        weights = dict.fromkeys(shares, Decimal(0))
        term = rest * stop
        for n in range(1, int(Decimal(mean)) * 9 + 2):
            weights[n] = weights.get(n, Decimal(0)) + term
            term *= 1 - stop
        for size, share in shares.items():
            weights[size] += share
        return quantiles(list(weights.items()))


@cache
def places(head: tuple[str, ...], scale: str, power: str, most: int) -> tuple[int, ...]:
    """Quantiles of a distance in ticks from 1: weights `head` first, then scale * distance ** -power."""
    with localcontext() as context:
        context.prec = 18
        weights = [(i, Decimal(weight)) for i, weight in enumerate(head, 1)]
        weights += [(i, Decimal(scale) * Decimal(i) ** -Decimal(power)) for i in range(len(head) + 1, most + 1)]
        return quantiles(weights)


def mixed(tick: int) -> int:
    """Scramble a price into 32 bits, so that a level has a lasting character (splitmix64's finisher)."""
    z = (tick * 0x9E3779B97F4A7C15) & 0xFFFF_FFFF_FFFF_FFFF
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFF_FFFF_FFFF_FFFF
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & 0xFFFF_FFFF_FFFF_FFFF
    return (z ^ z >> 31) & 0xFFFF_FFFF


@cache
def rate(head: tuple[str, ...], scale: str, power: str, most: int) -> int:
    """Sum of the weights of `places`, in thousandths."""
    with localcontext() as context:
        context.prec = 18
        tail = (Decimal(scale) * Decimal(i) ** -Decimal(power) for i in range(len(head) + 1, most + 1))
        return int((sum(map(Decimal, head)) + sum(tail)) * 1000)
