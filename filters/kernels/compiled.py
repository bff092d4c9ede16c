"""Compiled functions: Python -> machine code by numba, kept on the disk between runs.

numba knows a kept function by its own file's time and size. It does not see that a function inlined into it, from another
file, has changed, and a wheel gives all files one time. So the name under which a function is kept holds a hash of every source
that it may be made of.

To load a kept function takes two milliseconds. Before the first one numba would learn all that it may ever be asked to compile,
which takes 0.1 s; here it does when there is something to compile.

    kernel    a function that Python calls with arrays
    part      a function that becomes a part of the kernels which call it
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba as nb
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

Function = TypeVar("Function", bound=Callable[..., Any])

SHARED = Path(__file__).parent


class Kept(FunctionCache):  # type: ignore[misc]  # numba carries no types
    """Machine code on the disk, which is loaded as it is."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401  numba's signature
        """Return what is kept for some types, or None."""
        rtsys.initialize(target_context)  # memory for arrays, which is all that loaded code asks of numba
        return self._load_overload(sig, target_context)


def kernel(function: Function) -> Function:
    """Compile a function when it is first called: without the GIL, kept on the disk."""
    function.__qualname__ = f"{function.__qualname__}_{sources(Path(inspect.getfile(function)))}"
    compiled = nb.njit(nogil=True)(function)
    compiled._cache = Kept(function)  # as its `enable_caching` does, with numba's own
    return cast(Function, compiled)


def part(function: Function) -> Function:
    """Compile a function into every kernel that calls it: a call would count references to each array, up and down again.

    Those counts cost more than the work of a function called for each byte or word. A part counts none, so it can neither make
    arrays nor give them back.
    """
    return cast(Function, nb.njit(nogil=True, forceinline=True, _nrt=False)(function))


def sources(file: Path) -> str:
    """Return 12 hex digits that change when a source does which kernels of a file may be made of.

    These are the shared kernels and the file's own package with all below it; for a filter that is one file, that file.
    """
    own = file if file.parent == SHARED.parent else file.parent
    return hashlib.sha256(_digest(own) + _digest(SHARED)).hexdigest()[:12]


@cache
def _digest(place: Path) -> bytes:
    """Hash a source, or all those of a folder."""
    content = hashlib.sha256()
    for source in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        content.update(source.read_bytes())
    return content.digest()
