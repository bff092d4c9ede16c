"""Pages of (id, text), a file of JSON lines a task -> how long datatrove's four MinHash steps take with their defaults.

    python datatrove_minhash.py FOLDER OUT WORKERS [whitespace]      (the Python that datatrove is installed for)

FOLDER holds 00000.jsonl, ... Words are split by datatrove's own tokenizer (spaCy) or, with `whitespace`, at white space, which
is the fastest it can do. Prints the seconds.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import minhash
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter


class Whitespace:
    """Splits words at white space."""

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()


def main(pages: str, out: str, workers: str, words: str = "") -> None:
    if words == "whitespace":
        minhash.load_word_tokenizer = lambda language: Whitespace()
    config = minhash.MinhashConfig()
    files = len(list(Path(pages).glob("*.jsonl")))
    parts = {name: f"{out}/{name}" for name in ("signatures", "buckets", "remove", "kept")}
    steps = [
        (files, [JsonlReader(pages), minhash.MinhashDedupSignature(output_folder=parts["signatures"], config=config)]),
        (config.num_buckets, [minhash.MinhashDedupBuckets(parts["signatures"], parts["buckets"], config=config)]),
        (1, [minhash.MinhashDedupCluster(parts["buckets"], parts["remove"], config=config)]),
        (files, [JsonlReader(pages), minhash.MinhashDedupFilter(parts["remove"]), JsonlWriter(parts["kept"])]),
    ]
    start = time.perf_counter()
    for tasks, pipeline in steps:
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=int(workers), logging_dir=f"{out}/logs-{tasks}-{id(pipeline)}"
        ).run()
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
