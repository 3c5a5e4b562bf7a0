from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from feeds import BadInput, open_source
from feeds.recording import open_recording, rebuild, verify
from feeds.recording.manifest import read_manifest
from feeds.simulator.__main__ import main
from feeds.simulator.planted import Wish
from feeds.simulator.profiles import PROFILES
from feeds.simulator.recorder import COMMAND, PLANTING, planting_line, write_planted, write_recording
from tests.conftest import ROOT

RECORDINGS = sorted(path for path in (ROOT / "recordings").iterdir() if (path / "manifest.json").exists())
TOLD = [path for path in RECORDINGS if read_manifest(path).origin.startswith(COMMAND)]
"""Those that a profile's own story made; the planted ones are made again by the tests of the stories."""


def rows_of(source):
    return np.concatenate(list(source.batches()))


@pytest.fixture(scope="module", params=PROFILES)
def made(request, tmp_path_factory):
    """A recording of a few seconds."""
    folder = tmp_path_factory.mktemp(request.param) / "new"
    write_recording(folder, request.param, 9, "0.1")
    return folder, request.param


def test_a_recording_holds_the_rows_of_the_address(made):
    folder, profile = made
    recorded = rows_of(open_recording(folder))
    assert recorded.tobytes() == rows_of(open_source(f"simulator:seed=9,minutes=0.1,profile={profile}")).tobytes()


def test_recording_again_gives_the_same_digest_and_another_seed_another(made, tmp_path):
    folder, profile = made
    write_recording(tmp_path / "again", profile, 9, "0.1")
    write_recording(tmp_path / "other", profile, 10, "0.1")
    assert read_manifest(tmp_path / "again").events_digest == read_manifest(folder).events_digest
    assert read_manifest(tmp_path / "other").events_digest != read_manifest(folder).events_digest


def test_a_recording_passes_every_check(made):
    verdict = verify(made[0])
    assert verdict.ok, verdict.problems


def test_the_perpetual_is_recorded_as_frames_that_give_its_events(made):
    folder, profile = made
    assert read_manifest(folder).frames == (profile == "perp")
    if profile == "perp":
        again = np.concatenate(list(rebuild(folder)))
        assert again.tobytes() == rows_of(open_recording(folder)).tobytes()


def test_the_manifest_tells_the_command_and_no_place_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--profile", "mes", "--seed", "9", "--minutes", "0.05", "-o", "recordings/some name"]) == 0
    manifest = read_manifest(Path("recordings/some name"))
    assert (
        manifest.origin == "python -m feeds.simulator --profile mes --seed 9 --minutes 0.05 -o 'recordings/some name'"
    )
    write_recording(tmp_path / "elsewhere", "mes", 9, "0.05")
    assert str(tmp_path) not in (tmp_path / "elsewhere" / "manifest.json").read_text()


def test_a_folder_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "precious").write_text("x")
    with pytest.raises(BadInput, match="not there yet"):
        write_recording(tmp_path / "there", "mes", 1, "0.05")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["precious"]


def test_a_session_without_end_cannot_be_recorded(tmp_path):
    with pytest.raises(BadInput, match="with an end"):
        write_recording(tmp_path / "new", "mes", 1, "endless")


def ordered(recording):
    words = shlex.split(read_manifest(recording).origin)
    said = dict(zip(words[3::2], words[4::2], strict=True))
    return said["--profile"], said["--seed"], said["--minutes"], said["-o"]


@pytest.mark.parametrize("recording", TOLD, ids=lambda path: path.name)
def test_a_bundled_recording_begins_as_its_command_says(recording):
    profile, seed, _, out = ordered(recording)
    assert out == f"recordings/{recording.name}"
    rows = rows_of(open_source(f"simulator:seed={seed},minutes=0.2,profile={profile}"))
    assert rows_of(open_recording(recording))[: len(rows)].tobytes() == rows.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("recording", TOLD, ids=lambda path: path.name)
def test_the_command_of_a_bundled_recording_makes_it_again(recording, tmp_path):
    profile, seed, minutes, _ = ordered(recording)
    write_recording(tmp_path / "again", profile, int(seed), minutes)
    assert read_manifest(tmp_path / "again").events_digest == read_manifest(recording).events_digest


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_a_bundled_recording_is_small_and_passes_every_check(recording):
    assert sum(path.stat().st_size for path in recording.rglob("*") if path.is_file()) < 2_000_000
    verdict = verify(recording)
    assert verdict.ok, verdict.problems


def test_every_bundled_recording_tells_a_command_that_makes_it():
    assert {path.name for path in TOLD} == {"quiet-open", "perp-breakout"}
    assert all(read_manifest(path).origin.startswith(PLANTING) for path in RECORDINGS if path not in TOLD)


WISH = Wish(
    seed=5001, minutes="0.5", profile="stock", plant="squeeze:fuel=no+native:every=9", tier="C", conflate=250,
    negatives="no", fault="gap:every=10+drop",
)  # fmt: skip


def test_the_command_of_a_planted_session_asks_for_all_of_it():
    line = planting_line(Path("a folder/x"), WISH, "what's in it", 12)
    assert line == (
        "tapeview simulate -o 'a folder/x' --seed 5001 --minutes 0.5 --profile stock --plant squeeze:fuel=no "
        "--plant native:every=9 --tier C --conflate 250 --no-negatives --fault gap:every=10 --fault drop "
        """--begin +12s --story 'what'"'"'s in it'"""
    )
    assert (
        planting_line(Path("/elsewhere/x"), Wish()) == "tapeview simulate -o x --seed 1 --minutes 30 --profile futures"
    )


def test_a_planted_session_keeps_its_story_and_where_to_begin(tmp_path):
    write_planted(tmp_path / "new", WISH, story="nothing much", begin_s=12)
    manifest = read_manifest(tmp_path / "new")
    assert manifest.story == "nothing much"
    assert 11 <= (manifest.begin_ns - manifest.first_ns) / 1e9 <= 12
    assert str(tmp_path) not in (tmp_path / "new" / "manifest.json").read_text()


@pytest.mark.parametrize("begin_s", [-1, 30, 3000])
def test_a_planted_session_cannot_be_begun_outside_of_itself(tmp_path, begin_s):
    with pytest.raises(BadInput, match="within the session's 0.5 minutes"):
        write_planted(tmp_path / "new", WISH, begin_s=begin_s)
    assert not (tmp_path / "new").exists()
