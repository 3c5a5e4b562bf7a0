"""A NATS server with JetStream: each record is stored there once, under its key, for whoever subscribes.

The subject is `SUBJECT.KIND`, such as `tapeview.desk.filled`; the key is the message's id (`Nats-Msg-Id`), by which the
server leaves out what comes again within an hour. Who one is there comes from the environment, as for captures that
are published (see `feeds.broker.address`). Redis Streams have no outlet: an entry there has no id by which sending
again is harmless, and a stream lies in memory.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from feeds.broker.address import Target, login, parse_target
from feeds.broker.jetstream import check_installed, connect
from feeds.broker.log import BrokerAway
from feeds.errors import BadInput
from tapeview.journal import Line, tag_of
from tapeview.outlets._declare import Options, Outlet, body_of, key_of

WINDOW_S: Final = 3600
"""How long the server remembers a key."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_SUBJECT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class NatsOptions(Options, frozen=True):
    """Where to."""

    url: Annotated[str, Meta(description="nats://HOST[:PORT] or tls://HOST[:PORT], ?keep=24h for a new stream.")] = ""
    subject: Annotated[str, Meta(description="Beginning of the subjects; the kind of record follows.")] = (
        "tapeview.desk"
    )
    stream: Annotated[str, Meta(description="Stream that keeps them; made where there is none.")] = "tapeview-desk"


class Nats(Outlet):
    """A connection for each delivery: there are few, and none is left to go stale."""

    options = NatsOptions
    most: ClassVar[int] = 100

    @classmethod
    def check(cls, options: NatsOptions) -> None:
        """Refuse an address, a subject or a stream that is none."""
        super().check(options)
        _target(options.url)
        if not _SUBJECT.fullmatch(options.subject):
            raise BadInput("subject", options.subject, "words of letters, digits, - and _ with dots between")
        if not _NAME.fullmatch(options.stream):
            raise BadInput("stream", options.stream, "letters, digits, - and _")

    def __init__(self, options: NatsOptions) -> None:
        super().__init__(options)
        check_installed()
        self._target, self._login = _target(options.url), login()

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Publish each record and wait until it is stored."""
        try:
            asyncio.run(self._deliver(journal, lines))
        except BrokerAway as error:
            # A refusal too: a stream that is full or forbidden today takes it tomorrow.
            raise OSError(str(error)) from None

    async def _deliver(self, journal: str, lines: Sequence[Line]) -> None:
        broker = await connect(self._target, self._login)
        try:
            await broker.keep(self.settings.stream, [f"{self.settings.subject}.*"], WINDOW_S)
            for line in lines:
                subject = f"{self.settings.subject}.{tag_of(line.record)}"
                await broker.put(subject, body_of(journal, line), key=key_of(journal, line))
        finally:
            await broker.close()


def _target(url: str) -> Target:
    try:
        return parse_target(url)
    except BadInput as error:
        raise BadInput("url", error.value, error.expected) from None


OUTLET = Nats
