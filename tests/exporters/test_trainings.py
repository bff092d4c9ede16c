"""A training -> its tokens with its very settings, for axolotl, LLaMA-Factory and TRL."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts import Identity, atomic
from pipeline.errors import UsageError
from pipeline.exporters import export
from pipeline.recipe import fields_of
from pipeline.stages.train import train

ONE, TWO = ([1, 2, 3], [-100, 2, 3]), ([4, 5], [-100, 5])
ALL = ("axolotl", "llamafactory", "trl")
BY_DEFAULT = {name: default for name, (_, default) in fields_of(train).items()}
NOT_LEARNT = ("model", "revision", "saves_per_epoch", "report_to")
HUB = {"hub": "some/model", "revision": "0123abcd"}


@pytest.fixture
def training(tokens, store):
    """Publish a training on 8 rows of two documents by hand: changes of the defaults, the model, what its adapter is of."""

    def make(model=HUB, adapter_of="some/model", whole=None, counts=(), validation=(), **changes):
        parent = tokens([[[ONE, TWO]] * 8], validation)
        settings = {name: value for name, value in BY_DEFAULT.items() if name not in NOT_LEARNT} | changes
        identity = Identity("train", {"version": 2, "model": model, **settings}, (parent.ref,))
        with store.draft(identity, "sample") as draft:
            with atomic(draft.path / "adapter" / "adapter_config.json") as temporary:
                temporary.write_text(json.dumps({"base_model_name_or_path": adapter_of, "modules_to_save": whole}))
            return draft.publish({"in": 8, "kept": 8}, counts=counts, versions={}, run={})

    return make


def told(artifact, to, folder: Path, **settings):
    export(artifact, to, folder / to, settings=settings)
    return YAML(typ="safe").load((folder / to / f"{to}.yaml").read_text())


def of(settings, **named):
    return {name: settings.get(name) for name in named} == named


CHANGES = {
    "lora_r": 8, "lora_alpha": 24, "lora_dropout": 0.1, "micro_batch_size": 2, "gradient_accumulation_steps": 3,
    "num_epochs": 2.5, "learning_rate": 3e-4, "lr_scheduler": "constant", "warmup_ratio": 0.5, "weight_decay": 0.01,
    "max_grad_norm": 0.7, "optimizer": "paged_adamw_8bit", "seed": 7,
}  # fmt: skip


def test_axolotl_is_told_the_settings_in_its_own_words(training, tmp_path):
    made = told(training(**CHANGES, early_stopping_patience=2, evals_per_epoch=1, validation=[[[TWO]]]), "axolotl", tmp_path)
    same = {name: value for name, value in CHANGES.items() if name != "lr_scheduler"}
    assert of(made, **same, adapter="qlora", load_in_4bit=True, lora_target_linear=True, sequence_len=64)
    assert of(made, base_model="some/model", revision_of_model="0123abcd", lr_scheduler="constant_with_warmup")
    assert of(made, eval_steps=2, save_steps=2, early_stopping_patience=2)  # 8 rows are two steps


def test_tools_with_a_document_a_row_are_told_as_many_documents_a_step(training, tmp_path):
    made = training(**CHANGES)
    shared = {
        "learning_rate": 3e-4, "num_train_epochs": 2.5, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 3,
        "weight_decay": 0.01, "max_grad_norm": 0.7, "optim": "paged_adamw_8bit", "seed": 7, "model_revision": "0123abcd",
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 6, "model_name_or_path": "some/model",
        "lora_alpha": 24, "lora_dropout": 0.1,
    }  # fmt: skip
    assert of(told(made, "llamafactory", tmp_path), **shared, lora_rank=8, lora_target="all", quantization_bit=4, cutoff_len=64)
    assert of(
        told(made, "trl", tmp_path), **shared, lora_r=8, lora_target_modules="all-linear", load_in_4bit=True, max_length=64
    )


def test_trl_takes_packed_rows_with_the_batch_of_the_training(training, tmp_path):
    assert told(training(**CHANGES), "trl", tmp_path, packed=True)["gradient_accumulation_steps"] == 3


@pytest.mark.parametrize("to", ALL)
def test_a_training_without_an_adapter_is_one_of_all_weights(to, training, tmp_path):
    made = told(training(adapter="none"), to, tmp_path)
    assert not {"adapter", "lora_r", "lora_rank", "use_peft", "quantization_bit"} & set(made)
    assert not made.get("load_in_4bit")
    assert to != "llamafactory" or made["finetuning_type"] == "full"


@pytest.mark.parametrize("to", ALL)
def test_lora_on_chosen_layers_of_a_full_base_is_told(to, training, tmp_path):
    made = told(training(adapter="lora", lora_target_modules=["q_proj", "v_proj"]), to, tmp_path)
    layers = made.get("lora_target_modules") or made["lora_target"].split(",")
    assert layers == ["q_proj", "v_proj"]
    assert not made.get("load_in_4bit")
    assert "quantization_bit" not in made
    assert made.get("adapter", "lora") == "lora"


@pytest.mark.parametrize("to", ALL)
def test_a_model_made_on_the_spot_is_the_artifacts_own_and_its_ends_learn_whole(to, training, tmp_path):
    artifact = training({"config": {"model_type": "llama"}}, "base", ["embed_tokens", "lm_head"])
    made = told(artifact, to, tmp_path)
    assert str(artifact.path.resolve() / "base") in (made.get("base_model"), made.get("model_name_or_path"))
    whole = made.get("lora_modules_to_save") or made["additional_target"].split(",")
    assert whole == ["embed_tokens", "lm_head"]


def test_of_the_rates_that_were_tried_the_best_is_told(training, tmp_path):
    tried = [{"tried": f"learning rate {rate:g}", "validation_loss": loss} for rate, loss in ((1e-4, 2.0), (4e-4, 1.5))]
    assert told(training(lr_sweep=[1e-4, 4e-4], counts=tried), "axolotl", tmp_path)["learning_rate"] == 4e-4


def test_what_a_recipe_left_to_the_data_is_told_as_it_was_trained(training, tmp_path):
    found = told(training(learning_rate="auto", batch_tokens=40, micro_batch_size=1), "axolotl", tmp_path)
    assert found["gradient_accumulation_steps"] == 8  # of 5 tokens
    assert found["learning_rate"] == pytest.approx(3e-4 * (24 / 4_000_000) ** 0.5)


def test_the_tokens_are_those_it_was_trained_on(training, tmp_path):
    done = export(training(), "axolotl", tmp_path / "out")
    assert done.rows == {"train": 16}
    assert done.ref.startswith("train/sample@")


def test_a_training_is_nothing_for_exporters_of_documents(training, tmp_path):
    with pytest.raises(UsageError, match="jsonl takes ingest or clean artifacts"):
        export(training(), "jsonl", tmp_path / "out")


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # of its own defaults
def test_trl_itself_takes_the_settings(training, tmp_path):
    library = pytest.importorskip("trl")
    told(training(**CHANGES, adapter="lora", validation=[[[TWO]]]), "trl", tmp_path)
    arguments = ["--config", str(tmp_path / "trl" / "trl.yaml"), "--bf16", "false"]
    parser = library.TrlParser((library.ScriptArguments, library.SFTConfig, library.ModelConfig))
    _, config, model = parser.parse_args_and_config(arguments)
    assert (config.learning_rate, config.gradient_accumulation_steps, config.warmup_steps) == (3e-4, 6, 3)
    assert (model.lora_r, model.lora_dropout, model.load_in_4bit) == (8, 0.1, False)
