"""What axolotl is given besides the data: the YAML, and chats and texts in its shapes."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.exporters import export

ASK, TELL = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}
MODEL = {"base_model": "some/model", "validation": 0.0}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}


def settings_of(out: Path) -> dict:
    return YAML(typ="safe").load((out / "axolotl.yaml").read_text())


def only(out: Path) -> dict:
    return json.loads((out / "train.jsonl").read_text())


def test_chats_are_trained_by_the_template_of_the_tokenizer(chats, tmp_path):
    out = tmp_path / "out"
    done = export(chats([ASK, TELL]), "axolotl", out, settings=MODEL)
    assert only(out) == {"messages": [ASK, TELL]}
    settings = settings_of(out)
    assert settings["chat_template"] == "tokenizer_default"
    assert settings["datasets"] == [
        {
            "path": str(out / "train.jsonl"),
            "ds_type": "json",
            "type": "chat_template",
            "field_messages": "messages",
            "message_property_mappings": {"role": "role", "content": "content"},
            "message_field_training": "train",
            "roles_to_train": ["assistant"],
            "train_on_eos": "turn",
        }
    ]
    assert done.use == f"accelerate launch -m axolotl.cli.train {out}/axolotl.yaml"


def test_a_token_that_ends_turns_is_named(chats, tmp_path):
    export(chats([ASK, TELL]), "axolotl", tmp_path / "out", settings={**MODEL, "eot_tokens": ["<|im_end|>"]})
    assert settings_of(tmp_path / "out")["eot_tokens"] == ["<|im_end|>"]


def test_nothing_is_cut_or_dropped_unsaid_and_the_cache_is_known_by_the_artifact(chats, tmp_path):
    made = chats([ASK, TELL])
    export(made, "axolotl", tmp_path / "out", settings={**MODEL, "sequence_len": 4096})
    settings = settings_of(tmp_path / "out")
    assert settings["excess_length_strategy"] == "raise"
    assert settings["sequence_len"] == 4096
    assert settings["dataset_prepared_path"] == str(tmp_path / "out" / f"prepared-{made.manifest.fingerprint}")


def test_held_out_documents_are_what_it_is_tested_on_and_stops_by(documents, tmp_path):
    export(
        documents([f"text {n}" for n in range(40)]),
        "axolotl",
        tmp_path / "out",
        settings={**MODEL, "validation": 0.3},
    )
    settings = settings_of(tmp_path / "out")
    assert [test["path"] for test in settings["test_datasets"]] == [str(tmp_path / "out" / "validation.jsonl")]
    assert settings["val_set_size"] == 0
    assert settings["save_steps"] % settings["eval_steps"] == 0


def test_without_a_held_out_document_nothing_is_tested(documents, tmp_path):
    export(documents(["x"]), "axolotl", tmp_path / "out", settings=MODEL)
    assert not {"test_datasets", "early_stopping_patience"} & set(settings_of(tmp_path / "out"))


def test_texts_are_completions(documents, tmp_path):
    export(documents(["The mill."]), "axolotl", tmp_path / "out", settings=MODEL)
    assert only(tmp_path / "out") == {"text": "The mill."}
    [dataset] = settings_of(tmp_path / "out")["datasets"]
    assert (dataset["type"], dataset["field"]) == ("completion", "text")
    assert "chat_template" not in settings_of(tmp_path / "out")


def test_a_turn_of_weight_0_is_not_trained(chats, tmp_path):
    export(chats([ASK, {**TELL, "weight": 0.0}, ASK, {**TELL, "weight": 1.0}]), "axolotl", tmp_path / "out", settings=MODEL)
    assert only(tmp_path / "out")["messages"] == [ASK, {**TELL, "train": False}, ASK, TELL]


def test_arguments_and_parameters_are_text_that_loaders_do_not_merge(chats, tmp_path):
    made = chats([ASK, {"role": "assistant", "content": "", "tool_calls": json.dumps([CALL])}], tools=[json.dumps([TOOL])])
    export(made, "axolotl", tmp_path / "out", settings=MODEL)
    row = only(tmp_path / "out")
    assert row["messages"][1]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert row["tools"][0]["function"] == {"name": "add", "parameters": '{"type": "object"}'}


def test_tokens_have_no_type_and_keep_their_order(tokens, tmp_path):
    out = tmp_path / "out"
    export(tokens([[[([1, 2], [1, 2])]]], [[[([3, 4], [3, 4])]]]), "axolotl", out, settings={"base_model": "some/model"})
    settings = settings_of(out)
    assert settings["datasets"] == [{"path": str(out / "tokens" / "train"), "type": None}]
    assert settings["test_datasets"] == [{"path": str(out / "tokens" / "validation"), "type": None}]
    assert settings["shuffle_merged_datasets"] is False
    assert settings["tokenizer_config"] == str(out / "tokenizer")


@pytest.mark.parametrize("name", ["my out", "a'b"])
def test_the_command_quotes_a_folder_with_odd_characters(name, documents, tmp_path):
    import shlex

    done = export(documents(["x"]), "axolotl", tmp_path / name, settings=MODEL)
    assert shlex.split(done.use)[-1] == str(tmp_path / name / "axolotl.yaml")
