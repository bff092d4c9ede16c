import hashlib
import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch
from datasets import Dataset, DatasetDict, Features, List, Value
from peft import PeftModel
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.errors import TrainingError
from trainers.arguments import training_arguments
from trainers.base_model import BaseModel, base_model, make
from trainers.course import evaluated_splits
from trainers.device import Device, chosen_device, quiet
from trainers.history import mean_loss, of
from trainers.loop import PerTokenTrainer
from trainers.loss import collate, summed_loss
from trainers.models import check_fit, ends_of, load, with_adapter
from trainers.qlora import finetune
from trainers.rows import check_rows, longest_row
from trainers.settings import Keeping, Settings, plan
from trainers.shares import Crew, Share
from trainers.stream import Stream

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
LLAMA = {"model_type": "llama", **SIZES}
MISTRAL = {"model_type": "mistral", "sliding_window": None, **SIZES}
WORDS = 40
CPU = Device("cpu", torch.float32, "adamw_torch")
SETTINGS = Settings(
    adapter="qlora",
    lora_r=4,
    lora_alpha=8,
    lora_dropout=0.0,
    lora_target_modules="all-linear",
    micro_batch_size=2,
    gradient_accumulation_steps=2,
    batch_tokens=None,
    num_epochs=1,
    max_steps=-1,
    learning_rate=1e-2,
    base_lr=3e-4,
    pretraining_batch_tokens=4_000_000,
    lr_sweep=None,
    lr_sweep_steps=2,
    lr_scheduler="cosine",
    warmup_ratio=0.0,
    weight_decay=0.0,
    optimizer="paged_adamw_32bit",
    max_grad_norm=1.0,
    gradient_checkpointing=True,
    evals_per_epoch=1,
    early_stopping_patience=None,
    bf16="auto",
    seed=1,
)


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = {"<unk>": 0, "<s>": 1, **{f"w{index}": index for index in range(2, WORDS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>", pad_token="<unk>")


def counting(start, length):
    """A row that counts upwards from `start`, so that the next token is always known."""
    ids = [1, *(2 + (start + step) % (WORDS - 2) for step in range(length))]
    return {"input_ids": ids, "labels": [-100, *ids[1:]], "position_ids": list(range(len(ids)))}


def splits(train=24, validation=3):
    rows = {"train": [counting(7 * n, 4 + n % 9) for n in range(train)]}
    rows["validation"] = [counting(11 * n + 3, 3 + 8 * n) for n in range(validation)]
    return DatasetDict({split: dataset(found) for split, found in rows.items()})


def dataset(rows):
    columns = {key: [row[key] for row in rows] for key in ("input_ids", "labels", "position_ids")}
    return Dataset.from_dict(columns, features=Features(dict.fromkeys(columns, List(Value("int32")))))


def trained(tmp_path, tokenizer, settings=SETTINGS, config=LLAMA, tokens=None, said=None):
    (tmp_path / "scratch").mkdir(parents=True, exist_ok=True)
    return finetune(
        tokens or splits(),
        tokenizer,
        BaseModel({}, config=config) if isinstance(config, dict) else config,
        settings,
        out=tmp_path / "out",
        scratch=tmp_path / "scratch",
        watch=lambda points: None,
        say=(said if said is not None else []).append,
    )


def adapted(tmp_path, tokenizer, settings=SETTINGS, config=LLAMA):
    with quiet():
        model = load(make(config, tokenizer, settings.seed, tmp_path / "base"), settings.adapter, CPU)
        return with_adapter(model, settings, ends_of(model))


def trainer_of(model, settings, tokens, tmp_path):
    steps = plan(len(tokens["train"]), settings)
    with quiet():
        arguments = training_arguments(settings, CPU, steps, tmp_path, evaluates=True, keeping=Keeping())
    return PerTokenTrainer(
        model=model,
        args=arguments,
        train_dataset=tokens["train"],
        evaluated=evaluated_splits(tokens),
        stream=Stream(tmp_path),
        watch=lambda points: None,
        share=Share(len(tokens["train"]), settings.micro_batch_size, settings.gradient_accumulation_steps, 1, Crew(1, 0)),
    )


@pytest.mark.parametrize("config", [LLAMA, MISTRAL, {**LLAMA, "tie_word_embeddings": True}], ids=["llama", "mistral", "tied"])
def test_a_small_model_learns_to_count(tmp_path, tokenizer, config):
    fit = trained(tmp_path, tokenizer, replace(SETTINGS, num_epochs=4), config)
    validation = of("validation", fit.points)
    assert validation[0].loss == pytest.approx(3.7, abs=0.3)  # ln(40) for a model that knows nothing
    assert validation[-1].loss < 0.6 * validation[0].loss


def test_plain_lora_learns_too_with_weights_in_float32(tmp_path, tokenizer):
    fit = trained(tmp_path, tokenizer, replace(SETTINGS, adapter="lora", num_epochs=2))
    assert fit.points[-1].loss < fit.points[0].loss - 0.5


def test_the_base_is_held_in_double_quantized_nf4(tmp_path, tokenizer):
    layer = load(make(LLAMA, tokenizer, 1, tmp_path), "qlora", CPU).model.layers[0].mlp.up_proj
    assert (layer.weight.quant_type, layer.weight.dtype, layer.weight.quant_state.nested) == ("nf4", torch.uint8, True)


def test_gradients_reach_every_adapter_matrix_after_an_evaluation(tmp_path, tokenizer):
    model = adapted(tmp_path, tokenizer)
    trainer = trainer_of(model, SETTINGS, splits(), tmp_path)
    trainer.evaluate()
    model.train()
    model(**collate([counting(0, 9)])).loss.backward()
    matrices = {name: weight for name, weight in model.named_parameters() if "lora_B" in name}
    assert len(matrices) == 2 * 7
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in matrices.values())


@pytest.mark.parametrize("rows_a_batch", [1, 2, 3])
def test_the_validation_loss_is_a_hand_written_sum_over_supervised_tokens(tmp_path, tokenizer, rows_a_batch):
    model, tokens = adapted(tmp_path, tokenizer), splits()
    trainer = trainer_of(model, replace(SETTINGS, micro_batch_size=rows_a_batch), tokens, tmp_path)
    losses = []
    for row in tokens["validation"]:
        logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
        losses += [-logits[at, label].item() for at, label in enumerate(row["labels"][1:]) if label != -100]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)


@pytest.mark.parametrize(("rows_a_batch", "batches_a_step"), [(1, 8), (2, 4), (8, 1)])
def test_the_training_loss_of_a_step_does_not_depend_on_how_it_is_cut(tmp_path, tokenizer, rows_a_batch, batches_a_step):
    settings = replace(SETTINGS, micro_batch_size=rows_a_batch, gradient_accumulation_steps=batches_a_step)
    tokens = splits(train=8, validation=0)
    model = adapted(tmp_path, tokenizer, settings)
    with torch.no_grad():
        batch = collate(list(tokens["train"]))
        total, count = summed_loss(model(**batch).logits, batch["labels"])
    fit = trained(tmp_path, tokenizer, settings, tokens=tokens)
    assert fit.points[0].loss == pytest.approx(total / count, abs=1e-5)
    assert fit.points[0].tokens == count


def test_two_runs_with_one_seed_write_the_same_bytes_and_another_seed_others(tmp_path, tokenizer):
    digests = []
    for run, seed in enumerate([1, 1, 2]):
        settings = replace(SETTINGS, max_steps=2, seed=seed, lora_dropout=0.1)
        trained(tmp_path / str(run), tokenizer, settings)
        files = sorted((tmp_path / str(run) / "out").rglob("*.*"))
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()})
    assert digests[0] == digests[1]
    assert digests[0]["adapter_model.safetensors"] != digests[2]["adapter_model.safetensors"]


