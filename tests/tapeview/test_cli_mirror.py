"""`tapeview mirror` as a person runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.mirror import KINDS
from tapeview.cli.entry import main

ROOT = Path(__file__).parents[2]
PERP = ROOT / "recordings" / "perp-breakout"


def test_help_explains_every_fault(capsys):
    with contextlib.suppress(SystemExit):
        main(["mirror", "--help"])
    said = capsys.readouterr().out
    for name, kind in KINDS.items():
        assert f"  {name}" in said
        assert kind.text.split(",", maxsplit=1)[0] in said
    assert "same seed, same faults" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fault", "nonsense"], "expected one of drop, duplicate"),
        (["--fault", "close:1004"], "expected a close code"),
        (["--fault", "checksum"], "a venue that states checksums, not binance-futures"),
        (["--speed", "-1"], "--speed: got '-1"),
        (["--port", "99999"], "--port: got '99999'"),
        (["--facts", "x"], "--facts"),
    ],
)
def test_bad_words_are_refused(capsys, words, said):
    assert main(["mirror", str(PERP), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_source_that_is_none_is_refused(capsys, tmp_path):
    assert main(["mirror", str(tmp_path / "nothing")]) == 2
    assert "source" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_where_it_is_and_how_to_connect_and_ends_cleanly(number):
    environ = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tapeview", "mirror", str(PERP), "--json"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.to_thread(process.stdout.readline))
        assert told["url"].startswith("ws://127.0.0.1:")
        assert told["instruments"] == ["binance-futures:BTCUSDT"]
        assert any(f"tapeview record binance-futures:BTCUSDT --url {told['url']}" in line for line in told["connect"])
    finally:
        process.send_signal(number)
        out, said = await asyncio.to_thread(process.communicate, timeout=20)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
    assert process.returncode == 0, said.decode()
    assert json.loads(out)["frames"] == 0
    assert b"Traceback" not in said
