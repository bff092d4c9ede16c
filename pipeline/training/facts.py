"""A tokenize artifact and its store -> what the verdict, the report and the model card of a training are told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts import Artifact, Store, read_shard
from pipeline.tokens.encoding.spelling import spelling

if TYPE_CHECKING:
    from datasets import Dataset

    from trainers.account import Ancestor
    from trainers.history import Split
    from trainers.verdict import Facts

MOST_SOURCES = 20  # of an artifact that are named


def facts_of(rows: "Dataset", parent: Artifact, supervised: Mapping["Split", int], steps: int) -> "Facts":
    """Return what is known of the training rows, of the supervised tokens of each split, and of the steps that were planned."""
    from trainers.verdict import Facts

    return Facts(
        supervised_tokens=supervised["train"],
        validation_tokens=supervised.get("validation", 0),
        sample_tokens=supervised.get("sample", 0),
        text_bytes=_text_bytes(rows, parent),
        steps=steps,
    )


def ancestors(store: Store, artifact: Artifact) -> "list[Ancestor]":
    """Return the artifact and what it was made from, the nearest first, with the files that were read where manifests say."""
    from trainers.account import Ancestor, Source

    found = []
    for one in store.lineage(artifact):
        rows = [row for file in one.files("sources") for row in read_shard(file, ["name", "sha256", "bytes"]).to_pylist()]
        sources = [Source(row["name"], row["sha256"], row["bytes"]) for row in rows[:MOST_SOURCES]]
        found.append(Ancestor(one.ref, one.manifest.rows, sources, len(rows)))
    return found


def _text_bytes(rows: "Dataset", parent: Artifact) -> int | None:
    """Return the bytes of all tokens, those that control among them; None for tokenizers whose tokens' bytes are not known."""
    path = parent.path / "tokenizer" / "tokenizer.json"
    spelled = spelling(path.read_text(encoding="utf-8")) if path.exists() else None
    if not spelled:
        return None
    sizes = np.zeros(max(spelled) + 1, np.int64)
    sizes[list(spelled)] = [len(token) for token in spelled.values()]
    return sum(int(sizes[chunk.flatten().to_numpy()].sum()) for chunk in rows.data["input_ids"].chunks)
