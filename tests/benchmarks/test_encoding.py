"""How fast texts become ids: the fast encoder against the tokenizer's own, in one run, and that no document has other ids.

`CORPUS` names a folder of Parquet files with `text`, `TOKENIZER` a tokenizer.json; without them the sources of the installed
Python packages are the text, and a tokenizer is trained on them. Prints figures; asserts that the ids are the same.
"""

import os
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tokens.encoding.encoder import PROVED, Encoder, bytes_per_token, choose
from pipeline.tokens.encoding.hard import sample
from pipeline.tokens.encoding.ids import first_difference
from pipeline.tokens.tokenizer import load, train

MOST_BYTES = 32 << 20
ONE_IN = 8  # documents that the slow encoder gets


def corpus() -> pa.Array:
    if "CORPUS" in os.environ:
        file = min(Path(os.environ["CORPUS"]).glob("*.parquet"))
        return pq.read_table(file, columns=["text"])["text"].combine_chunks().cast(pa.large_string())
    found: list[str] = []
    size = 0
    for file in sorted(Path(sys.prefix).rglob("*.py")):
        if size < MOST_BYTES:
            found.append(file.read_text(encoding="utf-8", errors="ignore"))
            size += len(found[-1])
    return pa.array(found, pa.large_string())


def test_the_fast_encoder_against_the_tokenizers_own() -> None:
    texts = corpus()
    part = texts.take(pa.array(range(0, len(texts), ONE_IN)))
    tokenizer = load(os.environ["TOKENIZER"]) if "TOKENIZER" in os.environ else train([part.to_pylist()], 16_000)
    start = time.process_time()
    choice = choose(tokenizer, sample(texts))
    print(f"\nchosen in {time.process_time() - start:.2f} s of processor time: {choice.text or 'the fast encoder'}")
    encoder = Encoder(tokenizer, PROVED if choice.text is None else choice, one_in=0)
    encoder.texts(texts[:1])
    start = time.process_time()
    encoder.texts(texts)
    fast = texts.nbytes / 1e6 / (time.process_time() - start)
    start = time.process_time()
    expected = encoder.reference.texts(part.to_pylist())
    slow = part.nbytes / 1e6 / (time.process_time() - start)
    print(f"{fast:.1f} and {slow:.2f} MB for a second of processor time: {fast / slow:.0f} times")
    print(f"{bytes_per_token(encoder, texts):.2f} bytes a token")
    assert first_difference(encoder.texts(part), expected) is None
