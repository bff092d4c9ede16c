"""A tokenizer and its data -> the texts on which two encoders are compared: strings that break tokenizers, and a sample."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.kernels.characters import TABLE, categories, categories_of
from pipeline.tokens.tokenizer import Tokenizer

PLANES = 0x40000
MOST_DOCUMENTS = 256  # of a sample
MOST_BYTES = 1 << 20
LONG = 70_000  # letters of a text without a space: more than 16 bits count, and the reference takes 0.1 s
MOST_SPELLED = 40  # control tokens spelled out; some tokenizers have a thousand of one form
CHECKED = 1000  # one document in so many is encoded a second time by the reference
HARD = (
    "",
    " ",
    "a",
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 ❤️ 🇨🇭🇺🇦🇨 \u200d\ufe0f",
    "漢字かなカナ。中文，全角　空白 𠮷野家",
    "e\u0301 é \u1100\u1161\u11a8 각 \u0301lone \u0301 Ǆ ﬁ Å \u212b",
    "שלום עולם مرحبا \u202eabc\u202c \u200f१२३ ٤٥٦",
    "\x00 \x01\x7f\x1b[0m \x85 \u2028 \u2029 \ufeff",
    "\ufffd \ue000 \ue001 \uf8ff \U0010ffff \U000e0001 𝒜 \U0001f9ff",
    "  leading",
    "trailing  ",
    "many      spaces    here",
    " \t \t\ttabs\t",
    "line\r\nline\r\rline\n\n\n  line\n ",
    "\u00a0a\u2003b\u3000",
    "1 12 123 1234567890 3.14159 1,000,000 ½ ² Ⅻ 0x1F",
    "don't DON'T we'LL I'm it's 'tis ''s ’s o'clock",
    "▁a ▁▁b ▁ Ġa Ċ <0x0A> <0xFF> <unk>",
    "snake_case camelCase __init__(self, *args) -> None: {}[]()//\\",
    "ſ K Kelvin ı İ ß ẞ",
    "\n" * 300 + " " * 300 + "\t" * 300 + "=" * 300,
)


def hard_strings(tokenizer: Tokenizer) -> list[str]:
    """Return texts that break tokenizers: scripts, marks, spaces, long words, and the tokenizer's own tokens spelled out."""
    shuffled = np.random.default_rng(0).integers(ord("a"), ord("z") + 1, LONG, dtype=np.uint8)
    long = ["a" * LONG, shuffled.tobytes().decode("ascii")]
    added = [token.content for token in tokenizer.backend.get_added_tokens_decoder().values()][:MOST_SPELLED]
    spelled = [form.format(token) for token in added for form in ("{}", "a{}b", " {0} {0}{0}\n{0}", "{0} x {0}. \u00e9{0}1")]
    return [*HARD, *long, *spelled, *borders()]


@cache
def kinds() -> npt.NDArray[np.bytes_]:
    """Return the general category of the characters of Unicode's planes 0 to 3; above them are tags and private use."""
    return np.concatenate([categories(), categories_of(range(TABLE, PLANES))])


@cache
def borders() -> tuple[str, ...]:
    """Return texts with the characters at which Unicode's general category changes: a rule that errs in a class errs there."""
    kind = kinds()
    changes = kind[1:] != kind[:-1]
    edges = 1 + np.flatnonzero(changes[:-1] | changes[1:])
    characters = [chr(code) for code in edges[~np.isin(kind[edges], (b"Cs", b"Cn"))]]
    words = [f"a{one}b {one}1{one}\n {one}" for one in characters]
    return tuple("".join(words[start : start + 200]) for start in range(0, len(words), 200))


def sample(texts: pa.Array) -> list[str]:
    """Return some of the documents, at most 256 and 1 MB: the first ones, and others chosen by their bytes."""
    lengths = np.diff(bounds(texts))
    short = np.flatnonzero(lengths <= MOST_BYTES // 16)
    first, rest = np.split(short, [MOST_DOCUMENTS // 2])
    rest = rest[np.argsort(_hashes(texts)[rest], kind="stable")][: MOST_DOCUMENTS // 2]
    both = [part[np.cumsum(lengths[part]) <= MOST_BYTES // 2] for part in (first, rest)]
    chosen: list[str] = texts.take(pa.array(np.concatenate(both))).to_pylist()
    return chosen


def checked(texts: pa.Array, one_in: int = CHECKED) -> npt.NDArray[np.bool_]:
    """Say which documents are encoded twice: by their bytes, so the same ones whatever shard or worker holds them."""
    flags: npt.NDArray[np.bool_] = _hashes(texts) % np.uint64(one_in) == 0
    return flags


def bounds(texts: pa.Array) -> npt.NDArray[np.int64]:
    """Return where each of some texts (`large_string`) begins in their bytes, and where the last one ends."""
    return np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]


def _hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """Hash each document's length and 24 of its bytes, spread over it (multipliers of splitmix64, Steele 2014)."""
    offsets = bounds(texts)
    begins, lengths = offsets[:-1], np.diff(offsets)
    hashes = lengths.astype(np.uint64)
    if not len(texts) or not offsets[-1]:
        return hashes
    data = np.frombuffer(texts.buffers()[2], np.uint8)
    for place in range(24):
        at = np.minimum(begins + lengths * place // 24, len(data) - 1)
        byte = np.where(lengths > 0, data[at], 0).astype(np.uint64)
        hashes = (hashes ^ byte) * np.uint64(0xBF58476D1CE4E5B9)
        hashes ^= hashes >> np.uint64(31)
    return hashes
