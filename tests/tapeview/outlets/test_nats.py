"""Records on a real NATS server: each once, under its key, however often it is sent."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from feeds.broker.address import Login, parse_target
from feeds.errors import BadInput
from tapeview.desk.commands import Arm
from tapeview.desk.records import AnyRecord, Commanded, Told
from tapeview.journal import Line
from tapeview.outlets.nats import Nats, NatsOptions
from tests.kit.broker import NatsServer, needs_server


def lines(first: int, count: int) -> list[Line]:
    records: list[AnyRecord] = [
        Told(seq=n, recv_ns=n, kind="warn", text=f"record {n}") if n % 2 else Commanded(
            seq=n, recv_ns=n, number=n, command=Arm())
        for n in range(first, first + count)
    ]  # fmt: skip
    return [Line(1, first + k, record) for k, record in enumerate(records)]


def stored(url: str, stream: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(subject, message, state of the stream) of each message on the server, by its own words."""
    from feeds.broker.jetstream import connect

    async def read() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        broker = await connect(parse_target(url), Login())
        try:
            about = await broker._ask(f"STREAM.INFO.{stream}", {})
            found = []
            for seq in range(1, about["state"]["last_seq"] + 1):
                message = (await broker._ask(f"STREAM.MSG.GET.{stream}", {"seq": seq}))["message"]
                found.append((message["subject"], json.loads(base64.b64decode(message["data"])), about))
            return found
        finally:
            await broker.close()

    return asyncio.run(read())


@needs_server
def test_each_record_is_there_once_whatever_often_it_is_delivered(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "streams") as server:
        out = Nats(NatsOptions(url=server.url))
        out.deliver("5eed", lines(0, 3))
        server.kill()
        with pytest.raises(OSError, match="127.0.0.1"):
            out.deliver("5eed", lines(3, 2))
        server.start()
        out.deliver("5eed", lines(2, 3))  # as after a crash before the place was moved on
        out.deliver("other", lines(0, 1))
        found = stored(server.url, "tapeview-desk")
    assert [message["key"] for _, message, _ in found] == [*(f"5eed:1:{n}" for n in range(5)), "other:1:0"]
    assert [subject for subject, _, _ in found][:2] == ["tapeview.desk.commanded", "tapeview.desk.told"]
    assert found[1][1]["text"] == "record 1"
    assert found[0][2]["config"]["duplicate_window"] == 3600 * 10**9


@needs_server
def test_captures_and_records_share_a_server_without_mixing(tmp_path: Path) -> None:
    from feeds.broker.jetstream import connect

    async def names(url: str) -> list[str]:
        broker = await connect(parse_target(url), Login())
        try:
            await broker.create("desk", "MES")
            return await broker.names()
        finally:
            await broker.close()

    with NatsServer(tmp_path / "streams") as server:
        Nats(NatsOptions(url=server.url)).deliver("5eed", lines(0, 1))
        assert asyncio.run(names(server.url)) == ["desk:MES"]


@needs_server
def test_a_server_that_keeps_no_such_subject_is_tried_again(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "streams") as server:
        Nats(NatsOptions(url=server.url, stream="signals", subject="one")).deliver("j", lines(0, 1))
        other = Nats(NatsOptions(url=server.url, stream="signals", subject="two"))
        with pytest.raises(OSError, match="no stream takes two.told"):
            other.deliver("j", lines(1, 1))


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "url"), ({"url": "http://host"}, "url"), ({"url": "nats://me:secret@host"}, "url"),
        ({"url": "nats://host", "subject": "a b"}, "subject"), ({"url": "nats://host", "subject": "a.>"}, "subject"),
        ({"url": "nats://host", "stream": "a.b"}, "stream"), ({"url": "nats://host", "kinds": ["fild"]}, "kinds"),
    ],
)  # fmt: skip
def test_options_that_are_none_are_refused(options: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        Nats.check(NatsOptions(**options))
    assert refused.value.place == place
    assert "secret" not in str(refused.value)
