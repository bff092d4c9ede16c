"""Imported first by the process that workers are forked from, so that none of them does this anew."""

from pipeline.engine.cycles import seldom


def _preload() -> None:
    seldom()
    from pipeline.engine.lean import lean

    lean()
    import numba.np.arraymath  # noqa: F401  what most compiled functions ask for when they are loaded
    from numba.core.registry import cpu_target
    from numba.core.runtime import rtsys

    rtsys.initialize(cpu_target.target_context)  # what numba does at the first of them


_preload()
