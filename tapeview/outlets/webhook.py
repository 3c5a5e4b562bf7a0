"""A POST for each record, signed with HMAC-SHA256, with a key by which the receiver knows what it has seen.

Headers: `Idempotency-Key`, `X-Tapeview-Timestamp` (seconds) and `X-Tapeview-Signature: sha256=HEX`, the HMAC of
`TIMESTAMP.BODY` under the secret, as is usual (GitHub, Stripe). Redirects are not followed. An address of this machine
or of a private network is taken only where the options say that it is one, and plain http only there.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta

from feeds import keys
from feeds.errors import BadInput
from tapeview.journal import Line
from tapeview.outlets._declare import Later, Options, Outlet, Refused, body_of, key_of

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
_MOST_AFTER_S = 3600.0
_INSIDE = frozenset({"localhost", "local", "internal", "lan", "intranet", "localdomain"})
"""Last parts of names that are no place on the internet; a number there is an address written oddly."""
SECRET = "TAPEVIEW_WEBHOOK_SECRET"


class WebhookOptions(Options, frozen=True):
    """Where to."""

    url: Annotated[str, Meta(description="Address that each record is posted to.")] = ""
    private: Annotated[bool, Meta(description="The address is of this machine or of a private network.")] = False


def check_url(url: str, *, private: bool = False) -> str:
    """Give the URL back; raise BadInput for one that may not be posted to."""
    place = "url"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise BadInput(place, url, "an address such as https://example.org/hook") from None
    if parts.username or parts.password:
        raise BadInput(place, f"{parts.scheme}://…@{host}", "an address without a name and password in it")
    if not host or parts.scheme not in ("https", "http"):
        raise BadInput(place, url, "an address such as https://example.org/hook")
    inside = _inside(host)
    if inside and not private:
        raise BadInput(place, url, "an address of the internet, or private = true beside it")
    if parts.scheme == "http" and not inside:
        raise BadInput(place, url, "https: plain http is for private addresses alone")
    return url


def _inside(host: str) -> bool:
    """Whether a host is told by its name or number to be no place on the internet."""
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        name = host.rstrip(".").casefold()
        return "." not in name or name.rpartition(".")[2] in _INSIDE or name.rpartition(".")[2].isdecimal()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the signature's header says."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook(Outlet):
    """Posts one record after the other; the secret comes from the environment or the file of keys."""

    options = WebhookOptions
    most: ClassVar[int] = 1

    @classmethod
    def check(cls, options: WebhookOptions) -> None:
        """Refuse addresses that may not be posted to."""
        super().check(options)
        check_url(options.url, private=options.private)

    def __init__(self, options: WebhookOptions) -> None:
        super().__init__(options)
        self._url = check_url(options.url, private=options.private)
        self._secret = keys.find("the webhook", [SECRET])
        self._client: httpx.Client | None = None

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Post each record; an answer of 4xx but 408, 425 and 429 is a refusal."""
        import httpx

        if self._client is None:
            self._client = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False)
        for line in lines:
            body, stamp = body_of(journal, line), str(int(time.time()))
            headers: dict[str, Any] = {
                "Content-Type": "application/json",
                "Idempotency-Key": key_of(journal, line),
                "X-Tapeview-Timestamp": stamp,
                "X-Tapeview-Signature": signature(self._secret[SECRET], stamp, body),
            }
            try:
                answer = self._client.post(self._url, content=body, headers=headers)
            except httpx.HTTPError as error:
                raise OSError(str(error) or type(error).__name__) from None
            status = answer.status_code
            if 400 <= status < 500 and status not in (408, 425, 429):
                raise Refused(f"answered {status}")
            if not 200 <= status < 300:
                raise Later(f"answered {status}", _after_s(answer.headers.get("Retry-After", "")))

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


def _after_s(text: str) -> float:
    """Seconds of a Retry-After; a date in it is not read."""
    return min(_MOST_AFTER_S, float(text)) if text.isdecimal() and len(text) < 9 else 0.0


OUTLET = Webhook