def test_the_adapter_loads_onto_its_base_and_gives_the_last_validation_loss(tmp_path, tokenizer):
    tokens = splits()
    fit = trained(tmp_path, tokenizer, tokens=tokens)
    base = load(BaseModel({}, str(tmp_path / "out" / "base")), "qlora", CPU)
    with quiet():
        model = PeftModel.from_pretrained(base, tmp_path / "out" / "adapter").eval()
    with torch.no_grad():
        batch = collate(list(tokens["validation"]))
        total, count = summed_loss(model(**batch).logits, batch["labels"])
    assert total / count == pytest.approx(fit.points[-1].loss, abs=1e-3)


def test_an_adapter_names_no_folder_of_this_machine(tmp_path, tokenizer):
    trained(tmp_path, tokenizer, replace(SETTINGS, max_steps=1))
    config = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "base"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "out").rglob("*.json"))


def test_only_lora_is_trained_on_a_model_from_a_folder(tmp_path, tokenizer):
    make(LLAMA, tokenizer, 1, tmp_path / "model")
    trained(tmp_path, tokenizer, replace(SETTINGS, max_steps=1), base_model(str(tmp_path / "model")))
    assert all("lora_" in name for name in load_file(tmp_path / "out" / "adapter" / "adapter_model.safetensors"))
    assert not (tmp_path / "out" / "base").exists()


