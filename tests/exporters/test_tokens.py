"""Tokens -> axolotl, LLaMA-Factory and TRL: every token and label of every document comes back."""

import itertools
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.engine.local import Local
from pipeline.errors import BrokenArtifact, RowsLost, UsageError
from pipeline.exporters import export
from pipeline.run import Run
from pipeline.stages.tokenize import tokenize

ONE, TWO, THREE = ([1, 2, 3], [-100, 2, 3]), ([4, 5], [-100, 5]), ([6, 7, 8], [6, -100, 8])
MODEL = {"base_model": "some/model"}
UNPACKED = ("axolotl", "llamafactory", "trl")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def opened(to: str, out: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(out / "data")) if to == "trl" else datasets.load_from_disk(str(out / "tokens"))


def documents_in(rows: datasets.Dataset) -> list:
    return list(zip(rows["input_ids"][:], rows["labels"][:], strict=True))


def yaml(path: Path) -> dict:
    return YAML(typ="safe").load(path.read_text())


@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("to", UNPACKED)
def test_packed_rows_are_cut_into_their_documents(to, positions, tokens, tmp_path):
    made = tokens([[[ONE, TWO], [THREE]], [[TWO, TWO, ONE]]], [[[THREE, ONE]]], positions=positions)
    done = export(made, to, tmp_path / "out", settings=MODEL)
    back = opened(to, tmp_path / "out")
    assert documents_in(back["train"]) == [ONE, TWO, THREE, TWO, TWO, ONE]
    assert documents_in(back["validation"]) == [THREE, ONE]
    assert done.rows == {"train": 6, "validation": 2}


@pytest.mark.parametrize("to", UNPACKED)
def test_rows_of_one_document_stay_as_they_are(to, tokens, tmp_path):
    export(tokens([[[ONE], [TWO], [THREE]]], positions=False), to, tmp_path / "out", settings=MODEL)
    back = opened(to, tmp_path / "out")
    assert list(back) == ["train"]
    assert documents_in(back["train"]) == [ONE, TWO, THREE]


@pytest.mark.parametrize("to", ["axolotl", "llamafactory"])
def test_the_columns_are_the_three_that_are_looked_for_and_the_mask_is_all_ones(to, tokens, tmp_path):
    export(tokens([[[ONE, TWO]]]), to, tmp_path / "out", settings=MODEL)
    back = opened(to, tmp_path / "out")["train"]
    assert back.column_names == ["input_ids", "attention_mask", "labels"]
    assert back["attention_mask"][:] == [[1, 1, 1], [1, 1]]


def test_trl_takes_rows_as_they_are_packed_with_the_lengths_of_their_documents(tokens, tmp_path):
    made = tokens([[[ONE, TWO], [THREE]], [[TWO, ONE]]])
    export(made, "trl", tmp_path / "out", settings={**MODEL, "packed": True})
    back = opened("trl", tmp_path / "out")["train"]
    assert back["seq_lengths"][:] == [[3, 2], [3], [2, 3]]
    assert back["input_ids"][:] == [ONE[0] + TWO[0], THREE[0], TWO[0] + ONE[0]]
    assert back["labels"][:] == [ONE[1] + TWO[1], THREE[1], TWO[1] + ONE[1]]
    assert yaml(tmp_path / "out" / "trl.yaml")["padding_free"] is True


DOCUMENTS = st.integers(1, 5).flatmap(
    lambda length: st.tuples(*[st.lists(st.integers(0, 99), min_size=length, max_size=length)] * 2)
)
ROWS = st.lists(st.lists(DOCUMENTS, min_size=1, max_size=4), min_size=1, max_size=5)


@given(st.lists(ROWS, min_size=1, max_size=3), st.booleans())
def test_no_token_and_no_label_is_lost_however_rows_are_packed(tokens, tmp_path_factory, shards, positions):
    out = tmp_path_factory.mktemp("out")
    export(tokens(shards, positions=positions), "axolotl", out, settings=MODEL)
    back = datasets.load_from_disk(str(out / "tokens"))["train"]
    assert documents_in(back) == [document for rows in shards for row in rows for document in row]


