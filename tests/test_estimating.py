"""What `prep estimate` asks for: of a recipe, of flags over it, and of rows of tokens."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from pipeline.engine.local import Local
from pipeline.errors import RecipeError
from pipeline.estimating import case_of
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.stages.tokenize import tokenize
from trainers.memory.case import parsed

RECIPE = """
tokenize: {sequence_length: 300, vocab_size: 777}
train: {model: {config: {model_type: llama, hidden_size: 64, num_hidden_layers: 2}}, micro_batch_size: 3}
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return str(tmp_path / "recipe.yaml")


def test_a_recipe_says_the_settings_the_vocabulary_and_how_long_rows_are_and_flags_stand_over_it(recipe):
    case = case_of(recipe, {"lora_r": 4}, None, None)
    assert (case.settings.micro_batch_size, case.settings.lora_r, case.length, case.made) == (3, 4, 300, True)
    assert parsed(case.config).vocab_size == 777
    assert case_of(recipe, {}, 40, None).length == 40


def test_rows_of_tokens_say_how_long_they_are_and_bring_their_own_vocabulary(recipe, store, tmp_path):
    (tmp_path / "a.txt").write_text("The mill grinds rye.\n" * 20)
    run = Run(store, Local(1))
    documents = ingest([str(tmp_path / "a.txt")], "mill", run)
    tokens = tokenize([documents], "mill", run, train_tokenizer=True, vocab_size=300, sequence_length=20, validation=0)
    case = case_of(recipe, {}, None, tokens)
    assert case.length == 20
    assert 259 <= parsed(case.config).vocab_size <= 300


def test_a_setting_that_is_none_is_told_with_a_suggestion(recipe):
    with pytest.raises(RecipeError, match="lora_r"):
        case_of(recipe, {"lora_rr": 4}, None, None)
