"""Tokenize: clean documents -> rows of token ids and labels that a trainer takes as they are.

A text is trained whole, cut into windows where it is longer than the sequence length. A conversation is rendered by the chat
template, trained where the assistant speaks, and proved (see `pipeline.tokens.masks`). One that is too long or fails a proof
goes to the ledger with the reason. Which documents are held out for validation follows from their ids alone.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.artifacts import Artifact, Draft, Identity, atomic, refusals, remembered
from pipeline.documents import STRING, flat_text, kind_of, ledger, ledger_schema
from pipeline.errors import BrokenArtifact, UsageError
from pipeline.run import Run, versions
from pipeline.tokens.chat import Chat, Unfit, template_text
from pipeline.tokens.encoding.encoder import Choice, Encoder, EncodingDiffers, choose
from pipeline.tokens.encoding.hard import sample
from pipeline.tokens.files import SPLITS, ShardWriter, describe, number_rows
from pipeline.tokens.masks import TrainOn, encode, probe
from pipeline.tokens.rows import SHORTEST, Tokens, encode_texts, held_out, index_table, token_table, windows
from pipeline.tokens.tokenizer import SMALLEST_VOCABULARY, TRAINED_SPECIAL, Tokenizer, load, reopened, train
from pipeline.tokens.tool_calls import conversations

VERSION = 3  # of what the stage does with the same settings; it enters the fingerprint
FILTERS = ("chat_template", "sequence_length", "supervised_tokens")
SLOW = Choice(*["the fast encoder erred"] * 2)
BATCH = 1024  # documents encoded at a time: enough to keep the encoder's threads busy, small beside a shard


class Shard(NamedTuple):
    """A parent's shard of documents."""

    number: int
    path: Path
    artifact: str


@dataclass(frozen=True)
class Plan:
    """What every task of a run knows; the tokenizer lies in the draft."""

    draft: Path
    sequence_length: int
    train_on: TrainOn
    validation: float
    choice: Choice


def tokenize(
    parents: Sequence[Artifact],
    name: str,
    run: Run,
    *,
    tokenizer: str | None = None,
    train_tokenizer: bool = False,
    vocab_size: Annotated[int, Field(ge=SMALLEST_VOCABULARY)] = 8000,
    chat_template: str | None = None,
    sequence_length: Annotated[int, Field(ge=SHORTEST)] = 2048,
    train_on: Literal["assistant", "last", "all"] = "assistant",
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.05,
) -> Artifact:
    """Tokenize the documents of one or several artifacts, texts and chats.

    `tokenizer` is a folder, a tokenizer.json or a hub name; with `train_tokenizer` a byte-level BPE tokenizer of `vocab_size`
    is trained on the documents. `chat_template` is the name of one that ships or a .jinja file, by default the tokenizer's own.
    Rows hold at most `sequence_length` tokens, at least 3. `train_on` says which tokens of a conversation are supervised.
    `validation` is the share of documents held out.

    Raises `UsageError` for settings that make no sense, `TokenizerError` where tokenizer or template cannot be used,
    `BrokenArtifact` where a shard of the parents cannot be read.
    """
    _check(parents, tokenizer, train_tokenizer, vocab_size, sequence_length, validation)
    shards = _shards(parents)
    chats = any(kind_of(_columns(shard.path)) == "chat" for shard in shards)
    what, make = _choose(shards, chats, tokenizer, vocab_size, chat_template)
    recipe = {
        "version": VERSION,
        "tokenizer": what,
        "sequence_length": sequence_length,
        "train_on": train_on,
        "validation": validation,
    }
    identity = Identity("tokenize", recipe, tuple(parent.ref for parent in parents))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        _settle(draft, make, chats, run)
        choice = _chosen(draft, shards, chats, run)
        plan = Plan(draft.path, sequence_length, train_on, validation, choice)
        answers = _answers(plan, shards, run)
        before = dict.fromkeys(SPLITS, 0)
        for shard, answer in zip(shards, answers, strict=True):
            number_rows(draft.path, shard.number, before)
            before = {split: before[split] + answer[split]["rows"] for split in SPLITS}
        describe(draft.path, identity.fingerprint)
        removed = {filter_: sum(answer["removed"][filter_] for answer in answers) for filter_ in FILTERS}
        documents = sum(parent.manifest.rows["kept"] for parent in parents)
        kept = sum(answer["kept"] for answer in answers)
        return draft.publish(
            {"in": documents, "kept": kept, "removed": sum(removed.values())},
            counts=[*({"filter": filter_, "removed": count} for filter_, count in removed.items()), *_totals(answers)],
            versions=versions("tokenizers", "transformers", "pyarrow"),
            run={**run.facts(), "tokenizer": tokenizer or "trained"},
        )


