"""What libraries and disks raise while a model is made, trained and written -> one clear line that says what to do."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import StoreError, TrainingError


def reason(error: Exception) -> str:
    """Return an error's text in one line, or its kind where it has none.

    >>> reason(ValueError("The validator says:\\n    64 is no multiple of 3."))
    'The validator says: 64 is no multiple of 3'
    >>> reason(KeyError("gelu9"))
    "KeyError: 'gelu9'"
    """
    words = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {words}" if isinstance(error, LookupError) else words or type(error).__name__


class Diverged(TrainingError):  # noqa: N818  the name says the error
    """A loss or a gradient is no number any more."""

    def __init__(self, what: str, value: float, step: int, learning_rate: float) -> None:
        super().__init__(
            f"{what} is {value} at step {step} (learning rate {learning_rate:.2e}), so training stopped; its last good "
            f"checkpoint is kept in the draft. Lower learning_rate or max_grad_norm, or raise warmup_ratio."
        )


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what the disk refused and where; raises `StoreError`. Not to be put around what reads."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # torch has no kind of its own for what the writer of its files, inline_container.cc, raises
        why = (
            os.strerror(error.errno)
            if isinstance(error, OSError) and error.errno
            else f"the disk is full or failing: {reason(error)}"
        )
        raise StoreError(
            f"{place}: cannot write ({why}). Mend that or choose another --store, and run the same command again: "
            f"training goes on from its last checkpoint."
        ) from error


@contextlib.contextmanager
def enough_memory(micro_batch_size: int, longest: int, what_helps: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Say what to make smaller where the memory is too small for batches of rows; raises `TrainingError`.

    `what_helps` is asked only then, for sentences with figures.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError; the CPU has none of its own
        if not (isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error)):
            raise
        figures = what_helps()
        raise TrainingError(
            f"the memory does not hold batches of {micro_batch_size} x {longest:,} tokens ({_first_sentence(error)}). "
            f"Lower micro_batch_size and raise gradient_accumulation_steps, set gradient_checkpointing: true, or tokenize with "
            f"a lower sequence_length. That is another training, which begins anew; the token rows are kept."
            f"{figures and f' {figures}'}"
        ) from error


def _first_sentence(error: Exception) -> str:
    return reason(error).partition(". ")[0]
