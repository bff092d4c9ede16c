"""The memory of a training: the worked constants of known models, what must hold of any, and what is refused."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from pipeline.errors import TrainingError
from pipeline.recipe import fields_of
from pipeline.stages.train import train
from trainers.memory import cards, words
from trainers.memory.case import Case, card, config_of
from trainers.memory.estimate import GIB, estimate
from trainers.settings import Settings

BY_DEFAULT = {name: default for name, (_, default) in fields_of(train).items()}
SETTINGS = Settings(**{field.name: BY_DEFAULT[field.name] for field in fields(Settings)})


def sizes(kind, hidden, inner, layers, heads, kv, words, context=4096):
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": words,
        "max_position_embeddings": context,
    }


MODELS = {
    "Llama-7B": sizes("llama", 4096, 11008, 32, 32, 32, 32000),
    "Mistral-7B": sizes("mistral", 4096, 14336, 32, 32, 8, 32000),
    "Llama-3-8B": sizes("llama", 4096, 14336, 32, 32, 8, 128256),
    "Llama-2-13B": sizes("llama", 5120, 13824, 40, 40, 40, 32000),
    "Llama-65B": sizes("llama", 8192, 22016, 80, 64, 64, 32000),
    "Llama-2-70B": sizes("llama", 8192, 28672, 80, 64, 8, 32000),
}
SMALL = sizes("llama", 128, 384, 4, 4, 2, 1000)


def case_of(config, length=2048, **settings):
    wanted = replace(SETTINGS, **{"micro_batch_size": 1, **settings})
    return Case(config_of({"config": config}), wanted, length, card(wanted))


@pytest.mark.parametrize(
    ("model", "packed", "ends", "million"),
    [
        ("Llama-7B", 3.11, 0.98, 40.0),
        ("Mistral-7B", 3.35, 0.98, 41.9),
        ("Llama-3-8B", 3.35, 3.91, 41.9),
        ("Llama-2-13B", 6.10, 1.22, 62.6),
        ("Llama-65B", 31.1, 1.95, 199.9),
        ("Llama-2-70B", 32.9, 1.95, 207.1),
    ],
)
def test_the_weights_of_known_models_have_their_known_sizes(model, packed, ends, million):
    asked = estimate(case_of(MODELS[model], length=512))
    assert asked["4-bit weights"] / GIB == pytest.approx(packed, rel=2e-3)
    assert asked["other weights"] / GIB == pytest.approx(ends, rel=5e-3)
    assert asked.trained / 1e6 == pytest.approx(million, abs=0.05)


@pytest.mark.parametrize(("model", "million"), [("Llama-7B", 159.9), ("Mistral-7B", 167.8), ("Llama-2-13B", 250.3)])
def test_an_adapter_of_rank_64_has_its_known_size(model, million):
    assert estimate(case_of(MODELS[model], length=512, lora_r=64)).trained / 1e6 == pytest.approx(million, abs=0.05)


def test_qlora_of_mistral_7b_takes_what_was_worked_out_by_hand():
    asked = estimate(case_of(MODELS["Mistral-7B"], optimizer="paged_adamw_8bit"))
    assert asked.allocated / GIB == pytest.approx(6.6, rel=0.03)
    assert (asked["logits and loss"] / 2048 / 32000, asked["optimizer state"] / asked.trained) == pytest.approx(
        (14, 2.03), rel=0.03
    )


@pytest.mark.slow
@examples(max_examples=3)
@given(
    st.sampled_from(["qlora", "lora", "none"]),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 64),
    st.integers(16, 96),
    st.integers(2, 5),
)
def test_more_of_anything_never_takes_less(adapter, checkpointing, rows, rank, length, layers):
    def total(layers=layers, length=length, **settings):
        given = {"micro_batch_size": rows, "lora_r": rank, **settings}
        config = {**SMALL, "num_hidden_layers": layers}
        return estimate(case_of(config, length, adapter=adapter, gradient_checkpointing=checkpointing, **given))

    asked = total()
    assert asked.total == sum(term.bytes for term in asked.terms)
    assert min(term.bytes for term in asked.terms) >= 0
    assert asked.total <= total(layers=layers + 3).total
    assert asked.total <= total(length=length + 16).total
    assert asked.total <= total(micro_batch_size=rows + 1).total
    assert asked.total <= total(lora_r=rank + 8).total


@pytest.mark.slow
@pytest.mark.parametrize("length", [256])
def test_the_largest_micro_batch_fits_and_one_row_more_does_not(length):
    case = case_of(SMALL, length)
    room = estimate(case.but(micro_batch_size=21)).total + 10
    largest = cards.largest_micro_batch(case, room)
    assert estimate(case.but(micro_batch_size=largest)).total <= room
    assert estimate(case.but(micro_batch_size=largest + 1)).total > room
    assert cards.largest_micro_batch(case, 1000) == 0


@pytest.mark.slow
def test_advice_saves_what_it_says():
    case = case_of(SMALL, 1024, micro_batch_size=8, adapter="none", gradient_checkpointing=False, optimizer="adamw_torch")
    saves = {found.change: found.saves for found in cards.advice(case)}
    checkpointed = estimate(case.but(gradient_checkpointing=True))
    assert saves["gradient_checkpointing true"] == estimate(case).total - checkpointed.total
    assert list(saves.values()) == sorted(saves.values(), reverse=True)
    assert "micro_batch_size 4, gradient_accumulation_steps 8" in saves


@pytest.mark.slow
def test_the_tables_fit_a_hundred_columns():
    case = case_of(MODELS["Llama-3-8B"], adapter="lora", optimizer="paged_adamw_32bit")
    lines = [*words.head(estimate(case), case), *words.terms(estimate(case)), *words.cards(cards.fits(case))]
    lines += words.savings(cards.advice(case))
    assert [line for line in lines if len(line) > 100] == []


def test_a_dropout_that_experts_cannot_have_is_told_with_what_to_do():
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    mixtral = {**sizes("mixtral", 128, 384, 4, 4, 2, 1000), **experts}
    with pytest.raises(TrainingError, match=r"lora_dropout != 0\. Set lora_dropout: 0, or name layers without experts"):
        estimate(case_of(mixtral, lora_dropout=0.05))


def test_an_unknown_optimizer_gets_a_suggestion():
    with pytest.raises(TrainingError, match="Did you mean 'adamw_torch'"):
        estimate(case_of(SMALL, 64, optimizer="adam_torch"))


def test_rows_longer_than_the_context_are_refused():
    with pytest.raises(TrainingError, match="the rows have 5,000 tokens, but the model takes 4,096"):
        estimate(case_of(SMALL, 5000))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no json", "config cannot be read"),
        ("{}", "config cannot be read"),
        ('{"model_type": "lama"}', "config cannot be read"),
        ('{"model_type": "vit"}', "no language model can be made of this config"),
        (json.dumps({**SMALL, "num_attention_heads": 0}), "no language model can be made of this config|cannot be read"),
        (json.dumps({**SMALL, "num_hidden_layers": 0}), "no list of 0 layers"),
    ],
)
def test_what_is_no_model_is_one_clear_line(tmp_path, content, says):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match=says) as caught:
        estimate(Case(config_of(str(tmp_path)), SETTINGS, 64, card(SETTINGS)))
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(TrainingError, match=f"model {tmp_path}/none: no such file or folder"):
        config_of(f"{tmp_path}/none")
