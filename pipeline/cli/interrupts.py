"""Ctrl-C -> the end of the command in a second or two, whatever it is at.

Python hears of a signal only between two of its own steps. A library that trains a tokenizer, or waits for a cluster, may take
minutes for one of them; so a thread hears of it as well and, where the command has not ended in time, ends the process. That is
safe at any moment: a run that is killed goes on where it stood.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

INTERRUPTED = "interrupted. Finished shards are kept: run the same command again to go on."
EXIT_CODE = 130
PATIENCE = 1.5  # seconds for the command to end by itself
SHOW_CURSOR = "\x1b[?25h"  # which a progress bar has hidden


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a block, or the whole process where the block has not ended after `PATIENCE`."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's business
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before, ended = signal.set_wakeup_fd(told, warn_on_full_buffer=False), threading.Event()
    listener = threading.Thread(target=_listen, args=(heard, ended), daemon=True)
    listener.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        os.close(told)
        listener.join()


def _listen(heard: int, ended: threading.Event) -> None:
    """Wait for the byte that stands for Ctrl-C; when the block has ended, the pipe is closed."""
    with open(heard, "rb", buffering=0) as signals:
        while byte := signals.read(1):
            if byte[0] == signal.SIGINT and not ended.wait(PATIENCE):
                shown = SHOW_CURSOR if sys.stderr.isatty() else ""
                os.write(2, f"{shown}\nError: {INTERRUPTED}\n".encode())
                os._exit(EXIT_CODE)
