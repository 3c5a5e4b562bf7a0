"""Compiling: nothing at import, no reference counts in kernels, no stale cache, plain Python as good."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tapeview.engine import _jit, book, state
from tapeview.engine.frame import FRAME

ROOT = Path(__file__).parents[3]


def python(code: str, folder: Path = ROOT, **environment: str) -> str:
    """Run code in a fresh interpreter and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder), **environment}, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_engine_imports_no_numba():
    assert (
        python("import sys, tapeview.engine; print('numba' in sys.modules, 'llvmlite' in sys.modules)") == "False False"
    )


def test_without_compiling_numba_is_never_imported_and_everything_runs():
    code = """
import sys
from feeds import script
from feeds.instruments import Instrument
from tapeview.engine import Engine, ready, start_background, warm
assert warm() is False
said = []
start_background(said.append).join()
engine = Engine(Instrument(venue="t", symbol="X", tick="1"))
engine.apply(script.events("[ b100:5 a101:3 ] +101:2"))
print("numba" in sys.modules, ready(), said, engine.tape.totals.volume)
"""
    assert python(code, TAPEVIEW_JIT="0") == "False False [False] 2"


def counting_in_loops(function: str) -> list[str]:
    """Calls that count references in a block of LLVM code that can be reached from itself."""
    blocks: dict[str, list[str]] = {"entry": []}
    name = "entry"
    for line in function.splitlines()[1:]:
        if label := re.match(r"([\w.$\-]+):", line):
            name = label[1]
        blocks.setdefault(name, []).append(line)
    onward = {name: re.findall(r"label %\"?([\w.$\-]+)\"?", "\n".join(lines)) for name, lines in blocks.items()}
    found = []
    for name, lines in blocks.items():
        calls = [line for line in lines if re.search(r"call void @NRT_(?:incref|decref)", line)]
        seen, ahead = set(), list(onward[name])
        while calls and ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                ahead += onward.get(at, [])
        if name in seen:
            found += calls
    return found


def check_references(code: str) -> None:
    """Only the outermost kernel may count references, and only before and after its loop."""
    functions = re.split(r"^(?=define )", code, flags=re.MULTILINE)[1:]
    assert len(functions) > 10
    counting = [f for f in functions if re.search(r"call void @NRT_(?:incref|decref)", f)]
    heads = [f.splitlines()[0] for f in counting]
    assert not [head for head in heads if "7advance" not in head and "NRT_" not in head]
    (advance,) = (f for f in functions if re.match(r"define [^\n]*@_ZN8tapeview6engine4core7advance", f))
    assert "label" in advance
    assert not counting_in_loops(advance)


LOOP = """define i32 @_ZN8tapeview6engine4core7advance(ptr %x) {
entry:
  call void @NRT_incref(ptr %x)
  br label %B10
B10:                                              ; preds = %entry, %B20
  br i1 %more, label %B20, label %B30
B20:
  INSIDE
  br label %B10
B30:
  call void @NRT_decref(ptr %x)
  ret i32 0
}
"""


@pytest.mark.parametrize(("inside", "found"), [("call void @NRT_incref(ptr %x)", 1), ("call void @other(ptr %x)", 0)])
def test_the_guard_sees_reference_counts_in_a_loop_only(inside, found):
    assert len(counting_in_loops(LOOP.replace("INSIDE", inside))) == found


def test_kernels_count_no_references(tmp_path):
    """Compiled anew, since what comes from the cache has no code to look at."""
    code = """
import sys
from tapeview.engine import _jit, core, engine
assert _jit.warm()
dispatcher = _jit.twin(core.advance)
sys.stdout.write(dispatcher.inspect_llvm(dispatcher.signatures[0]))
"""
    check_references(python(code, TAPEVIEW_CACHE=str(tmp_path)))


ALL_DTYPES = [FRAME, *(getattr(state, name) for name in dir(state) if isinstance(getattr(state, name), np.dtype))]


@pytest.mark.parametrize("dtype", ALL_DTYPES, ids=lambda dtype: dtype.names[0])
def test_no_field_hides_an_attribute_of_a_record(dtype):
    taken = set(dir(np.record)) | set(dir(np.void))
    assert not taken & set(dtype.names)
    assert not any(name.startswith("_") for name in dtype.names)


@pytest.mark.parametrize("dtype", ALL_DTYPES, ids=lambda dtype: dtype.names[0])
def test_fields_lie_on_their_own_size(dtype):
    """memoryview reads only aligned fields, so a misplaced one would break plain Python."""
    for name in dtype.names:
        kind, offset = dtype.fields[name][:2]
        assert offset % kind.base.itemsize == 0, name
    assert dtype.itemsize % 8 == 0


def test_no_unsigned_64_bit_field_can_turn_a_kernel_to_floats():
    assert not any(dtype[name].base == np.dtype("u8") for dtype in ALL_DTYPES for name in dtype.names)


TOY = """
from tapeview.engine._jit import part


@part
def inner(x):
    return x + 10
"""
OUTER = """
from tapeview.engine._jit import kernel, warmer
from tapeview.engine.inner import inner


@kernel
def outer(x):
    return inner(x) * 2


@warmer
def _warm(run):
    run(outer, 1)
"""


def test_an_edited_kernel_is_never_served_from_a_stale_cache(tmp_path):
    package = toys(tmp_path)
    code = """
from tapeview.engine import _jit, outer
assert _jit.warm()
print(_jit.call(outer.outer, 5), _jit.call_plain(outer.outer, 5), _jit.twin(outer.outer).stats.cache_hits)
"""
    cache = str(tmp_path / "cache")
    assert python(code, tmp_path, TAPEVIEW_CACHE=cache)[:5] == "30 30"
    second = python(code, tmp_path, TAPEVIEW_CACHE=cache)
    assert second.endswith("30 30 " + "{}") or ": 1}" in second
    (package / "inner.py").write_text(TOY.replace("10", "20"))
    assert python(code, tmp_path, TAPEVIEW_CACHE=cache)[:5] == "50 50"


