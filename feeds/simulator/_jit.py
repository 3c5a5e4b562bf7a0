"""The one owner of numba below feeds: marks the market's kernels, compiles them when they first run.

A kernel is an ordinary function over one state record. `call` runs its compiled twin, or, under TAPEVIEW_JIT=0, the
function itself over the same bytes; both write the same ones, because kernels use nothing but integers below 2**63.
numba is imported by the first `call` and by nothing at import time. Compiled kernels are kept in a folder named by the
digest of the bytecode of all of them and of every constant they name: numba's own cache looks at one file only and
would go on running an old callee.

Environment: TAPEVIEW_JIT=0 never compiles, TAPEVIEW_CACHE names the folder for caches, TAPEVIEW_BOUNDSCHECK=1
compiles with index checks.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])

_kernels: list[Callable[..., Any]] = []
_parts: set[Callable[..., Any]] = set()
_twins: dict[Callable[..., Any], Any] = {}
_lock: Final = threading.Lock()


def kernel(function: _Function) -> _Function:
    """Mark a function to be compiled, run through `call` and kept in the cache; give it back as it is.

    Its first argument is the state record's array; it may call parts and allocates nothing.
    """
    _kernels.append(function)
    return function


def part(function: _Function) -> _Function:
    """Mark a function that only kernels call; its first argument is the state record itself."""
    _parts.add(function)
    return kernel(function)


def wanted() -> bool:
    """Say whether kernels may be compiled at all in this process."""
    return os.environ.get("TAPEVIEW_JIT", "1") != "0"


def cache_folder() -> Path:
    """Name the folder that holds compiled kernels of exactly these functions, numba, numpy and Python."""
    from importlib.metadata import version

    base = os.environ.get("TAPEVIEW_CACHE")
    if base is None:
        import platformdirs

        base = platformdirs.user_cache_dir("tapeview", appauthor=False)
    digest = hashlib.blake2b(_meaning(), digest_size=12)
    digest.update(
        f"{version('numba')} {version('numpy')} {sys.version} {os.environ.get('TAPEVIEW_BOUNDSCHECK')}".encode()
    )
    return Path(base) / f"simulator-{digest.hexdigest()}"


def _meaning() -> bytes:
    """Everything that compiled code depends on: the bytecode of all kernels of the package, and what they name."""
    told: list[str] = [repr(_state_type())]
    for function in _kernels:
        if not function.__module__.startswith(__package__):
            continue
        code = function.__code__
        told.append(f"{function.__module__}.{function.__qualname__} {code.co_code!r} {code.co_consts!r}")
        for name in code.co_names:
            value = function.__globals__.get(name)
            told.append(f"{name}={value.__module__ if callable(value) else value!r}")
    return "\n".join(told).encode()


def _state_type() -> np.dtype[Any]:
    from feeds.simulator.state import STATE

    return STATE


def call(function: Callable[..., Any], state: np.ndarray[Any, Any], *args: int) -> Any:
    """Run a kernel over the one-row state array: compiled, or as plain Python under TAPEVIEW_JIT=0."""
    if not wanted():
        return call_plain(function, state, *args)
    compiled = _twins.get(function)
    if compiled is None:
        with _lock:
            _make_twins()
        compiled = _twins[function]
    return compiled(state, *args)


def call_plain(function: Callable[..., Any], state: np.ndarray[Any, Any], *args: int) -> Any:
    """Run a kernel as plain Python: the state is handed over as Python integers and memory views."""
    seen = _Record(state)
    try:
        return function(seen, *args)
    finally:
        seen.flush()


def _make_twins() -> None:
    import numba

    cache = _cache_class()
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "boundscheck": os.environ.get("TAPEVIEW_BOUNDSCHECK") == "1",
    }
    # Kernels see each other's twins through a copy of their globals, made when all twins are there and read by numba
    # when one first runs; the plain ones stay as they are.
    made: list[tuple[dict[str, Any], Callable[..., Any]]] = []
    for function in _kernels:
        if function in _twins:
            continue
        names: dict[str, Any] = {}
        made.append((names, function))
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        copy.__module__ = function.__module__
        copy.__qualname__ = function.__qualname__
        if function in _parts:
            # Called by compiled code only: no wrappers, which take as long to compile as the part itself.
            bare: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
            _twins[function] = _once(numba.njit(**options, **bare)(copy))
            continue
        twin = numba.njit(**options)(copy)
        if cache is not None:
            # numba's switch for the folder is one for the whole process, and another thread may be at it.
            twin._cache = cache(copy)
        _twins[function] = twin
    for names, function in made:
        for name, value in function.__globals__.items():
            names[name] = _twins.get(value, value) if isinstance(value, types.FunctionType) else value


def _once(twin: Any) -> Any:
    """Compile a part once for all constants: left alone numba makes one for each it is called with."""
    from numba.core import types as nb

    original = twin.get_call_template

    def template(args: Any, kws: Any) -> Any:
        return original(tuple(nb.int64 if isinstance(arg, nb.Integer) else arg for arg in args), kws)

    twin.get_call_template = template
    return twin


def _cache_class() -> Any:
    from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None

    class Locator(_CacheLocator):
        def __init__(self, py_file: str) -> None:
            self._py_file = py_file

        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return folder.name

        def get_disambiguator(self) -> str:
            return "kernel"

        @classmethod
        def from_function(cls, _py_func: Any, py_file: str) -> Locator:
            return cls(py_file)

    class Impl(CompileResultCacheImpl):
        _locator_classes: list[Any] = [Locator]  # noqa: RUF012 - numba's own form

    class KernelCache(FunctionCache):
        _impl_class = Impl

    return KernelCache


def twin(function: Callable[..., Any]) -> Any:
    """Give the compiled twin of a kernel (a numba dispatcher), for looking into what was compiled."""
    return _twins[function]


class _Fields:
    """The scalars of the state record as plain attributes, its inner arrays as memory views."""


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
