"""Compiled functions: Python -> machine code by numba, kept on the disk between runs.

numba knows a kept function by its own file's time and size. It does not see that a function inlined into it, from another
file, has changed, and a wheel gives all files one time. So the name under which a function is kept holds a hash of every source
file in its folder.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba as nb

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function when it is first called: without the GIL, kept on the disk."""
    folder = Path(inspect.getfile(function)).parent
    function.__qualname__ = f"{function.__qualname__}_{sources(folder)}"
    return cast(Function, nb.njit(nogil=True, cache=True)(function))


@cache
def sources(folder: Path) -> str:
    """Return 12 hex digits that change when a Python file in a folder does."""
    content = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        content.update(file.read_bytes())
    return content.hexdigest()[:12]
