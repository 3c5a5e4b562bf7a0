"""Live sources without a screen: the book, the tape and the numbers of a venue, and what cannot be one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapeview.cli.entry import main
from tests.feeds.test_feed import TWO, Server
from tests.kit.live import BTC, LIST, LISTED
from tests.kit.venue_server import VenueServer

ROOT = Path(__file__).parent.parent.parent


class Talker:
    """A venue on a loop of its own that goes on talking."""

    def __init__(self) -> None:
        self.server = Server(3)
        self.url = self.rest = ""
        self._loop = asyncio.new_event_loop()
        self._up, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        async with VenueServer(lambda: [self.server.snapshot(symbol) for symbol in TWO]) as venue:
            venue.pages[LIST] = LISTED
            self.url, self.rest = venue.url, venue.url.replace("ws:", "http:")
            self._up.set()
            while not self._stop.is_set():
                await venue.say(self.server.next())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 0.005)

    def __enter__(self) -> Talker:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    @property
    def words(self) -> list[str]:
        return ["--url", self.url, "--rest", self.rest]


@pytest.fixture
def talker() -> Iterator[Talker]:
    with Talker() as talker:
        yield talker


def test_the_first_whole_book_is_the_answer(talker: Talker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", BTC, "--json", *talker.words]) == 0
    book = json.loads(capsys.readouterr().out.splitlines()[0])
    assert book["instrument"] == "okx:BTC-X"
    assert book["state"] == "live"
    assert book["bids"]
    assert book["asks"]
    assert int(book["bids"][0][0]) < int(book["asks"][0][0])


def test_the_book_is_followed_for_a_while(talker: Talker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", BTC, "--json", "--follow", "--for", "1s", *talker.words]) == 0
    books = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(books) > 5
    numbers = [book["venue_seq"] for book in books if book["venue_seq"] is not None]
    assert numbers == sorted(numbers)


def test_prints_come_as_they_are_made(talker: Talker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", BTC, "--json", "--raw", "--follow", "--for", "1s", *talker.words]) == 0
    prints = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(prints) > 5
    ids = [one["trade_id"] for one in prints]
    assert ids == sorted(set(ids))


def test_the_numbers_of_a_while_agree_with_its_prints(talker: Talker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", BTC, "--json", "--for", "1s", *talker.words]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["trades"] > 5
    assert int(numbers["volume"]) == 2 * numbers["trades"], "every print of this venue is of two lots"
    assert numbers["partial"] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stats", BTC], "--for"),
        (["live", "kracken:BTC/USD"], "'kraken'"),
        (["book", "live:okx"], "symbol"),
        (["scan", BTC], "record it first"),
        (["verify", BTC], "record it first"),
        (["book", "recordings/quiet-open", "--for", "3s"], "live source"),
        (["live", "okx:BTC-X", "--url", "nonsense"], "ws://HOST"),
        (["live", "okx:BTC-X", "kraken:BTC/USD", "--url", "ws://127.0.0.1:1"], "one venue"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out = capsys.readouterr()
    assert told in out.err
    assert out.out == ""


def test_a_symbol_that_is_not_listed_is_told_with_the_nearest(
    talker: Talker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["book", "live:okx:BTC-Y", *talker.words]) == 2
    assert "BTC-X" in capsys.readouterr().err


def test_a_venue_that_cannot_be_reached_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = ["--url", "ws://127.0.0.1:9", "--rest", "http://127.0.0.1:9"]
    assert main(["tape", BTC, *nobody]) == 2
    assert "can be reached" in capsys.readouterr().err


def test_ctrl_c_ends_a_tape_in_order(talker: Talker) -> None:
    words = [sys.executable, "-m", "tapeview", "tape", BTC, "--json", "--raw", *talker.words]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TAPEVIEW_JIT": "0"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert json.loads(child.stdout.readline())["trade_id"] > 0
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        assert child.returncode == 130
        assert err.decode().strip().endswith("interrupted")
        assert b"Traceback" not in out + err
