"""Imported first by the process that workers are forked from, so that none of them does this anew."""

from pipeline.engine.cycles import seldom


def _preload() -> None:
    seldom()
    from numba.core.registry import cpu_target

    from pipeline.engine.lean import lean

    lean()
    cpu_target.typing_context.refresh()  # what numba does at its first compiled function, 0.4 s
    cpu_target.target_context.refresh()


_preload()
