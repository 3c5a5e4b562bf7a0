"""The table of faults: every one has a test or a reason, and every test named there exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
ROW = re.compile(r"^\| (F\d\d) \| (.+?) \| (.+) \|$", re.MULTILINE)
NODE = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
FAULTS = [f"F{number:02}" for number in range(1, 60)]


def rows() -> dict[str, str]:
    """What stands behind each fault."""
    return {fault: tests for fault, _, tests in ROW.findall((TESTS / "FAULTS.md").read_text(encoding="utf-8"))}


def functions(path: Path) -> set[str]:
    """Names of a module's tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_fault_is_in_the_table_once_and_in_order():
    assert list(rows()) == FAULTS


def test_every_fault_has_a_test_or_says_why_not():
    for fault, tests in rows().items():
        reason = tests.partition("Reason: ")[2]
        assert NODE.search(tests) or len(reason) > 20, fault


def test_every_test_that_is_named_exists():
    for fault, tests in rows().items():
        for file, name in NODE.findall(tests):
            path = TESTS / file
            assert path.is_file(), f"{fault}: {file}"
            assert not name or name in functions(path), f"{fault}: {file}::{name}"
