"""`tapeview doctor`: is this machine fit, and what would make it fitter."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import msgspec

from tapeview import __version__
from tapeview.cli import _common as common

_SAFE_SQLITE = (3, 51, 3)
_LEAST_FREE = 1 << 30


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    what: str
    state: str
    """ok, note or bad."""
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Look, tell, and exit 1 where something is bad."""
    findings = [
        finding for look in (_versions, _terminal, _kernels, _folders, _settings, _clock, _sqlite) for finding in look()
    ]
    bad = any(f.state == "bad" for f in findings)
    if args.json:
        common.emit({"ok": not bad, "findings": findings})
    else:
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        marks = {"ok": "✓" if utf8 else "+", "note": "!", "bad": "✗" if utf8 else "X"}
        for f in findings:
            print(f"{marks[f.state]} {f.what:<12} {f.text}")
    return 1 if bad else 0


def _versions() -> list[Finding]:
    names = ["textual", "rich", "polars", "numpy", "numba", "msgspec", "websockets", "zstandard"]
    shown = " ".join(f"{n} {metadata.version(n)}" for n in names)
    python = ".".join(map(str, sys.version_info[:3]))
    return [Finding("versions", "ok", f"tapeview {__version__}, Python {python}, {shown}")]


def _terminal() -> list[Finding]:
    out: list[Finding] = []
    term, colour = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    size = shutil.get_terminal_size()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        out.append(Finding("terminal", "note", "not a terminal here: screens need one, all other commands do not"))
    elif term in ("dumb", ""):
        out.append(Finding("terminal", "bad", f"TERM={term or '(empty)'} cannot show screens"))
    else:
        fits = size.columns >= 80 and size.lines >= 24
        out.append(
            Finding("terminal", "ok" if fits else "note", f"{term}, {size.columns}x{size.lines}; best from 80x24")
        )
    if os.environ.get("NO_COLOR"):
        out.append(Finding("colours", "ok", "NO_COLOR is set: screens are mono"))
    elif colour in ("truecolor", "24bit"):
        out.append(Finding("colours", "ok", "24-bit"))
    else:
        depth = "256" if "256" in term else "16"
        out.append(Finding("colours", "note", f"{depth}; COLORTERM=truecolor gives 24-bit where the terminal has it"))
    return [*out, _glyphs()]


def _glyphs() -> Finding:
    from feeds.errors import BadInput
    from tapeview import config
    from tapeview.ui.terminal import ascii_only

    try:
        setting = config.load().config.screen.ascii
    except BadInput:
        setting = "auto"  # what is wrong with the settings is a finding of its own
    only, why = ascii_only(setting)
    if only:
        return Finding("glyphs", "note", f"screens are drawn in ASCII: {why}")
    return Finding("glyphs", "ok", f"screens are drawn in Unicode: {why}")


def _kernels() -> list[Finding]:
    from tapeview.engine import failure, wanted  # brings every kernel's module, which the cache is named by
    from tapeview.engine._jit import cache_folder

    if not wanted():
        return [Finding("kernels", "note", "TAPEVIEW_JIT=0: plain Python, some 500 times slower")]
    folder = cache_folder()
    if (folder / "complete").exists():
        return [Finding("kernels", "ok", f"compiled, {folder}")]
    return [Finding("kernels", "note", failure() or f"not compiled yet: the first command will, into {folder}")]


def _folders() -> list[Finding]:
    import platformdirs

    out = []
    places: list[tuple[str, Callable[[], str]]] = [
        ("cache", lambda: os.environ.get("TAPEVIEW_CACHE") or platformdirs.user_cache_dir("tapeview")),
        ("data", lambda: platformdirs.user_data_dir("tapeview")),
        ("state", lambda: platformdirs.user_state_dir("tapeview")),
    ]
    for name, where in places:
        path = Path(where())
        try:
            path.mkdir(parents=True, exist_ok=True)
            probe = path / f".probe-{os.getpid()}"
            probe.write_bytes(b"x")
            probe.unlink()
            free = shutil.disk_usage(path).free
            state = "ok" if free > _LEAST_FREE else "note"
            out.append(Finding(name, state, f"{path}, {free / 1e9:.1f} GB free"))
        except OSError as error:
            out.append(Finding(name, "bad", f"{path}: {error.strerror}"))
    return out


def _settings() -> list[Finding]:
    from feeds.errors import BadInput
    from tapeview import config

    try:
        loaded = config.load()
    except BadInput as error:
        return [Finding("settings", "bad", str(error))]
    files = ", ".join(map(str, config.search())) or "defaults only"
    return [Finding("settings", "ok", f"{files}; {len(loaded.origin)} values set")]


def _clock() -> list[Finding]:
    steps: list[int] = []
    last = time.monotonic_ns()
    while len(steps) < 100:
        now = time.monotonic_ns()
        if now != last:
            steps.append(now - last)
            last = now
    finest = min(steps)
    return [Finding("clock", "ok" if finest < 1_000_000 else "note", f"monotonic steps of {finest} ns")]


def _sqlite() -> list[Finding]:
    import sqlite3

    fit = sqlite3.sqlite_version_info >= _SAFE_SQLITE
    note = "" if fit else " (before 3.51.3: safe with one connection, which is how it is used)"
    return [Finding("sqlite", "ok" if fit else "note", sqlite3.sqlite_version + note)]
