"""Results of finished tapes, kept so that a run can go on where it ended: one JSON line each.

A result is found again only by the task, the seed and a digest of everything it depends on: the detector's sources and
those it imports, the engine, the simulator, the scoring, and the thresholds that were set by hand.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from tapeview.bench.score import Tape

_ROOT: Final = Path(__file__).parents[1]
_DETECTORS: Final = _ROOT / "detectors"
_BENCH: Final = ("score", "tasks", "probes", "pressure", "detectability", "taping")

Rules = dict[str, Tape]
"""'ours' and the naive rules of one tape."""


class _Line(msgspec.Struct, frozen=True):
    key: str
    rules: Rules
    seconds: float


def folder() -> Path:
    """Where results are kept: beside the compiled kernels."""
    said = os.environ.get("TAPEVIEW_CACHE")
    if said is not None:
        return Path(said) / "bench"
    import platformdirs

    return Path(platformdirs.user_cache_dir("tapeview")) / "bench"


class Kept:
    """The results of a folder; without one nothing is kept."""

    def __init__(self, where: Path | None) -> None:
        self._file = None if where is None else where / "detectors.jsonl"
        self._known: dict[str, tuple[Rules, float]] = {}
        if self._file is None or not self._file.is_file():
            return
        decode = msgspec.json.Decoder(_Line).decode
        for line in self._file.read_bytes().splitlines():
            try:
                one = decode(line)
            except msgspec.DecodeError:
                continue  # the last line of a run that was killed
            self._known[one.key] = (one.rules, one.seconds)

    def get(self, key: str) -> tuple[Rules, float] | None:
        """The result of a key and the processor seconds it took; None where it is not known."""
        return self._known.get(key)

    def put(self, key: str, rules: Rules, seconds: float) -> None:
        """Keep a result at once."""
        self._known[key] = (rules, seconds)
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        torn = b""
        if self._file.is_file() and self._file.stat().st_size:
            with self._file.open("rb") as there:
                there.seek(-1, os.SEEK_END)
                torn = b"" if there.read() == b"\n" else b"\n"
        with self._file.open("ab") as out:
            out.write(torn + msgspec.json.encode(_Line(key, rules, seconds)) + b"\n")


def key_of(task: str, seed: int, detector: str, overrides: Mapping[str, float], after: Iterable[str]) -> str:
    """The key of a tape's result."""
    out = hashlib.blake2b(digest_size=16)
    for name in (detector, *after):
        out.update(digest_of(name).encode())
    out.update(repr((task, seed, sorted(overrides.items()))).encode())
    return out.hexdigest()


@cache
def digest_of(detector: str) -> str:
    """A digest of the sources that a detector's results depend on."""
    out = hashlib.blake2b(digest_size=16)
    own = [_DETECTORS / f"{name}.py" for name in sorted(closure(detector))]
    shared = [*(_ROOT / "engine").glob("*.py"), _ROOT / "watch.py"]
    shared += [_ROOT / "bench" / f"{name}.py" for name in _BENCH]
    feeds = _ROOT.parent / "feeds"
    shared += [*(feeds / "simulator").rglob("*.py"), feeds / "events.py", feeds / "clock.py"]
    for file in [*own, *sorted(shared)]:
        out.update(file.name.encode() + b"\0" + file.read_bytes())
    return out.hexdigest()


@cache
def closure(detector: str) -> frozenset[str]:
    """Names of the modules of `tapeview.detectors` that one imports, and those they import, itself included."""
    found: set[str] = set()
    todo = [detector]
    while todo:
        name = todo.pop()
        if name in found or not (_DETECTORS / f"{name}.py").is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse((_DETECTORS / f"{name}.py").read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                package, _, module = node.module.partition("tapeview.detectors")
                if not package and node.module.startswith("tapeview.detectors"):
                    todo += [module.lstrip(".")] if module else [alias.name for alias in node.names]
    return frozenset(found)