def _check(
    parents: Sequence[Artifact],
    tokenizer: str | None,
    train_tokenizer: bool,
    vocab_size: int,
    sequence_length: int,
    validation: float,
) -> None:
    if not sum(parent.manifest.rows["kept"] for parent in parents):
        refs = ", ".join(parent.ref for parent in parents) or "no artifact"
        raise UsageError(f"there is no document to tokenize ({refs}). `prep list` shows which artifacts hold some.")
    if tokenizer is None and not train_tokenizer:
        raise UsageError("which tokenizer? Give --tokenizer FOLDER (or a tokenizer.json, or a hub name), or --train-tokenizer.")
    if tokenizer is not None and train_tokenizer:
        raise UsageError("--tokenizer and --train-tokenizer exclude each other. Give one of them.")
    if train_tokenizer and vocab_size < SMALLEST_VOCABULARY:
        raise UsageError(f"--vocab-size {vocab_size} is too small: bytes and special tokens take {SMALLEST_VOCABULARY}.")
    if sequence_length < SHORTEST:
        raise UsageError(
            f"--sequence-length {sequence_length} is too short: some rows would hold one token, which trains nothing. "
            f"Give {SHORTEST} or more."
        )
    if not 0 <= validation < 1:
        raise UsageError(f"--validation {validation} is no share of the documents. Give 0 or more, and less than 1.")


def _shards(parents: Sequence[Artifact]) -> list[Shard]:
    files = [(path, parent.ref) for parent in parents for path in parent.files("documents")]
    return [Shard(number, path, ref) for number, (path, ref) in enumerate(files)]


def _choose(
    shards: Sequence[Shard], chats: bool, tokenizer: str | None, vocab_size: int, chat_template: str | None
) -> tuple[dict[str, Any], Callable[[], Tokenizer]]:
    """Return what the tokenizer is, for the fingerprint, and how to come by it: a trained one is known before it is trained."""
    if tokenizer is None:
        template = template_text(chat_template, None, fallback="chatml")
        digest = hashlib.sha256(template.encode()).hexdigest()
        what = {
            "trained": "byte-level BPE",
            "vocab_size": vocab_size,
            "special": list(TRAINED_SPECIAL),
            "chat_template": digest,
        }
        return what, lambda: train(_texts(shards), vocab_size).with_chat_template(template)
    opened = load(tokenizer)
    if chats or chat_template is not None:
        opened = opened.with_chat_template(template_text(chat_template, opened.chat_template))
    return {"content": opened.content_hash}, lambda: opened


def _texts(shards: Sequence[Shard]) -> Iterator[list[str]]:
    for shard in shards:
        for documents in _batches(shard.path):
            yield flat_text(documents)[0].to_pylist()


def _batches(path: Path) -> Iterator[pa.Table]:
    with _reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            yield pa.Table.from_batches([batch])


def _columns(path: Path) -> pa.Schema:
    with _reading(path):
        return pq.read_schema(path).remove_metadata()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the shard that is damaged or gone; raises `BrokenArtifact`."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def _settle(draft: Draft, make: Callable[[], Tokenizer], chats: bool, run: Run) -> None:
    """Put the tokenizer into the draft, whole or not at all, and see that its chat template can be used."""
    folder = draft.path / "tokenizer"
    if not folder.exists():
        made = make()
        if chats:
            probe(Chat(made))
            if unknown := Chat(made).unknown_marks():
                run.progress.say(
                    f"the tokenizer has no token for the chat template's {', '.join(unknown)}: they are spelled out"
                )
        with refusals(folder):
            made.save(draft.work / "tokenizer")
            (draft.work / "tokenizer").rename(folder)


def _answers(plan: Plan, shards: Sequence[Shard], run: Run) -> list[dict[str, Any]]:
    """Do all shards; where the fast encoder errs on one document, do all of them again with the tokenizer's own."""
    for again in (plan, replace(plan, choice=SLOW)):
        try:
            task = partial(_shard, again)
            return list(run.progress.track("tokenize", run.engine.map(task, shards), len(shards)))
        except EncodingDiffers as error:
            run.progress.say(f"{error} All are encoded again by `tokenizers`.")
            for answer in (plan.draft / "work").glob("[0-9]*.json"):
                answer.unlink()
    raise AssertionError("the tokenizer's own encoder cannot differ from itself")


