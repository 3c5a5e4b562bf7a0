"""Outlets deliver each record at least once, in order, under one key, whatever the other end does."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from feeds.errors import BadInput
from tapeview.desk.records import Told
from tapeview.journal import About, Journal, Line, decoded, reading, refusals
from tapeview.outlets import names, outlets
from tapeview.outlets._declare import Options, Outlet
from tapeview.outlets._runner import Post
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


def about(**more: object) -> str:
    made = {"account": "a", "live": True, "equity": "1", "calendar": "crypto", "costs": "", "limits": {}} | more
    return msgspec.json.encode(About(**made)).decode()  # type: ignore[arg-type]


def posted(book: Journal, count: int, **more: object) -> int:
    run = book.begin("x", "1", about(**more), 0)
    book.post(run, [told(n) for n in range(count)])
    assert book.wait()
    return run


def lines_of(book: Journal) -> list[Line]:
    return [decoded(one) for one in book.after(0, -1)]


def test_every_module_is_an_outlet_with_options_of_its_own() -> None:
    found = outlets()
    assert tuple(found) == names() == ("bell", "desktop", "lines", "nats", "webhook")
    assert all(not one.options().on for one in found.values())


@pytest.mark.parametrize(
    ("more", "options", "expected"),
    [({}, {}, 3), ({"live": False}, {}, 0), ({"live": False}, {"replays": True}, 3), ({}, {"kinds": ["filled"]}, 0)],
)
def test_what_goes_out_is_of_live_markets_unless_replays_are_wanted(
    book: Journal, tmp_path: Path, more: dict[str, object], options: dict[str, object], expected: int
) -> None:
    path = tmp_path / "out"
    posted(book, 3, **more)
    last = posted(book, 0)
    post = Post("lines", Lines(LinesOptions(path=str(path), history=True, **options)), book)  # type: ignore[arg-type]
    post.start()
    book.post(last, [told(9, "lock")])
    until(lambda: book.cursor("lines") == (last, 0))
    post.stop()
    found = [json.loads(line)["seq"] for line in path.read_text().splitlines()] if path.exists() else []
    assert found == [0, 1, 2][:expected] + ([] if options.get("kinds") else [9])


def test_an_outlet_switched_on_for_the_first_time_begins_with_what_comes(book: Journal, tmp_path: Path) -> None:
    run = posted(book, 5)
    path = tmp_path / "out"
    post = Post("lines", Lines(LinesOptions(path=str(path))), book)
    post.start()
    book.post(run, [told(5), told(6)])
    until(lambda: post.delivered == 2)
    post.stop()
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [5, 6]


def test_a_record_that_cannot_be_read_is_passed_over_and_noted(book: Journal, tmp_path: Path) -> None:
    run = posted(book, 3)
    with book._using() as db:
        db.execute('update record set body = \'{"is":"told"}\' where n = 1')
    post = Post("lines", Lines(LinesOptions(path=str(tmp_path / "out"), history=True)), book)
    post.start()
    until(lambda: book.cursor("lines") == (run, 2))
    post.stop()
    assert post.refused == 1
    with reading(book.path) as db:
        assert [(r, n) for r, n, _, _ in refusals(db, "lines")] == [(run, 1)]


class Broken(Outlet):
    """One whose delivery fails in a way that nobody thought of, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__(Options(on=True, history=True))
        self.times, self.taken = times, []

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        if self.times:
            self.times -= 1
            raise ZeroDivisionError("a fault of its own")
        self.taken += [line.n for line in lines]


def test_a_fault_in_an_outlet_is_told_and_it_goes_on(book: Journal) -> None:
    posted(book, 2)
    broken = Broken(2)
    seen = []
    post = Post("broken", broken, book, draw=lambda: seen.append(post.trouble) or 0.0)  # type: ignore[func-returns-value]
    post.start()
    until(lambda: broken.taken == [0, 1])
    post.stop()
    assert seen == ["broken: a fault of its own"] * 2
    assert post.trouble == ""


class Held(Broken):
    """One during whose delivery another takes hold of the journal's file."""

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        super().deliver(journal, lines)
        self.other.execute("begin immediate")


def test_what_was_delivered_is_not_sent_again_while_the_journal_cannot_note_it(book: Journal) -> None:
    outlet = Held(0)
    outlet.other = sqlite3.connect(book.path, timeout=0.1, isolation_level=None, check_same_thread=False)
    run = posted(book, 1)
    with book._using() as db:
        db.execute("pragma busy_timeout = 1")
    book.delivered("held", 0, -1)
    post = Post("held", outlet, book)
    post.start()
    until(lambda: "locked" in post.trouble)
    assert book.cursor("held") == (0, -1)
    outlet.other.execute("rollback")
    outlet.other.close()
    until(lambda: book.cursor("held") == (run, 0))
    post.stop()
    assert outlet.taken == [0]


