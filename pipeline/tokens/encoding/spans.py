"""Tokens and the text they came from -> the characters each token stands for, proved document by document.

The bytes of a document's tokens, one after the other, are its text: then where a token begins and ends is known by counting.
A tokenizer of the SentencePiece kind writes spaces as `▁` and puts one before a text that is not in it. A document whose tokens
do not spell its very text (Unicode was normalised, spaces were stripped) is not proved, and someone else must say.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from filters.kernels.compiled import kernel
from pipeline.tokens.encoding.hard import bounds
from pipeline.tokens.encoding.ids import Ids, Ints, offsets_of

SPACE, LEAD, CONTINUATION = 0x20, 0xC0, 0x80  # of UTF-8: a byte that is 0b10xxxxxx goes on with a character
LOWER_ONE_EIGHTH = "▁".encode()


class Space(IntEnum):
    """Where a tokenizer puts a space that is not in the text."""

    NEVER = 0
    FIRST = 1  # before the text, unless it begins with one
    SEGMENT = 2  # before the text and behind every added token, unless one stands there
    ALWAYS = 3  # before the text and behind every added token, even where one stands


class Pieces(NamedTuple):
    """What tokens spell: `uint8` bytes side by side, `int64[tokens + 1]` offsets, `bool[tokens]` added, and the space."""

    data: npt.NDArray[np.uint8]
    offsets: Ints
    added: npt.NDArray[np.bool_]
    space: Space


class Places(NamedTuple):
    """`int64[tokens, 2]` first character and the one behind the last of each token; `bool[documents]` which are proved."""

    characters: Ints
    proved: npt.NDArray[np.bool_]


def pieces_of(vocabulary: dict[int, bytes], description: str) -> Pieces:
    """Return what the tokens of a tokenizer spell; `description` is its `tokenizer.json`.

    >>> pieces_of({0: b"a", 1: b"bc"}, '{"model": {}, "added_tokens": [], "normalizer": null, "pre_tokenizer": null}').offsets
    array([0, 1, 3])
    """
    content = orjson.loads(description)
    spelled = [vocabulary.get(number, b"") for number in range(max(vocabulary) + 1)]
    if content["model"].get("byte_fallback"):
        spelled = [piece.replace(LOWER_ONE_EIGHTH, b" ") for piece in spelled]
    added = np.zeros(len(spelled), np.bool_)
    added[[token["id"] for token in content["added_tokens"]]] = True
    offsets = offsets_of(np.array([len(piece) for piece in spelled], np.int64))
    return Pieces(np.frombuffer(b"".join(spelled), np.uint8), offsets, added, space_of(content))


def space_of(content: dict[str, object]) -> Space:
    """Return where a tokenizer puts a space, from its normalizer and its pre-tokenizer.

    >>> space_of({"normalizer": None, "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"}})
    <Space.FIRST: 1>
    """
    if any(part["type"] == "Prepend" for part in _parts(content["normalizer"], "normalizers")):
        return Space.ALWAYS
    for part in _parts(content["pre_tokenizer"], "pretokenizers"):
        if part["type"] == "Metaspace":
            return {"first": Space.FIRST, "always": Space.SEGMENT}.get(part["prepend_scheme"], Space.NEVER)
        if part["type"] == "ByteLevel" and part["add_prefix_space"]:
            return Space.SEGMENT
    return Space.NEVER


def _parts(whole: object, key: str) -> list[dict[str, str]]:
    if not isinstance(whole, dict):
        return []
    return [whole, *(part for child in whole.get(key, ()) for part in _parts(child, key))]


def places(pieces: Pieces, texts: pa.Array, documents: Ids) -> Places:
    """Find the characters of every token of some texts (`large_string`), as Hugging Face counts them.

    A token that is a part of a character's bytes stands for the whole character, and one that is nothing but the space that was
    put before a text for the first character of it.
    """
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    found = Places(np.zeros((len(documents.ids), 2), np.int64), np.zeros(len(texts), np.bool_))
    _walk(data, bounds(texts), documents.ids, documents.offsets, *pieces[:3], int(pieces.space), *found)
    return found


@kernel
def _walk(
    data: npt.NDArray[np.uint8],
    bounds: Ints,
    ids: npt.NDArray[np.int32],
    offsets: Ints,
    piece_data: npt.NDArray[np.uint8],
    piece_offsets: Ints,
    added: npt.NDArray[np.bool_],
    space: int,
    characters: Ints,
    proved: npt.NDArray[np.bool_],
) -> None:
    for document in range(len(bounds) - 1):
        at, end = bounds[document], bounds[document + 1]
        seen = 0  # characters that have begun before `at`
        head, same = space != 0, True
        for token in range(offsets[document], offsets[document + 1]):
            number = ids[token]
            piece, stop = piece_offsets[number], piece_offsets[number + 1]
            characters[token, 0] = seen - 1 if at < end and data[at] & LEAD == CONTINUATION else seen
            if added[number]:
                head = space >= 2
            elif head:
                head = False
                if space == 3 or at == end or data[at] != SPACE:
                    same = piece < stop and piece_data[piece] == SPACE
                    piece += 1
                    if same and piece == stop and at < end:
                        characters[token, 1] = seen + 1
                        continue
            same = same and stop - piece <= end - at
            while same and piece < stop:
                same = data[at] == piece_data[piece]
                seen += data[at] & LEAD != CONTINUATION
                at += 1
                piece += 1
            characters[token, 1] = seen
            if not same:
                break
        proved[document] = same and at == end
