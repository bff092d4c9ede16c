"""Rows of tokens -> how many bytes of text a token stands for, and how many one of another tokenizer would.

More bytes a token is fewer tokens for the same text. Counted in the first rows of a split, control tokens apart.
"""

from typing import NamedTuple

import pyarrow as pa

from pipeline.artifacts import Artifact
from pipeline.token_samples.rows import Speller, batches, token_files
from pipeline.tokens.encoding.encoder import Choice, Encoder, bytes_per_token
from pipeline.tokens.tokenizer import Tokenizer, reopened

MOST = 200_000  # tokens that are read: 0.1 s
SLOW = Choice("a sample is small", "a sample is small")


class Sample(NamedTuple):
    """What stands between control tokens in the first rows of a split, and how many tokens it has."""

    texts: list[str]
    tokens: int

    @property
    def bytes_per_token(self) -> float:
        """Return how many bytes of UTF-8 a token stands for; 0 where there is none."""
        return sum(len(text.encode()) for text in self.texts) / max(self.tokens, 1)


def sampled(artifact: Artifact, split: str) -> Sample:
    """Read the first rows of a split; raises `BrokenArtifact` where a file is damaged or gone."""
    tokenizer = reopened(artifact.path / "tokenizer")
    speller, special = Speller(tokenizer), set(map(tokenizer.backend.token_to_id, tokenizer.control_tokens))
    texts, tokens, read = [""], 0, 0
    for batch in (batch for file in token_files(artifact, split) for batch in batches(file)):
        for row in batch.column("input_ids"):
            if read > MOST:
                break
            ids = row.values.to_pylist()
            read += len(ids)
            tokens += sum(number not in special for number in ids)
            for piece in speller.pieces(ids):
                texts[-1] += "" if piece.special else piece.text
                texts += [""] if piece.special else []
            texts.append("")
    return Sample([text for text in texts if text], tokens)


def compared(sample: Sample, other: Tokenizer, name: str) -> str:
    """Say in a line how many bytes of the same text a token of another tokenizer stands for.

    >>> from pipeline.tokens.tokenizer import train
    >>> compared(Sample(["hello hello"], 4), train([["hello hello"]], 300), "other")
    'other: 5.50 bytes a token, 50% fewer tokens'
    """
    theirs = bytes_per_token(Encoder(other, SLOW), pa.array(sample.texts, pa.large_string()))
    change = sample.bytes_per_token / theirs - 1 if theirs else 0.0
    return f"{name}: {theirs:.2f} bytes a token, {abs(change):.0%} {'more' if change > 0 else 'fewer'} tokens"
