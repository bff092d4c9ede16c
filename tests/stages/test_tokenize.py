"""The tokenize stage: documents of a real store -> rows that `datasets` opens."""

import json
from collections.abc import Sequence
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
from pipeline.stages.tokenize import SLOW, tokenize
from pipeline.tokens.encoding.encoder import Encoder
from pipeline.tokens.rows import SHORTEST, Tokens, encode_texts, held_out, offsets_of, token_table, windows
from pipeline.tokens.tokenizer import Tokenizer, train

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


def rows(artifact: Artifact, split: str = "train") -> list[dict[str, list[int]]]:
    return datasets.load_from_disk(str(artifact.path / "tokens"))[split].to_list()


def spoken(numbers: Sequence[int]) -> str:
    return " ".join("-" if number == -100 else WORDS[number] for number in numbers)


def removed(artifact: Artifact) -> list[dict]:
    return [row for file in artifact.files("removed") for row in pq.read_table(file).to_pylist()]


def index(artifact: Artifact) -> list[dict]:
    return [row for file in artifact.files("index") for row in pq.read_table(file).to_pylist()]


def content(artifact: Artifact) -> dict[str, str]:
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def test_a_text_is_trained_whole_between_bos_and_eos(run, words):
    made = tokenize([parent(run.store, "texts", ["the mill stands"])], "t", run, tokenizer=words, validation=0)
    [row] = rows(made)
    assert spoken(row["input_ids"]) == "<s> the mill stands </s>"
    assert row["labels"] == row["input_ids"]


