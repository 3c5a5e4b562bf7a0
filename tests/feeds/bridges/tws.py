"""TWS on loopback: the handshake and the few messages that the bridge asks for; a test says what it sends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SERVER = 176


def message(*fields: object) -> bytes:
    """Fields behind their length."""
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


def depth(number: int, position: int, operation: int, side: int, price: float, size: float) -> bytes:
    """A row of the book."""
    return message(12, 1, number, position, operation, side, price, size)


def last(number: int, seconds: int, price: float, size: float, mask: int = 0) -> bytes:
    """A print."""
    return message(99, number, 1, seconds, price, size, mask, "ISLAND", "")


def error(number: int, code: int, text: str) -> bytes:
    """A message about a request, or -1."""
    return message(4, 2, number, code, text, "")


def details(number: str, symbol: str) -> bytes:
    """What is known of a stock."""
    return message(
        10, number, symbol, "STK", "", 0, "", "SMART", "USD", symbol, "NMS", "NMS", 265598, 0.01, "", "ACTIVETIM",
        "SMART", 1, 0, "A COMPANY", "NASDAQ", "", "Technology", "Computers", "Computers", "US/Eastern", "", "", "", 0,
        0, 1, "", "", 26, "", "COMMON", 1, 1, 100,
    )  # fmt: skip


class Tws:
    """What was asked, and what is played."""

    def __init__(self, play: Callable) -> None:
        self.play = play
        self.asked: list[list[str]] = []
        self.sessions = 0
        self.port = 0

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a session is counted where data is asked for."""
        try:
            assert await reader.readexactly(4) == b"API\0"
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            assert (await reader.readexactly(length)).startswith(b"v157..")
            writer.write(message(SERVER, "20240506 13:30:00 EST"))
            playing: asyncio.Task | None = None
            depths = []
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                fields = (await reader.readexactly(length)).decode().split("\0")[:-1]
                self.asked.append(fields)
                if fields[0] == "71":
                    writer.write(message(15, 1, "DU0000001") + message(9, 1, 1))
                elif fields[0] == "9":
                    number, symbol = fields[2], fields[4]
                    if symbol != "NONE":
                        writer.write(details(number, symbol) + message(52, 1, number))
                    else:
                        writer.write(error(int(number), 200, "No security definition has been found"))
                elif fields[0] == "10":
                    depths.append(int(fields[2]))
                elif fields[0] == "97" and playing is None:
                    self.sessions += 1
                    playing = asyncio.create_task(self.play(writer, self.sessions, depths[0], int(fields[1])))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def tws(play: Callable) -> AsyncIterator[Tws]:
    """TWS that plays `play(writer, session, depth request, print request)`."""
    one = Tws(play)
    server = await asyncio.start_server(one.session, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
