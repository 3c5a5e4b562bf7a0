"""Draws inside kernels: the published generator, the right distributions, the same words compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.simulator import _jit
from feeds.simulator._jit import call, call_plain, kernel
from feeds.simulator.chance import below, scrambled, wait, whole_root, word
from feeds.simulator.draws import exponential
from feeds.simulator.state import fresh


@kernel
def words(state, n):
    s = state[0]
    for i in range(n):
        s.out_ns[i] = word(s, 3)


@kernel
def numbers(state, n, most):
    s = state[0]
    for i in range(n):
        s.out_ns[i] = below(s, 1, most)


@kernel
def waits(state, n, mean):
    s = state[0]
    for i in range(n):
        s.out_ns[i] = wait(s, 2, mean)


@kernel
def roots(state, n):
    s = state[0]
    for i in range(n):
        s.out_ns[i] = whole_root(i * i * i * 1000 + i)


@kernel
def marks(state, n):
    s = state[0]
    for i in range(n):
        s.out_ns[i] = scrambled(i - n // 2)


def state_of(*seeds):
    state = fresh()
    state["rng"][0][:16] = np.resize(np.array(seeds), 16)
    state["t_wait"][0] = exponential()
    return state


def xoshiro128starstar(s, n):
    """After the reference code of Blackman and Vigna, in unsigned 32-bit arithmetic."""
    out = []
    rotl = lambda x, k: ((x << k) | (x >> (32 - k))) & 0xFFFFFFFF  # noqa: E731
    for _ in range(n):
        out.append(rotl(s[1] * 5 & 0xFFFFFFFF, 7) * 9 & 0xFFFFFFFF)
        t = s[1] << 9 & 0xFFFFFFFF
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 11)
    return out


def test_words_are_those_of_the_published_generator():
    state = state_of(0xDEADBEEF, 0x12345678, 0xFFFFFFFF, 0x80000001)
    expected = xoshiro128starstar([0xDEADBEEF, 0x12345678, 0xFFFFFFFF, 0x80000001], 2000)
    call(words, state, 2000)
    assert state["out_ns"][0][:2000].tolist() == expected


@pytest.mark.parametrize(
    ("run", "args"), [(words, ()), (numbers, (77,)), (waits, (5_000_000,)), (roots, ()), (marks, ())]
)
def test_plain_and_compiled_kernels_give_the_same_numbers(run, args):
    one, other = state_of(1, 2, 3, 4), state_of(1, 2, 3, 4)
    call(run, one, 3000, *args)
    call_plain(run, other, 3000, *args)
    assert one.tobytes() == other.tobytes()


def test_numbers_below_are_even():
    state = state_of(5, 6, 7, 8)
    call(numbers, state, 60_000, 6)
    counts = np.bincount(state["out_ns"][0][:60_000])
    assert counts.sum() == 60_000
    assert counts.min() > 9_500
    assert len(counts) == 6


def test_waits_are_exponential_whole_microseconds():
    state = state_of(5, 6, 7, 8)
    call(waits, state, 100_000, 3_000_000)
    got = state["out_ns"][0][:100_000]
    assert (got % 1000 == 0).all()
    assert got.mean() == pytest.approx(3_000_000, rel=0.015)
    assert (got > 3_000_000).mean() == pytest.approx(np.exp(-1), rel=0.03)


def test_roots_are_whole_roots():
    state = state_of(1, 1, 1, 1)
    call(roots, state, 500)
    for i in range(500):
        n, root = i * i * i * 1000 + i, int(state["out_ns"][0][i])
        assert root * root <= n < (root + 1) ** 2


def test_no_field_of_the_state_hides_what_a_record_has():
    from feeds.simulator.state import STATE

    assert not {name for name in STATE.names if hasattr(np.record, name)}
    assert {STATE[name].base for name in STATE.names} == {np.dtype("<i8")}


def test_kernels_are_kept_by_the_digest_of_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEVIEW_CACHE", str(tmp_path))
    folder = _jit.cache_folder()
    assert folder.parent == tmp_path
    monkeypatch.setenv("TAPEVIEW_BOUNDSCHECK", "1")
    assert _jit.cache_folder() != folder
