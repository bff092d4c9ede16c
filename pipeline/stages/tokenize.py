"""Tokenize: clean documents -> rows of token ids, labels and positions that a trainer takes as they are.

    a task a shard     documents -> tokens, each conversation rendered, labelled and proved; they wait in spills
    beside it          the fast encoder is proved equal to the tokenizer's own, or all is encoded again
    once               what is held out, how often each document is taken, and the row of each piece
    a task some rows   Arrow shards of whole rows, and the index of what they hold

A text is trained whole; a conversation is rendered by the chat template, trained where the assistant speaks, and proved (see
`pipeline.tokens.masks`). What fails a proof, is too long or trains nothing goes to the ledger with the reason.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.artifacts import Artifact, Identity
from pipeline.errors import UsageError, did_you_mean
from pipeline.run import Run, versions
from pipeline.tokens import layout, left_out, proof, split_rows, training
from pipeline.tokens.copies import copies as copies_of
from pipeline.tokens.encode_all import encode_all
from pipeline.tokens.encode_shard import Plan
from pipeline.tokens.encoded import Overlong, gathered
from pipeline.tokens.files import SPLITS, describe
from pipeline.tokens.layout import Packing, Wanted
from pipeline.tokens.parents import shards_of
from pipeline.tokens.rows import SHORTEST
from pipeline.tokens.settling import Learnt, choose, has_chats, settle
from pipeline.tokens.sifting import FILTERS, Bounds
from pipeline.tokens.tokenizer import SMALLEST_VOCABULARY

VERSION = 5  # of what the stage does with the same settings; it enters the fingerprint
UNSORTED = 1 << 28  # tokens, 1 GB: so many are still in memory, where documents are picked from all over as fast as in order

Shares = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]


def tokenize(
    parents: Sequence[Artifact],
    name: str,
    run: Run,
    *,
    tokenizer: str | None = None,
    train_tokenizer: bool = False,
    vocab_size: Annotated[int, Field(ge=SMALLEST_VOCABULARY)] = 8000,
    tokenizer_kind: training.Kind = "bpe",
    special_tokens: Sequence[str] = (),
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

    `tokenizer` is a folder, a tokenizer.json, a SentencePiece .model, a tekken.json or a hub name; with `train_tokenizer` one
    of `vocab_size` is trained on the documents: BPE of bytes, or with `tokenizer_kind: sentencepiece_bpe` of characters, with
    `special_tokens` beside those of chatml. `chat_template` is the name of one that ships or a .jinja file, by default the
    tokenizer's own.
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
    _check(parents, tokenizer, train_tokenizer, sequence_length, validation)
    if train_tokenizer:
        training.check(vocab_size, tokenizer_kind, special_tokens)
    numbers = {key: _numbered(parents, key, given) for key, given in (("mix", mix), ("epochs", epochs))}
    shards = shards_of(parents)
    learnt = Learnt(vocab_size, tokenizer_kind, tuple(special_tokens))
    what, make = choose(shards, tokenizer, learnt, chat_template)
    recipe = {
        "version": VERSION, "tokenizer": what, "sequence_length": sequence_length, "overlong": overlong, "train_on": train_on,
        "packing": packing, "validation": validation, "validation_by": validation_by,
        "validation_similarity": validation_similarity, "mix": mix, "epochs": epochs, "seed": seed,
    }  # fmt: skip
    identity = Identity("tokenize", recipe, tuple(parent.ref for parent in parents))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        settle(draft, make, run, chats=has_chats(shards))
        near = validation > 0 and validation_similarity is not None
        plan = Plan(draft.path, Bounds(sequence_length, train_on, overlong), near, proof.hope(shards))
        answers = encode_all(plan, shards, run)
        encoded = gathered([plan.folder(shard.number) for shard in shards])
        paths = [shard.path for shard in shards]
        held = layout.held_out(encoded, paths, validation, validation_by, validation_similarity, draft.work / "near", run)
        places = {parent.ref: number for number, parent in enumerate(parents)}
        names = [places[shard.artifact] for shard in shards]
        copies = copies_of(encoded, names, numbers["epochs"], numbers["mix"], held)
        refs = [(ref, len(list(own))) for ref, own in groupby(shard.artifact for shard in shards)]
        wanted = Wanted(packing, sequence_length, seed)
        rows = split_rows.Rows(draft, copies, wanted, refs, sort=encoded.tokens > UNSORTED)
        totals: list[dict[str, Any]] = []
        written = 0
        for split in SPLITS:
            total, files = split_rows.write(rows, split, written, run)
            totals.append(total)
            written += files
        mixed_out = left_out.write(copies, shards, draft.path / "removed", run) if mix or epochs else 0
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
    if sequence_length < SHORTEST:
        raise UsageError(
            f"--sequence-length {sequence_length} is too short: some rows would hold one token, which trains nothing. "
            f"Give {SHORTEST} or more."
        )
    if not 0 <= validation < 1:
        raise UsageError(f"--validation {validation} is no share of the documents. Give 0 or more, and less than 1.")


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


def _removals(removed: dict[str, int], answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts of what was removed, and of what truncation took."""
    counts: list[dict[str, Any]] = [{"filter": filter_, "removed": count} for filter_, count in removed.items()]
    names = ("documents", "tokens", "supervised_tokens")
    lost = {name: sum(answer["truncated"][name] for answer in answers) for name in names}
    return [*counts, {"overlong": "truncated", **lost}] if lost["documents"] else counts
