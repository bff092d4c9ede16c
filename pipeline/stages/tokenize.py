"""Tokenize: clean documents -> rows of token ids, labels and positions that a trainer takes as they are.

    a task a shard     documents -> tokens, each conversation rendered, labelled and proved; they wait in spills
    once               all lengths -> what is held out, how often each document is taken, and the row of each piece
    a task a shard     its tokens in the order of rows
    a task some rows   Arrow shards of whole rows, and the index of what they hold

A text is trained whole; a conversation is rendered by the chat template, trained where the assistant speaks, and proved (see
`pipeline.tokens.masks`). What fails a proof, is too long or trains nothing goes to the ledger with the reason.
"""

import contextlib
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.artifacts import Artifact, Draft, Identity, atomic, refusals, remembered
from pipeline.documents import EDITS, STRING, flat_text, kind_of, ledger, ledger_schema
from pipeline.errors import BrokenArtifact, TokenizerError, UsageError, did_you_mean
from pipeline.run import Run, versions
from pipeline.tokens import layout
from pipeline.tokens import shards as row_shards
from pipeline.tokens.chat import Chat, Unfit, rendered_sample, template_text
from pipeline.tokens.encoded import Cut, Encoded, Overlong, ShardWriter, cut, gathered, ids_of
from pipeline.tokens.encoding.encoder import Choice, Encoder, EncodingDiffers, choose
from pipeline.tokens.encoding.hard import sample
from pipeline.tokens.files import SPLITS, describe
from pipeline.tokens.layout import Packing, Wanted
from pipeline.tokens.masks import TrainOn, encode, probe
from pipeline.tokens.packed_rows import exchange
from pipeline.tokens.rows import SHORTEST, Ints, Tokens, counted, encode_texts
from pipeline.tokens.tokenizer import SMALLEST_VOCABULARY, TRAINED_SPECIAL, Tokenizer, load, reopened, train
from pipeline.tokens.tool_calls import conversations

VERSION = 4  # of what the stage does with the same settings; it enters the fingerprint
FILTERS = ("chat_template", "sequence_length", "supervised_tokens")
SLOW = Choice(*["the fast encoder erred"] * 2)
BATCH = 1024  # documents encoded at a time: enough to keep the encoder's threads busy, small beside a shard

