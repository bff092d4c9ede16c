"""Documents -> JSONL, Parquet and `datasets` folders, read back by `datasets`."""

import json
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Artifact
from pipeline.errors import BrokenArtifact, RowsLost
from pipeline.exporters import _shards, export
from pipeline.stages.tokenize import tokenize

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def opened(to: str, out: Path) -> datasets.DatasetDict:
    if to == "hf":
        return datasets.load_from_disk(str(out))
    if to == "parquet":
        return datasets.load_dataset(str(out))
    return datasets.load_dataset("json", data_files={path.stem: str(path) for path in out.glob("*.jsonl")})


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_every_text_comes_back_in_its_order(to, documents, tmp_path):
    texts = [f"Text {number}: “é”\n\u2028" for number in range(7)]
    done = export(documents(texts, shards=3), to, tmp_path / "out")
    back = opened(to, tmp_path / "out")
    assert back["train"]["text"][:] == texts
    assert back["train"]["id"][:] == [f"d{number}" for number in range(7)]
    assert list(back) == ["train"]
    assert done.rows == {"train": 7}


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_every_chat_comes_back(to, documents, tmp_path):
    made = documents([[("user", "Hi"), ("assistant", "Yo")], [("user", "Go"), ("assistant", "No")]])
    export(made, to, tmp_path / "out")
    assert opened(to, tmp_path / "out")["train"]["messages"][1] == [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "No"},
    ]


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_a_share_of_the_documents_is_held_out_and_none_is_in_both_splits(to, documents, tmp_path):
    made = documents([f"text {number}" for number in range(40)], shards=2)
    done = export(made, to, tmp_path / "out", settings={"validation": 0.3})
    back = opened(to, tmp_path / "out")
    train, held = (set(back[split]["id"]) for split in ("train", "validation"))
    assert done.rows == {"train": len(train), "validation": len(held)}
    assert train | held == {f"d{number}" for number in range(40)}
    assert not train & held
    assert 3 < len(held) < 25


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_near_duplicates_stay_on_one_side(to, documents, planted, tmp_path):
    made = documents(planted(30), shards=3)
    export(made, to, tmp_path / "out", settings={"validation": 0.4})
    back = opened(to, tmp_path / "out")
    train, held = ({int(name[1:]) // 2 for name in back[split]["id"]} for split in ("train", "validation"))
    alike = {pair for pair in range(30) if pair % 5 < 3}  # those with at most two words changed
    assert (len(train) > 5, len(held) > 3, train & held & alike) == (True, True, set())


def test_the_held_out_documents_are_those_that_tokenize_holds_out(documents, planted, run_with, tmp_path):
    made = documents(planted(30), shards=2)
    rows = tokenize([made], "t", run_with(1), train_tokenizer=True, vocab_size=300, validation=0.4)
    lines_ = [line for file in rows.files("index") for line in pq.read_table(file).to_pylist()]
    export(made, "jsonl", tmp_path / "out", settings={"validation": 0.4})
    held = {line["id"] for line in lines(tmp_path / "out" / "validation.jsonl")}
    assert held == {line["document"] for line in lines_ if line["split"] == "validation"}


def test_one_split_is_the_same_as_in_an_export_of_both(documents, tmp_path):
    made = documents([f"text {number}" for number in range(40)])
    export(made, "jsonl", tmp_path / "both", settings={"validation": 0.3})
    export(made, "jsonl", tmp_path / "one", split="validation", settings={"validation": 0.3})
    assert [path.name for path in (tmp_path / "one").glob("*.jsonl")] == ["validation.jsonl"]
    assert (tmp_path / "one" / "validation.jsonl").read_bytes() == (tmp_path / "both" / "validation.jsonl").read_bytes()


def test_calls_arguments_and_tools_are_objects_and_nulls_are_left_out(chats, tmp_path):
    answer = {"role": "assistant", "content": "", "tool_calls": json.dumps([CALL])}
    made = chats([{"role": "user", "content": "1?"}, answer], tools=[json.dumps([TOOL])])
    export(made, "jsonl", tmp_path / "out")
    [row] = lines(tmp_path / "out" / "train.jsonl")
    told = {**CALL, "function": {"name": "add", "arguments": {"a": 1}}}
    assert row["messages"] == [
        {"role": "user", "content": "1?"},
        {"role": "assistant", "content": "", "tool_calls": [told]},
    ]
    assert row["tools"] == [TOOL]


def test_arguments_that_are_no_json_stay_as_they_are(chats, tmp_path):
    call = {"type": "function", "function": {"name": "add", "arguments": "one and two"}}
    export(chats([{"role": "assistant", "content": "", "tool_calls": json.dumps([call])}]), "jsonl", tmp_path / "out")
    [row] = lines(tmp_path / "out" / "train.jsonl")
    assert row["messages"][0]["tool_calls"] == [call]


def test_shards_are_cut_by_size_and_named_by_how_many_there_are(documents, tmp_path, monkeypatch):
    monkeypatch.setattr(_shards, "SHARD_BYTES", 10)
    made = documents(["a text that is longer than a shard"] * 3, shards=3)
    export(made, "parquet", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out" / "data").iterdir())
    assert names == [f"train-{number:05}-of-00003.parquet" for number in range(3)]


def test_an_artifact_that_lost_documents_is_no_export(documents, tmp_path):
    made = documents(["a", "b", "c"])
    [file] = made.files("documents")
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(RowsLost, match="3 rows in, but 2 read"):
        export(made, "jsonl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_a_damaged_shard_is_named_and_leaves_nothing(to, documents, tmp_path):
    made: Artifact = documents(["a", "b"], shards=2)
    made.files("documents")[1].write_bytes(b"PAR1 cut")
    with pytest.raises(BrokenArtifact, match=r"documents/00001.parquet: cannot be read"):
        export(made, to, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
