"""Simulated sessions on disk: events for an order feed, frames and the events parsed from them for a venue's feed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from feeds.simulator.planted import Planted, Wish
from feeds.simulator.source import Simulator, check_order
from feeds.simulator.tape import Tape, check_minutes, check_profile

TRUTH: Final = "truth.parquet"
"""The truth of a planted session, in its recording's folder."""
COMMAND: Final = "python -m feeds.simulator"
PLANTING: Final = "tapeview simulate"
LICENCE: Final = "MIT"
FRAMES_LEVEL: Final = 15
"""zstd level of the frames: they are written once and shipped."""
EVENTS_LEVEL: Final = 15


def command_line(path: Path, profile: str, seed: int, minutes: str) -> str:
    """The command that makes a recording again; of an absolute path only the last name is kept."""
    return f"{COMMAND} --profile {profile} --seed {seed} --minutes {minutes} -o {shlex.quote(_shown(path))}"


def planting_line(path: Path, wish: Wish, story: str = "", begin_s: int | None = None) -> str:
    """The same of a planted session; what is as it always is is left out."""
    fresh = Wish()
    words = ["-o", _shown(path), "--seed", str(wish.seed), "--minutes", wish.minutes, "--profile", wish.profile]
    for plant in wish.plants:
        words += ["--plant", plant]
    if wish.tier != fresh.tier:
        words += ["--tier", wish.tier]
    if wish.conflate != fresh.conflate:
        words += ["--conflate", str(wish.conflate)]
    if wish.negatives != fresh.negatives:
        words.append("--no-negatives")
    for fault in wish.faults:
        words += ["--fault", fault]
    if begin_s is not None:
        words += ["--begin", f"+{begin_s}s"]
    if story:
        words += ["--story", story]
    return f"{PLANTING} {shlex.join(words)}"


def _shown(path: Path) -> str:
    return path.name if path.is_absolute() else path.as_posix()


def write_recording(path: Path | str, profile: str, seed: int, minutes: str | int) -> None:
    """Write a simulated session as a recording; raise BadInput for a wrong order or a folder in the way."""
    from feeds.recording import FrameWriter, RecordingWriter, derive_events, describe

    folder = Path(path)
    simulator = Simulator(check_order(profile, str(seed), str(minutes)))
    if simulator.end_ns is None:
        raise BadInput("--minutes", str(minutes), "a session with an end, to record it")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(str(folder), None, "a folder that is not there yet, or an empty one")
    origin = command_line(folder, profile, simulator.order.seed, simulator.order.minutes)
    if simulator.profile.tier == "A":
        with RecordingWriter(
            folder, simulator.info, simulator.instruments, origin=origin, licence=LICENCE, level=EVENTS_LEVEL
        ) as out:
            for rows in simulator.batches():
                out.write(rows)
            out.close(simulator.checks)
        return
    about = describe(simulator.info, simulator.instruments, origin=origin, licence=LICENCE)
    now_ns = simulator.profile.start_ns
    with FrameWriter(folder, about, wall_ns=lambda: now_ns, mono_ns=lambda: now_ns, level=FRAMES_LEVEL) as frames:
        for frame in simulator.frames():
            now_ns = frame.recv_ns
            frames.frame(frame.channel, frame.payload)
    if frames.trouble is not None:
        raise BadInput(str(folder), frames.trouble.reason, "a disk that takes the recording")
    derive_events(folder)


def write_planted(path: Path | str, wish: Wish, *, story: str = "", begin_s: int | None = None) -> Tape:
    """Write a planted session as a recording with `truth.parquet` in it; give the session.

    `story` says in one line what is to be seen in it, `begin_s` how many seconds after its start one who only wants to
    look does best to begin. Raises BadInput for a folder in the way, and for a beginning after the end.
    """
    from feeds.recording import RecordingWriter

    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(str(folder), None, "a folder that is not there yet, or an empty one")
    source = Planted(wish.check())
    begin_ns = None
    if begin_s is not None:
        begin_ns = check_profile(wish.profile).start_ns + begin_s * 1_000_000_000
        if not 0 <= begin_s * 1_000_000_000 < check_minutes(wish.minutes):
            raise BadInput("begin", f"+{begin_s}s", f"a time within the session's {wish.minutes} minutes")
    tape = source.tape
    with RecordingWriter(
        folder, source.info, source.instruments, origin=planting_line(folder, wish, story, begin_s), licence=LICENCE,
        story=story, begin_ns=begin_ns, level=EVENTS_LEVEL,
    ) as out:  # fmt: skip
        for rows in source.batches():
            out.write(rows)
        out.close(source.checks)
    try:
        tape.truth.write_parquet(folder / TRUTH)
    except OSError as error:
        raise BadInput(str(folder / TRUTH), error.strerror, "a disk that takes the truth") from error
    return tape
