"""The one owner of numba: marks kernels, compiles them when asked, and runs them as plain Python until then.

A kernel is an ordinary function. `call` runs its compiled twin once `warm` or `start_background` has made the
twins, and the function itself before; both read the same arrays and write the same bytes. numba is imported by
nothing else and by nothing at import time. The cache folder is named by the digest of every kernel file, because
numba's own cache looks at one file only and would go on running an old callee.

Environment: TAPEVIEW_JIT=0 never compiles, TAPEVIEW_CACHE names the folder for caches, TAPEVIEW_BOUNDSCHECK=1
compiles with index checks.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])
_M64: Final = 2**64 - 1
_UNUSED_S: Final = 30 * 86_400
"""Compiled kernels of another version that nobody has loaded for so long are removed."""

_kernels: list[Callable[..., Any]] = []
_inlined: list[Callable[..., Any]] = []
_parts: set[Callable[..., Any]] = set()
_tables: dict[Callable[..., Any], tuple[str, np.dtype[Any]]] = {}
_warmers: list[Callable[[Callable[..., Any]], None]] = []
_warmed: list[Callable[[Callable[..., Any]], None]] = []
_made: dict[Callable[..., Any], Any] = {}
"""Every twin there is, most of them not compiled yet."""
_twins: dict[Callable[..., Any], Any] = {}
"""Twins that are compiled, which `call` runs."""
_entries: dict[tuple[Any, ...], Callable[..., Any]] = {}
_failure: str = ""
_lock: Final = threading.Lock()


def kernel(function: _Function) -> _Function:
    """Mark a function to be compiled, run through `call` and kept in the cache; give it back as it is.

    A kernel takes arrays and integers, allocates nothing, and may call kernels and parts defined before it.
    """
    _kernels.append(function)
    return function


def part(function: _Function) -> _Function:
    """Mark a function that only kernels call."""
    _parts.add(function)
    return kernel(function)


def inlined(function: _Function) -> _Function:
    """Mark a part on the path of every event, to be compiled into each of its callers."""
    _inlined.append(function)
    return part(function)


def warmer(function: Callable[[Callable[..., Any]], None]) -> Callable[[Callable[..., Any]], None]:
    """Mark a function that runs kernels once with the types they will meet, through the runner it is given."""
    _warmers.append(function)
    return function


def table(name: str, dtype: np.dtype[Any]) -> Callable[[Any, int], Any]:
    """Make the accessor of a table: `row(s, slot)` gives a row to read and write.

    The state record `s` holds the table's address in `<name>_at` and its length in `<name>_slots`; whoever puts
    them there keeps the array alive. Kernels so need no array arguments, whose reference counts cost more than
    the work.
    """

    def row(s: Any, slot: int) -> Any:
        return s.table(name, dtype)[slot]

    _tables[row] = (name, dtype)
    return row


# -- bits of a 64-bit word held in an int64 -------------------------------------------------------


@part
def low_bit(word: int) -> int:
    """Give the place of the lowest set bit of a word that is not 0."""
    word &= _M64
    return (word & -word).bit_length() - 1


@part
def high_bit(word: int) -> int:
    """Give the place of the highest set bit of a word that is not 0."""
    return (word & _M64).bit_length() - 1


@part
def with_bit(word: int, place: int) -> int:
    """Set one bit."""
    word = (word & _M64) | (1 << place)
    return word - 2**64 if word >= 2**63 else word


@part
def without_bit(word: int, place: int) -> int:
    """Clear one bit."""
    word = (word & _M64) & ~(1 << place)
    return word - 2**64 if word >= 2**63 else word


def _bit_twins(numba: Any, options: dict[str, Any]) -> dict[Callable[..., Any], Any]:
    from llvmlite import ir
    from numba.core import types as nb
    from numba.extending import intrinsic

    def counting(method: str) -> Any:
        def made(_context: Any, _word: Any) -> Any:
            def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
                return getattr(builder, method)(args[0], ir.Constant(ir.IntType(1), 1))

            return nb.int64(nb.int64), codegen

        return intrinsic(made)

    trailing, leading = counting("cttz"), counting("ctlz")

    def lowest(word: int) -> Any:
        return trailing(word)

    def highest(word: int) -> Any:
        return 63 - leading(word)

    def put(word: int, place: int) -> int:
        return word | (1 << place)

    def take(word: int, place: int) -> int:
        return word & ~(1 << place)

    pairs: tuple[tuple[Callable[..., Any], Any], ...] = (
        (low_bit, lowest), (high_bit, highest), (with_bit, put), (without_bit, take),
    )  # fmt: skip
    return {function: numba.njit(**options)(native) for function, native in pairs}


def _table_twins(numba: Any) -> dict[Callable[..., Any], Any]:
    from llvmlite import ir
    from numba.core import types as nb
    from numba.extending import intrinsic

    def accessor(name: str, dtype: np.dtype[Any]) -> Any:
        row_type = numba.from_dtype(dtype)
        size = ir.Constant(ir.IntType(64), dtype.itemsize)

        def made(_context: Any, s: Any, _slot: Any) -> Any:
            field = s.fields[f"{name}_at"]

            def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
                word = ir.IntType(64)
                raw = builder.bitcast(args[0], ir.IntType(8).as_pointer())
                place = builder.gep(raw, [ir.Constant(word, field.offset)])
                address = builder.load(builder.bitcast(place, word.as_pointer()))
                address = builder.add(address, builder.mul(args[1], size))
                return builder.inttoptr(address, context.get_value_type(row_type))

            return row_type(s, nb.int64), codegen

        return intrinsic(made)

    return {function: accessor(name, dtype) for function, (name, dtype) in _tables.items()}


# -- compiling ------------------------------------------------------------------------------------


def wanted() -> bool:
    """Say whether kernels may be compiled at all in this process."""
    return os.environ.get("TAPEVIEW_JIT", "1") != "0"


def ready() -> bool:
    """Say whether kernels run compiled from now on."""
    return bool(_twins)


def failure() -> str:
    """Say in one sentence why kernels stay plain Python though they should not; empty while all is well."""
    return _failure


def cache_folder() -> Path:
    """Name the folder that holds compiled kernels of exactly this source, numba, numpy and Python."""
    from importlib.metadata import version

    base = os.environ.get("TAPEVIEW_CACHE")
    if base is None:
        import platformdirs

        base = platformdirs.user_cache_dir("tapeview", appauthor=False)
    engine = Path(__file__).parent
    events = sys.modules.get("feeds.events")
    package = engine.parent
    desk = (package / "desk" / f"{name}.py" for name in ("follow", "queue", "trailing"))
    files = sorted([*engine.glob("*.py"), *(package / "detectors").glob("*.py"), *filter(Path.exists, desk)])
    if events is not None and events.__file__:
        files.append(Path(events.__file__))
    digest = hashlib.blake2b(digest_size=12)
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    digest.update(
        f"{version('numba')} {version('numpy')} {sys.version} {os.environ.get('TAPEVIEW_BOUNDSCHECK')}".encode()
    )
    return Path(base) / f"kernels-{digest.hexdigest()}"


def cached() -> bool:
    """Say whether every kernel known to this process only needs to be loaded."""
    folder = cache_folder()
    return all((folder / _mark(function)).exists() for function in _warmers)


def _mark(function: Callable[..., Any]) -> str:
    module = function.__module__
    return "complete" if module.startswith("tapeview.engine.") else f"complete-{module.rpartition('.')[2]}"


def warm(progress: Callable[[str], None] | None = None, only: Callable[..., Any] | None = None) -> bool:
    """Compile every kernel (or those of one warmer), or load it from the cache; give whether kernels now run compiled.

    The first time on a machine takes some 15 s for the engine and 80 s for the detectors, after that a few tenths of
    a second. The engine runs compiled as soon as it can. Does nothing under TAPEVIEW_JIT=0.
    """
    global _failure
    if not wanted():
        return False
    with _lock:
        wanted_ones = _warmers if only is None else [only]
        todo = [function for function in wanted_ones if function not in _warmed]
        if _twins and not todo:
            return True
        try:
            if progress is not None:
                progress("preparing kernels")
            _made.update(_make_twins())
            folder = cache_folder()
            for function in todo:
                if progress is not None:
                    progress(f"compiling {function.__module__.rpartition('.')[2]}")
                ran: dict[Callable[..., Any], Any] = {}

                def run(kernel: Callable[..., Any], *args: Any, ran: dict[Callable[..., Any], Any] = ran) -> Any:
                    ran[kernel] = _made[kernel]
                    return ran[kernel](*args)

                function(run)
                if folder.is_dir():
                    (folder / _mark(function)).touch()
                _warmed.append(function)
                _twins.update(ran)
        except Exception as error:
            _failure = f"kernels could not be compiled, plain Python goes on: {type(error).__name__}: {error}"
            raise
    return True


def _make_twins() -> dict[Callable[..., Any], Any]:
    import numba

    folder = cache_folder()
    caching = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        caching = os.access(folder, os.W_OK)
    except OSError:
        caching = False
    numba.config.CACHE_DIR = str(folder) if caching else ""  # type: ignore[attr-defined]
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "boundscheck": os.environ.get("TAPEVIEW_BOUNDSCHECK") == "1",
    }
    twins = dict(_made) or _bit_twins(numba, options)
    twins |= {function: made for function, made in _table_twins(numba).items() if function not in twins}
    for function in _kernels:
        if function in twins:
            continue
        # Kernels see each other's twins through a copy of their globals; the plain ones stay as they are.
        names = {}
        for name, value in function.__globals__.items():
            names[name] = twins.get(value, value) if isinstance(value, types.FunctionType) else value
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        copy.__module__ = function.__module__
        copy.__qualname__ = function.__qualname__
        if function in _parts:
            # Called by compiled code only: no wrappers, which take as long to compile as the part itself.
            bare: dict[str, Any] = {
                "no_cpython_wrapper": True,
                "no_cfunc_wrapper": True,
                "forceinline": function in _inlined,
            }
            twins[function] = numba.njit(**options, **bare)(copy)
        else:
            twins[function] = numba.njit(cache=caching, **options)(copy)
    return twins


def start_background(on_ready: Callable[[bool], None] | None = None) -> threading.Thread:
    """Make kernels compiled without holding up the caller; `on_ready(compiled)` is called from the thread.

    Where the cache is empty a child process at low priority fills it first, so that this process only loads.
    """
    thread = threading.Thread(target=_background, args=(on_ready,), name="kernels", daemon=True)
    thread.start()
    return thread


def _background(on_ready: Callable[[bool], None] | None) -> None:
    global _failure
    done = False
    try:
        if wanted():
            for function in tuple(_warmers):
                if not (cache_folder() / _mark(function)).exists():
                    _compile_in_child(function.__module__)
                done = warm(only=function)
            _forget_unused()
    except Exception as error:
        _failure = _failure or f"kernels could not be compiled, plain Python goes on: {error}"
    if on_ready is not None:
        on_ready(done)


def _forget_unused() -> None:
    present, oldest = cache_folder(), time.time() - _UNUSED_S
    for folder in present.parent.glob("kernels-*"):
        mark = folder / "complete"
        with contextlib.suppress(OSError):
            # Without the mark it was never finished: its own time then says when that was given up.
            if folder != present and (mark if mark.exists() else folder).stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _compile_in_child(module: str) -> None:
    code = f"import os, tapeview.engine, {module}\nif hasattr(os, 'nice'): os.nice(10)\ntapeview.engine.warm()"
    path = [str(Path(__file__).parents[2]), *(part for part in sys.path if part)]
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    ) as child:
        atexit.register(child.kill)
        try:
            _, said = child.communicate()
        finally:
            atexit.unregister(child.kill)
        if child.returncode:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise RuntimeError(f"the compiling process ended with code {child.returncode}: {last}")


def twin(function: Callable[..., Any]) -> Any:
    """Give the twin of a kernel (a numba dispatcher), for looking into what was compiled."""
    return _made[function]


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Run a kernel: compiled where the twins are there, else as plain Python on the same arrays."""
    compiled = _twins.get(function)
    if compiled is not None:
        return compiled(*args)
    if _twins and function in _parts:
        raise TypeError(f"{function.__name__} is a part of kernels and not run by itself")
    return call_plain(function, *args)


