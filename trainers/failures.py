"""What libraries and disks raise while a model is made, trained and written -> one clear line that says what to do."""

import contextlib
import os
from collections.abc import Iterator
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


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what the disk refused and where; raises `StoreError`. Not to be put around what reads."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else reason(error)
        raise StoreError(
            f"{place}: cannot write ({why}). Mend that or choose another --store, and run the same command again: "
            f"this training begins anew."
        ) from error


@contextlib.contextmanager
def enough_memory(micro_batch_size: int, longest: int) -> Iterator[None]:
    """Say what to make smaller where the card's memory is too small for batches of rows; raises `TrainingError`."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the card's memory does not hold batches of {micro_batch_size} x {longest:,} tokens ({_first_sentence(error)}). "
            f"Lower micro_batch_size and raise gradient_accumulation_steps, or tokenize with a lower sequence_length. "
            f"Of this training nothing is kept; the token rows are."
        ) from error


def _first_sentence(error: Exception) -> str:
    return reason(error).partition(". ")[0]
