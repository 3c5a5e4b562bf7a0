"""Requests over HTTP against a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from feeds.rest import Rest


class Page:
    """What the server was asked, and where it is."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        self.url = ""


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """A server that gives one answer to everything."""
    made = Page()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        made.asked.append(head + await reader.readexactly(length))
        writer.write(made.answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/list"
    async with server:
        yield made


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def test_a_body_goes_by_post_and_headers_go_with_it() -> None:
    async with page() as it, Rest("me") as rest:
        answer = await rest.get(it.url, body='{"type":"meta"}', headers={"API-Key": "k"})
    assert (answer.status, answer.body) == (200, b"{}")
    head, _, body = it.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /list HTTP/1.1")
    assert body == b'{"type":"meta"}'
    assert b"content-type: application/json" in head.lower()
    assert b"api-key: k" in head.lower()


async def test_without_a_body_it_is_a_get_and_says_who_asks() -> None:
    async with page() as it, Rest("me") as rest:
        await rest.get(it.url)
    assert it.asked[0].startswith(b"GET /list HTTP/1.1")
    assert b"user-agent: me" in it.asked[0].lower()


async def test_what_the_venue_says_of_when_to_come_again_is_kept() -> None:
    async with page() as it, Rest() as rest:
        it.answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answer = await rest.get(it.url)
    assert (answer.status, answer.retry_after_s) == (429, 7.0)


async def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.rest.MOST_BYTES", 1000)
    async with page() as it, Rest() as rest:
        it.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n" + b"x" * 5000
        with pytest.raises(OSError, match="longer than 1,000 bytes"):
            await rest.get(it.url)


async def test_nothing_there_is_an_error_that_tells_no_header() -> None:
    async with page() as it:
        url = it.url
    async with Rest() as rest:
        with pytest.raises(OSError) as caught:  # noqa: PT011  # the words are the system's
            await rest.get(url, headers={"API-Key": "hush"})
    assert "hush" not in str(caught.value)