# -- lines ------------------------------------------------------------------------------------------
def test_lines_go_on_after_a_restart_where_they_were(book: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    run = posted(book, 3)
    for expected in (3, 5):
        post = Post("lines", Lines(LinesOptions(path=str(path), history=True)), book)
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
    out.deliver(book.name, lines_of(book))
    out.close()
    assert path.read_bytes().startswith(b'{"torn\n{"key"')


def test_lines_need_a_file() -> None:
    with pytest.raises(BadInput, match="standard output"):
        Lines.check(LinesOptions())


# -- webhook ----------------------------------------------------------------------------------------
class Receiver:
    """A web server that answers as it is told and keeps what it took."""

    def __init__(self, answers: list[int], retry_after: str = "") -> None:
        taken = self.taken = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = answers.pop(0) if answers else 200
                taken.append((status, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if retry_after:
                    self.send_header("Retry-After", retry_after)
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


def hook(url: str) -> Webhook:
    return Webhook(WebhookOptions(url=url, private=True, history=True))


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(SECRET, "not told to anybody")
    return "not told to anybody"


@pytest.mark.parametrize("answers", [[], [500, 503], [429], [302, 302]])
def test_a_webhook_tries_until_each_record_was_taken(book: Journal, secret: str, answers: list[int]) -> None:
    receiver = Receiver(list(answers))
    posted(book, 3)
    post = Post(
        "webhook", Webhook(WebhookOptions(url=receiver.url, private=True, history=True)), book, draw=lambda: 0.0
    )
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
    receiver = Receiver([422])
    posted(book, 3)
    post = Post(
        "webhook", Webhook(WebhookOptions(url=receiver.url, private=True, history=True)), book, draw=lambda: 0.0
    )
    post.start()
    until(lambda: book.cursor("webhook") == (1, 2))
    post.stop()
    receiver.close()
    assert post.refused == 1
    assert {json.loads(body)["n"] for status, _, body in receiver.taken if status == 200} == {1, 2}


def test_an_end_that_is_away_is_told_of_and_delays_nobody(book: Journal, secret: str, tmp_path: Path) -> None:
    posted(book, 2)
    away = Post(
        "webhook",
        Webhook(WebhookOptions(url="http://127.0.0.1:9/", private=True, history=True)),
        book,
        draw=lambda: 0.0,
    )
    near = Post("lines", Lines(LinesOptions(path=str(tmp_path / "out"), history=True)), book)
    away.start()
    near.start()
    until(lambda: near.delivered == 2 and bool(away.trouble))
    away.stop()
    near.stop()
    assert book.cursor("webhook") == (0, -1)
    assert away.delivered == 0


def test_a_webhook_waits_as_long_as_it_is_asked_to(book: Journal, secret: str) -> None:
    receiver = Receiver([503], retry_after="3600")
    posted(book, 1)
    post = Post("webhook", hook(receiver.url), book)
    post.start()
    until(lambda: bool(post.trouble))
    post.stop()
    receiver.close()
    assert [status for status, _, _ in receiver.taken] == [503]
    assert post.trouble == "webhook: answered 503"


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org/x", "http://example.org/hook", "https://a:b@example.org/",
     "http://127.0.0.1.example.org/", "https://[::1", "https://example.org:port/"],
)  # fmt: skip
def test_addresses_that_may_not_be_posted_to_are_refused(url: str, private: bool) -> None:
    with pytest.raises(BadInput) as refused:
        check_url(url, private=private)
    assert "a:b" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]:80/", "https://10.0.0.7/", "https://192.168.1.1/x",
     "http://169.254.169.254/", "https://[fe80::1%25eth0]/", "https://desk.local/", "https://desk/", "https://127.1/",
     "https://[::ffff:10.0.0.1]/", "https://0x7f000001/", "https://2130706433/", "https://localhost./"],
)  # fmt: skip
def test_addresses_of_this_machine_and_of_private_networks_are_taken_only_as_such(url: str) -> None:
    with pytest.raises(BadInput, match="private = true"):
        check_url(url)
    assert check_url(url, private=True) == url


@pytest.mark.parametrize("url", ["https://example.org/hook", "https://8.8.8.8/", "https://[2606:4700::1]:8443/x?y=z"])
def test_addresses_that_may_be_posted_to(url: str) -> None:
    assert check_url(url) == url


def test_a_webhook_without_a_secret_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    monkeypatch.setenv("TAPEVIEW_KEYS", str(tmp_path / "none"))
    with pytest.raises(BadInput, match=SECRET):
        Webhook(WebhookOptions(url="https://example.org/"))
