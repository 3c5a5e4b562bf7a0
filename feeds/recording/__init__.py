"""A session on disk: frames (what came, append-only), events (keyframed Parquet, derived), and the manifest."""

from __future__ import annotations

from feeds.recording.audit import verify
from feeds.recording.derived import derive_events, rebuild
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest
from feeds.recording.recorded import Recording, is_recording, open_recording, scan
from feeds.recording.segments import FrameReader
from feeds.recording.verdict import Verdict, verify_source
from feeds.recording.writer import EventsDigest, RecordingWriter, describe

__all__ = [
    "EventsDigest",
    "FrameReader",
    "FrameWriter",
    "Manifest",
    "Recording",
    "RecordingWriter",
    "Verdict",
    "derive_events",
    "describe",
    "is_recording",
    "open_recording",
    "rebuild",
    "scan",
    "verify",
    "verify_source",
]
