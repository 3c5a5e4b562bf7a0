"""Draws inside kernels: xoshiro128** over 32-bit words, and look-ups in quantile tables of integers.

The generator is Blackman and Vigna's (2018) xoshiro128**; all of it fits an int64, so that compiled and plain
Python give the same words. The tables are those of `feeds.simulator.draws`.
"""

from __future__ import annotations

from typing import Any, Final

from feeds.simulator._jit import part

_M32: Final = 0xFFFF_FFFF


@part
def word(s: Any, stream: int) -> int:
    """Give the next 32 bits of a stream."""
    at = stream * 4
    a, b, c, d = s.rng[at], s.rng[at + 1], s.rng[at + 2], s.rng[at + 3]
    x = (b * 5) & _M32
    x = ((x << 7) & _M32) | (x >> 25)
    given = (x * 9) & _M32
    t = (b << 9) & _M32
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = ((d << 11) & _M32) | (d >> 21)
    s.rng[at], s.rng[at + 1], s.rng[at + 2], s.rng[at + 3] = a, b, c, d
    return given


@part
def below(s: Any, stream: int, n: int) -> int:
    """Draw a whole number from 0 to n - 1, n at most 2**31."""
    return (word(s, stream) * n) >> 32


@part
def wait(s: Any, stream: int, mean_ns: int) -> int:
    """Draw an exponential waiting time in ns, of whole microseconds; the mean at most 600 s."""
    bits = word(s, stream)
    cell = bits & 4095
    low = s.t_wait[cell]
    length = low + ((s.t_wait[cell + 1] - low) * (bits >> 12 & 0xFFFF) >> 16)
    return ((mean_ns >> 10) * length >> 10) // 1000 * 1000


@part
def scrambled(tick: int) -> int:
    """Scramble a price into 31 bits, so that a level has a lasting character (murmur3's finisher)."""
    z = tick & _M32
    z = ((z ^ (z >> 16)) * 0x7FEB352D) & _M32
    z = ((z ^ (z >> 15)) * 0x846CA68B) & _M32
    return (z ^ (z >> 16)) >> 1


@part
def whole_root(n: int) -> int:
    """Give the whole part of the square root of a number of at least 0 (Newton)."""
    if n < 2:
        return n
    x = n
    y = (x + 1) >> 1
    while y < x:
        x = y
        y = (x + n // x) >> 1
    return x
