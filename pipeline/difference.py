"""Two artifacts -> what differs: counts by filter, and the documents that changed sides."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.artifacts import Artifact, read_shard
from pipeline.documents import flat_text

KEPT, ABSENT = "kept", "absent"
KEYS = ["id", "nth"]


def difference(one: Artifact, other: Artifact) -> dict[str, Any]:
    """Compare two artifacts of documents.

    `counts` lists what each filter removed in the one and in the other; `moves` how many documents went from one side to
    another (`kept`, `removed by slop`, `rejected`, `absent`); `documents` names each with both sides; `altered` counts those
    that both keep with another text.
    """
    sides = [_sides(artifact) for artifact in (one, other)]
    together = sides[0].join(sides[1], KEYS, join_type="full outer", left_suffix="_a", right_suffix="_b")
    together = together.sort_by([(key, "ascending") for key in KEYS]).combine_chunks()
    a, b = (pc.fill_null(together[name], ABSENT) for name in ("side_a", "side_b"))
    moved = pc.not_equal(a, b)
    kept = pc.and_(pc.equal(a, KEPT), pc.equal(b, KEPT))
    altered = pc.and_(kept, pc.not_equal(together["text_a"], together["text_b"]))
    documents = [
        {"id": id_, "from": before, "to": after}
        for id_, before, after in zip(*(column.filter(moved).to_pylist() for column in (together["id"], a, b)), strict=True)
    ]
    removed = [_removed(artifact) for artifact in (one, other)]
    names = list(dict.fromkeys([*removed[0], *removed[1]]))
    return {
        "a": {"ref": one.ref, "rows": one.manifest.rows},
        "b": {"ref": other.ref, "rows": other.manifest.rows},
        "counts": [{"filter": name, "a": removed[0].get(name, 0), "b": removed[1].get(name, 0)} for name in names],
        "moves": [
            {"from": before, "to": after, "documents": count}
            for (before, after), count in Counter((move["from"], move["to"]) for move in documents).most_common()
        ],
        "documents": documents,
        "altered": int(pc.sum(pc.fill_null(altered, False)).as_py() or 0),
    }


def _sides(artifact: Artifact) -> pa.Table:
    """Return, of each document of an artifact, its id, where it stands, and a hash of its text where it is kept."""
    tables = [_side(read_shard(file), KEPT) for file in artifact.files("documents")]
    for file in artifact.files("removed"):
        table = read_shard(file, ["id", "filter"])
        side = pc.binary_join_element_wise(pa.scalar("removed by"), table["filter"].cast(pa.string()), pa.scalar(" "))
        tables.append(pa.table({"id": table["id"], "side": side, "text": pa.nulls(len(table), pa.uint64())}))
    for file in artifact.files("rejected"):
        table = read_shard(file)
        if "id" in table.column_names:
            tables.append(_side(table.select(["id"]), "rejected"))
    empty = pa.table(
        {"id": pa.array([], pa.large_string()), "side": pa.array([], pa.string()), "text": pa.array([], pa.uint64())}
    )
    together = pa.concat_tables([empty, *tables])
    return together.append_column("nth", pa.array(_nth(together["id"])))


def _nth(ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return how many times each id has come before: an id that several documents share names the first, the second, ..."""
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    nth = np.empty(len(codes), dtype=np.int64)
    nth[order] = np.arange(len(codes)) - np.searchsorted(codes[order], codes[order])
    return nth


def _side(table: pa.Table, side: str) -> pa.Table:
    if "text" in table.column_names or "messages" in table.column_names:
        from filters.exact import exact_duplicates

        texts, offsets, _ = flat_text(table)
        content = pa.array(exact_duplicates(texts, offsets)[:, 0])
    else:
        content = pa.nulls(table.num_rows, pa.uint64())
    return pa.table({"id": table["id"], "side": pa.repeat(pa.scalar(side), table.num_rows), "text": content})


def _removed(artifact: Artifact) -> dict[str, int]:
    """Return what each filter removed; filters of a name are added up."""
    counts: Counter[str] = Counter()
    for count in artifact.manifest.counts:
        if "filter" in count:
            counts[count["filter"]] += count["removed"]
    return dict(counts)


def lines(found: dict[str, Any], samples: int = 5) -> list[str]:
    """Say a difference in lines: the two artifacts, counts by filter, moves with some documents each."""
    said = [
        f"{letter}  {found[letter]['ref']}: "
        + ", ".join(f"{count} {name}" for name, count in found[letter]["rows"].items() if count)
        for letter in ("a", "b")
    ]
    said += [f"  {row['filter']}: {row['a']} removed, then {row['b']} ({row['b'] - row['a']:+d})" for row in found["counts"]]
    for move in found["moves"]:
        said.append(f"{move['documents']} from {move['from']!r} to {move['to']!r}")
        own = [
            document["id"]
            for document in found["documents"]
            if (document["from"], document["to"]) == (move["from"], move["to"])
        ]
        said += [f"  {id_}" for id_ in own[:samples]]
    if not found["moves"]:
        said.append("no document changed sides")
    if found["altered"]:
        said.append(f"{found['altered']} kept by both, with another text")
    return said