def test_a_chat_is_trained_where_the_assistant_speaks(run, words):
    chats = parent(run.store, "chats", [[ASK, TELL]])
    made = tokenize([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    [row] = rows(made)
    assert (
        spoken(row["input_ids"])
        == "<s> <|im_start|> user [UNK] runs <|im_end|> <|im_start|> assistant the river runs <|im_end|>"
    )
    assert spoken(row["labels"]) == "- - - - - - - - the river runs <|im_end|>"


def test_a_long_text_is_cut_into_windows_and_no_token_is_lost(run, words):
    made = tokenize([parent(run.store, "t", ["the mill stands the river runs"])], "t", run, tokenizer=words, sequence_length=3)
    found = [spoken(row["input_ids"]) for row in rows(made) + rows(made, "validation")]
    assert found == ["<s> the mill", "stands the river", "runs </s>"]


def test_a_last_window_of_one_token_takes_another_from_the_window_before(run, words):
    texts = parent(run.store, "t", ["the mill stands the river"])
    made = tokenize([texts], "t", run, tokenizer=words, sequence_length=3, validation=0)
    assert [spoken(row["input_ids"]) for row in rows(made)] == ["<s> the mill", "stands the", "river </s>"]


def test_supervised_tokens_are_those_that_the_token_before_predicts(run, words):
    texts = parent(run.store, "t", ["the mill stands the river", "river"])
    made = tokenize([texts], "t", run, tokenizer=words, sequence_length=3, validation=0)
    predicted = [sum(label != -100 for label in row["labels"][1:]) for row in rows(made)]
    assert [row["supervised_tokens"] for row in index(made)] == predicted == [2, 1, 1, 2]
    assert made.manifest.counts[-2]["supervised_tokens"] == 6


def test_a_text_of_a_single_token_is_removed_since_nothing_predicts_it(run):
    made = tokenize([parent(run.store, "t", ["", "river"])], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["value"], entry["bound"]) == ("t:0", "supervised_tokens", 0, "min 1")


def test_a_text_that_spells_a_control_token_gets_its_characters(run):
    text = "Write <|endoftext|> or <|im_start|>user here."
    made = tokenize([parent(run.store, "t", [text])], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
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
    made = tokenize([chats], "t", run, tokenizer=words, chat_template="chatml", sequence_length=12, validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["measure"]) == ("chats:1", "sequence_length", "tokens")
    assert (entry["value"], entry["bound"]) == (23, "max 12")
    assert made.manifest.rows == {"in": 2, "kept": 1, "removed": 1, "rejected": 0}


def test_a_chat_without_an_answer_is_removed_since_it_trains_nothing(run, words):
    chats = parent(run.store, "chats", [[ASK], [ASK, TELL]])
    made = tokenize([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    assert [(entry["id"], entry["filter"]) for entry in removed(made)] == [("chats:0", "supervised_tokens")]


def test_a_chat_that_fails_a_proof_is_removed_with_the_reason(run, words):
    chats = parent(run.store, "chats", [[ASK, {"role": "assistant", "content": "unheard"}], [ASK, TELL]])
    made = tokenize([chats], "t", run, tokenizer=words, chat_template="chatml", validation=0)
    [entry] = removed(made)
    assert (entry["id"], entry["filter"], entry["measure"]) == ("chats:0", "chat_template", "decoded_text")
    assert entry["evidence"][0]["message"] == 1
    assert made.manifest.counts[0] == {"filter": "chat_template", "removed": 1}


def test_texts_and_chats_share_an_artifact_and_the_index_names_each_rows_document(run, words):
    texts = parent(run.store, "texts", ["the mill stands"], ["river " * 5])
    chats = parent(run.store, "chats", [[ASK, TELL]])
    made = tokenize([texts, chats], "t", run, tokenizer=words, chat_template="chatml", sequence_length=12, validation=0)
    assert [(row["row"], row["document"], row["artifact"], row["length"], row["supervised_tokens"]) for row in index(made)] == [
        (0, "texts:0", texts.ref, 5, 4),
        (1, "texts:1", texts.ref, 7, 6),
        (2, "chats:0", chats.ref, 12, 4),
    ]
    assert [len(row["input_ids"]) for row in rows(made)] == [5, 7, 12]
    assert made.manifest.counts[-2:] == [
        {"split": "train", "rows": 3, "tokens": 24, "supervised_tokens": 14},
        {"split": "validation", "rows": 0, "tokens": 0, "supervised_tokens": 0},
    ]


def test_an_empty_validation_split_opens(run, words):
    made = tokenize([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0)
    opened = datasets.load_from_disk(str(made.path / "tokens"))
    assert opened["validation"].num_rows == 0
    assert opened["validation"].features == opened["train"].features
    assert opened["train"].features["input_ids"] == datasets.List(datasets.Value("int32"))


def test_the_split_follows_from_the_ids_and_keeps_a_documents_windows_together(run, words):
    texts = parent(run.store, "texts", ["the mill stands the river runs"] * 40, ["river"] * 40)
    made = tokenize([texts], "t", run, tokenizer=words, sequence_length=3, validation=0.25)
    held = {row["document"] for row in index(made) if row["split"] == "validation"}
    assert held == {f"texts:{place}" for place in range(80) if held_out([f"texts:{place}"], 0.25)[0]}
    assert not held & {row["document"] for row in index(made) if row["split"] == "train"}
    for split in ("train", "validation"):
        numbers = [row["row"] for row in index(made) if row["split"] == split]
        assert numbers == list(range(len(rows(made, split))))


def test_a_larger_share_holds_out_the_same_documents_and_more():
    ids = [f"pages/{place}.html" for place in range(2000)]
    small, large = held_out(ids, 0.05), held_out(ids, 0.2)
    assert (large | ~small).all()
    assert abs(small.mean() - 0.05) < 0.02


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


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path, words):
    first = Run(Store(tmp_path / "first"), Local(1))
    texts = ["the mill"] * 3, ["the river runs"] * 3
    whole = tokenize([parent(first.store, "texts", *texts)], "t", first, tokenizer=words)

    class KilledError(Exception):
        pass

    class DiesAfterOne(Local):
        def map(self, task, items):
            yield task(next(iter(items)))
            raise KilledError

    store = Store(tmp_path / "second")
    with pytest.raises(KilledError):
        tokenize([parent(store, "texts", *texts)], "t", Run(store, DiesAfterOne(1)), tokenizer=words)
    again = tokenize([parent(store, "texts", *texts)], "t", Run(store, Local(1)), tokenizer=words)
    assert content(again) == content(whole)


def test_the_same_tokenizer_in_another_place_is_answered_from_the_store(run, words, tmp_path):
    texts = parent(run.store, "texts", ["the mill"])
    made = tokenize([texts], "t", run, tokenizer=words)
    Path(words).rename(tmp_path / "elsewhere")
    assert tokenize([texts], "t", run, tokenizer=str(tmp_path / "elsewhere")).ref == made.ref
    assert tokenize([texts], "t", run, tokenizer=str(tmp_path / "elsewhere"), sequence_length=7).ref != made.ref


def test_a_trained_tokenizer_lies_in_the_artifact_with_chatml_and_agrees_with_transformers(run):
    chats = parent(run.store, "chats", [[ASK, TELL, ASK, {"role": "assistant", "content": "Grüße, 世界 🌍"}]])
    texts = parent(run.store, "texts", ["The mill stands.\n\nThe river runs."])
    made = tokenize([texts, chats], "t", run, train_tokenizer=True, vocab_size=300, validation=0)
    opened = AutoTokenizer.from_pretrained(made.path / "tokenizer")
    text, chat = rows(made)
    assert text["input_ids"] == [*opened("The mill stands.\n\nThe river runs.")["input_ids"], opened.eos_token_id]
    messages = pq.read_table(chats.files("documents")[0])["messages"].to_pylist()[0]
    expected = opened.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    assert chat["input_ids"] == expected["input_ids"]
    assert [label != -100 for label in chat["labels"]] == [bool(flag) for flag in expected["assistant_masks"]]


def test_no_path_and_no_clock_is_in_the_shards_beside_the_manifest(run, words):
    made = tokenize([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0)
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
    assert rows(tokenize([parent(run.store, "texts", ["the mill"])], "t", run, tokenizer=words, validation=0))


def test_marks_of_the_template_without_a_token_are_told(run, words):
    class Listens(Silent):
        def say(self, line):
            lines.append(line)

    lines = []
    chats = parent(run.store, "chats", [[ASK, TELL]])
    tokenize([chats], "t", Run(run.store, run.engine, Listens()), tokenizer=words, chat_template="mistral")
    assert lines == ["the tokenizer has no token for the chat template's [/INST], [INST]: they are spelled out"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(SHORTEST, 9), st.data())
def test_the_windows_of_any_documents_hold_every_token_once(lengths, length, data):
    offsets = offsets_of(np.array(lengths, dtype=np.int64))
    ids = np.arange(offsets[-1], dtype=np.int32)
    supervised = np.array(data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids))), dtype=bool)
    cut = windows(offsets, np.ones(len(lengths), dtype=bool), length)
    table = token_table(Tokens(ids, supervised, offsets), cut)
    assert [token for row in table["input_ids"].to_pylist() for token in row] == ids.tolist()
    assert sum(label != -100 for row in table["labels"].to_pylist() for label in row) == supervised.sum()
    assert all(0 < len(row) <= length for row in table["input_ids"].to_pylist())
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
