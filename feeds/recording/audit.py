"""Checking a recording on disk through and through: manifest, frames, parts, rows, and that they agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from feeds.errors import BadInput
from feeds.recording import segments
from feeds.recording.blocks import DIGEST, Record
from feeds.recording.columns import split
from feeds.recording.derived import Rebuild
from feeds.recording.keyframe import KeyframeBook
from feeds.recording.manifest import NAME, Manifest, code_digest, intact, read_manifest
from feeds.recording.parts import FOLDER
from feeds.recording.recorded import Recording
from feeds.recording.segments import FrameReader, list_segments
from feeds.recording.verdict import Checked, Progress, StreamCheck, Verdict
from feeds.recording.witness import Comparison
from feeds.recording.writer import EventsDigest
from feeds.source import Checks


def verify(recording: Path | str, progress: Progress | None = None) -> Verdict:
    """Check a recording on disk: its manifest, frames, parts and rows, and that frames and events agree."""
    folder = Path(recording)
    folder = folder.parent if folder.name == NAME else folder
    verdict = Verdict()
    try:
        manifest = read_manifest(folder)
    except BadInput as error:
        verdict.problem(str(error))
        return verdict
    if not intact((folder / NAME).read_bytes()):
        verdict.problem(f"{NAME}: changed after it was written (its sha256 disagrees)")
    if not manifest.complete:
        verdict.problem(f"{NAME}: the recording was not ended in order")
    total = sum(part.bytes for part in manifest.parts)
    total += 2 * sum(path.stat().st_size for path in list_segments(folder)) if manifest.frames else 0
    told = progress or (lambda _done, _all: None)
    digests: list[bytes] = []
    frames_ok = _verify_segments(folder, manifest, verdict, lambda done: told(done, total), digests)
    before = sum(path.stat().st_size for path in list_segments(folder))
    if frames_ok:
        verdict.frames_digest = _digest_frames(
            folder, manifest, verdict, lambda done: told(before + done, total), digests
        )
    if manifest.parts:
        _verify_parts(folder, manifest, verdict, lambda done: told(2 * before * manifest.frames + done, total))
    return verdict


def _verify_segments(
    folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None], digests: list[bytes]
) -> bool:
    if not manifest.frames:
        return False
    sums = {segment.name: segment for segment in manifest.segments}
    paths = list_segments(folder)
    for name in sorted(sums.keys() - {path.name for path in paths}):
        verdict.problem(f"{segments.FOLDER}/{name}: missing")
    for path in paths:
        segment = sums.get(path.name)
        if segment is None:
            if manifest.complete:
                verdict.problem(f"{segments.FOLDER}/{path.name}: not in the manifest")
        elif segment.sha256 and _sha256(path) != segment.sha256:
            verdict.problem(f"{segments.FOLDER}/{path.name}: not the bytes written (sha256 disagrees)")
    reader = FrameReader(folder)
    try:
        for record in reader.records():
            if isinstance(record, Record) and record.kind == DIGEST:
                digests.append(record.payload)
            told(reader.position)
    except BadInput as error:
        verdict.problem(str(error))
        return False
    finally:
        verdict.blocks += reader.blocks
        verdict.torn_bytes += reader.torn_bytes
        for damage in reader.damage:
            verdict.problem(str(damage))
    if any(not damage.torn for damage in reader.damage):
        digests.clear()  # rows are missing that the capture saw
    if not reader.ended and manifest.complete:
        verdict.problem(f"{segments.FOLDER}: the last record is not the writer's end")
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_frames(
    folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None], digests: list[bytes]
) -> str | None:
    seen = Comparison(digests)
    try:
        again = Rebuild(folder, manifest)
    except BadInput as error:
        verdict.problem(str(error))
        return None
    if manifest.parts:
        digest = EventsDigest()
        for rows in again.batches():
            digest.add(rows)
            seen.add(rows)
            told(again.position)
        _hold_against(seen, verdict)
        found = digest.value()
        digest.close()
        return found
    check = StreamCheck(manifest.instruments, verdict, verification=_rule(manifest))
    for rows in again.batches():
        check.take(rows)
        seen.add(rows)
        told(again.position)
    _hold_against(seen, verdict)
    check.finish(again.checks)
    return verdict.events_digest


def _hold_against(seen: Comparison, verdict: Verdict) -> None:
    seen.finish()
    verdict.live = Checked(checked=seen.checked, failed=0 if seen.failed is None else 1)
    if seen.failed is not None:
        verdict.problem(f"{segments.FOLDER}: up to seq {seen.failed} they give other events than the capture saw live")


def _rule(manifest: Manifest) -> str | None:
    return manifest.verification if manifest.frames else None


def _verify_parts(folder: Path, manifest: Manifest, verdict: Verdict, told: Callable[[int], None]) -> None:
    recording = Recording(folder, manifest)
    book = KeyframeBook(manifest.instruments)
    check = StreamCheck(manifest.instruments, verdict, verification=_rule(manifest))
    whole, done, last_ns = True, 0, 0
    for number, part in enumerate(manifest.parts):
        try:
            keyframe, rows = recording.read_part(number)
        except BadInput as error:
            verdict.problem(str(error))
            whole = False
            continue
        verdict.blocks += 1
        if whole and number and not np.array_equal(keyframe, book.rows(last_ns, part.first_seq - 1)):
            verdict.problem(f"{FOLDER}/{part.name}: the keyframe is not the book of the rows before it")
        check.take(rows)
        book.follow(rows, split(rows))
        last_ns = part.last_ns
        done += part.bytes
        told(done)
    checks = Checks(
        checksums=manifest.checksums,
        checksums_failed=manifest.checksums_failed,
        resyncs=manifest.resyncs,
        snapshots=manifest.snapshots,
        snapshots_failed=manifest.snapshots_failed,
    )
    check.finish(checks)
    _verify_manifest(manifest, verdict, whole)


def _verify_manifest(manifest: Manifest, verdict: Verdict, whole: bool) -> None:
    if whole and (manifest.events, manifest.trades) != (verdict.events, verdict.trades):
        counts = f"{manifest.events} events and {manifest.trades} trades"
        verdict.problem(f"{NAME}: says {counts}, there are {verdict.events} and {verdict.trades}")
    if manifest.events_digest is not None and verdict.events_digest != manifest.events_digest:
        verdict.problem(f"{NAME}: events_digest {manifest.events_digest[:16]} is not that of the events")
    if verdict.frames_digest is not None and verdict.frames_digest != verdict.events_digest:
        other = "" if manifest.code_digest == code_digest() else " (they were made by another version of the program)"
        verdict.problem(f"{FOLDER}: the frames give other events than those stored{other}")
