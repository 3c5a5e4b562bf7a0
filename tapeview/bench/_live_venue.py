"""A venue on loopback that tells as much as it is asked to, for measurements: OKX's words, frames made by hand.

A child process of its own, so that it takes no time from the program that is measured. When each message left is
kept by its sequence number, in the clock that all processes of a machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

SYMBOL: Final = "BENCH-USDT"
MIDDLE: Final = 600_000
LEVELS: Final = 200
TRADE_EVERY: Final = 5
"""One message of so many is a print."""
_DELAY_S: Final = 2.0
"""From the subscription to the first change: the screen is up by then."""
_BUFFER: Final = 1 << 20
"""Bytes that may wait for a client that does not keep up."""
_LIST: Final = json.dumps(
    {"code": "0", "data": [{"instId": SYMBOL, "instType": "SPOT", "tickSz": "0.1", "lotSz": "0.001", "state": "live"}]}
).encode()
_BOOK: Final = (
    b'{"arg":{"channel":"books","instId":"BENCH-USDT"},"action":"update","data":[{"bids":[%s],"asks":[%s],'
    b'"ts":"%d","checksum":0,"seqId":%d,"prevSeqId":%d}]}'
)
_TRADE: Final = (
    b'{"arg":{"channel":"trades","instId":"BENCH-USDT"},"data":[{"instId":"BENCH-USDT","tradeId":"%d","px":"%d.%d",'
    b'"sz":"0.%03d","side":"%s","ts":"%d"}]}'
)


class Teller:
    """The market, and what was told of it."""

    def __init__(self, seed: int = 1) -> None:
        draw = random.Random(seed)
        self.draw = draw
        self.books = {
            side: {MIDDLE + sign * (n + (sign < 0)) + (sign > 0): draw.randint(1, 4000) for n in range(LEVELS)}
            for side, sign in (("bids", -1), ("asks", 1))
        }
        self.prices = {side: list(book) for side, book in self.books.items()}
        self.seq = 1
        self.trades = 0
        self.sent_ns: list[int] = [0, 0]
        """By sequence number, when it left."""
        self.messages = 0

    def snapshot(self) -> bytes:
        """The whole book."""
        sides = {
            side: [[f"{t // 10}.{t % 10}", f"{lots // 1000}.{lots % 1000:03}", "0", "1"] for t, lots in book.items()]
            for side, book in self.books.items()
        }
        told = sides | {"ts": str(time.time_ns() // 10**6), "checksum": 0, "seqId": self.seq, "prevSeqId": -1}
        return json.dumps(
            {"arg": {"channel": "books", "instId": SYMBOL}, "action": "snapshot", "data": [told]}
        ).encode()

    def next(self, now_ms: int) -> bytes:
        """One message."""
        self.messages += 1
        number = self.draw.getrandbits(30)
        if self.messages % TRADE_EVERY == 0:
            self.trades += 1
            up = number & 1
            tick = MIDDLE + 1 if up else MIDDLE - 1
            return _TRADE % (self.trades, tick // 10, tick % 10, 1 + number % 900, b"buy" if up else b"sell", now_ms)
        side = "bids" if number & 1 else "asks"
        tick = self.prices[side][(number >> 1) % LEVELS]
        lots = 1 + (number >> 9) % 4000
        self.books[side][tick] = lots
        level = b'["%d.%d","%d.%03d","0","1"]' % (tick // 10, tick % 10, lots // 1000, lots % 1000)
        before, self.seq = self.seq, self.seq + 1
        self.sent_ns.append(time.monotonic_ns())
        return _BOOK % (level if side == "bids" else b"", b"" if side == "bids" else level, now_ms, self.seq, before)


def framed(payload: bytes) -> bytes:
    """A text frame as a server sends it (RFC 6455, section 5.2): no mask."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    return b"\x81\x7e" + length.to_bytes(2, "big") + payload


async def serve(rate: int, seconds: float, out: Path) -> None:
    """Serve one client for so long, then write what was told."""
    from websockets.asyncio import server
    from websockets.datastructures import Headers
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Response

    teller, over = Teller(), asyncio.Event()

    def page(connection: Any, request: Any) -> Any:
        del connection
        if "instruments" in request.path:
            return Response(200, "OK", Headers({"Content-Length": str(len(_LIST)), "Connection": "close"}), _LIST)
        return None

    async def tell(connection: Any) -> None:
        await asyncio.sleep(_DELAY_S)
        transport, began, sent = connection.transport, time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * rate) - sent
            if due > 0 and transport.get_write_buffer_size() < _BUFFER:
                now_ms = time.time_ns() // 10**6
                count = min(due, 2000)
                transport.write(b"".join(framed(teller.next(now_ms)) for _ in range(count)))
                sent += count
            await asyncio.sleep(0.0005)
        while transport.get_write_buffer_size():
            await asyncio.sleep(0.01)
        over.set()

    async def client(connection: Any) -> None:
        telling: asyncio.Task[None] | None = None
        with contextlib.suppress(ConnectionClosed):
            async for _ in connection:
                if telling is None:
                    await connection.send(teller.snapshot().decode())
                    telling = asyncio.create_task(tell(connection))
        if telling is not None:
            telling.cancel()

    async with server.serve(client, "127.0.0.1", 0, process_request=page, compression=None) as serving:
        port = next(iter(serving.sockets)).getsockname()[1]
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await over.wait()
        told = {"messages": teller.messages, "seq": teller.seq, "sent_ns": teller.sent_ns, "books": teller.books}
        partial = out.with_suffix(".part")
        partial.write_text(json.dumps(told))
        partial.rename(out)
        await asyncio.sleep(60)  # until the parent has seen enough


def main() -> None:
    """Be the child."""
    parser = argparse.ArgumentParser(prog="python -m tapeview.bench._live_venue")
    parser.add_argument("rate", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(args.rate, args.seconds, args.out))


if __name__ == "__main__":
    main()
