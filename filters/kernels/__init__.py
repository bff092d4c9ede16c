"""The numba kernels that filters share: loops over Arrow's own buffers, without Python strings and without the GIL.

Reading order:

    compiled      `kernel` and `part`: how a function becomes machine code, and when that is made anew
    instructions  what a loop over single bytes is slow at: 8 and 64 bytes at a time
    arrays        Arrow's arrays <-> bytes and offsets; whole documents; sums by document
    characters    UTF-8 decoded, and tables of what a code point is and is folded to
    hashing       bytes -> 64-bit hashes
    words         counted, and hashed
    folding       case, white-space runs and typographic quotes evened out

and what fewer ask for, imported by its own name:

    lines, sentences   where they end
    pieces             huge texts, looked at stretch by stretch
    traits, walking    code points as the rules of quality and repetition see them
    hash_table         which of equal items came first
"""

from filters.kernels.arrays import (
    Bytes,
    Codes,
    Flags,
    Hashes,
    Ints,
    Scalar,
    Values,
    as_utf8,
    buffers,
    documents,
    read_only,
    strings,
    sum_by_document,
)
from filters.kernels.characters import (
    BROKEN,
    IDEOGRAPH,
    IDEOGRAPHS,
    OTHER,
    SPACE,
    TABLE,
    WORD,
    before,
    categories,
    characters,
    classes,
    decode,
    folds,
)
from filters.kernels.compiled import kernel, part
from filters.kernels.folding import fold
from filters.kernels.hashing import GOLDEN, avalanche, hash_documents, hash_texts, mix, mix_bytes
from filters.kernels.instructions import between, bits_in, load, lowest_bit
from filters.kernels.words import block, count_words, hash_words

__all__ = [
    "BROKEN",
    "GOLDEN",
    "IDEOGRAPH",
    "IDEOGRAPHS",
    "OTHER",
    "SPACE",
    "TABLE",
    "WORD",
    "Bytes",
    "Codes",
    "Flags",
    "Hashes",
    "Ints",
    "Scalar",
    "Values",
    "as_utf8",
    "avalanche",
    "before",
    "between",
    "bits_in",
    "block",
    "buffers",
    "categories",
    "characters",
    "classes",
    "count_words",
    "decode",
    "documents",
    "fold",
    "folds",
    "hash_documents",
    "hash_texts",
    "hash_words",
    "kernel",
    "load",
    "lowest_bit",
    "mix",
    "mix_bytes",
    "part",
    "read_only",
    "strings",
    "sum_by_document",
]
