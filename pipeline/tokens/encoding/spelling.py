"""A tokenizer's description -> the bytes that each of its tokens stands for.

Tokens are kept as printable text. A byte-level tokenizer writes each byte as a letter of its own (`Ġ` is a space), one of the
SentencePiece kind writes a space as `▁` and a byte that has no token as `<0xE2>`. Those of other kinds (WordPiece, words) have
spaces between them that no token holds, so their bytes are not known.
"""

import re
from functools import cache
from typing import Any

import orjson

BYTE = re.compile("<0x([0-9A-F]{2})>")


def spelling(description: str) -> dict[int, bytes] | None:
    """Return the bytes of each token, None where they are not known; `description` is a `tokenizer.json`.

    >>> from pipeline.tokens.tokenizer import train
    >>> spelling(train([["a"]], 259).backend.to_str())[0]
    b'<|endoftext|>'
    """
    content = orjson.loads(description)
    decoders = _types(content["decoder"])
    if "ByteLevel" in decoders:
        spelled = {number: _of_letters(token) for token, number in _vocabulary(content["model"]).items()}
    elif decoders & {"Metaspace", "ByteFallback"} and "WordPiece" not in decoders:
        spelled = {number: _of_pieces(token) for token, number in _vocabulary(content["model"]).items()}
    else:
        return None
    return spelled | {token["id"]: token["content"].encode() for token in content["added_tokens"]}


def _vocabulary(model: dict[str, Any]) -> dict[str, int]:
    """Return the tokens' numbers; a Unigram model has a list of tokens and scores."""
    vocabulary = model["vocab"]
    return vocabulary if isinstance(vocabulary, dict) else {entry[0]: number for number, entry in enumerate(vocabulary)}


def _types(part: dict[str, Any] | None) -> set[str]:
    if part is None:
        return set()
    return {part["type"]}.union(*map(_types, part.get("decoders", ())))


@cache
def letters() -> dict[str, int]:
    """Return which byte each letter of a byte-level tokenizer stands for (GPT-2's `bytes_to_unicode`).

    >>> letters()["Ġ"], letters()["a"]
    (32, 97)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


def _of_letters(token: str) -> bytes:
    known = letters()
    if all(letter in known for letter in token):
        return bytes(known[letter] for letter in token)
    return token.encode()


def _of_pieces(token: str) -> bytes:
    byte = BYTE.fullmatch(token)
    return bytes.fromhex(byte[1]) if byte else token.replace("▁", " ").encode()
