"""The command line as a person and a script meet it: real processes, real exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.instruments import Instrument
from feeds.recording import RecordingWriter
from feeds.script import START_NS, events
from feeds.source import SourceInfo
from tapeview.cli.entry import COMMANDS, main

ROOT = Path(__file__).parent.parent.parent
STORY = "[ b100:5/2 b99:7 a101:3 a103:9 ] ~250 +101:2&a101:1 ~10 +101:1&a101:0 ~300 -100:1&b100:4 ~900 +103:4&a103:5"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A small recording of a made-up instrument with quarter ticks."""
    folder = tmp_path_factory.mktemp("cli") / "story"
    info = SourceInfo(address="story", format="script", venue="test", tier="C", verification="chain", bytes=0)
    instrument = Instrument(venue="test", symbol="STORY", tick="0.25", lot="0.1")
    with RecordingWriter(folder, info, (instrument,)) as writer:
        writer.write(events(STORY))
    return folder


def run(capsys, *words):
    """Run a command in this process: (exit code, lines of stdout, stderr)."""
    code = main([str(w) for w in words])
    out = capsys.readouterr()
    return code, out.out.splitlines(), out.err


def test_the_book_at_its_end_in_the_venues_own_decimals(capsys, session):
    code, lines, _ = run(capsys, "book", session, "--json")
    book = json.loads(lines[0])
    assert code == 0
    assert len(lines) == 1
    assert book["bids"] == [["25.00", "0.4", None], ["24.75", "0.7", None]]
    assert book["asks"] == [["25.75", "0.5", None]]
    assert (book["instrument"], book["state"], book["venue_seq"]) == ("test:STORY", "live", 12)
    assert book["recv_ns"] == START_NS + 1_460_000_000


@pytest.mark.parametrize(
    ("at", "bids"), [("+0.1s", "0.5"), ("+0.56s", "0.4"), ("+559ms", "0.5"), (str(START_NS), "0.5")]
)
def test_the_book_at_an_instant_is_that_after_the_last_event_at_or_before_it(capsys, session, at, bids):
    _, lines, _ = run(capsys, "book", session, "--json", "--at", at)
    assert json.loads(lines[0])["bids"][0][1] == bids


def test_order_counts_are_told_where_the_source_tells_them(capsys, session):
    _, lines, _ = run(capsys, "book", session, "--json", "--at", "+0s")
    assert json.loads(lines[0])["bids"][0] == ["25.00", "0.5", 2]


def test_follow_prints_a_line_a_book_message_and_the_last_one_is_the_book(capsys, session):
    _, lines, _ = run(capsys, "book", session, "--follow", "--json", "--depth", "1")
    books = [json.loads(line) for line in lines]
    _, last, _ = run(capsys, "book", session, "--json", "--depth", "1")
    assert [b["venue_seq"] for b in books] == [4, 6, 8, 10, 12]
    assert books[-1] == json.loads(last[0])


def test_a_seq_cuts_exactly_there(capsys, session):
    rows = events(STORY)
    for seq in (0, 3, int(rows["seq"][-1])):
        _, lines, _ = run(capsys, "book", session, "--json", "--seq", seq)
        assert json.loads(lines[0])["seq"] == seq


def test_the_tape_merges_prints_of_one_side_and_price(capsys, session):
    _, lines, _ = run(capsys, "tape", session, "--json")
    prints = [json.loads(line) for line in lines]
    assert [(p["price"], p["size"], p["side"], p["merged"]) for p in prints] == [
        ("25.25", "0.3", "buy", 2), ("25.00", "0.1", "sell", 1), ("25.75", "0.4", "buy", 1),
    ]  # fmt: skip
    assert prints[0]["kind"] == "regular"


def test_the_raw_tape_has_every_print_and_the_same_sum(capsys, session):
    _, lines, _ = run(capsys, "tape", session, "--json", "--raw")
    assert [json.loads(line)["size"] for line in lines] == ["0.2", "0.1", "0.1", "0.4"]


def test_the_tape_can_be_cut_by_time_and_size(capsys, session):
    _, lines, _ = run(capsys, "tape", session, "--json", "--from", "+0.5s", "--to", "+1s")
    assert [json.loads(line)["side"] for line in lines] == ["sell"]
    _, lines, _ = run(capsys, "tape", session, "--json", "--min-lots", "3")
    assert [json.loads(line)["size"] for line in lines] == ["0.3", "0.4"]


def test_statistics_are_what_a_hand_computes(capsys, session):
    _, lines, _ = run(capsys, "stats", session, "--json")
    stats = json.loads(lines[0])
    mean = (25.25 * 0.3 + 25.00 * 0.1 + 25.75 * 0.4) / 0.8
    square = (25.25**2 * 0.3 + 25.00**2 * 0.1 + 25.75**2 * 0.4) / 0.8
    assert (stats["volume"], stats["buy_volume"], stats["sell_volume"], stats["delta"]) == ("0.8", "0.7", "0.1", "0.6")
    assert float(stats["vwap"]) == pytest.approx(mean, rel=1e-11)
    assert float(stats["vwap_sigma"]) == pytest.approx((square - mean**2) ** 0.5, rel=1e-8)
    assert (stats["open"], stats["high"], stats["low"], stats["close"]) == ("25.25", "25.75", "25.00", "25.75")
    assert (stats["trades"], stats["gaps"], stats["partial"]) == (4, 0, False)
    assert stats["first_ns"] == START_NS


