"""What TRL is given: chats and texts in its shapes, and settings that its own parser takes."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import UsageError
from pipeline.exporters import export

ASK, TELL = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}
SETTINGS = {"base_model": "some/model", "validation": 0.0}
ONE, TWO = ([1, 2, 3], [-100, 2, 3]), ([4, 5], [-100, 5])


def settings_of(out: Path) -> dict:
    return YAML(typ="safe").load((out / "trl.yaml").read_text())


def only(out: Path) -> dict:
    return json.loads((out / "data" / "train.jsonl").read_text())


def test_chats_are_messages_of_which_the_assistants_are_learned(chats, tmp_path):
    done = export(chats([ASK, TELL]), "trl", tmp_path / "out", settings=SETTINGS)
    assert only(tmp_path / "out") == {"messages": [ASK, TELL]}
    assert settings_of(tmp_path / "out")["assistant_only_loss"] is True
    assert done.use == f"trl sft --config {tmp_path}/out/trl.yaml"


def test_texts_are_learned_whole(documents, tmp_path):
    export(documents(["The mill."]), "trl", tmp_path / "out", settings=SETTINGS)
    assert only(tmp_path / "out") == {"text": "The mill."}
    assert "assistant_only_loss" not in settings_of(tmp_path / "out")


def test_a_turn_of_weight_0_is_refused(chats, tmp_path):
    with pytest.raises(UsageError, match="d0: a turn has weight 0, which TRL does not know"):
        export(chats([ASK, {**TELL, "weight": 0.0}]), "trl", tmp_path / "out", settings=SETTINGS)


def test_held_out_documents_are_evaluated_on(documents, tmp_path):
    export(documents([f"text {n}" for n in range(40)]), "trl", tmp_path / "out", settings={**SETTINGS, "validation": 0.3})
    settings = settings_of(tmp_path / "out")
    assert (settings["dataset_test_split"], settings["eval_strategy"]) == ("validation", "steps")


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # of its own defaults
@pytest.mark.parametrize("packed", [False, True])
def test_its_own_parser_takes_every_setting(packed, tokens, tmp_path):
    library = pytest.importorskip("trl")
    export(tokens([[[ONE, TWO]]], [[[TWO]]]), "trl", tmp_path / "out", settings={"base_model": "some/model", "packed": packed})
    parser = library.TrlParser((library.ScriptArguments, library.SFTConfig, library.ModelConfig))
    arguments = ["--config", str(tmp_path / "out" / "trl.yaml"), "--bf16", "false"]  # a machine without a GPU refuses it
    script, training, model = parser.parse_args_and_config(arguments)
    assert script.dataset_name == str(tmp_path / "out" / "data")
    assert (training.padding_free, training.max_length) == ((True, None) if packed else (False, 64))
    assert model.load_in_4bit


def test_its_collator_keeps_the_documents_of_a_packed_row_apart(tokens, tmp_path):
    pytest.importorskip("trl")
    import datasets
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    export(tokens([[[ONE, TWO]]]), "trl", tmp_path / "out", settings={"base_model": "some/model", "packed": True})
    rows = datasets.load_dataset(str(tmp_path / "out" / "data"), cache_dir=str(tmp_path / "cache"))["train"]
    batch = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)(rows.to_list())
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [ONE[1] + TWO[1]]
