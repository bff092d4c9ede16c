"""Documents that share a row do not see one another."""

import pytest

pytest.importorskip("torch")

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from pipeline.errors import TrainingError
from trainers.isolation import check_isolation, leak

SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "use_cache": False,
}  # fmt: skip
LENGTHS = (17, 1, 20, 9)
POSITIONS = [position for length in LENGTHS for position in range(length)]
IDS = [3 + (7 * place) % 37 for place in range(len(POSITIONS))]
MODELS = {
    "llama": lambda **more: LlamaForCausalLM(LlamaConfig(**SIZES, **more)),
    "mistral": lambda **more: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None, **more)),
    "mistral with a sliding window": lambda **more: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8, **more)),
}


def row(ids=IDS, positions=POSITIONS):
    return Dataset.from_list([{"input_ids": ids, "labels": ids, "position_ids": positions}])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_same_logits_for_packed_rows_as_for_their_documents_alone(name, attention):
    torch.manual_seed(1)
    model = MODELS[name](attn_implementation=attention)
    assert leak(model, IDS, POSITIONS) < 1e-4
    assert model.training
    check_isolation(model, row(), torch.float32)


def test_a_model_whose_documents_see_one_another_is_refused():
    torch.manual_seed(1)
    model = MODELS["llama"]()
    model.config.use_cache = True  # with a cache transformers does not look at the positions
    with pytest.raises(TrainingError, match=r"change one another's predictions by \d.*Tokenize with --packing none"):
        check_isolation(model, row(), torch.float32)


def test_rows_of_one_document_need_no_check():
    check_isolation(None, row([3, 4, 5], [0, 1, 2]), torch.float32)
