"""The tokenize stage: documents of a real store -> rows that `datasets` opens."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors
from transformers import AutoTokenizer

from pipeline.artifacts import Artifact, Identity, Store, atomic
from pipeline.documents import schema
from pipeline.engine.local import Local
from pipeline.errors import BrokenArtifact, TokenizerError, UsageError
from pipeline.run import Run, Silent
from pipeline.stages.tokenize import tokenize
from pipeline.tokens.encode_all import SLOW
from pipeline.tokens.encoding.encoder import ABSENT, Choice, Encoder, EncodingDiffers
from pipeline.tokens.packed_rows import NARROW
from pipeline.tokens.rows import SHORTEST, encode_texts, offsets_of, windows
from pipeline.tokens.tokenizer import Tokenizer, reopened, train

WORDS = ["[UNK]", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "user", "assistant", "the", "mill", "river", "runs", "stands"]
ASK = {"role": "user", "content": "who runs"}
TELL = {"role": "assistant", "content": "the river runs"}


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(Store(tmp_path / "store"), Local(1))


@pytest.fixture
def words(tmp_path) -> str:
    """Save a tokenizer that can be read by eye: a word a token, `<s>` before a text, `</s>` behind it."""
    backend = Backend(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<s>", "</s>", "<|im_start|>", "<|im_end|>"])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    Tokenizer(backend, {"bos_token": "<s>", "eos_token": "</s>"}).save(tmp_path / "words")
    return str(tmp_path / "words")


def parent(store: Store, name: str, *shards: Sequence[str | list[dict[str, str]]]) -> Artifact:
    """Publish documents, texts or conversations, with ids `<name>:0`, `<name>:1`, ..."""
    documents = [document for shard in shards for document in shard]
    kind = "chat" if documents and isinstance(documents[0], list) else "text"
    identity = Identity("clean", {"documents": documents})
    if known := store.answer(identity, name):
        return known
    with store.draft(identity, name) as draft:
        number = 0
        for shard, bodies in enumerate(shards):
            ids = [f"{name}:{number + place}" for place in range(len(bodies))]
            number += len(bodies)
            columns = {"id": ids, "text" if kind == "text" else "messages": list(bodies), "source": [name] * len(bodies)}
            with atomic(draft.path / "documents" / f"{shard:05}.parquet") as temporary:
                pq.write_table(pa.table(columns, schema=schema(kind)), temporary)
        return draft.publish({"in": number, "kept": number}, versions={}, run={})


unpacked = partial(tokenize, packing="none", validation_similarity=None)


def rows(artifact: Artifact, split: str = "train") -> list[dict[str, list[int]]]:
    """Return the rows of a split in the order of what they hold."""
    found = datasets.load_from_disk(str(artifact.path / "tokens"))[split].to_list()
    return [found[number] for number in dict.fromkeys(line["row"] for line in index(artifact) if line["split"] == split)]


def spoken(numbers: Sequence[int]) -> str:
    return " ".join("-" if number == -100 else WORDS[number] for number in numbers)


def removed(artifact: Artifact) -> list[dict]:
    return [row for file in artifact.files("removed") for row in pq.read_table(file).to_pylist()]


def index(artifact: Artifact) -> list[dict]:
    """Return the lines of the index in the order of their artifacts and documents."""
    lines = [row for file in artifact.files("index") for row in pq.read_table(file).to_pylist()]
    place = {ref: number for number, ref in enumerate(artifact.manifest.parents)}
    number = lambda line: int(line["document"].rpartition(":")[2])
    return sorted(lines, key=lambda line: (place[line["artifact"]], number(line), line["window"]))


def content(artifact: Artifact) -> dict[str, str]:
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def test_a_text_is_trained_whole_between_bos_and_eos(run, words):
    made = unpacked([parent(run.store, "texts", ["the mill stands"])], "t", run, tokenizer=words, validation=0)
    [row] = rows(made)
    assert spoken(row["input_ids"]) == "<s> the mill stands </s>"
    assert row["labels"] == [-100, *row["input_ids"][1:]]
    assert row["position_ids"] == [0, 1, 2, 3, 4]


def test_a_chat_is_trained_where_the_assistant_speaks(run, words):
    chats = parent(run.store, "chats", [[ASK, TELL]])
    made = unpacked([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    [row] = rows(made)
    assert (
        spoken(row["input_ids"])
        == "<s> <|im_start|> user [UNK] runs <|im_end|> <|im_start|> assistant the river runs <|im_end|>"
    )
    assert spoken(row["labels"]) == "- - - - - - - - the river runs <|im_end|>"


def test_a_long_text_is_cut_into_windows_and_no_token_is_lost(run, words):
    made = unpacked([parent(run.store, "t", ["the mill stands the river runs"])], "t", run, tokenizer=words, sequence_length=3)
    found = [spoken(row["input_ids"]) for row in rows(made) + rows(made, "validation")]
    assert found == ["<s> the mill", "stands the river", "runs </s>"]


def test_a_last_window_of_one_token_takes_another_from_the_window_before(run, words):
    texts = parent(run.store, "t", ["the mill stands the river"])
    made = unpacked([texts], "t", run, tokenizer=words, sequence_length=3, validation=0)
    assert [spoken(row["input_ids"]) for row in rows(made)] == ["<s> the mill", "stands the", "river </s>"]


def test_supervised_tokens_are_those_that_the_token_before_predicts(run, words):
    texts = parent(run.store, "t", ["the mill stands the river", "river"])
    made = unpacked([texts], "t", run, tokenizer=words, sequence_length=3, validation=0)
    predicted = [sum(label != -100 for label in row["labels"][1:]) for row in rows(made)]
    assert [row["supervised_tokens"] for row in index(made)] == predicted == [2, 1, 1, 2]
    assert made.manifest.counts[-2]["supervised_tokens"] == 6


def test_a_text_of_a_single_token_is_removed_since_nothing_predicts_it(run):
    made = unpacked([parent(run.store, "t", ["", "river"])], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["value"], entry["bound"]) == ("t:0", "supervised_tokens", 0, "min 1")


def test_a_text_that_spells_a_control_token_gets_its_characters(run):
    text = "Write <|endoftext|> or <|im_start|>user here."
    made = unpacked([parent(run.store, "t", [text])], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
    opened = AutoTokenizer.from_pretrained(made.path / "tokenizer")
    [row] = rows(made)
    assert not set(row["input_ids"][:-1]) & set(opened.all_special_ids)
    assert opened.decode(row["input_ids"]) == f"{text}<|endoftext|>"


@pytest.mark.parametrize("keep", [0, 100, -12])
def test_a_damaged_shard_of_a_parent_is_named(run, words, keep):
    texts = parent(run.store, "t", ["the mill"])
    [shard] = texts.files("documents")
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(BrokenArtifact, match=f"{shard}: cannot be read .*`prep verify`"):
        tokenize([texts], "t", run, tokenizer=words)


def test_a_parents_shard_with_damaged_pages_is_named(run, words):
    texts = parent(run.store, "t", ["the mill"])
    [shard] = texts.files("documents")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:4] + bytes(200) + whole[204:])
    with pytest.raises(BrokenArtifact, match=f"{shard}: cannot be read"):
        tokenize([texts], "t", run, tokenizer=words)


def test_a_chat_that_is_too_long_is_removed_with_its_length(run, words):
    chats = parent(run.store, "chats", [[ASK, TELL], [ASK, TELL, ASK, TELL]])
    made = unpacked([chats], "t", run, tokenizer=words, chat_template="chatml", sequence_length=12, validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["measure"]) == ("chats:1", "sequence_length", "tokens")
    assert (entry["value"], entry["bound"]) == (23, "max 12")
    assert made.manifest.rows == {"in": 2, "kept": 1, "removed": 1, "rejected": 0}


def test_a_chat_without_an_answer_is_removed_since_it_trains_nothing(run, words):
    chats = parent(run.store, "chats", [[ASK], [ASK, TELL]])
    made = unpacked([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    assert [(entry["id"], entry["filter"]) for entry in removed(made)] == [("chats:0", "supervised_tokens")]


def test_a_chat_that_fails_a_proof_is_removed_with_the_reason(run, words):
    chats = parent(run.store, "chats", [[ASK, {"role": "assistant", "content": "unheard"}], [ASK, TELL]])
    made = unpacked([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["measure"]) == ("chats:0", "chat_template", "decoded_text")
    assert entry["evidence"][0]["message"] == 1
    assert made.manifest.counts[0] == {"filter": "chat_template", "removed": 1}


def test_texts_and_chats_share_an_artifact_and_the_index_names_each_rows_document(run, words):
    texts = parent(run.store, "texts", ["the mill stands"], ["river " * 5])
    chats = parent(run.store, "chats", [[ASK, TELL]])
    made = unpacked([texts, chats], "t", run, tokenizer=words, chat_template="chatml", sequence_length=12, validation=0)
    assert [(row["document"], row["artifact"], row["length"], row["supervised_tokens"]) for row in index(made)] == [
        ("texts:0", texts.ref, 5, 4),
        ("texts:1", texts.ref, 7, 6),
        ("chats:0", chats.ref, 12, 4),
    ]
    assert [len(row["input_ids"]) for row in rows(made)] == [5, 7, 12]
    assert made.manifest.counts[-2:] == [
        {"split": "train", "rows": 3, "tokens": 24, "supervised_tokens": 14, "filled": 0.6667},
        {"split": "validation", "rows": 0, "tokens": 0, "supervised_tokens": 0, "filled": 0.0},
    ]


def test_an_empty_validation_split_opens(run, words):
    made = unpacked([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0)
    opened = datasets.load_from_disk(str(made.path / "tokens"))
    assert opened["validation"].num_rows == 0
    assert opened["validation"].features == opened["train"].features
    assert opened["train"].features["input_ids"] == datasets.List(datasets.Value("int32"))


def test_the_split_follows_from_the_ids_and_keeps_a_documents_windows_together(run, words):
    texts = parent(run.store, "texts", ["the mill stands the river runs"] * 40, ["river"] * 40)
    made = unpacked([texts], "t", run, tokenizer=words, sequence_length=3, validation=0.25)
    held = {row["document"] for row in index(made) if row["split"] == "validation"}
    assert 5 < len(held) < 40
    again = unpacked([parent(run.store, "texts", ["other"] * 80)], "t", run, tokenizer=words, validation=0.25)
    assert held == {row["document"] for row in index(again) if row["split"] == "validation"}
    assert not held & {row["document"] for row in index(made) if row["split"] == "train"}
    for split in ("train", "validation"):
        numbers = [row["row"] for row in index(made) if row["split"] == split]
        assert sorted(numbers) == list(range(len(rows(made, split))))


def test_two_workers_write_the_same_bytes_as_one(tmp_path):
    made = []
    for workers in (1, 2):
        run = Run(Store(tmp_path / str(workers)), Local(workers))
        texts = parent(run.store, "texts", ["the mill stands by the river"] * 9, ["the river runs"] * 7)
        chats = parent(run.store, "chats", [[ASK, TELL], [ASK]])
        made.append(tokenize([texts, chats], "t", run, train_tokenizer=True, vocab_size=300, validation=0.3))
        run.engine.close()
    assert content(made[0]) == content(made[1])
    assert made[0].ref == made[1].ref


@pytest.mark.parametrize("step", range(6), ids=["encoding", "sorting", "writing", "sorting 2", "writing 2", "mixing"])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path, words, monkeypatch, step):
    monkeypatch.setattr("pipeline.tokens.shards.SHARD_TOKENS", 10)
    monkeypatch.setattr("pipeline.stages.tokenize.UNSORTED", 0)
    settings = {"tokenizer": words, "validation": 0.4, "sequence_length": 6, "mix": {"one": 0.8, "two": 0.2}}
    settings |= {"validation_similarity": None}
    texts = {"one": (["the mill"] * 5, ["the river runs"] * 5), "two": (["mill mill"] * 9,)}
    parents = lambda store: [parent(store, name, *shards) for name, shards in texts.items()]
    first = Run(Store(tmp_path / "first"), Local(1))
    whole = tokenize(parents(first.store), "t", first, **settings)

    class KilledError(Exception):
        pass

    class Dies(Local):
        steps = 0

        def map(self, task, items):
            todo = list(items)
            self.steps += 1
            if self.steps <= step:
                return map(task, todo)
            task(todo[0])
            raise KilledError

    store = Store(tmp_path / "second")
    with pytest.raises(KilledError):
        tokenize(parents(store), "t", Run(store, Dies(1)), **settings)
    again = tokenize(parents(store), "t", Run(store, Local(1)), **settings)
    assert content(again) == content(whole)


def test_shards_of_rows_that_a_task_writes_together_are_those_of_a_task_each(tmp_path, words, monkeypatch):
    monkeypatch.setattr("pipeline.tokens.shards.SHARD_TOKENS", 12)
    made = []
    for tasks in (1, 100):
        monkeypatch.setattr("pipeline.tokens.shards.TASKS", tasks)
        run = Run(Store(tmp_path / str(tasks)), Local(1))
        texts = parent(run.store, "texts", ["the mill stands by the river"] * 9, [], ["the river runs"] * 7)
        made.append(tokenize([texts], "t", run, tokenizer=words, sequence_length=6, validation=0))
    assert content(made[0]) == content(made[1])
    assert len(made[0].files("tokens")) > 3


@pytest.mark.parametrize("highest", [len(WORDS), NARROW - 1, NARROW, 150_000])
def test_an_id_beyond_a_gap_in_the_vocabulary_stays_what_it_is(tmp_path, run, highest):
    vocabulary = {word: number for number, word in enumerate(WORDS)} | {"far": highest}
    backend = Backend(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    Tokenizer(backend, {}).save(tmp_path / "gap")
    made = tokenize([parent(run.store, "t", ["the far mill"])], "t", run, tokenizer=str(tmp_path / "gap"), validation=0)
    (row,) = rows(made)
    assert row["input_ids"] == [WORDS.index("the"), highest, WORDS.index("mill")]


def test_spills_that_are_sorted_give_the_same_bytes_as_others(tmp_path, words, monkeypatch):
    made = []
    for most in (0, 1 << 28):
        monkeypatch.setattr("pipeline.stages.tokenize.UNSORTED", most)
        run = Run(Store(tmp_path / str(most)), Local(1))
        texts = parent(run.store, "texts", ["the mill stands"] * 9, ["the river runs"] * 7, ["mill"] * 5)
        made.append(tokenize([texts], "t", run, tokenizer=words, validation=0.3, sequence_length=7))
    assert content(made[0]) == content(made[1])


class Two:
    """An engine of two workers, as it says, that does all in this process."""

    workers = 2
    map = staticmethod(map)


class Told(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def byte_level(folder):
    train([["the mill stands by the river"]], 300).save(folder)
    return str(folder)


def refusing(*reasons):
    return lambda folder, shards: Choice(*reasons)


def test_what_the_fast_encoder_wrote_before_it_was_refused_is_thrown_away(tmp_path, monkeypatch):
    texts = (["the mill"], ["the river"])
    by_fast, by_slow = Run(Store(tmp_path / "fast"), Two()), Run(Store(tmp_path / "slow"), Two(), Told())
    made = [tokenize([parent(by_fast.store, "texts", *texts)], "t", by_fast, tokenizer=byte_level(tmp_path / "bytes"))]
    monkeypatch.setattr("pipeline.tokens.proof.prove", refusing("it gives other ids for 'a'", ABSENT))
    encoded = []
    slowly = lambda self, texts: encoded.append(self._choice) or self.reference.texts(texts.to_pylist())
    monkeypatch.setattr(Encoder, "texts", slowly)
    made.append(tokenize([parent(by_slow.store, "texts", *texts)], "t", by_slow, tokenizer=byte_level(tmp_path / "bytes")))
    assert encoded[-2:] == [Choice("it gives other ids for 'a'", ABSENT)] * 2
    assert by_slow.progress.lines == ["texts are encoded by `tokenizers`: it gives other ids for 'a'"]
    assert content(made[0]) == content(made[1])


def test_a_run_that_was_killed_after_the_refusal_does_not_begin_with_the_fast_encoder_again(tmp_path, monkeypatch):
    class Dies(Two):
        maps = 0

        def map(self, task, items):
            self.maps += 1
            if self.maps == 2:
                raise KeyboardInterrupt
            return map(task, items)

    store = Store(tmp_path / "store")
    texts = parent(store, "texts", ["the mill"], ["the river"])
    tokenizer = byte_level(tmp_path / "bytes")
    monkeypatch.setattr("pipeline.tokens.proof.prove", refusing("it gives other ids for 'a'", ABSENT))
    with pytest.raises(KeyboardInterrupt):
        tokenize([texts], "t", Run(store, Dies()), tokenizer=tokenizer)
    seen = []
    noted = lambda folder, choice: seen.append(choice) or Encoder(reopened(folder), choice)
    monkeypatch.setattr("pipeline.tokens.encode_shard.encoder_of", noted)
    tokenize([texts], "t", Run(store, Two()), tokenizer=tokenizer)
    assert {choice.text for choice in seen} == {"it gives other ids for 'a'"}


def test_what_a_killed_run_encoded_before_its_proof_ended_is_not_kept_by_one_worker_whose_proof_refuses(tmp_path, monkeypatch):
    class Dies(Two):
        def map(self, task, items):
            list(map(task, items))
            raise KeyboardInterrupt

    store = Store(tmp_path / "store")
    texts = parent(store, "texts", ["the mill"], ["the river"])
    tokenizer = byte_level(tmp_path / "bytes")
    with pytest.raises(KeyboardInterrupt):
        tokenize([texts], "t", Run(store, Dies()), tokenizer=tokenizer)
    monkeypatch.setattr("pipeline.tokens.proof.prove", refusing("it gives other ids for 'a'", ABSENT))
    seen = []
    noted = lambda folder, choice: seen.append(choice) or Encoder(reopened(folder), choice)
    monkeypatch.setattr("pipeline.tokens.encode_shard.encoder_of", noted)
    tokenize([texts], "t", Run(store, Local(1)), tokenizer=tokenizer)
    assert [choice.text for choice in seen] == ["it gives other ids for 'a'"] * 2


def test_an_error_of_the_fast_encoder_in_the_middle_has_all_encoded_again(tmp_path, monkeypatch):
    right = Encoder.texts

    def errs(self, texts):
        if self._choice.text is None:
            raise EncodingDiffers("the fast encoder gives other ids.")
        return right(self, texts)

    monkeypatch.setattr(Encoder, "texts", errs)
    monkeypatch.setattr("pipeline.tokens.proof.prove", refusing(None, ABSENT))
    run = Run(Store(tmp_path / "store"), Two(), Told())
    made = tokenize(
        [parent(run.store, "texts", ["the mill"], ["the river"])], "t", run, tokenizer=byte_level(tmp_path / "bytes")
    )
    assert made.manifest.rows["kept"] == 2
    assert run.progress.lines == ["the fast encoder gives other ids. All are encoded again by `tokenizers`."]


def test_an_encoder_that_errs_after_the_other_was_refused_has_all_encoded_again_once(tmp_path, monkeypatch):
    def errs(self, texts):
        if self._choice.text is None:
            raise EncodingDiffers("the fast encoder gives other ids.")
        return self.reference.texts(texts.to_pylist())

    monkeypatch.setattr(Encoder, "texts", errs)
    monkeypatch.setattr("pipeline.tokens.proof.prove", refusing(None, "it gives other ids for 'a'"))
    run = Run(Store(tmp_path / "store"), Local(1), Told())
    texts = parent(run.store, "texts", ["the mill"], ["the river"])
    made = tokenize([texts], "t", run, tokenizer=byte_level(tmp_path / "bytes"))
    assert made.manifest.rows["kept"] == 2
    assert run.progress.lines[-1] == "the fast encoder gives other ids. All are encoded again by `tokenizers`."


def test_the_same_tokenizer_in_another_place_is_answered_from_the_store(run, words, tmp_path):
    texts = parent(run.store, "texts", ["the mill"])
    made = unpacked([texts], "t", run, tokenizer=words)
    Path(words).rename(tmp_path / "elsewhere")
    assert unpacked([texts], "t", run, tokenizer=str(tmp_path / "elsewhere")).ref == made.ref
    assert unpacked([texts], "t", run, tokenizer=str(tmp_path / "elsewhere"), sequence_length=7).ref != made.ref


def test_a_trained_tokenizer_lies_in_the_artifact_with_chatml_and_agrees_with_transformers(run):
    chats = parent(run.store, "chats", [[ASK, TELL, ASK, {"role": "assistant", "content": "Grüße, 世界 🌍"}]])
    texts = parent(run.store, "texts", ["The mill stands.\n\nThe river runs."])
    made = unpacked([texts, chats], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
    opened = AutoTokenizer.from_pretrained(made.path / "tokenizer")
    text, chat = rows(made)
    assert text["input_ids"] == [*opened("The mill stands.\n\nThe river runs.")["input_ids"], opened.eos_token_id]
    messages = pq.read_table(chats.files("documents")[0])["messages"].to_pylist()[0]
    expected = opened.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    assert chat["input_ids"] == expected["input_ids"]
    assert [label != -100 for label in chat["labels"]] == [bool(flag) for flag in expected["assistant_masks"]]


def test_no_path_and_no_clock_is_in_the_shards_beside_the_manifest(run, words):
    made = unpacked([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0)
    state = json.loads((made.path / "tokens" / "train" / "state.json").read_text())
    assert state["_fingerprint"] == f"{made.manifest.fingerprint}-train"
    assert made.verify() == []


def test_an_artifact_without_documents_is_one_clear_line(run, words):
    empty = parent(run.store, "empty", [])
    with pytest.raises(UsageError, match=f"there is no document to tokenize .{empty.ref}."):
        tokenize([empty], "t", run, tokenizer=words)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "which tokenizer\\? Give --tokenizer FOLDER .* or --train-tokenizer"),
        ({"tokenizer": "x", "train_tokenizer": True}, "exclude each other"),
        ({"train_tokenizer": True, "vocab_size": 100}, "--vocab-size 100 is too small: bytes and special tokens take 259"),
        ({"train_tokenizer": True, "sequence_length": 2}, "--sequence-length 2 is too short: .* Give 3 or more"),
        ({"train_tokenizer": True, "validation": 1.0}, "--validation 1.0 is no share"),
    ],
)
def test_settings_that_make_no_sense_say_what_to_type(run, options, error):
    with pytest.raises(UsageError, match=error):
        tokenize([parent(run.store, "texts", ["the mill"])], "t", run, **options)


def test_a_tokenizer_without_a_template_is_refused_for_chats_and_taken_for_texts(run, words):
    with pytest.raises(TokenizerError, match="--chat-template"):
        tokenize([parent(run.store, "chats", [[ASK, TELL]])], "t", run, tokenizer=words)
    assert rows(unpacked([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0))


def test_marks_of_the_template_without_a_token_are_told(run, words):
    class Listens(Silent):
        def say(self, line):
            lines.append(line)

    lines = []
    chats = parent(run.store, "chats", [[ASK, TELL]])
    tokenize([chats], "t", Run(run.store, run.engine, Listens()), tokenizer=words, chat_template="mistral")
    assert lines[0] == "the tokenizer has no token for the chat template's [/INST], [INST]: they are spelled out"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(SHORTEST, 9))
def test_the_windows_of_any_documents_hold_every_token_once(lengths, length):
    offsets = offsets_of(np.array(lengths, dtype=np.int64))
    cut = windows(offsets, np.ones(len(lengths), dtype=bool), length)
    held = [np.arange(start, stop) for start, stop in zip(cut.start, cut.stop, strict=True)]
    assert np.concatenate([np.zeros(0, int), *held]).tolist() == list(range(offsets[-1]))
    assert all(0 < stop - start <= length for start, stop in zip(cut.start, cut.stop, strict=True))
    assert ((cut.stop - cut.start > 1) | (np.diff(offsets)[cut.document] == 1)).all()


def test_a_text_that_ends_with_eos_already_gets_no_second_one():
    backend = Backend(models.WordLevel({"a": 0, "</s>": 1}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens = encode_texts(
        Encoder(Tokenizer(backend, {"eos_token": "</s>"}), SLOW), pa.array(["a a", "a </s>", "", "</s>"], pa.large_string())
    )
    assert (tokens.ids.tolist(), tokens.lengths.tolist()) == ([0, 0, 1, 0, 1, 1, 1], [3, 2, 1, 1])


def test_texts_without_control_tokens_have_the_ids_the_tokenizer_gives_and_bos_stays():
    trained = train([["the mill stands"]], 300)
    trained.backend.add_special_tokens(["<s>"])
    number = trained.backend.token_to_id("<s>")
    trained.backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", number)])
    tokens = encode_texts(Encoder(Tokenizer(trained.backend, {}), SLOW), pa.array([" the mill ", "<s>mill"], pa.large_string()))
    plain, spelled = np.split(tokens.ids, tokens.offsets[1:-1])
    assert plain.tolist() == trained.backend.encode(" the mill ").ids
    assert spelled.tolist().count(number) == 1
    assert trained.backend.encode("<s>mill").ids.count(number) == 2


# rows


TEXTS = [" ".join(["river"] * length) for length in (1, 2, 3, 4, 5, 5)]  # with <s> and </s>: 3, 4, 5, 6, 7, 7 tokens


def test_documents_share_rows_as_best_fit_lays_them_and_positions_restart(run, words):
    texts = parent(run.store, "t", TEXTS)
    settings = {"sequence_length": 10, "validation": 0}
    made = tokenize([texts], "t", run, tokenizer=words, **settings)
    held = {}
    for line in index(made):
        held.setdefault(line["row"], []).append(line["length"])
    assert sorted(held.values()) == [[3, 7], [4, 6], [5], [7]]
    for row in rows(made):
        starts = [place for place, position in enumerate(row["position_ids"]) if position == 0]
        assert [row["labels"][start] for start in starts] == [-100] * len(starts)
        assert [spoken([row["input_ids"][start]]) for start in starts] == ["<s>"] * len(starts)
    assert made.manifest.counts[-2] == {"split": "train", "rows": 4, "tokens": 32, "supervised_tokens": 26, "filled": 0.8}


@pytest.mark.parametrize("packing", ["best_fit", "concatenate", "none", "length_grouped"])
def test_every_way_of_filling_rows_holds_every_token_once(run, words, packing):
    texts = parent(run.store, "t", TEXTS[:3], TEXTS[3:])
    made = tokenize([texts], "t", run, tokenizer=words, sequence_length=10, validation=0, packing=packing)
    tokens = sorted(token for row in rows(made) for token in row["input_ids"])
    assert tokens == sorted(WORDS.index(word) for text in TEXTS for word in f"<s> {text} </s>".split())
    assert max(len(row["input_ids"]) for row in rows(made)) <= 10
    assert {line["document"] for line in index(made)} == {f"t:{number}" for number in range(6)}


def test_documents_that_are_joined_fill_every_row_but_the_last(run, words):
    texts = parent(run.store, "t", TEXTS)
    settings = {"sequence_length": 10, "validation": 0, "packing": "concatenate"}
    made = tokenize([texts], "t", run, tokenizer=words, **settings)
    assert sorted((len(row["input_ids"]) for row in rows(made)), reverse=True) == [10, 10, 10, 2]


def test_another_seed_gives_another_order_of_the_same_rows(run, words):
    texts = parent(run.store, "t", TEXTS * 4)
    one, other = (unpacked([texts], "t", run, tokenizer=words, validation=0, seed=seed) for seed in (1, 2))
    of_rows = lambda made: [line["row"] for line in index(made)]
    assert rows(one) == rows(other)
    assert of_rows(one) != of_rows(other)


@pytest.mark.parametrize(
    ("overlong", "texts", "removals"),
    [("split", ["<s> the mill", "stands </s>"], 0), ("truncate", ["<s> the mill"], 0), ("drop", [], 1)],
)
def test_a_document_that_is_too_long_is_treated_as_the_recipe_says(run, words, overlong, texts, removals):
    documents = parent(run.store, "t", ["the mill stands", "mill"])
    made = unpacked([documents], "t", run, tokenizer=words, sequence_length=3, validation=0, overlong=overlong)
    assert [spoken(row["input_ids"]) for row in rows(made)] == [*texts, "<s> mill </s>"]
    assert [entry["filter"] for entry in removed(made)] == ["sequence_length"] * removals


def test_what_truncation_takes_is_counted_and_noted(run, words):
    documents = parent(run.store, "t", ["the mill stands", "mill"])
    made = unpacked([documents], "t", run, tokenizer=words, sequence_length=3, validation=0, overlong="truncate")
    assert {"overlong": "truncated", "documents": 1, "tokens": 2, "supervised_tokens": 2} in made.manifest.counts
    (edit,) = [row for file in made.files("edits") for row in pq.read_table(file).to_pylist()]
    assert (edit["id"], edit["action"]) == ("t:0", "truncate")
    assert edit["evidence"][0]["text"] == "2 of 5 tokens, 2 of them supervised"


def test_a_document_that_is_too_long_may_stop_the_run(run, words):
    documents = parent(run.store, "t", ["mill", "the mill stands"])
    with pytest.raises(TokenizerError, match=r"t:1 has 5 tokens, and a row holds 3\. Choose a longer --sequence-length"):
        tokenize([documents], "t", run, tokenizer=words, sequence_length=3, overlong="error")


def test_near_duplicates_stay_together_behind_documents_that_do_not_stay(run, words):
    wordy = lambda pair, last: " ".join([*(f"{pair}.{number}" for number in range(20)), last])
    texts = [wordy(pair, last) for pair in range(24) for last in ("the", "mill")]
    texts[0:0], texts[30:30] = ["the " * 90], ["mill " * 90]
    parents = [parent(run.store, "t", texts)]
    made = tokenize(parents, "t", run, tokenizer=words, sequence_length=64, overlong="drop", validation=0.5)
    splits = {line["document"]: line["split"] for line in index(made)}
    kept = [splits[f"t:{number}"] for number in range(len(texts)) if number not in (0, 30)]
    assert kept[::2] == kept[1::2]
    assert set(kept) == {"train", "validation"}


def test_near_duplicates_never_stand_on_both_sides_of_the_split(run, words):
    page = lambda number: " ".join(f"w{number // 3}x{place}" for place in range(60)) + f" {number}"
    pages = [page(number) for number in (*range(0, 90, 2), *range(1, 90, 2))]
    made = tokenize([parent(run.store, "t", pages[:45], pages[45:])], "t", run, tokenizer=words, validation=0.3)
    family = {f"t:{place}": text.partition("x")[0] for place, text in enumerate(pages)}
    train, validation = (
        {family[line["document"]] for line in index(made) if line["split"] == split} for split in ("train", "validation")
    )
    assert len(train) > 5
    assert len(validation) > 2
    assert not train & validation


def test_documents_of_one_source_stay_on_one_side_on_wish(run, words):
    one, other = parent(run.store, "one", ["river"] * 9), parent(run.store, "other", ["mill"] * 9)
    for share in (0.2, 0.5, 0.8):
        made = unpacked([one, other], "t", run, tokenizer=words, validation=share, validation_by="source")
        for ref in (one.ref, other.ref):
            assert len({line["split"] for line in index(made) if line["artifact"] == ref}) == 1


def test_an_artifact_is_taken_as_often_as_its_epochs_say(run, words):
    one, other = parent(run.store, "one", ["river"] * 40), parent(run.store, "other", ["mill"] * 40)
    made = unpacked([one, other], "t", run, tokenizer=words, validation=0, epochs={"one": 2, "other": 1.5})
    taken = lambda ref: [line["document"] for line in index(made) if line["artifact"] == ref]
    assert len(taken(one.ref)) == 80
    assert 50 <= len(taken(other.ref)) <= 70
    assert len(set(taken(other.ref))) == 40


@pytest.mark.parametrize("share", [0.5, 1], ids=["half", "a whole number"])
def test_a_mix_takes_as_much_of_each_artifact_as_all_shares_allow_and_notes_the_rest(run, words, share):
    one, other = parent(run.store, "one", ["river"] * 40), parent(run.store, "other", ["mill"] * 400)
    made = unpacked([one, other], "t", run, tokenizer=words, validation=0, mix={"one": share, "other": share})
    taken = lambda ref: [line["document"] for line in index(made) if line["artifact"] == ref]
    assert len(taken(one.ref)) == 40
    assert 20 <= len(taken(other.ref)) <= 60
    left_out = [entry["id"] for entry in removed(made) if entry["filter"] == "mix"]
    assert len(left_out) == 400 - len(taken(other.ref))
    assert made.manifest.rows["removed"] == len(left_out)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"mix": {"oen": 1.0}}, "mix: 'oen' names none of the artifacts to tokenize. Did you mean 'one'?"),
        ({"mix": {"one": 1.0}}, "mix: no share for clean/other"),
        ({"epochs": {"three": 2.0}}, "epochs: 'three' names none of the artifacts"),
    ],
)
def test_a_share_of_an_artifact_that_is_not_there_is_refused(run, words, settings, error):
    parents = [parent(run.store, "one", ["river"]), parent(run.store, "other", ["mill"])]
    with pytest.raises(UsageError) as caught:
        tokenize(parents, "t", run, tokenizer=words, **settings)
    assert str(caught.value).startswith(error)
