"""Rows of a tokenize artifact, spread over a split -> their tokens as text, in stretches that are trained or not.

A stretch is neighbouring tokens of one document that are all supervised or all not. Tokens that share a character are one piece
of it. Bytes that are no character, as where a window was cut inside one, are shown as `\\xe2`.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import Artifact, read_shard
from pipeline.errors import BrokenArtifact
from pipeline.tokens.encoding.spelling import spelling
from pipeline.tokens.orders import draws
from pipeline.tokens.rows import IGNORED, Ints
from pipeline.tokens.tokenizer import Tokenizer, reopened

SEED = 0  # of the draw that spreads rows over a split: the same rows each time
CONTINUATION = range(0x80, 0xC0)  # bytes that go on with a character of UTF-8


class Piece(NamedTuple):
    """A token as text, or several that share a character; a control token is one by itself."""

    text: str
    special: bool


class Stretch(NamedTuple):
    """Neighbouring tokens: the position of their document in the row, whether they are supervised, how many, and their text.

    Tokens that are left out of a long row have no pieces.
    """

    document: int
    supervised: bool
    tokens: int
    pieces: list[Piece]


class Row(NamedTuple):
    """A row: its split and number, its documents' ids, its tokens, and the supervised ones that something predicts."""

    split: str
    number: int
    documents: list[str]
    tokens: int
    supervised: int
    stretches: list[Stretch]


def rows_of(artifact: Artifact, split: str, count: int, longest: int) -> list[Row]:
    """Return `count` rows of a split, in its order, chosen by a hash of their number; of each at most `longest` tokens.

    Raises `BrokenArtifact` where a file is damaged or gone.
    """
    files = token_files(artifact, split)
    total = sum(len(batch) for file in files for batch in batches(file))
    wanted = np.sort(np.argsort(draws(total, SEED), kind="stable")[:count])
    documents = _documents(artifact, split, wanted)
    speller = Speller(reopened(artifact.path / "tokenizer"))
    found = zip(wanted.tolist(), _picked(files, wanted), strict=True)
    return [_row(split, number, documents.get(number, []), cells, speller, longest) for number, cells in found]


def token_files(artifact: Artifact, split: str) -> list[Path]:
    """Return the Arrow files of a split; what `datasets` wants to know lies beside them."""
    return [file for file in artifact.files(f"tokens/{split}") if file.suffix == ".arrow"]


def batches(file: Path) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow file, mapped and not copied; raises `BrokenArtifact` where it is damaged or gone."""
    try:
        with pa.memory_map(os.fspath(file)) as mapped, pa.ipc.open_stream(mapped) as stream:
            yield from stream
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{file}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def _picked(files: Sequence[Path], wanted: Ints) -> Iterator[dict[str, npt.NDArray[np.int32]]]:
    """Yield the cells of the wanted rows; the other ones are passed over without being read."""
    first = 0
    for file in files:
        for batch in batches(file):
            for number in wanted[slice(*np.searchsorted(wanted, [first, first + len(batch)]))]:
                place = int(number - first)
                yield {name: batch.column(name)[place].values.to_numpy() for name in batch.schema.names}
            first += len(batch)


def _documents(artifact: Artifact, split: str, wanted: Ints) -> dict[int, list[str]]:
    """Return the ids of the documents in each of the wanted rows."""
    ids: dict[int, list[str]] = {}
    for file in artifact.files("index"):
        index = read_shard(file, ["split", "row", "document"])
        chosen = np.isin(index["row"].to_numpy(), wanted) & (index["split"].to_numpy() == split)
        for entry in index.filter(pa.array(chosen)).to_pylist():
            ids.setdefault(entry["row"], []).append(entry["document"])
    return ids


def _row(
    split: str, number: int, documents: list[str], cells: dict[str, npt.NDArray[np.int32]], speller: "Speller", longest: int
) -> Row:
    ids, supervised = cells["input_ids"], cells["labels"] != IGNORED
    positions = cells.get("position_ids")
    begins = np.arange(len(ids)) == 0 if positions is None else positions == 0
    document = np.cumsum(begins) - 1
    stretches = [
        Stretch(int(document[start]), bool(supervised[start]), stop - start, speller.pieces(ids[start:stop].tolist()))
        if shown
        else Stretch(int(document[start]), bool(supervised[start]), stop - start, [])
        for start, stop, shown in _stretches(document, supervised, longest)
    ]
    return Row(split, number, documents, len(ids), int(supervised[1:].sum()), stretches)


def _stretches(document: Ints, supervised: npt.NDArray[np.bool_], longest: int) -> list[tuple[int, int, bool]]:
    """Return where stretches begin and end, and whether they are shown: of a long row, two thirds of `longest` at its head."""
    changes = np.flatnonzero((np.diff(document) != 0) | (np.diff(supervised) != 0)) + 1
    size = len(document)
    head, tail = (size, size) if size <= longest else (longest * 2 // 3, size - longest // 3)
    bounds = np.unique([0, *changes[(changes <= head) | (changes >= tail)], head, tail, size])
    return [(start, stop, not head <= start < tail) for start, stop in pairwise(bounds.tolist())]


class Speller:
    """Says what tokens stand for; where the bytes of tokens are not known, a stretch is decoded as a whole."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._backend = tokenizer.backend
        self._spelled = spelling(tokenizer.backend.to_str())
        decoder = tokenizer.backend.get_added_tokens_decoder()
        self._special = {number: token.content for number, token in decoder.items() if token.special}

    def pieces(self, ids: Sequence[int]) -> list[Piece]:
        """Return the pieces that tokens spell, control tokens apart."""
        pieces: list[Piece] = []
        plain: list[int] = []
        for number in ids:
            if number in self._special:
                pieces += [*self._plain(plain), Piece(self._special[number], True)]
                plain = []
            else:
                plain.append(number)
        return [*pieces, *self._plain(plain)]

    def _plain(self, ids: Sequence[int]) -> list[Piece]:
        if self._spelled is None:
            return [Piece(self._backend.decode(ids, skip_special_tokens=False), False)] if ids else []
        spelled: list[bytes] = []
        for piece in (self._spelled.get(number, b"") for number in ids):
            if spelled and piece[:1] and piece[0] in CONTINUATION:
                spelled[-1] += piece
            else:
                spelled.append(piece)
        return [Piece(piece.decode("utf-8", "backslashreplace"), False) for piece in spelled]