def entry(function: Callable[..., Any], *args: Any) -> Callable[..., Any] | None:
    """Give what runs a kernel on arguments of the very types of these; None unless `call` has run it compiled on such.

    `call` looks at the types of all arguments each time, which costs as much as a small kernel. Whoever keeps this
    answers for handing over nothing else.
    """
    compiled = _twins.get(function)
    if compiled is None:
        return None
    key = (compiled, *(_kind(arg) for arg in args))
    found = _entries.get(key)
    if found is None:
        made = compiled.overloads.get(tuple(compiled.typeof_pyval(arg) for arg in args))
        if made is not None:
            found = _entries[key] = made.entry_point
    return found


def _kind(arg: Any) -> Any:
    if not isinstance(arg, np.ndarray):
        return type(arg)
    flags = arg.flags
    return arg.dtype, arg.ndim, flags.c_contiguous, flags.writeable, flags.aligned


# -- plain Python ---------------------------------------------------------------------------------


def call_plain(function: Callable[..., Any], *args: Any) -> Any:
    """Run a kernel as plain Python: arrays are handed over as views that give Python integers."""
    seen = [_plain(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    try:
        return function(*seen)
    finally:
        for view in seen:
            if isinstance(view, _Record):
                view.flush()


def _plain(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.names is None:
        return array.data
    if any(array.dtype[name].subdtype for name in array.dtype.names):
        return _Record(array)
    if not array.flags.writeable and not array[array.dtype.names[0]].flags.aligned:
        array = array.copy()  # a memory view reads aligned fields only
    return _Rows(array)


class _Fields:
    """The scalars of a state record as plain attributes, its inner arrays as memory views."""

    def table(self, name: str, dtype: np.dtype[Any]) -> _Rows:
        rows = self.__dict__.get(name + "_rows")
        if rows is None:
            length = getattr(self, name + "_slots")
            memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(getattr(self, name + "_at"))
            rows = _Rows(np.frombuffer(memory, dtype))
            setattr(self, name + "_rows", rows)
        return rows


class _Record:
    """A one-row array with inner arrays; `[0]` gives its fields, which `flush` writes back."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array
        self._fields = fields = _Fields()
        self._scalars = []
        for name in array.dtype.names or ():
            if array.dtype[name].subdtype:
                setattr(fields, name, array[name][0].data)
            else:
                setattr(fields, name, array[name][0].item())
                self._scalars.append(name)

    def __getitem__(self, at: int) -> _Fields:
        return self._fields

    def flush(self) -> None:
        row, fields = self._array, self._fields
        for name in self._scalars:
            row[name][0] = getattr(fields, name)


class _Row:
    """One row of a table: attributes read and write through."""

    __slots__ = ("_at", "_columns")

    def __init__(self, columns: tuple[memoryview, ...], at: int) -> None:
        self._columns = columns
        self._at = at


_row_types: dict[np.dtype[Any], type[_Row]] = {}


def _row_type(dtype: np.dtype[Any]) -> type[_Row]:
    made = _row_types.get(dtype)
    if made is None:
        body: dict[str, Any] = {"__slots__": ()}
        for n, name in enumerate(dtype.names or ()):
            body[name] = _field(n)
        made = _row_types[dtype] = type("Row", (_Row,), body)
    return made


def _field(n: int) -> property:
    def read(row: _Row) -> Any:
        return row._columns[n][row._at]

    def write(row: _Row, value: Any) -> None:
        row._columns[n][row._at] = value

    return property(read, write)


class _Rows:
    """A table of records without inner arrays."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._columns = tuple(array[name].data for name in array.dtype.names or ())
        self._type = _row_type(array.dtype)
        self._length = len(array)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: int) -> _Row:
        if not 0 <= at < self._length:
            raise IndexError(f"row {at} of {self._length}")
        return self._type(self._columns, at)

    def __iter__(self) -> Iterator[_Row]:
        for at in range(self._length):
            yield self._type(self._columns, at)
