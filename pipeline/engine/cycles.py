"""A process -> one whose collector of reference cycles seldom runs.

The libraries that are imported here are a million objects, none of which will ever be garbage. Python walks them all again and
again while they are imported, and once more when the process ends: a fifth of a short run.
"""

import atexit
import gc

SELDOM = 200_000  # objects made and not yet gone before the collector looks at the young ones; Python's own is 700
"""A short run imports fewer: at 20,000 or 100,000 the collector walked them, in 0.04 s of 1.5."""


def seldom() -> None:
    """Let the collector run seldom, and not at the end, where all goes anyway."""
    if gc.get_threshold()[0] != SELDOM:
        gc.set_threshold(SELDOM, 50, 100)
        atexit.register(gc.freeze)


def settle() -> None:
    """Take what is there now for what will stay: the collector passes over it from here on."""
    gc.freeze()
