"""Texts in Arrow -> ids in numpy: by the fast encoder where it was proved equal to the tokenizer's own, else by the latter.

Proved means: the same ids on strings that break tokenizers and on a sample of the very data, before the first document is
encoded, and again on one document in a thousand while they are. A difference then stops the run: no id is written that is not
the tokenizer's.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from pipeline.errors import TokenizerError
from pipeline.tokens.encoding.fast import Fast, Unsupported
from pipeline.tokens.encoding.hard import CHECKED, bounds, checked, hard_strings
from pipeline.tokens.encoding.ids import Ids, Ints, chosen, exchanged, first_difference, framed, replaced, rows_of
from pipeline.tokens.encoding.reference import Reference
from pipeline.tokens.encoding.spans import Pieces, Space, pieces_of, places
from pipeline.tokens.encoding.unassigned import unassigned
from pipeline.tokens.tokenizer import Tokenizer

ABSENT = "there are none"
SHOWN = 40  # characters of a text that a message quotes


class EncodingDiffers(TokenizerError):  # noqa: N818  the name says the error
    """The fast encoder gave other ids than the tokenizer's own for a document, in the middle of a run."""


class Choice(NamedTuple):
    """Why the fast encoder is not taken, for texts and for chats; None where it was proved."""

    text: str | None
    chat: str | None


PROVED = Choice(None, None)


class Rendered(NamedTuple):
    """Conversations' ids, `int64[tokens, 2]` the characters of each token, `bool[conversations]` which ones are spelled.

    The tokens of one that is spelled decode to its very text, and any of them to theirs where no character is cut.
    """

    ids: Ids
    characters: Ints
    spelled: npt.NDArray[np.bool_]


class Encoder:
    """Encodes the documents of one worker; `choice` is what `choose` said, `one_in` how often a document is encoded twice."""

    def __init__(self, tokenizer: Tokenizer, choice: Choice, one_in: int = CHECKED) -> None:
        self.reference = Reference(tokenizer)
        self._choice, self._one_in = choice, one_in

    def all_below(self, number: int) -> bool:
        """Say whether all ids are below a number; there may be gaps between them."""
        backend = self.reference.tokenizer.backend
        few = backend.get_vocab_size(with_added_tokens=True) <= number  # all of a large vocabulary are half a second
        return few and max(backend.get_vocab(with_added_tokens=True).values(), default=0) < number

    @cached_property
    def _text(self) -> Fast:
        return Fast(self.reference.tokenizer.backend.to_str(), spelled_out=True)

    @cached_property
    def _chat(self) -> tuple[Fast, Pieces]:
        description = self.reference.tokenizer.backend.to_str()
        fast = Fast(description, spelled_out=False)
        return fast, pieces_of(fast.pieces, description)

    def texts(self, texts: pa.Array) -> Ids:
        """Encode documents (`large_string`) with what the tokenizer puts around a text, each ended by its EOS token, if any.

        Raises `EncodingDiffers`.
        """
        if self._choice.text is not None:
            return self.reference.texts(texts.to_pylist())
        ids = framed(self._text.encode(texts), self.reference.frame)
        doubtful = unassigned(texts)
        twice = np.flatnonzero(doubtful | self._checked(texts))
        if not len(twice):
            return ids
        again = texts.take(pa.array(twice)).to_pylist()
        expected = self.reference.texts(again)
        if doubtful.any():
            ids = replaced(ids, np.flatnonzero(doubtful), chosen(expected, np.flatnonzero(doubtful[twice])))
        if (place := first_difference(chosen(ids, twice), expected)) is not None:
            raise _differs(again[place])
        return ids

    @cached_property
    def _decodes_bytes(self) -> bool:
        """Say whether the tokenizer decodes tokens to their bytes one after the other, those that were added as well."""
        backend = self.reference.tokenizer.backend
        decoder = orjson.loads(backend.to_str())["decoder"]
        added = backend.get_added_tokens_decoder().items()
        return (
            decoder is not None
            and decoder["type"] == "ByteLevel"
            and self._chat[1].space is Space.NEVER
            and all(backend.decode([number], skip_special_tokens=False) == token.content for number, token in added)
        )

    def rendered(self, texts: Sequence[str]) -> Rendered:
        """Encode rendered conversations; raises `EncodingDiffers`."""
        if self._choice.chat is not None:
            return Rendered(*self.reference.rendered(texts), np.zeros(len(texts), np.bool_))
        array, (fast, pieces) = _arrow(texts), self._chat
        ids = fast.encode(array)
        characters, proved = places(pieces, array, ids)
        doubtful = unassigned(array) | ~proved
        spelled = ~doubtful & self._decodes_bytes
        twice = np.flatnonzero(doubtful | self._checked(array))
        if not len(twice):
            return Rendered(ids, characters, spelled)
        expected, other = self.reference.rendered([texts[place] for place in twice])
        slow = np.flatnonzero(doubtful[twice])
        characters = exchanged(characters, ids.offsets, np.flatnonzero(doubtful), *rows_of(other, expected.offsets, slow))
        ids = replaced(ids, np.flatnonzero(doubtful), chosen(expected, slow))
        if (place := first_difference(chosen(ids, twice), expected)) is not None:
            raise _differs(texts[twice[place]])
        return Rendered(ids, characters, spelled)

    def _checked(self, texts: pa.Array) -> npt.NDArray[np.bool_]:
        return checked(texts, self._one_in) if self._one_in else np.zeros(len(texts), np.bool_)


