"""A tokenize artifact -> its rows and its tokenizer, as training takes them; what is damaged is named."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact
from pipeline.errors import BrokenArtifact

if TYPE_CHECKING:
    from datasets import DatasetDict


def tokens_of(parent: Artifact) -> "DatasetDict":
    """Open the rows of an artifact; raises `BrokenArtifact`."""
    from datasets import load_from_disk

    with _reading(parent, "tokens") as folder:
        return load_from_disk(folder)


def tokenizer_of(parent: Artifact) -> Any:  # noqa: ANN401  a transformers tokenizer
    """Load the tokenizer of an artifact; raises `BrokenArtifact`."""
    from transformers import AutoTokenizer

    with _reading(parent, "tokenizer") as folder:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@contextlib.contextmanager
def _reading(parent: Artifact, part: str) -> Iterator[str]:
    """Give the folder of a part, and name it where it is damaged or gone; raises `BrokenArtifact`."""
    folder = parent.path / part
    try:
        yield os.fspath(folder)
    except Exception as error:  # what comes depends on the file that is broken, down to bare Exception
        why = " ".join(str(error).split()) if folder.is_dir() else "no such folder"
        raise BrokenArtifact(f"{folder}: cannot be read ({why}). `prep verify {parent.ref}` lists what is broken.") from error