def test_chosen_layers_alone_get_an_adapter(tmp_path, tokenizer):
    make(LLAMA, tokenizer, 1, tmp_path / "model")
    settings = replace(SETTINGS, max_steps=1, lora_target_modules=["q_proj"])
    trained(tmp_path, tokenizer, settings, base_model(str(tmp_path / "model")))
    assert all("q_proj" in name for name in load_file(tmp_path / "out" / "adapter" / "adapter_model.safetensors"))


def test_layers_that_there_are_none_are_named(tmp_path, tokenizer):
    with pytest.raises(TrainingError, match=r"lora_target_modules \['nope'\]"):
        trained(tmp_path, tokenizer, replace(SETTINGS, lora_target_modules=["nope"]))


def test_a_loss_that_is_no_number_stops_training_and_names_the_step(tmp_path, tokenizer):
    settings = replace(SETTINGS, learning_rate=1e30, max_grad_norm=1e30, num_epochs=3)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step \d+"):
        trained(tmp_path, tokenizer, settings)


def test_points_come_every_step_and_evaluations_before_between_and_after(tmp_path, tokenizer):
    settings = replace(SETTINGS, num_epochs=1.5, evals_per_epoch=2)
    points = trained(tmp_path, tokenizer, settings).points
    assert plan(24, settings)[0] == 9
    assert [point.step for point in of("train", points)] == list(range(1, 10))
    assert [point.step for point in of("validation", points)] == [0, 3, 6, 9]
    assert mean_loss(of("train", points), 0) < points[0].loss


def test_without_cuda_the_user_is_told_in_one_line(tmp_path, tokenizer):
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    said = []
    device = chosen_device(SETTINGS, said.append)
    assert (device, said) == (
        CPU,
        ["no CUDA here: training on the CPU in float32 with adamw_torch; fit for small models only"],
    )


def test_an_unknown_optimizer_gets_a_suggestion():
    with pytest.raises(TrainingError, match="Did you mean 'paged_adamw_32bit'"):
        chosen_device(replace(SETTINGS, optimizer="paged_adam_32bit"), print)


def test_an_empty_training_split_is_refused():
    with pytest.raises(TrainingError, match="the training split is empty"):
        check_rows(DatasetDict({"train": dataset([]), "validation": dataset([counting(0, 3)])}))


def test_a_row_without_supervised_tokens_is_refused_by_its_number():
    silent = {"input_ids": [1, 2, 3], "labels": [1, -100, -100], "position_ids": [0, 1, 2]}
    with pytest.raises(TrainingError, match=r"1 of 2 train rows have no supervised token \(the first: row 1\)"):
        check_rows(DatasetDict({"train": dataset([counting(0, 3), silent])}))


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path, tokenizer):
    model = load(make({**LLAMA, "vocab_size": 32}, tokenizer, 1, tmp_path), "qlora", CPU)
    with pytest.raises(TrainingError, match="the tokenizer has 40 tokens, but the model knows 32"):
        check_fit(model, tokenizer, longest_row(splits()))


def test_a_row_longer_than_the_models_context_is_refused(tmp_path, tokenizer):
    model = load(make({**LLAMA, "max_position_embeddings": 8}, tokenizer, 1, tmp_path), "qlora", CPU)
    with pytest.raises(TrainingError, match="the longest row has 20 tokens, but the model takes 8"):
        check_fit(model, tokenizer, longest_row(splits()))


@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden_size": 100, "num_attention_heads": 3},
        {"num_attention_heads": 0},
        {"num_key_value_heads": 3},
        {"vocab_size": 0},
        {"hidden_act": "nope"},
    ],
)
def test_a_config_of_which_no_model_can_be_made_is_one_clear_line(tmp_path, tokenizer, sizes):
    with pytest.raises(TrainingError, match=r"no model can be made of this config: .*\. Mend its values\.") as caught:
        trained(tmp_path, tokenizer, config={**LLAMA, **sizes})
    assert "\n" not in str(caught.value)


def test_a_model_with_broken_weights_is_named(tmp_path, tokenizer):
    make(LLAMA, tokenizer, 1, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=f"model {tmp_path}/model: it cannot be loaded: .* Are its files whole"):
        trained(tmp_path, tokenizer, config=base_model(str(tmp_path / "model")))


def test_the_longest_row_is_that_of_any_split():
    assert longest_row(splits()) == 20
    assert longest_row(DatasetDict({"train": dataset([]), "validation": dataset([])})) == 0
