"""What LLaMA-Factory is given: its registry of data sets, chats in its ShareGPT shape, and the YAML."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import UsageError
from pipeline.exporters import export

ASK, TELL = {"role": "user", "content": "1?"}, {"role": "assistant", "content": "Two."}
SETTINGS = {"base_model": "some/model", "template": "mistral", "validation": 0.0}
CALL = {"role": "assistant", "content": "", "tool_calls": '[{"function": {"name": "add", "arguments": {"a": 1}}}]'}
ANSWER = {"role": "tool", "content": "2"}


def settings_of(out: Path) -> dict:
    return YAML(typ="safe").load((out / "llamafactory.yaml").read_text())


def only(out: Path) -> dict:
    return json.loads((out / "train.jsonl").read_text())


def test_chats_are_registered_with_their_columns(chats, tmp_path):
    out = tmp_path / "out"
    done = export(chats([{"role": "system", "content": "Be brief."}, ASK, TELL]), "llamafactory", out, settings=SETTINGS)
    assert only(out) == {
        "conversations": [{"from": "human", "value": "1?"}, {"from": "gpt", "value": "Two."}],
        "system": "Be brief.",
        "tools": "",
    }
    registered = json.loads((out / "dataset_info.json").read_text())["prep_train"]
    assert registered["file_name"] == "train.jsonl"
    assert set(registered["columns"].values()) == set(only(out))
    settings = settings_of(out)
    assert (settings["dataset_dir"], settings["dataset"], settings["template"]) == (str(out), "prep_train", "mistral")
    assert done.use == f"llamafactory-cli train {out}/llamafactory.yaml"


def test_calls_and_their_answers_are_speakers_of_their_own(chats, tmp_path):
    tools = '[{"type": "function", "function": {"name": "add"}}]'
    made = chats([ASK, CALL, ANSWER, {**ANSWER, "content": "3"}, TELL], tools=[tools])
    export(made, "llamafactory", tmp_path / "out", settings=SETTINGS)
    row = only(tmp_path / "out")
    assert [turn["from"] for turn in row["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert json.loads(row["conversations"][1]["value"]) == [{"name": "add", "arguments": {"a": 1}}]
    assert row["conversations"][2]["value"] == "2\n</tool_response>\n<tool_response>\n3"
    assert json.loads(row["tools"]) == json.loads(tools)


@pytest.mark.parametrize(
    ("conversation", "why"),
    [
        ([ASK, ASK, TELL, TELL], "d0: its turns do not alternate, and LLaMA-Factory would skip it"),
        ([ASK, TELL, ASK], "d0: its turns do not alternate"),
        ([ASK, {**TELL, "weight": 0.0}], "d0: a turn has weight 0, which LLaMA-Factory does not know"),
        ([ASK, {**CALL, "content": "Let me add."}, ANSWER, TELL], "d0: a turn both speaks and calls a tool"),
    ],
)
def test_a_conversation_that_it_would_skip_or_train_otherwise_is_refused(conversation, why, chats, tmp_path):
    with pytest.raises(UsageError, match=why):
        export(chats(conversation), "llamafactory", tmp_path / "out", settings=SETTINGS)
    assert not (tmp_path / "out").exists()


def test_chats_need_the_name_of_their_template(chats, tmp_path):
    with pytest.raises(UsageError, match=r"which chat template\? Give --set template=NAME"):
        export(chats([ASK, TELL]), "llamafactory", tmp_path / "out", settings={"base_model": "some/model"})


def test_texts_are_pre_trained_on(documents, tmp_path):
    export(documents(["The mill."]), "llamafactory", tmp_path / "out", settings={**SETTINGS, "template": None})
    assert only(tmp_path / "out") == {"text": "The mill."}
    assert settings_of(tmp_path / "out")["stage"] == "pt"


def test_held_out_documents_are_evaluated_on(documents, tmp_path):
    export(
        documents([f"text {n}" for n in range(40)]),
        "llamafactory",
        tmp_path / "out",
        settings={**SETTINGS, "validation": 0.3},
    )
    settings = settings_of(tmp_path / "out")
    assert (settings["dataset"], settings["eval_dataset"]) == ("prep_train", "prep_validation")
    assert settings["do_eval"] is True


def test_tokens_are_taken_as_they_are(tokens, tmp_path):
    export(tokens([[[([1, 2], [1, 2])]]]), "llamafactory", tmp_path / "out", settings={"base_model": "some/model"})
    assert settings_of(tmp_path / "out")["tokenized_path"] == str(tmp_path / "out" / "tokens")