Shares = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]


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
    overlong: Overlong
    near: bool
    choice: Choice

    def folder(self, shard: int) -> Path:
        """Return where a shard's tokens wait."""
        return self.draft / "work" / "encoded" / f"{shard:05}"


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
    overlong: Overlong = "auto",
    train_on: Literal["assistant", "last", "all"] = "assistant",
    packing: Packing = "best_fit",
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.05,
    validation_by: Literal["document", "source"] = "document",
    validation_similarity: Annotated[float, Field(gt=0, le=1)] | None = 0.5,
    mix: Shares | None = None,
    epochs: Shares | None = None,
    seed: int = 42,
) -> Artifact:
    """Tokenize the documents of one or several artifacts, texts and chats.

    `tokenizer` is a folder, a tokenizer.json or a hub name; with `train_tokenizer` a byte-level BPE tokenizer of `vocab_size`
    is trained on the documents. `chat_template` is the name of one that ships or a .jinja file, by default the tokenizer's own.
    `train_on` says which tokens of a conversation are supervised.

    Rows hold at most `sequence_length` tokens, at least 3. A longer document is, by `overlong`, split into windows, truncated,
    dropped, or an error; `auto` splits texts and drops conversations, whose later windows would lack what was asked.
    `packing`: documents share rows by best fit, or are joined end to end and cut (`concatenate`), or have a row each, shuffled
    or in the order of like lengths. Positions restart at each document, whose first token has no label.

    `validation` is the share of documents held out, whole groups of those whose word shingles overlap by
    `validation_similarity` (Jaccard) or more, or which are connected by such; and with `validation_by: source` of those of one
    source. `mix` gives artifacts, by name, their shares of all training tokens; `epochs` says how often each is taken.

    Raises `UsageError` for settings that make no sense, `TokenizerError` where tokenizer or template cannot be used,
    `BrokenArtifact` where a shard of the parents cannot be read.
    """
    _check(parents, tokenizer, train_tokenizer, vocab_size, sequence_length, validation)
    numbers = {key: _numbered(parents, key, given) for key, given in (("mix", mix), ("epochs", epochs))}
    shards = _shards(parents)
    chats = any(kind_of(_columns(shard.path)) == "chat" for shard in shards)
    what, make = _choose(shards, chats, tokenizer, vocab_size, chat_template)
    recipe = {
        "version": VERSION, "tokenizer": what, "sequence_length": sequence_length, "overlong": overlong, "train_on": train_on,
        "packing": packing, "validation": validation, "validation_by": validation_by,
        "validation_similarity": validation_similarity, "mix": mix, "epochs": epochs, "seed": seed,
    }  # fmt: skip
    identity = Identity("tokenize", recipe, tuple(parent.ref for parent in parents))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        _settle(draft, make, chats, run)
        choice = _chosen(draft, shards, chats, run)
        near = validation > 0 and validation_similarity is not None
        plan = Plan(draft.path, sequence_length, train_on, overlong, near, choice)
        answers = _answers(plan, shards, run)
        encoded = gathered([plan.folder(shard.number) for shard in shards])
        held = layout.held_out(encoded, validation, validation_by, validation_similarity)
        places = {parent.ref: number for number, parent in enumerate(parents)}
        names = np.repeat([places[shard.artifact] for shard in shards], encoded.documents)
        times = layout.copies(encoded, names, numbers["epochs"], numbers["mix"], held)
        totals: list[dict[str, Any]] = []
        written = 0
        for split, chosen in zip(SPLITS, (~held, held), strict=True):
            rows = layout.taken(encoded, chosen, times, Wanted(packing, sequence_length, seed))
            total, files = _written(plan, encoded, rows, split, shards, written, run)
            totals.append(total)
            written += files
        mixed_out = _mixed_out(plan, encoded, times, shards, run)
        describe(draft.path, identity.fingerprint)
        removed = {filter_: sum(answer["removed"][filter_] for answer in answers) for filter_ in FILTERS}
        removed |= {"mix": mixed_out} if mix or epochs else {}
        documents = sum(parent.manifest.rows["kept"] for parent in parents)
        return draft.publish(
            {"in": documents, "kept": documents - sum(removed.values()), "removed": sum(removed.values())},
            counts=[*_removals(removed, answers), *totals],
            versions=versions("tokenizers", "gigatoken", "transformers", "pyarrow"),
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


def _numbered(parents: Sequence[Artifact], setting: str, given: Mapping[str, float] | None) -> dict[int, float]:
    """Return a number for each artifact, told by name or ref, by its place; raises `UsageError` for one that is not here."""
    known: dict[str, list[int]] = {}
    for number, parent in enumerate(parents):
        for key in (parent.manifest.name, parent.ref):
            known.setdefault(key, []).append(number)
    found = {}
    for key, value in (given or {}).items():
        if len(known.get(key, ())) != 1:
            why = "names several" if key in known else "names none"
            hint = did_you_mean(key, known) or f" They are: {', '.join(parent.ref for parent in parents)}."
            raise UsageError(f"{setting}: {key!r} {why} of the artifacts to tokenize.{hint}")
        found[known[key][0]] = value
    missing = [parent.ref for number, parent in enumerate(parents) if given and setting == "mix" and number not in found]
    if missing:
        raise UsageError(f"mix: no share for {', '.join(missing)}. Give each artifact one, or leave it out of the call.")
    return found


def _answers(plan: Plan, shards: Sequence[Shard], run: Run) -> list[dict[str, Any]]:
    """Encode all shards; where the fast encoder errs on one document, encode all again with the tokenizer's own."""
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
    tokenizer = reopened(draft.path / "tokenizer")
    heads = [next(_batches(shard.path)) for shard in shards[:: max(1, len(shards) // 4)]]
    texts = [text for head in heads for text in sample(flat_text(head)[0])[:64]]
    talks = [text for head in heads if kind_of(head.schema) == "chat" for text in rendered_sample(tokenizer, head.slice(0, 64))]
    choice = choose(tokenizer, texts, talks if chats else None)
    for what, why, there in (("texts", choice.text, not chats), ("chats", choice.chat, chats)):
        if there and why is not None:
            run.progress.say(f"{what} are encoded by `tokenizers`: {why}")
    return choice


@lru_cache(maxsize=2)
def encoder_of(folder: Path, choice: Choice) -> Encoder:
    """Return the encoder of a draft's tokenizer; a worker makes it once."""
    return Encoder(reopened(folder), choice)


def _shard(plan: Plan, shard: Shard) -> dict[str, Any]:
    return remembered(plan.draft / "work" / f"{shard.number:05}.json", lambda: _encoded(plan, shard))


def _encoded(plan: Plan, shard: Shard) -> dict[str, Any]:
    """Write a shard's tokens and ledger; answer with its counts."""
    encoder = encoder_of(plan.draft / "tokenizer", plan.choice)
    columns = _columns(shard.path)
    removed, edits = [ledger_schema(columns).empty_table()], [EDITS.empty_table()]
    lost = Counter({"documents": 0, "tokens": 0, "supervised_tokens": 0})
    with ShardWriter(plan.folder(shard.number), near=plan.near) as writer:
        for documents in _batches(shard.path):
            tokens, tokenized, gone, pieces = _sifted(plan, encoder, documents)
            removed += gone
            writer.write(tokenized, tokens, pieces.pieces)
            edits.append(_truncated(tokenized, tokens, pieces, lost))
    if plan.near:
        writer.write_near(columns)
    entries = pa.concat_tables(removed)
    _save(entries, plan.draft / "removed" / f"{shard.number:05}.parquet")
    if lost["documents"]:
        _save(pa.concat_tables(edits), plan.draft / "edits" / f"{shard.number:05}.parquet")
    by_filter = Counter(entries["filter"].to_pylist())
    return {"removed": {filter_: by_filter[filter_] for filter_ in FILTERS}, "truncated": dict(lost)}


def _sifted(plan: Plan, encoder: Encoder, documents: pa.Table) -> tuple[Tokens, pa.Table, list[pa.Table], Cut]:
    """Tokenize a batch; return tokens, documents and pieces of those that stay, and the ledger's entries for the others."""
    documents = documents.replace_schema_metadata()
    gone = []
    if kind_of(documents.schema) == "text":
        tokens, overlong = encode_texts(encoder, flat_text(documents)[0]), plan.overlong.replace("auto", "split")
    else:
        chat = Chat(encoder.reference.tokenizer)
        tokens, fit, unfit = encode(chat, conversations(documents), plan.train_on, encoder)
        gone.append(_unfit_entries(documents, unfit))
        documents, overlong = documents.take(pa.array(fit, pa.int64())), plan.overlong.replace("auto", "drop")
    too_long = (tokens.lengths > plan.sequence_length) & (overlong in ("drop", "error"))
    if overlong == "error" and too_long.any():
        first = int(too_long.argmax())
        raise TokenizerError(
            f"{documents['id'][first].as_py()} has {tokens.lengths[first]} tokens, and a row holds {plan.sequence_length}. "
            f"Choose a longer --sequence-length, or what else is to be done with --overlong."
        )
    pieces = cut(tokens, plan.sequence_length, overlong)  # type: ignore[arg-type]
    silent = ~too_long & (_supervised(tokens, pieces) == 0)
    for flags, filter_, measure, values, bound in (
        (too_long, "sequence_length", "tokens", tokens.lengths, f"max {plan.sequence_length}"),
        (silent, "supervised_tokens", "supervised_tokens", _supervised(tokens, pieces), "min 1"),
    ):
        value = pa.array(values[flags].astype(np.float64))
        gone.append(ledger(documents.filter(pa.array(flags)), filter_, measure=measure, value=value, bound=bound))
    stays = ~(too_long | silent)
    if not stays.all():
        tokens, documents = tokens.chosen(stays), documents.filter(pa.array(stays))
        pieces = cut(tokens, plan.sequence_length, overlong)  # type: ignore[arg-type]
    return tokens, documents, gone, pieces


def _supervised(tokens: Tokens, cut: Cut) -> Ints:
    """Return how many supervised tokens of each document are predicted in the pieces of it."""
    pieces = cut.pieces
    of_piece = counted(tokens.supervised, np.minimum(pieces.start + 1, pieces.stop), pieces.stop)
    sums: Ints = np.bincount(pieces.document, of_piece, len(tokens.lengths)).astype(np.int64)
    return sums


def _truncated(documents: pa.Table, tokens: Tokens, cut: Cut, lost: Counter[str]) -> pa.Table:
    """Count what truncation took, and return what is to be noted of the documents that it cut."""
    rows = np.flatnonzero(cut.lost)
    ends = tokens.offsets[1:][rows]
    supervised = counted(tokens.supervised, ends - cut.lost[rows], ends)
    lost.update({"documents": len(rows), "tokens": int(cut.lost.sum()), "supervised_tokens": int(supervised.sum())})
    evidence = [
        [{"label": "tokens", "text": f"{gone} of {length} tokens, {own} of them supervised", "message": None}]
        for gone, length, own in zip(cut.lost[rows], tokens.lengths[rows], supervised, strict=True)
    ]
    ids = documents["id"].take(pa.array(rows)).combine_chunks()
    columns = [ids, *(pa.repeat(pa.scalar(word, STRING), len(rows)) for word in ("sequence_length", "truncate"))]
    return pa.table([*columns, pa.array(evidence, EDITS.field("evidence").type)], schema=EDITS)


def _unfit_entries(documents: pa.Table, unfit: dict[int, Unfit]) -> pa.Table:
    places = sorted(unfit)
    problems = [unfit[place] for place in places]
    evidence = [[{"label": problem.measure, "text": problem.reason, "message": problem.message}] for problem in problems]
    measure = pa.array([problem.measure for problem in problems], STRING)
    entries = documents.take(pa.array(places, pa.int64()))
    return ledger(entries, "chat_template", measure=measure, evidence=evidence)


def _written(
    plan: Plan, encoded: Encoded, rows: layout.Taken, split: str, shards: Sequence[Shard], before: int, run: Run
) -> tuple[dict[str, Any], int]:
    """Write the rows of a split, `before` files of the index being those of others; return its counts, and how many it has."""
    work = plan.draft / "work" / split
    places = layout.place_all(encoded, rows, work / "places")
    sorted_ = [work / "sorted" / place.name for place in places]
    moves = list(zip(encoded.folders, places, sorted_, strict=True))
    list(run.progress.track(f"tokenize, {split}: sorting", run.engine.map(_sort, moves), len(moves)))
    step = max(1, row_shards.SHARD_TOKENS // plan.sequence_length)
    refs = [shard.artifact for shard in shards]
    tasks = [
        row_shards.RowShard(
            plan.draft, split, number, before + number, first, min(first + step, rows.rows), sorted_, encoded.folders, refs
        )
        for number, first in enumerate(range(0, rows.rows, step))
    ]
    counts = list(run.progress.track(f"tokenize, {split}: writing", run.engine.map(row_shards.write, tasks), len(tasks)))
    shutil.rmtree(work)
    total = {name: sum(count[name] for count in counts) for name in ("rows", "tokens", "supervised_tokens")}
    filled = total["tokens"] / (total["rows"] * plan.sequence_length) if total["rows"] else 0.0
    return {"split": split, **total, "filled": round(filled, 4)}, len(tasks)


def _sort(move: tuple[Path, Path, Path]) -> None:
    spill, places, to = move
    exchange(spill, to, index=places)


def _mixed_out(plan: Plan, encoded: Encoded, times: Ints, shards: Sequence[Shard], run: Run) -> int:
    """Write into the ledger which documents the mix leaves out; returns their number."""
    bounds = np.concatenate([[0], np.cumsum(encoded.documents)])
    tasks = [(plan, shard, np.flatnonzero(times[bounds[at] : bounds[at + 1]] == 0)) for at, shard in enumerate(shards)]
    tasks = [task for task in tasks if len(task[2])]
    return sum(run.progress.track("tokenize, mix", run.engine.map(_leave_out, tasks), len(tasks)))


def _leave_out(task: tuple[Plan, Shard, Ints]) -> int:
    plan, shard, documents = task
    path = plan.draft / "removed" / f"{shard.number:05}.parquet"
    gone = pq.read_table(path)
    if "mix" in gone["filter"].to_pylist():  # a run that was killed has written them
        return len(documents)
    ids = ids_of(plan.folder(shard.number)).take(pa.array(documents))
    with _reading(shard.path):
        table = pq.read_table(shard.path).replace_schema_metadata()
    left_out = table.filter(pa.compute.is_in(table["id"], ids))
    _save(pa.concat_tables([gone, ledger(left_out, "mix", measure="epochs", bound="its share")]), path)
    return len(documents)


def _save(table: pa.Table, path: Path) -> None:
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _removals(removed: dict[str, int], answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of what was removed, and of what truncation took."""
    counts: list[dict[str, Any]] = [{"filter": filter_, "removed": count} for filter_, count in removed.items()]
    names = ("documents", "tokens", "supervised_tokens")
    lost = {name: sum(answer["truncated"][name] for answer in answers) for name in names}
    return [*counts, {"overlong": "truncated", **lost}] if lost["documents"] else counts