@pytest.mark.parametrize("to", UNPACKED)
def test_an_index_that_does_not_fit_the_rows_is_no_export(to, tokens, tmp_path):
    made = tokens([[[ONE, TWO]]], lengths=lambda length: length + 1, positions=False)
    with pytest.raises(BrokenArtifact, match="not as long as the documents that the index names"):
        export(made, to, tmp_path / "out", settings=MODEL)
    assert not (tmp_path / "out").exists()


def test_lengths_in_another_order_than_the_documents_are_seen_by_the_positions(tokens, tmp_path):
    made = tokens([[[ONE, TWO]]], lengths=lambda length: 5 - length)
    with pytest.raises(BrokenArtifact, match="not as long as the documents"):
        export(made, "axolotl", tmp_path / "out", settings=MODEL)


def test_an_index_that_names_rows_that_are_not_there_is_no_export(tokens, tmp_path):
    made = tokens([[[ONE]], [[TWO]]])
    made.manifest.files[:] = [entry for entry in made.manifest.files if not entry["path"].endswith("00001.arrow")]
    with pytest.raises(BrokenArtifact, match="names row 1, and there are 1"):
        export(made, "axolotl", tmp_path / "out", settings=MODEL)


def test_fewer_tokens_than_the_manifest_counts_is_no_export(tokens, tmp_path):
    made = tokens([[[ONE, TWO]]])
    made.manifest.counts[0]["tokens"] = 6
    with pytest.raises(RowsLost, match="of 6 tokens"):
        export(made, "trl", tmp_path / "out", settings=MODEL)


@pytest.mark.parametrize("to", UNPACKED)
def test_the_tokenizer_comes_along_and_the_sequence_length_is_the_artifacts(to, tokens, tmp_path):
    export(tokens([[[ONE]]]), to, tmp_path / "out", settings=MODEL)
    settings = yaml(tmp_path / "out" / f"{to}.yaml")
    assert 64 in [settings.get(name) for name in ("sequence_len", "cutoff_len", "max_length")]
    assert (tmp_path / "out" / "tokenizer" / "tokenizer.json").read_text() == "{}"


@pytest.mark.parametrize("to", UNPACKED)
def test_the_model_is_the_one_whose_tokenizer_made_the_tokens(to, tokens, tmp_path):
    export(tokens([[[ONE]]], tokenizer="hub/model"), to, tmp_path / "out")
    settings = yaml(tmp_path / "out" / f"{to}.yaml")
    assert "hub/model" in [settings.get("base_model"), settings.get("model_name_or_path")]


@pytest.mark.parametrize("to", UNPACKED)
def test_a_trained_tokenizer_needs_a_model_to_be_named(to, tokens, tmp_path):
    with pytest.raises(UsageError, match=r"which model is to be trained\? Give --set base_model=NAME"):
        export(tokens([[[ONE]]]), to, tmp_path / "out")


@pytest.mark.parametrize("to", UNPACKED)
def test_a_training_without_a_train_split_is_refused(to, tokens, tmp_path):
    with pytest.raises(UsageError, match="its train split is empty or not asked for"):
        export(tokens([[[ONE]]], [[[TWO]]]), to, tmp_path / "out", split="validation", settings=MODEL)


@pytest.mark.parametrize("to", UNPACKED)
def test_what_the_tokenize_stage_makes_comes_back_token_by_token(to, documents, store, tmp_path):
    texts = documents([f"The mill stands at the river, number {number}." * (1 + number % 9) for number in range(60)])
    made = tokenize(
        [texts], "t", Run(store, Local(1)), train_tokenizer=True, vocab_size=300, sequence_length=64, validation=0.2
    )
    export(made, to, tmp_path / "out", settings=MODEL)
    back, source = opened(to, tmp_path / "out"), datasets.load_from_disk(str(made.path / "tokens"))
    for split in ("train", "validation"):
        for column in ("input_ids", "labels"):
            flat = [[*itertools.chain(*rows[split][column])] for rows in (back, source)]
            assert flat[0] == flat[1]
            assert flat[0]
