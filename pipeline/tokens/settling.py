"""What was asked of a tokenizer -> what it is, for the fingerprint; then the tokenizer itself, whole in the draft."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.artifacts import Draft, refusals
from pipeline.documents import flat_text
from pipeline.run import Run
from pipeline.timing import phase
from pipeline.tokens import training
from pipeline.tokens.chat import Chat, template_text
from pipeline.tokens.masks import probe
from pipeline.tokens.parents import Shard, batches
from pipeline.tokens.tokenizer import TRAINED_SPECIAL, Tokenizer, load


class Learnt(NamedTuple):
    """How a tokenizer is trained."""

    vocab_size: int
    kind: training.Kind
    special_tokens: tuple[str, ...]


def choose(
    shards: Sequence[Shard], tokenizer: str | None, learnt: Learnt, chat_template: str | None
) -> tuple[dict[str, Any], Callable[[], Tokenizer]]:
    """Return what the tokenizer is, for the fingerprint, and how to come by it: a trained one is known before it is trained."""
    if tokenizer is None:
        template = template_text(chat_template, None, fallback="chatml")
        digest = hashlib.sha256(template.encode()).hexdigest()
        what = {
            "trained": training.KINDS[learnt.kind],
            "vocab_size": learnt.vocab_size,
            "special": [*TRAINED_SPECIAL, *learnt.special_tokens],
            "chat_template": digest,
        }
        return what, lambda: training.trained(_texts(shards), *learnt).with_chat_template(template)
    opened = load(tokenizer)
    if has_chats(shards) or chat_template is not None:
        opened = opened.with_chat_template(template_text(chat_template, opened.chat_template))
    return {"content": opened.content_hash}, lambda: opened


def has_chats(shards: Sequence[Shard]) -> bool:
    """Say whether there are conversations among the documents, so that a chat template is needed."""
    return any(shard.kind == "chat" for shard in shards)


def _texts(shards: Sequence[Shard]) -> Iterator[list[str]]:
    for shard in shards:
        for documents in batches(shard.path):
            yield flat_text(documents)[0].to_pylist()


@phase("settle the tokenizer")
def settle(draft: Draft, make: Callable[[], Tokenizer], run: Run, *, chats: bool) -> None:
    """Put the tokenizer into the draft, whole or not at all, and see that its chat template can be used."""
    folder = draft.path / "tokenizer"
    if folder.exists():
        return
    made = make()
    if chats:
        probe(Chat(made))
        if unknown := Chat(made).unknown_marks():
            run.progress.say(f"the tokenizer has no token for the chat template's {', '.join(unknown)}: they are spelled out")
    with refusals(folder):
        made.save(draft.work / "tokenizer")
        (draft.work / "tokenizer").rename(folder)