def test_info_tells_what_it_holds(capsys, session):
    code, lines, _ = run(capsys, "info", session, "--json")
    info = json.loads(lines[0])
    assert code == 0
    assert info["instruments"][0]["tick"] == "0.25"
    assert (info["trades"], info["format"], info["first_ns"]) == (4, "recording", START_NS)


def test_convert_and_verify_go_together(capsys, session, tmp_path):
    code, _, _ = run(capsys, "convert", session, tmp_path / "copy", "--part-rows", "5")
    assert code == 0
    code, lines, _ = run(capsys, "verify", tmp_path / "copy", "--json")
    verdict = json.loads(lines[0])
    assert (code, verdict["ok"], verdict["problems"]) == (0, True, [])
    part = next((tmp_path / "copy" / "events").glob("*.parquet"))
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    part.write_bytes(damaged)
    code, lines, _ = run(capsys, "verify", tmp_path / "copy", "--json")
    assert code == 1
    assert part.name in " ".join(json.loads(lines[0])["problems"])


def test_convert_never_writes_over_anything(capsys, session):
    code, _, error = run(capsys, "convert", session, session)
    assert code == 2
    assert "does not exist yet" in error


@pytest.mark.parametrize(
    "words",
    [
        "bok",
        "--nothing",
        "book",
        "book absent",
        "book SESSION --at soon",
        "book SESSION --depth 0",
        "book SESSION --at +1s --seq 3",
        "book SESSION --seq -1",
        "book SESSION --tick zero",
        "book SESSION --symbol OTHER",
        "book SESSION --format lobstr",
        "tape SESSION --from x",
        "tape SESSION --from +2s --to +1s",
        "tape SESSION --min-lots -3",
        "info /dev/null",
        "stats SESSION --set engine.merge=3",
        "stats SESSION --set engine.merge_ms=-3",
        "config check",
        "config check absent.toml",
        "config explain thme",
        "convert SESSION x --part-rows 0",
        "replay absent",
        "replay SESSION --speed 0",
        "replay SESSION --speed fast",
        "replay SESSION",
        "bench nothing",
        "simulator:seed=x",
        "book simulator:sed=3",
    ],
)
def test_wrong_words_get_one_clear_line_and_exit_2(capsys, session, words):
    code, lines, error = run(capsys, *(session if w == "SESSION" else w for w in words.split()))
    assert code == 2
    assert lines == []
    assert error.startswith("tapeview: ")
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_replay_of_nothing_lists_what_is_bundled(capsys):
    from tapeview import bundled

    code, lines, error = run(capsys, "replay")
    assert (code, error) == (0, "")
    for recorded, line in zip(bundled.recordings(), lines[1:], strict=True):
        assert line.split()[:2] == [recorded.name, recorded.instrument]
        assert line.endswith(recorded.story)


@pytest.mark.parametrize(("word", "named"), [("squeeze", "terminal"), ("squeze", "'squeeze'?"), ("zzz", "a recording")])
def test_replay_knows_the_bundled_recordings_by_name(capsys, word, named):
    code, lines, error = run(capsys, "replay", word)
    assert (code, lines) == (2, [])
    assert named in error


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert "usage: tapeview" in capsys.readouterr().out


def test_config_show_path_and_schema(capsys, monkeypatch, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('theme = "light"\n')
    monkeypatch.setenv("TAPEVIEW_CONFIG", str(path))
    code, lines, _ = run(capsys, "config", "show", "--json")
    rows = {r["key"]: r for r in map(json.loads, lines)}
    assert code == 0
    assert rows["theme"] == {"key": "theme", "value": "light", "from": str(path), "description": "Name of a theme."}
    assert run(capsys, "config", "path")[1] == [str(path)]
    assert json.loads("".join(run(capsys, "config", "schema")[1]))["$ref"]
    assert run(capsys, "config", "check", path)[0] == 0


def test_doctor_looks_at_everything_that_matters(capsys):
    _, lines, _ = run(capsys, "doctor", "--json")
    findings = {f["what"] for f in json.loads(lines[0])["findings"]}
    assert {"versions", "terminal", "kernels", "cache", "settings", "clock", "sqlite"} <= findings


def test_a_closed_pipe_ends_quietly(session):
    words = f"{sys.executable} -m tapeview tape {session} --json --raw | head -n 1"
    shell = ["bash", "-c", f"set -o pipefail; {words}"]
    done = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_data_goes_to_stdout_and_nothing_else_does(session):
    words = [sys.executable, "-m", "tapeview", "book", str(session), "--json"]
    strict = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True, env=strict)
    assert json.loads(done.stdout)["instrument"] == "test:STORY"


def test_version_is_printed_without_loading_anything_heavy():
    code = """
import sys
import tapeview.cli

sys.argv = ["tapeview", "--version"]
try:
    tapeview.cli.main()
except SystemExit:
    pass
print(sorted({"numpy", "polars", "textual", "numba"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_doctor_finds_the_kernels_that_a_command_compiled(capsys, session):
    if os.environ.get("TAPEVIEW_JIT") == "0":
        pytest.skip("kernels are switched off")
    run(capsys, "stats", session)
    words = [sys.executable, "-m", "tapeview", "doctor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    kernels = next(f for f in json.loads(done.stdout)["findings"] if f["what"] == "kernels")
    assert kernels["state"] == "ok"
