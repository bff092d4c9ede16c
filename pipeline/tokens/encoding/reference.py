"""Texts -> the ids that count: those of the tokenizer's own encoder, with what it puts around a text and the end of text.

Whatever encodes faster is measured against this module.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import orjson
import tokenizers

from pipeline.tokens.encoding.ids import Frame, Ids, Ints, flat, framed
from pipeline.tokens.tokenizer import Tokenizer

UNREACHABLE = "\U0010fffe{}\U0010ffff"  # two noncharacters of Unicode around a control token: no text spells that


def spelled_out(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Return an encoder whose model cannot find control tokens in a text that spells them.

    Unigram and WordLevel models hold them in their vocabulary: a copy has them renamed. Others are returned as they are.
    """
    content = orjson.loads(backend.to_str())
    model = content["model"]
    if model["type"] not in ("Unigram", "WordLevel"):
        return backend
    names = {token["content"]: UNREACHABLE.format(token["content"]) for token in content["added_tokens"] if token["special"]}
    if model["type"] == "Unigram":
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    else:
        model["vocab"] = {names.get(word, word): number for word, number in model["vocab"].items()}
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    for token in content["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    return tokenizers.Tokenizer.from_buffer(orjson.dumps(content))


class Reference:
    """The tokenizer's own encoder, for texts and for rendered conversations."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._rendering = tokenizer.backend

    @cached_property
    def _reading(self) -> tokenizers.Tokenizer:
        return spelled_out(self.tokenizer.backend)

    @cached_property
    def frame(self) -> Frame:
        """Return what stands around every text."""
        return Frame(*_around(self._reading), self.tokenizer.token_id("eos_token"))

    def texts(self, texts: Sequence[str]) -> Ids:
        """Encode documents: what the tokenizer puts around a text stands there, and each is ended by its EOS token, if any.

        A control token is never made of a text's characters: a page that spells one does not steer the model.
        """
        self._reading.encode_special_tokens = True
        try:
            encodings = self._reading.encode_batch_fast(texts, add_special_tokens=True)
        finally:
            self._reading.encode_special_tokens = False
        return framed(flat([encoding.ids for encoding in encodings]), Frame((), (), self.frame.end))

    def rendered(self, texts: Sequence[str]) -> tuple[Ids, Ints]:
        """Encode conversations as rendered, where control tokens count; return ids, and `int64[tokens, 2]` characters."""
        encodings = self._rendering.encode_batch(texts, add_special_tokens=False)
        places = np.array([place for encoding in encodings for place in encoding.offsets], np.int64).reshape(-1, 2)
        return flat([encoding.ids for encoding in encodings]), places


def _around(backend: tokenizers.Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the encoder puts before and behind every text, seen on one letter."""
    bare = backend.encode("a", add_special_tokens=False).ids
    whole = backend.encode("a", add_special_tokens=True).ids
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []
