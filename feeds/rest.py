"""Requests over HTTP, for snapshots of books and lists of instruments: with deadlines, a bound, and no surprises."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from feeds.venues._access import MAX_FRAME

if TYPE_CHECKING:
    import httpx

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 8 * MAX_FRAME
"""Bytes of the longest answer that is read; lists of all instruments of a venue take some 20 MB."""


class Answer(NamedTuple):
    """What came over HTTP."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class Rest:
    """A client of some hosts; it must be closed. Proxies are taken from the environment, certificates are verified."""

    def __init__(self, agent: str = "tapeview") -> None:
        import httpx

        self._client: httpx.AsyncClient = httpx.AsyncClient(timeout=TIMEOUT_S, headers={"User-Agent": agent})

    async def get(self, url: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Get a URL, or what it answers to a JSON body by POST; raise OSError where nothing came, or too much.

        No text of an error holds the body or the headers.
        """
        import httpx

        sent = dict(headers or {})
        if body:
            sent.setdefault("Content-Type", "application/json")
        try:
            async with self._client.stream(
                "POST" if body else "GET", url, content=body.encode() if body else None, headers=sent
            ) as answer:
                read = bytearray()
                async for piece in answer.aiter_bytes():
                    read += piece
                    if len(read) > MOST_BYTES:
                        raise OSError(f"the answer is longer than {MOST_BYTES:,} bytes")
                after = answer.headers.get("Retry-After", "")
                seconds = float(after) if after.isdigit() and len(after) < 8 else None
                return Answer(answer.status_code, bytes(read), seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