def test_an_entry_is_there_for_types_a_kernel_ran_on_compiled_and_for_no_other(tmp_path):
    toys(tmp_path)
    code = """
from tapeview.engine import _jit, outer
before = _jit.entry(outer.outer, 5)
assert _jit.warm()
run = _jit.entry(outer.outer, 5)
print(before, run(6), run is _jit.entry(outer.outer, 7), _jit.entry(outer.outer, 0.5))
"""
    assert python(code, tmp_path, TAPEVIEW_CACHE=str(tmp_path / "cache")) == "None 32 True None"


def toys(folder: Path) -> Path:
    """A small package of kernels beside a copy of the compiling module."""
    package = folder / "tapeview" / "engine"
    package.mkdir(parents=True)
    (folder / "tapeview" / "__init__.py").touch()
    (package / "__init__.py").write_text("from tapeview.engine import outer\nfrom tapeview.engine._jit import warm\n")
    shutil.copy(ROOT / "tapeview/engine/_jit.py", package)
    (package / "inner.py").write_text(TOY)
    (package / "outer.py").write_text(OUTER)
    return package


def test_compiling_in_the_background_fills_the_cache_in_a_child_and_then_loads(tmp_path):
    toys(tmp_path)
    code = """
import sys
from tapeview.engine import _jit, outer
before = _jit.call(outer.outer, 5), _jit.ready(), "numba" in sys.modules
said = []
_jit.start_background(said.append).join()
hits = sum(_jit.twin(outer.outer).stats.cache_hits.values())
print(before, said, _jit.call(outer.outer, 5), _jit.ready(), hits, repr(_jit.failure()))
"""
    want = "(30, False, False) [True] 30 True 1 ''"
    assert python(code, tmp_path, TAPEVIEW_CACHE=str(tmp_path / "cache")) == want
    assert list((tmp_path / "cache").rglob("complete"))


def test_a_compiler_that_fails_leaves_plain_python_and_says_why(tmp_path):
    package = toys(tmp_path)
    (package / "inner.py").write_text(TOY.replace("x + 10", "undefined_name + x if x > 99 else x + 10"))
    code = """
from tapeview.engine import _jit, outer
said = []
_jit.start_background(said.append).join()
print(said, _jit.ready(), _jit.call(outer.outer, 5), _jit.failure())
"""
    said = python(code, tmp_path, TAPEVIEW_CACHE=str(tmp_path / "cache"))
    assert said.startswith("[False] False 30 kernels could not be compiled, plain Python goes on")


def test_kernels_of_other_versions_unused_for_a_month_are_removed_in_the_background(tmp_path):
    toys(tmp_path)
    cache = tmp_path / "cache"
    days = {"kernels-old": 31, "kernels-new": 29, "kernels-broken-off": 31, "kernels-under-way": 1, "converted": 99}
    now = time.time()
    for name, age in days.items():
        folder = cache / name
        folder.mkdir(parents=True)
        (folder / "outer.nbi").touch()
        mark = folder / "complete" if name in ("kernels-old", "kernels-new") else folder
        mark.touch()
        os.utime(mark, (now - age * 86_400,) * 2)
    code = """
import os
from tapeview.engine import _jit, outer
_jit.start_background().join()
own = _jit.cache_folder() / "complete"
os.utime(own, (0, 0))
before = sorted(p.name for p in own.parent.parent.iterdir() if p.name != own.parent.name)
_jit._forget_unused()
print(_jit.ready(), before, own.exists(), repr(_jit.failure()))
"""
    said = python(code, tmp_path, TAPEVIEW_CACHE=str(cache))
    assert said == "True ['converted', 'kernels-new', 'kernels-under-way'] True ''"


def test_an_unwritable_cache_only_costs_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    toys(tmp_path)
    code = "from tapeview.engine import _jit, outer\nprint(_jit.warm(), _jit.call(outer.outer, 5))"
    assert python(code, tmp_path, TAPEVIEW_CACHE=str(blocked)) == "True 30"


def test_a_part_is_refused_where_a_kernel_is_asked_for():
    with pytest.raises(TypeError, match="next_below"):
        _jit.call(book.next_below, 1, 2, 3)


WORDS = [0, 1, 2, 3, 2**40, 2**62, 2**63 - 1, -(2**63), -1, -2, 0x5555_5555_5555_5555]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("place", [0, 1, 31, 32, 62, 63])
def test_bits_of_words_are_the_same_compiled_and_plain(word, place):
    twins = {f: _jit.twin(f) for f in (_jit.with_bit, _jit.without_bit, _jit.low_bit, _jit.high_bit)}
    word64 = np.int64(word)
    assert twins[_jit.with_bit](word64, place) == _jit.with_bit(word, place)
    assert twins[_jit.without_bit](word64, place) == _jit.without_bit(word, place)
    if word:
        assert twins[_jit.low_bit](word64) == _jit.low_bit(word)
        assert twins[_jit.high_bit](word64) == _jit.high_bit(word)


def test_every_kernel_is_compiled_by_some_warmer_and_the_engines_run_first():
    code = """
import tapeview.watch
from tapeview.engine import _jit, engine
ran = []
for warmer in _jit._warmers:
    warmer(lambda kernel, *args: ran.append(kernel))
left = [k.__name__ for k in _jit._kernels if k not in ran and k not in _jit._parts]
print(left, _jit._warmers[0] is engine._warm)
"""
    assert python(code, TAPEVIEW_JIT="0") == "[] True"