def _chosen(draft: Draft, shards: Sequence[Shard], chats: bool, run: Run) -> Choice:
    """Say whether the fast encoder is proved on some shards' first documents."""
    texts = [
        text for shard in shards[:: max(1, len(shards) // 4)] for text in sample(flat_text(next(_batches(shard.path)))[0])[:64]
    ]
    choice = choose(reopened(draft.path / "tokenizer"), texts, texts if chats else None)
    if choice.text is not None and not chats:
        run.progress.say(f"texts are encoded by `tokenizers`: {choice.text}")
    return choice


@lru_cache(maxsize=2)
def encoder_of(folder: Path, choice: Choice) -> Encoder:
    """Return the encoder of a draft's tokenizer; a worker makes it once."""
    return Encoder(reopened(folder), choice)


def _shard(plan: Plan, shard: Shard) -> dict[str, Any]:
    return remembered(plan.draft / "work" / f"{shard.number:05}.json", lambda: _tokenized(plan, shard))


def _tokenized(plan: Plan, shard: Shard) -> dict[str, Any]:
    """Write a shard's rows, index and ledger; answer with its counts."""
    encoder = encoder_of(plan.draft / "tokenizer", plan.choice)
    splits = {split: {"rows": 0, "tokens": 0, "supervised_tokens": 0} for split in SPLITS}
    removed = [ledger_schema(_columns(shard.path)).empty_table()]
    kept = 0
    with ShardWriter(plan.draft, shard.number) as writer:
        for documents in _batches(shard.path):
            tokens, tokenized, gone = _sifted(plan, encoder, documents)
            removed += gone
            kept += tokenized.num_rows
            _write(plan, shard, writer, tokens, tokenized["id"].combine_chunks(), splits)
    entries = pa.concat_tables(removed)
    with atomic(plan.draft / "removed" / f"{shard.number:05}.parquet") as temporary:
        pq.write_table(entries, temporary, compression="zstd")
    by_filter = Counter(entries["filter"].to_pylist())
    return {"kept": kept, "removed": {filter_: by_filter[filter_] for filter_ in FILTERS}, **splits}


def _sifted(plan: Plan, encoder: Encoder, documents: pa.Table) -> tuple[Tokens, pa.Table, list[pa.Table]]:
    """Tokenize a batch; return tokens and documents of those that stay, and the ledger's entries for the others."""
    documents = documents.replace_schema_metadata()
    gone = []
    if kind_of(documents.schema) == "text":
        tokens, longest = encode_texts(encoder, flat_text(documents)[0]), None
    else:
        tokenizer = encoder.reference.tokenizer
        tokens, fit, unfit = encode(Chat(tokenizer), conversations(documents), plan.train_on, encoder)
        gone.append(_unfit_entries(documents, unfit))
        documents, longest = documents.take(pa.array(fit, pa.int64())), plan.sequence_length
    too_long = tokens.lengths > longest if longest is not None else np.zeros(documents.num_rows, dtype=bool)
    silent = ~too_long & (tokens.supervised_counts == 0)
    for flags, filter_, measure, values, bound in (
        (too_long, "sequence_length", "tokens", tokens.lengths, f"max {longest}"),
        (silent, "supervised_tokens", "supervised_tokens", tokens.supervised_counts, "min 1"),
    ):
        value = pa.array(values[flags].astype(np.float64))
        gone.append(ledger(documents.filter(pa.array(flags)), filter_, measure=measure, value=value, bound=bound))
    stays = ~(too_long | silent)
    return tokens.chosen(stays), documents.filter(pa.array(stays)), gone


def _unfit_entries(documents: pa.Table, unfit: dict[int, Unfit]) -> pa.Table:
    places = sorted(unfit)
    problems = [unfit[place] for place in places]
    evidence = [[{"label": problem.measure, "text": problem.reason, "message": problem.message}] for problem in problems]
    measure = pa.array([problem.measure for problem in problems], STRING)
    entries = documents.take(pa.array(places, pa.int64()))
    return ledger(entries, "chat_template", measure=measure, evidence=evidence)


def _write(
    plan: Plan, shard: Shard, writer: ShardWriter, tokens: Tokens, ids: pa.Array, splits: dict[str, dict[str, int]]
) -> None:
    held = held_out(ids.to_pylist(), plan.validation)
    for split, chosen in zip(SPLITS, (~held, held), strict=True):
        rows = windows(tokens.offsets, chosen, plan.sequence_length)
        if not len(rows.document):
            continue
        index = index_table(tokens, rows, ids, shard.artifact, split, writer.rows[split])
        writer.write(split, token_table(tokens, rows), index)
        splits[split]["rows"] += len(rows.document)
        splits[split]["tokens"] += int((rows.stop - rows.start).sum())
        splits[split]["supervised_tokens"] += int(pc.sum(index["supervised_tokens"]).as_py())


def _totals(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("rows", "tokens", "supervised_tokens")
    return [{"split": split, **{name: sum(answer[split][name] for answer in answers) for name in names}} for split in SPLITS]
