"""The bytes of a SentencePiece model (`tokenizer.model`) -> what it says: pieces and scores, and how texts are normalised.

The file is a message of protocol buffers, `ModelProto` of `sentencepiece_model.proto`: 1 pieces, 2 how the model was trained,
3 how texts are normalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from pipeline.tokens.protobuf import Malformed, fields, floating

SPACE = "▁"
ROLES = {40: "unk_token", 41: "bos_token", 42: "eos_token", 43: "pad_token"}  # fields of the trainer's settings, and their ids
DEFAULT_IDS = {40: 0, 41: 1, 42: 2, 43: -1}
UNIGRAM, BPE = 1, 2


class Kind(IntEnum):
    """What a piece is."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USERS_OWN = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """A piece of the vocabulary; its id is its place."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True)
class Model:
    """What a model file says: pieces, `BPE` or `UNIGRAM`, the special tokens' ids by role, and how texts are normalised."""

    pieces: list[Piece]
    algorithm: int
    roles: dict[str, int]
    charsmap: bytes
    space_first: bool
    single_spaces: bool


def parsed(data: bytes) -> Model:
    """Read a model file's bytes; raises `Malformed` or `ValueError` for those that are none."""
    pieces: list[Piece] = []
    training: dict[int, int | bytes] = {}
    normalizing: dict[int, int | bytes] = {}
    for number, value in fields(data):
        if isinstance(value, bytes):
            if number == 1:
                pieces.append(_piece(value))
            elif number in (2, 3):
                (training if number == 2 else normalizing).update(fields(value))
    algorithm = _number(training, 3, UNIGRAM)
    if not pieces or not training:
        raise Malformed("it holds no pieces" if not pieces else "it does not say how it was trained")
    if algorithm not in (UNIGRAM, BPE) or _number(training, 24, 0):
        raise Malformed("its pieces are words or letters, or end with a space: only BPE and Unigram models are taken")
    ids = {role: _number(training, number, DEFAULT_IDS[number]) for number, role in ROLES.items()}
    roles = {role: number for role, number in ids.items() if 0 <= number < len(pieces)}
    space_first = bool(_number(normalizing, 3, 1))
    if not space_first:
        pieces = [replace(piece, text=_spaced(piece)) for piece in pieces]
    charsmap = normalizing.get(2, b"")
    return Model(
        pieces,
        algorithm,
        roles,
        charsmap if isinstance(charsmap, bytes) else b"",
        space_first=space_first,
        single_spaces=bool(_number(normalizing, 4, 1)),
    )


def _piece(data: bytes) -> Piece:
    found = dict(fields(data))
    text = found.get(1, b"")
    if not isinstance(text, bytes):
        raise Malformed("a piece is no text")
    return Piece(text.decode(), floating(found.get(2, bytes(4))), Kind(found.get(3, Kind.NORMAL)))  # type: ignore[arg-type]


def _spaced(piece: Piece) -> str:
    """Return a piece's text as it is looked for: a user's own one before spaces are written otherwise."""
    return piece.text.replace(SPACE, " ") if piece.kind == Kind.USERS_OWN else piece.text


def _number(found: dict[int, int | bytes], number: int, default: int) -> int:
    """Return a field's number, of 32 bits with a sign."""
    value = found.get(number, default)
    if not isinstance(value, int):
        raise Malformed(f"field {number} is no number")
    return value - 2**64 if value >= 2**63 else value


def merges(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """Return the pairs that make a piece, those of the highest score first.

    >>> merges([Piece(text, -place, Kind.NORMAL) for place, text in enumerate(["ab", "abc", "a", "b", "c"])])
    [('a', 'b'), ('ab', 'c')]
    """
    made = {piece.text: (-piece.score, number) for number, piece in enumerate(pieces) if piece.kind == Kind.NORMAL}
    pairs = [
        (order, cut, text)
        for text, order in made.items()
        for cut in range(1, len(text))
        if text[:cut] in made and text[cut:] in made
    ]
    return [(text[:cut], text[cut:]) for _, cut, text in sorted(pairs)]
