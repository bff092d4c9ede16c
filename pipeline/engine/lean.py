"""Compiled libraries -> the same, without the packages that they import unasked.

At its first array pyarrow imports pandas, where there is one, to know a Series when it sees it: 0.4 s a process. At its first
compiled function numba looks through all packages for those that extend it, and imports them: awkward, which gigatoken brings
and nobody here uses, another 0.3 s; it imports cffi, to know a function of C when it sees one; and PyYAML, for a file of
settings: 0.05 s together. A process that is told here does without them, until somebody imports one himself.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

import pyarrow as pa

UNASKED = ("cffi", "pandas", "yaml")


class _Hidden(MetaPathFinder):
    """Says that packages are not there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        """Find nothing; raises `ModuleNotFoundError` for what is hidden."""
        if name in UNASKED:
            raise ModuleNotFoundError(name)


class _Watched(MetaPathFinder):
    """Tells pyarrow of pandas as soon as somebody imports it: before that there is no Series to know."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find pandas, once."""
        if name != "pandas":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_tell(module: ModuleType) -> None:
                run(module)
                pa.array([0]).to_pandas()

            spec.loader.exec_module = run_and_tell  # type: ignore[method-assign]
        return spec


@cache
def lean() -> None:
    """Let pyarrow and numba make sure now, once, that there is nothing to import, where it has not been imported yet.

    Meanwhile nobody in this process can import any of it: it is done before there are threads.
    """
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    if "pandas" not in sys.modules and not any(isinstance(finder, _Watched) for finder in sys.meta_path):
        sys.meta_path.insert(1, _Watched())
        pa.array([])
    import numba.core.entrypoints
    import numba.core.typing.cffi_utils

    numba.core.entrypoints._already_initialized = True  # it has looked for packages that extend it
    sys.meta_path.remove(hidden)
