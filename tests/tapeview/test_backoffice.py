"""The back office: one journal, the outlets the settings name, and trouble that is told and stops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from feeds.errors import BadInput
from tapeview import config, journal
from tapeview.backoffice import About, BackOffice
from tapeview.config import Config
from tapeview.desk.records import Told
from tapeview.journal import Journal
from tapeview.outlets.webhook import SECRET

ABOUT = About(account="paper", live=True, equity="25000", calendar="crypto", costs="", limits={})


def told(n: int) -> Told:
    return Told(seq=n, recv_ns=n, kind="warn", text=f"record {n}")


def until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.01)


def settings(*words: str) -> Config:
    return config.load([], words).config


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_what_the_settings_switch_on_delivers_and_what_is_left_goes_out_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    office = BackOffice(settings("outlets.lines.on=true", f'outlets.lines.path="{out}"'), tmp_path / "j")
    assert (office.outlets, office.off, office.trouble) == (("lines",), "", "")
    run = office.begin("live:x:y", ABOUT)
    office.post(run, [told(n) for n in range(50)])
    office.end(run, "digest")
    office.close()
    assert [line["n"] for line in lines(out)] == list(range(50))
    with journal.reading(tmp_path / "j") as db:
        assert journal.runs(db)[0].digest == "digest"
        assert journal.about_of(journal.runs(db)[0]) == ABOUT


def test_an_outlet_that_cannot_begin_is_told_of_and_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    monkeypatch.setenv("TAPEVIEW_KEYS", str(tmp_path / "none"))
    out = tmp_path / "out.jsonl"
    words = [
        "outlets.webhook.on=true", 'outlets.webhook.url="https://example.org/hook"',
        "outlets.lines.on=true", f'outlets.lines.path="{out}"',
    ]  # fmt: skip
    office = BackOffice(settings(*words), tmp_path / "j")
    run = office.begin("x", ABOUT)
    office.post(run, [told(0)])
    until(lambda: len(lines(out)) == 1)
    assert office.trouble.startswith("webhook: key of the webhook: TAPEVIEW_WEBHOOK_SECRET")
    office.close()


def test_runs_of_recordings_stay_here_unless_an_outlet_wants_them(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["outlets.lines.on=true", f'outlets.lines.path="{out}"']
    for more, expected in (([], []), (["outlets.lines.replays=true"], ["record 0"])):
        office = BackOffice(settings(*words, *more), tmp_path / f"journal{len(more)}")
        run = office.begin("recordings/x", About(**{**_plain(ABOUT), "live": False}))
        office.post(run, [told(0)])
        office.close()
        assert [line["text"] for line in lines(out)] == expected


def _plain(about: About) -> dict[str, object]:
    return {name: getattr(about, name) for name in about.__struct_fields__}


def test_a_journal_that_another_writes_is_off_until_it_is_free(tmp_path: Path) -> None:
    office = BackOffice(Config(), tmp_path / "j")
    with Journal(tmp_path / "j"):
        with pytest.raises(BadInput, match="no other tapeview"):
            office.begin("x", ABOUT)
        assert "no other tapeview" in office.off
        assert office.unwritten == 0
    office.begin("x", ABOUT)
    assert office.off == ""
    office.close()
    office.close()


def test_a_damaged_journal_turns_trading_off_in_words(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"no database at all" * 500)
    office = BackOffice(Config(), tmp_path / "j")
    with pytest.raises(BadInput):
        office.kept()
    assert "a journal of tapeview" in office.off


# -- dying between a delivery and the note of it ------------------------------------------------------
_CHILD = """
import sys, time
from pathlib import Path
from tapeview import config
from tapeview.backoffice import About, BackOffice
from tapeview.desk.records import Told
settings = config.load([], sys.argv[2:]).config
office = BackOffice(settings, Path(sys.argv[1]))
about = About(account="paper", live=True, equity="1", calendar="crypto", costs="", limits={})
run = office.begin("live:x:y", about)
office.post(run, [Told(seq=n, recv_ns=n, kind="warn", text=f"run {run}") for n in range(4)])
print(run, flush=True)
time.sleep(60)
"""


class Killer:
    """A web server that kills who posts the third record of a run, before it answers, in the first so many runs."""

    def __init__(self, kills: int) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.kills = [f":{run}:2" for run in range(1, kills + 1)]
        self.child: subprocess.Popen[str] | None = None
        killer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                killer.taken.append((
                    self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"]))
                ))  # fmt: skip
                if killer.kills and killer.taken[-1][0].endswith(killer.kills[0]):
                    del killer.kills[0]
                    assert killer.child is not None
                    killer.child.send_signal(signal.SIGKILL)
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_whoever_dies_after_a_delivery_delivers_it_again_under_the_same_key(tmp_path: Path) -> None:
    killer = Killer(2)
    words = ["outlets.webhook.on=true", f'outlets.webhook.url="{killer.url}"', "outlets.webhook.private=true"]
    root = Path(journal.__file__).parents[1]
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path / "j"), *words], text=True, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root), SECRET: "s"},
        )  # fmt: skip
        killer.child = child
        assert child.stdout is not None
        if killer.kills:
            child.wait(30)
        else:
            run = int(child.stdout.readline())
            until(lambda run=run: any(key.endswith(f":{run}:3") for key, _ in killer.taken))  # type: ignore[misc]
            child.kill()
            child.wait()
        child.stdout.close()
    killer.close()
    by_key: dict[str, set[bytes]] = {}
    for key, body in killer.taken:
        by_key.setdefault(key, set()).add(body)
    with journal.reading(tmp_path / "j") as db:
        name = db.execute("select name from identity").fetchone()[0]
        expected = {f"{name}:{line.run}:{line.n}" for line in journal.lines(db)}
    assert set(by_key) == expected
    assert len(expected) == 12
    assert len(killer.taken) == 14  # what was in hand at each of the two deaths came twice
    assert all(len(bodies) == 1 for bodies in by_key.values())
