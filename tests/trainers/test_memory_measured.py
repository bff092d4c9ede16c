"""What is estimated, against what a training of the same model takes: bytes of storages alive at its peak, on the CPU."""

from dataclasses import fields, replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch
from bitsandbytes.nn import Linear4bit
from datasets import Dataset
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from pipeline.recipe import fields_of
from pipeline.stages.train import train
from trainers.device import Device, quiet
from trainers.loss import collate
from trainers.memory.case import Case
from trainers.memory.estimate import estimate
from trainers.memory.live import Live
from trainers.models import ends_of, with_adapter
from trainers.settings import Settings

F32, BF16 = torch.float32, torch.bfloat16
SLOW = pytest.mark.slow
BY_DEFAULT = {name: default for name, (_, default) in fields_of(train).items()}
SETTINGS = replace(
    Settings(**{field.name: BY_DEFAULT[field.name] for field in fields(Settings)}),
    lora_dropout=0.0,
    optimizer="adamw_torch",
)
SIZES = {
    "hidden_size": 256,
    "intermediate_size": 896,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 4096,
    "max_position_embeddings": 1024,
}
LLAMA = {"model_type": "llama", **SIZES}
MISTRAL = {"model_type": "mistral", "sliding_window": None, **SIZES}
QWEN = {"model_type": "qwen3", "head_dim": 64, **SIZES}
GEMMA = {"model_type": "gemma2", "head_dim": 64, **SIZES}
EXPERTS = {"num_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 128, **SIZES}
MIXTRAL = {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None, **SIZES}
QWEN2_MOE = {"model_type": "qwen2_moe", "shared_expert_intermediate_size": 256, **EXPERTS}
QWEN3_MOE = {"model_type": "qwen3_moe", "head_dim": 64, **EXPERTS}
GPT_OSS = {"model_type": "gpt_oss", "num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 64, **SIZES}


def case_of(config, length=128, dtype=F32, device="cpu", **settings):
    """A case of a small model, which has the optimizer of its settings on the CPU as well as on a card."""
    made = settings.pop("made", False)
    wanted = replace(SETTINGS, **settings)
    return Case(
        AutoConfig.for_model(**config).to_json_string(use_diff=False),
        wanted,
        length,
        Device(device, dtype, wanted.optimizer),
        made,
    )


def measured_bytes(config, case, folder):
    """The most bytes of storages alive in a training of two steps of two forward passes, loaded as `prep train` loads."""
    with quiet():
        AutoModelForCausalLM.from_config(AutoConfig.for_model(**config)).save_pretrained(folder / "base")
        model = loaded(case, folder)
        live = Live()
        live.count(tensors_of(model))
        trainer = Trainer(model, arguments(case, folder), train_dataset=packed_rows(case), data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        with live:
            trainer.train()
    return live.peak


def loaded(case, folder):
    dtype = case.device.dtype if case.has_adapter else F32
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    four = nf4 if case.settings.adapter == "qlora" else None
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=dtype, quantization_config=four, device_map={"": "cpu"})
    model.config.use_cache = False
    return with_adapter(model, case.settings, ends_of(model) if case.made else []) if case.has_adapter else model


def tensors_of(model):
    yield from model.parameters()
    yield from model.buffers()
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            state = layer.weight.quant_state
            yield from (state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code)


def arguments(case, folder):
    return TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=case.settings.micro_batch_size,
        gradient_accumulation_steps=2,
        max_steps=2,
        optim=case.device.optimizer,
        gradient_checkpointing=case.settings.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        bf16=case.device.dtype == BF16,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )


def packed_rows(case):
    """Rows of two documents each, enough for two steps."""
    ids = [number % 100 for number in range(case.length)]
    halves = [*range(case.length // 2), *range(case.length - case.length // 2)]
    row = {"input_ids": ids, "labels": ids, "position_ids": halves}
    return Dataset.from_list([row] * (4 * case.settings.micro_batch_size))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check(config, case, folder):
    estimated, measured = estimate(case).allocated, measured_bytes(config, case, folder)
    assert abs(estimated / measured - 1) < 0.05, f"{estimated:,} for {measured:,}"


@pytest.mark.parametrize("checkpointing", [True, False], ids=["checkpointing", "all kept"])
@pytest.mark.parametrize(
    ("adapter", "dtype"), [("qlora", F32), pytest.param("qlora", BF16, marks=SLOW), ("lora", F32), ("none", F32)]
)
def test_a_training_takes_what_is_estimated(tmp_path, adapter, dtype, checkpointing):
    check(LLAMA, case_of(LLAMA, adapter=adapter, dtype=dtype, gradient_checkpointing=checkpointing), tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize(
    ("adapter", "optimizer"), [("qlora", "paged_adamw_32bit"), ("none", "adamw_8bit"), ("none", "lion_8bit"), ("qlora", "sgd")]
)
def test_an_optimizer_keeps_what_is_estimated(tmp_path, adapter, optimizer):
    check(LLAMA, case_of(LLAMA, adapter=adapter, optimizer=optimizer), tmp_path)


@pytest.mark.parametrize(
    "config", [MISTRAL, *(pytest.param(config, marks=SLOW) for config in (QWEN, GEMMA))], ids=["mistral", "qwen3", "gemma2"]
)
def test_other_architectures_take_what_is_estimated(tmp_path, config):
    check(config, case_of(config, dtype=BF16, gradient_checkpointing=False), tmp_path)


MIXTURES = {"mixtral": MIXTRAL, "qwen2_moe": QWEN2_MOE, "qwen3_moe": QWEN3_MOE, "gpt_oss": GPT_OSS}


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [True, False], ids=["checkpointing", "all kept"])
@pytest.mark.parametrize("adapter", ["qlora", "lora", "none"])
@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_of_experts_takes_what_is_estimated(tmp_path, name, adapter, checkpointing):
    case = case_of(MIXTURES[name], adapter=adapter, gradient_checkpointing=checkpointing)
    check(MIXTURES[name], case, tmp_path)


def test_experts_are_not_quantized_and_become_float32(tmp_path):
    case = case_of(MIXTRAL, adapter="qlora", dtype=BF16)
    check(MIXTRAL, case, tmp_path)
    experts = 4 * 8 * 3 * 256 * 896  # layers, experts, their matrices
    assert estimate(case)["other weights"] >= 4 * experts


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"length": 301, "micro_batch_size": 3}, {"lora_r": 64, "lora_dropout": 0.1}])
def test_other_rows_and_adapters_take_what_is_estimated(tmp_path, settings):
    check(LLAMA, case_of(LLAMA, gradient_checkpointing=False, **settings), tmp_path)


@pytest.mark.slow
def test_a_model_made_on_the_spot_takes_what_is_estimated(tmp_path):
    check(LLAMA, case_of(LLAMA, made=True, optimizer="adamw_8bit"), tmp_path)
