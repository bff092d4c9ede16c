"""Clean documents -> how long `prep tokenize` and `datasets.map` take to read, encode, pack and write them, in one run.

    python tests/benchmarks/tokenize_against_datasets.py STORE REF TOKENIZER [--documents 4000] [--workers 2]

`datasets.map` does what the causal language modelling example of transformers (`run_clm.py`) does: it encodes with the fast
tokenizer, joins and cuts the ids into rows (`group_texts`), both in batches of 1,000, and `save_to_disk` writes them. It gets
the first `--documents` of REF (all unless told); its time for all is worked out by their bytes, and its start-up is not
counted. Our command is timed by the clock, start-up and all. Prints a line of JSON for each; raises `AssertionError` where a
document has other ids.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from transformers import AutoTokenizer

from pipeline.artifacts import Artifact, Store

PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]
LENGTH = 2048


def ours(store: Path, ref: str, tokenizer: str, workers: str) -> tuple[float, Artifact]:
    """Run `prep tokenize` into a store whose parents are those of another; returns its seconds and what it made."""
    command = [*PREP, "tokenize", ref, "--tokenizer", tokenizer, "--sequence-length", str(LENGTH), "--validation", "0"]
    start = time.perf_counter()
    subprocess.run([*command, "--workers", workers, "--store", str(store), "-q"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, Store(store).newest("tokenize")


def theirs(files: list[str], tokenizer: str, workers: int, most: int | None, folder: str) -> tuple[dict[str, float], Any]:
    """Do the same by `datasets`: the seconds of encoding, of packing and of writing, and the documents' encoded ids."""
    encode = AutoTokenizer.from_pretrained(tokenizer)
    told = datasets.load_dataset(
        "parquet", data_files=files, split="train", columns=["id", "text"], cache_dir=f"{folder}/cache"
    )
    texts = told.select(range(min(len(told), most or len(told))))

    def encoded(batch: Any) -> Any:
        return {"input_ids": encode([text + encode.eos_token for text in batch["text"]])["input_ids"]}

    def grouped(batch: Any) -> Any:
        joined = list(chain(*batch["input_ids"]))
        rows = [joined[at : at + LENGTH] for at in range(0, len(joined) // LENGTH * LENGTH, LENGTH)]
        return {"input_ids": rows, "labels": [row.copy() for row in rows]}

    moments = [time.perf_counter()]
    alone = texts.map(encoded, batched=True, num_proc=workers, remove_columns=["text"])
    moments.append(time.perf_counter())
    rows = alone.map(grouped, batched=True, num_proc=workers, remove_columns=["id", "input_ids"])
    moments.append(time.perf_counter())
    rows.save_to_disk(f"{folder}/saved", num_proc=workers)
    moments.append(time.perf_counter())
    return dict(zip(("encode", "pack", "write"), np.diff(moments).tolist(), strict=True)), alone


def ids(made: Artifact, documents: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of some documents of a tokenize artifact, one after the other, and how many each has."""
    index = pa.concat_tables([pq.read_table(file) for file in made.files("index")])
    rows = datasets.load_from_disk(str(made.path / "tokens"))["train"].data.table["input_ids"].combine_chunks()
    flat = rows.values.to_numpy()
    lengths = index["length"].to_numpy()
    assert len(flat) == lengths.sum()
    place = pc.index_in(index["document"], value_set=documents).to_numpy()
    starts = np.cumsum(lengths) - lengths
    order = np.lexsort((index["window"].to_numpy(), place))
    order = order[np.isfinite(place[order])]
    taken = np.concatenate([flat[starts[at] : starts[at] + lengths[at]] for at in order])
    return taken, np.bincount(place[order].astype(np.int64), weights=lengths[order]).astype(np.int64)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("store", type=Path)
    arguments.add_argument("ref")
    arguments.add_argument("tokenizer")
    arguments.add_argument("--documents", type=int)
    arguments.add_argument("--workers", default="2")
    asked = arguments.parse_args()
    parent = Store(asked.store).find(asked.ref)
    files = [str(file) for file in parent.files("documents")]
    sizes = pc.binary_length(pa.concat_arrays([c for f in files for c in pq.read_table(f, columns=["text"])["text"].chunks]))
    part = pc.sum(sizes.slice(0, asked.documents)).as_py() / pc.sum(sizes).as_py()
    seconds, made = ours(asked.store, asked.ref, asked.tokenizer, asked.workers)
    print(json.dumps({"ours": round(seconds, 2), "MB": pc.sum(sizes).as_py() / 1e6, **made.manifest.rows}), flush=True)
    with tempfile.TemporaryDirectory(prefix="prep-") as folder:
        told, alone = theirs(files, asked.tokenizer, int(asked.workers), asked.documents, folder)
        whole = {name: round(taken / part, 2) for name, taken in told.items()}
        times = {
            "times": round(sum(whole.values()) / seconds, 1),
            "times unpacked": round((sum(whole.values()) - whole["pack"]) / seconds, 1),
        }
        print(json.dumps({"datasets.map": whole, "share done": round(part, 3), **times}), flush=True)
        expected = alone.with_format("arrow")[:]
        found, lengths = ids(made, expected["id"].combine_chunks())
        lists = expected["input_ids"].combine_chunks()
        assert np.array_equal(lengths, pc.list_value_length(lists).to_numpy())
        assert np.array_equal(found, lists.flatten().to_numpy())
        print(json.dumps({"documents with other ids": 0, "documents": len(lengths), "tokens": len(found)}))


if __name__ == "__main__":
    main()
