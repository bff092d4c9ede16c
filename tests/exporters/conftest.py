"""What the tests of exporters share: documents of a clean artifact, and tokenize artifacts made by hand."""

import json
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Artifact, Identity, Store, atomic
from pipeline.documents import FULL_MESSAGES, STRING, schema

Document = tuple[list[int], list[int]]
"""The ids and the labels of a document."""

INDEX = pa.schema(
    [
        ("split", pa.string()),
        ("row", pa.int64()),
        ("document", pa.large_string()),
        ("artifact", pa.string()),
        ("window", pa.int32()),
        ("length", pa.int32()),
        ("supervised_tokens", pa.int32()),
    ]
)


@pytest.fixture
def chats(store: Store) -> Callable[..., Artifact]:
    """Publish chats given as full messages, with their `tools` as JSON; the ids are d0, d1, ..."""

    def make(*conversations: list[dict], tools: Sequence[str | None] | None = None) -> Artifact:
        names = [f"d{number}" for number in range(len(conversations))]
        columns = schema("chat", [pa.field("tools", STRING)] if tools else [], FULL_MESSAGES)
        values = {"id": names, "messages": list(conversations), "source": names, **({"tools": list(tools)} if tools else {})}
        identity = Identity("clean", {"chats": json.dumps([conversations, tools])})
        with store.draft(identity, "chats") as draft:
            with atomic(draft.path / "documents" / "00000.parquet") as temporary:
                pq.write_table(pa.table(values, schema=columns), temporary)
            return draft.publish({"in": len(names), "kept": len(names)}, versions={}, run={})

    return make


@pytest.fixture
def tokens(store: Store) -> Callable[..., Artifact]:
    """Publish tokens by hand: shards of rows, each a list of documents, with or without `position_ids`."""

    def make(
        train: Sequence[Sequence[Sequence[Document]]],
        validation: Sequence[Sequence[Sequence[Document]]] = (),
        *,
        positions: bool = True,
        lengths: Callable[[int], int] = lambda length: length,
        tokenizer: str = "trained",
    ) -> Artifact:
        splits = {"train": train, "validation": validation}
        recipe = {"sequence_length": 64, "splits": json.dumps(splits), "positions": positions, "tokenizer": tokenizer}
        with store.draft(Identity("tokenize", {**recipe, "lengths": lengths(3)}), "sample") as draft:
            counts = []
            for split, shards in splits.items():
                lines = []
                for shard, rows in enumerate(shards):
                    _write_rows(draft.path / "tokens" / split / f"{shard:05}.arrow", rows, positions)
                    lines += rows
                with atomic(draft.path / "index" / f"{split}.parquet") as temporary:
                    pq.write_table(_index(split, lines, lengths), temporary)
                counts.append({"split": split, "rows": len(lines), "tokens": sum(len(ids) for row in lines for ids, _ in row)})
            (draft.path / "tokenizer").mkdir()
            (draft.path / "tokenizer" / "tokenizer.json").write_text("{}")
            documents = sum(len(row) for shards in splits.values() for rows in shards for row in rows)
            return draft.publish({"in": documents, "kept": documents}, counts=counts, versions={}, run={"tokenizer": tokenizer})

    return make


def _write_rows(path, rows, positions):
    columns = {
        "input_ids": [[token for ids, _ in row for token in ids] for row in rows],
        "labels": [[label for _, labels in row for label in labels] for row in rows],
    }
    if positions:
        columns["position_ids"] = [[place for ids, _ in row for place in range(len(ids))] for row in rows]
    table = pa.table({name: pa.array(lists, pa.list_(pa.int32())) for name, lists in columns.items()})
    with atomic(path) as temporary, pa.ipc.new_stream(temporary, table.schema) as stream:
        stream.write_table(table, max_chunksize=2)


def _index(split, rows, lengths):
    lines = [
        (split, number, f"{split}{number}:{place}", "clean/x@1", 0, lengths(len(ids)), sum(label != -100 for label in labels))
        for number, row in enumerate(rows)
        for place, (ids, labels) in enumerate(row)
    ]
    return pa.table([list(column) for column in zip(*lines, strict=True)] or [[]] * 7, schema=INDEX)