def choose(tokenizer: Tokenizer, texts: Sequence[str] | None, chats: Sequence[str] | None = None) -> Choice:
    """Compare the fast encoder with the tokenizer's own on hard strings and a sample: of texts, of rendered chats, or None."""
    encoder, hard = Encoder(tokenizer, PROVED, one_in=0), hard_strings(tokenizer)
    return Choice(_text_reason(encoder, hard, texts), _chat_reason(encoder, hard, chats))


def bytes_per_token(encoder: Encoder, texts: pa.Array) -> float:
    """Return how many bytes of UTF-8 a token stands for in some texts, the tokens around a text apart; more is better.

    >>> from pipeline.tokens.tokenizer import train
    >>> bytes_per_token(Encoder(train([["hello hello"]], 300), Choice("slow", "slow")), pa.array(["hello"], pa.large_string()))
    5.0
    """
    around = len(encoder.reference.texts([""]).ids)
    tokens = len(encoder.texts(texts).ids) - around * len(texts)
    return float(bounds(texts)[-1] - bounds(texts)[0]) / max(tokens, 1)


def _text_reason(encoder: Encoder, hard: Sequence[str], texts: Sequence[str] | None) -> str | None:
    if texts is None:
        return ABSENT
    probes = [*hard, *texts]
    try:
        found = encoder.texts(_arrow(probes))
    except Unsupported as why:
        return f"gigatoken does not know {why}"
    return _difference(probes, found, encoder.reference.texts(probes))


def _chat_reason(encoder: Encoder, hard: Sequence[str], chats: Sequence[str] | None) -> str | None:
    if chats is None:
        return ABSENT
    probes = [*hard, *chats]
    try:
        found, characters, _ = encoder.rendered(probes)
    except Unsupported as why:
        return f"gigatoken does not know {why}"
    expected, other = encoder.reference.rendered(probes)
    if (reason := _difference(probes, found, expected)) is not None:
        return reason
    return None if np.array_equal(characters, other) else "its tokens stand for other characters"


def _arrow(texts: Sequence[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def _differs(text: str) -> EncodingDiffers:
    return EncodingDiffers(
        f"the fast encoder gives other ids than the tokenizer for the document that begins {text[:SHOWN]!r}."
    )


def _difference(texts: Sequence[str], ids: Ids, expected: Ids) -> str | None:
    place = first_difference(ids, expected)
    return None if place is None else f"it gives other ids for {texts[place][:SHOWN]!r}"
