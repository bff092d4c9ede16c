"""A tokenize artifact -> what there is to know of its rows before one looks at any: counts, lengths, shares, roles.

Counts and lengths are those of the index, over all rows. Whose the tokens are is told by what opens a message in the rows
themselves, `<|im_start|>user`: known for tokenizers that have such a token, and counted in the first rows of a split.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.artifacts import Artifact, read_shard
from pipeline.token_samples.density import sampled
from pipeline.token_samples.rows import batches, token_files
from pipeline.tokens.rows import IGNORED, Ints
from pipeline.tokens.tokenizer import reopened

BINS, BAR = 8, 30  # of the histogram: bins, characters
MOST = 4_000_000  # tokens that are read to tell roles
OPENERS = ("<|im_start|>", "<|start_header_id|>", "<|start|>", "<start_of_turn>")
ROLES = ("system", "developer", "user", "assistant", "model", "tool", "ipython")


class Summary(NamedTuple):
    """What a split holds: `lengths` (`int64[rows]` tokens), supervised tokens, documents, how full its rows are.

    `full` is None where no row holds two documents; `roles` are tokens and supervised tokens, and `bytes_per_token` is how many
    bytes of text a token stands for, both of the first rows.
    """

    split: str
    lengths: Ints
    supervised: int
    documents: int
    full: float | None
    roles: dict[str, tuple[int, int]]
    bytes_per_token: float


def summaries(artifact: Artifact) -> list[Summary]:
    """Return what each split holds that has a row; raises `BrokenArtifact` where a file is damaged or gone."""
    columns = ["split", "row", "document", "length", "supervised_tokens"]
    index = pa.concat_tables([read_shard(file, columns) for file in artifact.files("index")])
    splits = pc.unique(index["split"]).to_pylist()
    return [_summary(artifact, split, index.filter(pc.equal(index["split"], split))) for split in sorted(splits)]


def _summary(artifact: Artifact, split: str, index: pa.Table) -> Summary:
    lengths = np.bincount(index["row"].to_numpy(), weights=index["length"].to_numpy()).astype(np.int64)
    capacity = len(lengths) * artifact.manifest.recipe.get("sequence_length", 0)
    full = int(lengths.sum()) / capacity if index.num_rows > len(lengths) and capacity else None
    documents = int(pc.count_distinct(index["document"]).as_py())
    supervised = int(pc.sum(index["supervised_tokens"]).as_py())
    density = sampled(artifact, split).bytes_per_token
    return Summary(split, lengths, supervised, documents, full, roles(artifact, split), density)


def roles(artifact: Artifact, split: str) -> dict[str, tuple[int, int]]:
    """Return the tokens and the supervised tokens of each role, in the first rows; of none where no token opens a message."""
    tokenizer = reopened(artifact.path / "tokenizer").backend
    opener = next((number for name in OPENERS if (number := tokenizer.token_to_id(name)) is not None), None)
    names = {role: tokenizer.encode(role, add_special_tokens=False).ids for role in ROLES}
    counted: Counter[str] = Counter()
    trained: Counter[str] = Counter()
    read = 0
    for batch in (batch for file in token_files(artifact, split) for batch in batches(file)):
        if opener is None or read > MOST:
            break
        ids, supervised, begins = _cells(batch)
        read += len(ids)
        for role, tokens, flags in _of_roles(ids, supervised, begins, opener, names):
            counted[role] += tokens
            trained[role] += flags
    return {role: (counted[role], trained[role]) for role in ROLES if counted[role]}


def _cells(batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_], Ints]:
    """Return the ids of a batch of rows, which of them are supervised, and where a document begins."""
    ids, labels = (batch.column(name).flatten().to_numpy() for name in ("input_ids", "labels"))
    if "position_ids" in batch.schema.names:
        begins = np.flatnonzero(batch.column("position_ids").flatten().to_numpy() == 0)
    else:
        begins = batch.column("input_ids").offsets.to_numpy()[:-1]
    return ids, labels != IGNORED, begins


def _of_roles(
    ids: npt.NDArray[np.int32], supervised: npt.NDArray[np.bool_], begins: Ints, opener: int, names: dict[str, list[int]]
) -> Iterator[tuple[str, int, int]]:
    """Yield each role's tokens and supervised tokens: a message goes from what opens it to the next, or a document's end."""
    starts = np.union1d(begins, np.flatnonzero(ids == opener))
    tokens = np.diff(np.append(starts, len(ids)))
    flags = np.diff(np.append(0, np.cumsum(supervised))[np.append(starts, len(ids))])
    for role, name in names.items():
        own = (ids[starts] == opener) & _follows(ids, starts + 1, name)
        yield role, int(tokens[own].sum()), int(flags[own].sum())


def _follows(ids: npt.NDArray[np.int32], at: Ints, name: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Say at which places some ids stand."""
    same = at + len(name) <= len(ids)
    for place, number in enumerate(name):
        same &= ids[np.minimum(at + place, len(ids) - 1)] == number
    return same


def in_words(found: Summary) -> list[str]:
    """Say what a split holds, in lines: counts, roles, how long its rows are."""
    rows, tokens = len(found.lengths), int(found.lengths.sum())
    share = found.supervised / max(tokens, 1)
    lines = [f"{found.split}: {rows:,} rows of {found.documents:,} documents, {tokens:,} tokens, {share:.1%} supervised"]
    if found.full is not None:
        lines.append(f"  packed: {found.full:.1%} of the rows' places hold a token")
    if found.bytes_per_token:
        lines.append(f"  a token stands for {found.bytes_per_token:.2f} bytes of text")
    for role, (count, trained) in found.roles.items():
        lines.append(f"  {role}: {count:,} tokens, {trained / count:.1%} supervised")
    return [*lines, *(f"  {line}" for line in histogram(found.lengths))]


def histogram(lengths: Ints) -> list[str]:
    """Draw how many rows are how long, in bins of equal width.

    >>> histogram(np.array([3, 3, 9]))[0]
    '     3 to 3          2 ##############################'
    """
    edges = np.unique(np.linspace(lengths.min(), lengths.max() + 1, BINS + 1).astype(np.int64))
    counts = np.histogram(lengths, edges)[0]
    bars = ["#" * -(-BAR * int(count) // int(counts.max())) for count in counts]
    names = [f"{low} to {high - 1}" for low, high in pairwise(edges.tolist())]
    return [f"{name:>11} {count:>10,} {bar}".rstrip() for name, count, bar in zip(names, counts, bars, strict=True)]
