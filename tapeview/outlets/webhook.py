"""A POST for each record, signed with HMAC-SHA256, with a key by which the receiver knows what it has seen.

Headers: `Idempotency-Key`, `X-Tapeview-Timestamp` (seconds) and `X-Tapeview-Signature: sha256=HEX`, the HMAC of
`TIMESTAMP.BODY` under the secret, as is usual (GitHub, Stripe). Redirects are not followed. Plain http is taken for
this machine only.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from feeds import keys
from feeds.errors import BadInput
from tapeview.journal import Line
from tapeview.outlets._declare import Options, Outlet, Refused, body_of, key_of

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
SECRET = "TAPEVIEW_WEBHOOK_SECRET"


class WebhookOptions(Options, frozen=True):
    """Where to."""

    url: str = ""


def check_url(url: str) -> str:
    """Give the URL back; raise BadInput for one that may not be posted to."""
    place = "outlets.webhook.url"
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
    if parts.scheme == "http" and not _here(host):
        raise BadInput(place, url, "https, but for this machine itself")
    return url


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the signature's header says."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook(Outlet):
    """Posts one record after the other; the secret comes from the environment or the file of keys."""

    options = WebhookOptions

    def __init__(self, options: WebhookOptions) -> None:
        super().__init__(options)
        self._url = check_url(options.url)
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
                status = self._client.post(self._url, content=body, headers=headers).status_code
            except httpx.HTTPError as error:
                raise OSError(str(error) or type(error).__name__) from None
            if 400 <= status < 500 and status not in (408, 425, 429):
                raise Refused(f"answered {status}")
            if not 200 <= status < 300:
                raise OSError(f"answered {status}")

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


OUTLET = Webhook
