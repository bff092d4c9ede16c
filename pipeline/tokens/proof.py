"""Shards of documents -> which encoder is taken for them: the fast one, proved while it encodes them, or the tokenizer's own.

The proof takes a second and hardly ever fails. So workers begin as if it had been made, and the driver makes it meanwhile.
Where the fast encoder is refused, what they wrote is thrown away; nothing is published before.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import orjson
import pyarrow as pa
import tokenizers

from pipeline.documents import Kind, flat_text
from pipeline.tokens.chat import rendered_sample
from pipeline.tokens.encoding.encoder import ABSENT, Choice, choose
from pipeline.tokens.encoding.fast import unknown_part
from pipeline.tokens.encoding.hard import sample
from pipeline.tokens.parents import Shard, batches
from pipeline.tokens.tokenizer import reopened

HEADS, DOCUMENTS = 4, 64  # shards spread over all of a kind, and documents at the head of each

Answer = TypeVar("Answer")


class Refused(Exception):  # noqa: N818  the name says the error
    """The fast encoder was taken for proved, and is not."""

    def __init__(self, choice: Choice) -> None:
        super().__init__(choice)
        self.choice = choice


def hopeful(folder: Path) -> bool:
    """Say whether the fast encoder may know a draft's tokenizer."""
    return unknown_part(orjson.loads((folder / "tokenizer.json").read_bytes())) is None


def hope(shards: Sequence[Shard]) -> Choice:
    """Return the choice that the proof is hoped to make."""
    kinds = {shard.kind for shard in shards}
    return Choice(*(None if kind in kinds else ABSENT for kind in ("text", "chat")))


def prove(folder: Path, shards: Sequence[Shard]) -> Choice:
    """Hold the fast encoder against the tokenizer's own, on hard strings and some shards' first documents.

    Runs beside tasks in the same process: the tokenizer is its own copy.
    """
    shared = reopened(folder)
    tokenizer = replace(shared, backend=tokenizers.Tokenizer.from_str(shared.backend.to_str()))
    texts = _sample(shards, "text", lambda head: sample(flat_text(head)[0])[:DOCUMENTS])
    chats = _sample(shards, "chat", lambda head: rendered_sample(tokenizer, head.slice(0, DOCUMENTS)))
    return choose(tokenizer, texts, sample(pa.array(chats, pa.large_string())) if chats else chats)


def _sample(shards: Sequence[Shard], kind: Kind, texts_of: Callable[[pa.Table], list[str]]) -> list[str] | None:
    """Return some texts of the shards of a kind, None where there are none."""
    own = [shard.path for shard in shards if shard.kind == kind]
    spread = [own[number * len(own) // HEADS] for number in range(HEADS)] if len(own) > HEADS else own
    heads = [head for path in spread for head in islice(batches(path), 1)]
    return [text for head in heads for text in texts_of(head)] if own else None


def while_it_holds(choice: Choice, proof: "Future[Choice]", answers: Iterator[Answer]) -> Iterator[Answer]:
    """Pass the answers on as long as `choice` takes the fast encoder for nothing that the proof refuses; raises `Refused`.

    Then the answers have ended: an engine leaves no task running that might still write.
    """
    try:
        for answer in answers:
            if proof.done():
                _hold(choice, proof.result())
            yield answer
        _hold(choice, proof.result())
    finally:
        if isinstance(answers, Generator):
            answers.close()


def _hold(choice: Choice, proved: Choice) -> None:
    if any(taken is None and refused is not None for taken, refused in zip(choice, proved, strict=True)):
        raise Refused(proved)
