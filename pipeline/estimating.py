"""A recipe or a model, and rows of tokens -> the case of a training whose memory is to be estimated."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact
from pipeline.errors import RecipeError
from pipeline.recipe import Recipe, check, fields_of, load
from pipeline.stages.train import train
from pipeline.training.parent import tokenizer_of, tokens_of

if TYPE_CHECKING:
    from trainers.memory.case import Case


def case_of(what: str, flags: Mapping[str, Any], length: int | None, tokens: Artifact | None) -> "Case":
    """Return what is asked for: the settings of a recipe's train section, or of `prep train`, with flags over them.

    Rows have `length` tokens, or as many as the longest of `tokens`, or as the recipe says, or 2,048. Raises `RecipeError`,
    `TrainingError`.
    """
    from trainers.memory.case import Case, card, config_of
    from trainers.rows import longest_row
    from trainers.settings import Settings

    recipe = load(what) if what.endswith((".yaml", ".yml")) else Recipe(what, {"train": {"model": what}})
    given, problems = check(fields_of(train), {**(recipe.section("train") or {}), **flags}, "train")
    if problems:
        raise RecipeError(recipe.where, problems)
    tokenized = recipe.section("tokenize") or {}
    settings = Settings(**{field.name: given[field.name] for field in fields(Settings)})
    vocabulary = len(tokenizer_of(tokens)) if tokens else tokenized.get("vocab_size")
    config = config_of(given["model"], given["revision"], vocabulary)
    length = length or (longest_row(tokens_of(tokens)) if tokens else tokenized.get("sequence_length", 2048))
    return Case(config, settings, length, card(settings), made=not isinstance(given["model"], str))
