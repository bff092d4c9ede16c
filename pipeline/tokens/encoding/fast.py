"""A tokenizer's description -> gigatoken's encoder of it, or the reason why there is none.

gigatoken reads the same `tokenizer.json`. It finds the ids of byte-level BPE 50 to 150 times sooner than `tokenizers`, those of
BPE in SentencePiece's manner 10 times. What it does not know it refuses, what it passes over is refused here, and what it takes
is yet to be proved equal.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.tokens.encoding.ids import Ids, offsets_of

KNOWN_PRE_TOKENIZERS = {"ByteLevel", "Metaspace", "Sequence", "Split"}
KNOWN_SPLITS = {("Isolated", False), ("Removed", True), ("MergedWithPrevious", False)}
REOPENED = 1 << 28  # bytes of text after which the encoder begins anew: release 0.10.0 remembers every word it has met


class Unsupported(Exception):  # noqa: N818  the name says the error
    """A tokenizer that the fast encoder does not know; the message says why."""


class Fast:
    """gigatoken's encoder of a tokenizer; `spelled_out` reads control tokens in a text as the characters they are."""

    def __init__(self, description: str, *, spelled_out: bool) -> None:
        content = orjson.loads(description)
        if why := unknown_part(content):
            raise Unsupported(why)
        if spelled_out:
            content["added_tokens"] = [token for token in content["added_tokens"] if not token["special"]]
        self._description = orjson.dumps(content)
        self._open()

    def _open(self) -> None:
        try:
            tokenizer = import_module("gigatoken").Tokenizer
        except ImportError as error:
            raise Unsupported("gigatoken is not installed") from error
        try:
            self._backend = tokenizer.from_json(self._description).backend
        except Exception as error:  # the library raises bare Exception
            raise Unsupported(str(error).strip().splitlines()[0]) from error
        self._read = 0

    def encode(self, texts: pa.Array) -> Ids:
        """Encode texts (`large_string`), nothing put around them; uses one thread, as workers do."""
        documents = texts.cast(pa.large_binary()).to_pylist()
        encoded = [self._backend.encode(document) for document in documents]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        ids = np.concatenate(encoded).view(np.int32) if encoded else np.zeros(0, np.int32)
        self._read += sum(map(len, documents))
        if self._read > REOPENED:
            self._open()
        return Ids(ids, offsets_of(lengths))

    @property
    def pieces(self) -> dict[int, bytes]:
        """Return the bytes that each token stands for, those of a SentencePiece-style tokenizer with `▁` for a space."""
        vocabulary: dict[int, bytes] = self._backend.vocab
        return vocabulary


def unknown_part(content: dict[str, Any]) -> str | None:
    """Return what gigatoken would refuse or pass over without a word, None where there is nothing.

    >>> unknown_part({"model": {"type": "Unigram"}})
    'Unigram models'
    """
    model = content["model"]
    if model["type"] != "BPE":
        return f"{model['type']} models"
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(option):
            return f"the model's {option}"
    for part in _parts(content["pre_tokenizer"]):
        if part["type"] not in KNOWN_PRE_TOKENIZERS:
            return f"the pre-tokenizer {part['type']}"
        if part["type"] == "Split" and (part["behavior"], part["invert"]) not in KNOWN_SPLITS:
            return f"a Split that is {part['behavior']}"
    if any(token["single_word"] for token in content["added_tokens"]):
        return "an added token that stands for a single word"
    kept = [token for token in content["added_tokens"] if not token["special"]]
    if content["normalizer"] and not model["byte_fallback"] and any(token["normalized"] for token in kept):
        return "an added token that is normalised"
    return None


def _parts(pre_tokenizer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if pre_tokenizer is not None:
        yield pre_tokenizer
        for part in pre_tokenizer.get("pretokenizers", ()):
            yield from _parts(part)
