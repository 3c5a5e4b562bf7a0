"""Journals of trades whose results are drawn from a seed, written as the program writes them."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from tapeview.desk.records import OPTIMIST, PESSIMIST, Closed, Decided, Drilled, Filled, Noted, Sent
from tapeview.journal import About, Journal

NS = 1_707_834_600_000_000_000
"""2024-02-13 14:30:00 UTC."""
S = 1_000_000_000
SETUPS = ("fade", "breakout", "iceberg bounce")


def about(**changes: object) -> About:
    usual = About(
        account="practice", live=False, equity="25000", calendar="futures", costs="ibkr-micro", limits={},
        instruments=("CME:MES", "CME:MNQ"), grids=(("0.25", "1"), ("0.25", "1")),
    )  # fmt: skip
    return msgspec.structs.replace(usual, **changes)


def trade(n: int, r: float | None, *, inst: int = 0, setup: str = "fade", view: str = PESSIMIST, net: str = "",
          waited_ns: int | None = 4 * S, note: str = "", fee: str = "1.24", lots: int = 2) -> list:  # fmt: skip
    """The records of one trade: decision, order, fills, close."""
    at, side = NS + n * 600 * S, 1 if n % 2 else -1
    seq, order = n * 100, n * 1000
    common = {"inst": inst}
    made = net or f"{(r or 0) * 20 - float(fee):.2f}"
    return [
        Decided(
            seq=seq, recv_ns=at, number=n, side=side, lots=lots, entry_tick=20_000, stop_tick=20_000 - 8 * side,
            target_ticks=(20_000 + 16 * side,), setup=setup, sure=0.6, note=note, state="live", bid=20_000, ask=20_001,
            bid_lots=41, ask_lots=18, imbalance=0.25, vwap_z=-1.2,
            alerts=("ICEBERG BUY 5000.00 · native · 5 refills",), last_alert="iceberg", waited_ns=waited_ns, **common,
        ),
        Sent(seq=seq, recv_ns=at, order=order, view=view, side=side, lots=lots, kind="limit", tick=20_000, parent=None,
             why="entry", **common),
        Filled(seq=seq + 1, recv_ns=at + S, order=order, view=view, side=side, tick=20_000, lots=lots,
               liquidity="maker", fee="0.62", position=side * lots, **common),
        Filled(seq=seq + 9, recv_ns=at + 61 * S, order=order + 1, view=view, side=-side, tick=20_000 + 8 * side,
               lots=lots, liquidity="taker", fee="0.62", position=0, **common),
        Closed(
            seq=seq + 9, recv_ns=at + 61 * S, view=view, trade=n, decision=n, setup=setup, side=side, lots=lots,
            entry="20000", opened_ns=at + S, opened_seq=seq + 1, gross=f"{float(made) + float(fee):.2f}", fees=fee,
            net=made, risk_ticks=None if r is None else 8, r=r,
            mae_r=None if r is None else (1.0 if r < 0 else 0.4), mfe_r=None if r is None else max(0.3, r + 0.2),
            mae_ticks=4.0, mfe_ticks=16.0, slippage="1.25", planned=True, size_kept=True, stop_placed=True,
            plan_followed=n % 5 != 0, **common,
        ),
    ]  # fmt: skip


def write(path: Path, results: list[float], *, about_: About | None = None, source: str = "recordings/one") -> Path:
    """A journal of one run with a trade for each result; setups and instruments in turns."""
    with Journal(path) as book:
        run = book.begin(source, "1", msgspec.json.encode(about_ or about()).decode(), NS)
        for n, r in enumerate(results, 1):
            records = trade(n, r, inst=n % 2, setup=SETUPS[n % 3], note="#morning" if n % 4 == 0 else "",
                            waited_ns=None if n % 3 == 0 else 4 * S)  # fmt: skip
            book.post(run, records)
            if n % 4 == 1:
                hopeful = msgspec.structs.replace(records[-1], view=OPTIMIST, net=f"{r * 20 + 5:.2f}")
                book.post(run, [hopeful])
        book.post(run, [Noted(seq=101, recv_ns=NS + 700 * S, number=1, text="took it late", followed=False)])
        book.end(run, "", NS + 3600 * S)
    return path


def drawn(count: int, seed: int = 7) -> list[float]:
    """Results of a trader who wins 55 % at 1.4 to 1."""
    random_ = random.Random(seed)
    return [round(random_.choice((1.4, 1.1, 1.9)) if random_.random() < 0.55 else -1.0, 2) for _ in range(count)]


def drilled(n: int, side: int | None, move: int, *, sure: float | None = 0.7, by: str = "", again: bool = False,
            sigma: float | None = 4.0, spread: int = 1) -> Drilled:  # fmt: skip
    """A drill in which the mid moved so many ticks."""
    return Drilled(
        seq=n, recv_ns=NS + n * S, seed=n, source="recordings/one", symbol="MES", start_ns=NS, by=by, side=side,
        sure=sure, waited_ns=2 * S, horizon_s=30, bid=20_000, ask=20_000 + spread, bid_then=20_000 + move,
        ask_then=20_000 + spread + move, threshold=2 * spread, sigma=sigma, again=again,
    )  # fmt: skip
