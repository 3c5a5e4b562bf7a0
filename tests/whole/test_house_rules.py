"""Rules that hold over the whole tree: imports, clocks, layout."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BELOW = [
    *("tapeview/engine", "tapeview/desk", "tapeview/camera.py", "tapeview/snapshot.py", "tapeview/session.py"),
    *(
        "feeds/venues",
        "feeds/simulator",
        "feeds/clock.py",
        "feeds/sequencer.py",
        "feeds/events.py",
        "feeds/instruments.py",
    ),
]


def sources(folder: str) -> list[Path]:
    """Python files of a folder, or the one file."""
    path = ROOT / folder
    found = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    # One compiles kernels in the background, the other is a command: neither makes market state.
    return [p for p in found if p.name not in ("_jit.py", "__main__.py")]


@pytest.mark.parametrize("path", [p for f in BELOW for p in sources(f)], ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_below_the_session_asks_for_the_time_or_for_luck(path):
    """Time is an event: no clock and no unseeded randomness where state is made."""
    banned = {("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("time", "monotonic_ns"), ("time", "sleep"),
              ("datetime", "now"), ("datetime", "utcnow"), ("random", "random")}  # fmt: skip
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in banned, f"{path}:{node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            assert not {"random", "secrets"} & set(names), f"{path}:{node.lineno}"


HEAVY = {"textual", "numba", "polars", "llvmlite", "databento_dbn"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import feeds", HEAVY | {"tapeview", "rich"}),
        ("import tapeview", HEAVY | {"feeds", "numpy"}),
        ("import tapeview.engine", HEAVY),
        ("import tapeview.session", HEAVY),
        ("import tapeview.snapshot", HEAVY),
        ("import tapeview.config", HEAVY),
        ("import tapeview.cli.entry; tapeview.cli.entry.parser(None)", HEAVY | {"numpy", "msgspec"}),
        ("import tapeview.ui.app", HEAVY - {"textual"}),
    ],
)
def test_what_an_import_leaves_out(statement, absent):
    code = f"{statement}\nimport sys\nprint(*sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_no_module_is_a_drawer_for_odds_and_ends():
    for package in ("feeds", "tapeview"):
        for path in (ROOT / package).rglob("*.py"):
            assert path.stem.strip("_") not in {"utils", "helpers", "manager", "misc", "base", "common_utils"}, path


def test_the_project_speaks_of_itself_alone():
    """No machine paths and no registry hosts in what is shipped."""
    banned = ["/" + "work/", "/" + "root/", "/" + "tmp/venv", "pypi" + ".org", "index" + "-url"]
    for path in ROOT.rglob("*"):
        parts = set(path.relative_to(ROOT).parts)
        if parts & {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"} or not path.is_file():
            continue
        if path.suffix in {".py", ".toml", ".md", ".json", ".tcss", ".svg", ".txt", ".yml"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            for word in banned:
                assert word not in text, f"{path}: {word}"
