"""Outlets deliver each record at least once, in order, under one key, whatever the other end does."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from feeds.errors import BadInput
from tapeview.desk.records import Told
from tapeview.journal import Journal
from tapeview.outlets import outlets
from tapeview.outlets._runner import Post
from tapeview.outlets.desktop import Desktop, DesktopOptions, sequence
from tapeview.outlets.lines import Lines, LinesOptions
from tapeview.outlets.webhook import SECRET, Webhook, WebhookOptions, check_url


def told(n: int, kind: str = "warn") -> Told:
    return Told(seq=n, recv_ns=n, kind=kind, text=f"record {n}")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as book:
        yield book


def until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.01)


def posted(book: Journal, count: int) -> int:
    run = book.begin("x", "1", "{}", 0)
    book.post(run, [told(n) for n in range(count)])
    assert book.wait()
    return run


def test_every_module_is_an_outlet_with_options_of_its_own() -> None:
    found = outlets()
    assert {"desktop", "lines", "webhook"} <= found.keys()
    assert all(not one.options().on for one in found.values())


# -- lines ------------------------------------------------------------------------------------------
def test_lines_go_on_after_a_restart_where_they_were(book: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    run = posted(book, 3)
    for expected in (3, 5):
        post = Post("lines", Lines(LinesOptions(path=str(path))), book)
        post.start()
        until(lambda post=post, n=expected: post.delivered >= (3 if n == 3 else 2))  # type: ignore[misc]
        post.stop()
        if expected == 3:
            book.post(run, [told(3), told(4)])
            book.wait()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["n"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[0]["key"] == f"{book.name}:{run}:0"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_is_ended_before_the_next(book: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"torn')
    posted(book, 1)
    out = Lines(LinesOptions(path=str(path)))
    out.deliver(book.name, book.after(0, -1))
    out.close()
    assert path.read_bytes().startswith(b'{"torn\n{"key"')


def test_lines_need_a_file() -> None:
    with pytest.raises(BadInput, match="standard output"):
        Lines(LinesOptions())


# -- webhook ----------------------------------------------------------------------------------------
class Receiver:
    """A web server that answers as it is told and keeps what it took."""

    def __init__(self, answers: list[int]) -> None:
        taken = self.taken = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = answers.pop(0) if answers else 200
                taken.append((status, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 302:
                    self.send_header("Location", "http://example.org/")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(SECRET, "not told to anybody")
    return "not told to anybody"


@pytest.mark.parametrize("answers", [[], [500, 503], [429], [302, 302]])
def test_a_webhook_tries_until_each_record_was_taken(book: Journal, secret: str, answers: list[int]) -> None:
    receiver = Receiver(list(answers))
    posted(book, 3)
    post = Post("webhook", Webhook(WebhookOptions(url=receiver.url)), book, draw=lambda: 0.0)
    post.start()
    until(lambda: post.delivered >= 3)
    post.stop()
    receiver.close()
    ok = [(headers, body) for status, headers, body in receiver.taken if status == 200]
    assert [json.loads(body)["n"] for _, body in ok] == [0, 1, 2]
    assert len({headers["Idempotency-Key"] for headers, _ in ok}) == 3
    for headers, body in ok:
        signed = hmac.new(secret.encode(), headers["X-Tapeview-Timestamp"].encode() + b"." + body, hashlib.sha256)
        assert headers["X-Tapeview-Signature"] == f"sha256={signed.hexdigest()}"
        assert secret.encode() not in body
    assert book.cursor("webhook") == (1, 2)


def test_a_record_that_is_refused_is_left_out_and_counted(book: Journal, secret: str) -> None:
    receiver = Receiver([422, 422])
    posted(book, 3)
    post = Post("webhook", Webhook(WebhookOptions(url=receiver.url)), book, draw=lambda: 0.0)
    post.start()
    until(lambda: book.cursor("webhook") == (1, 2))
    post.stop()
    receiver.close()
    assert post.refused == 1
    assert {json.loads(body)["n"] for status, _, body in receiver.taken if status == 200} == {1, 2}


def test_an_end_that_is_away_is_told_of_and_delays_nobody(book: Journal, secret: str, tmp_path: Path) -> None:
    posted(book, 2)
    away = Post("webhook", Webhook(WebhookOptions(url="http://127.0.0.1:9/")), book, draw=lambda: 0.0)
    near = Post("lines", Lines(LinesOptions(path=str(tmp_path / "out"))), book)
    away.start()
    near.start()
    until(lambda: near.delivered == 2 and bool(away.trouble))
    away.stop()
    near.stop()
    assert book.cursor("webhook") == (0, -1)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org/x", "http://example.org/hook", "http://169.254.169.254/", "https://a:b@example.org/",
     "http://127.0.0.1.example.org/", "https://[::1", "https://example.org:port/"],
)  # fmt: skip
def test_addresses_that_may_not_be_posted_to_are_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_url(url)
    assert "a:b" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://example.org/hook", "http://127.0.0.1:8000/", "http://localhost/", "http://[::1]:80/"]
)
def test_addresses_that_may_be_posted_to(url: str) -> None:
    assert check_url(url) == url


def test_a_webhook_without_a_secret_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    monkeypatch.setenv("TAPEVIEW_KEYS", str(tmp_path / "none"))
    with pytest.raises(BadInput, match=SECRET):
        Webhook(WebhookOptions(url="https://example.org/"))


# -- desktop ----------------------------------------------------------------------------------------
def test_a_notification_is_written_to_the_terminal_and_obeys_nothing_in_it(book: Journal) -> None:
    assert sequence("a\x1b]0;evil\a;b") == b"\x1b]9;a]0evilb\x1b\\\x1b]777;notify;tapeview;a]0evilb\x1b\\"
    posted(book, 5)
    master, terminal = os.openpty()
    out = Desktop(DesktopOptions(terminal=os.ttyname(terminal)))
    out.deliver(book.name, book.after(0, -1))
    seen = os.read(master, 4096)
    os.close(master)
    os.close(terminal)
    assert seen.count(b"\x1b]9;") == 3
    assert b"record 2 (and 2 more)" in seen
    assert seen.endswith(b"\a")
