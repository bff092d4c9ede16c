"""A recipe, or a model's config -> the memory that its training will need."""

from typing import Any

import click

from pipeline.cli.options import given_flags, store_option


@click.command()
@click.argument("what", metavar="RECIPE")
@click.argument("ref", required=False)
@click.option("--model", help="Another base model than the recipe's: a folder, a config.json, a name on the hub.")
@click.option("--revision", help="A model's branch, tag or commit on the hub.")
@click.option("--sequence-length", type=click.IntRange(min=1), help="Tokens of a row.  [default: REF's, the recipe's, or 2048]")
@click.option("--micro-batch-size", type=int, help="Rows a forward pass.  [default: 2]")
@click.option("--adapter", help="qlora, lora, or none: all weights learn.  [default: qlora]")
@click.option("--lora-r", type=int, help="Rank of the adapter.  [default: 16]")
@click.option("--optimizer", help="A name that transformers knows.  [default: paged_adamw_32bit]")
@click.option("--gradient-checkpointing/--no-gradient-checkpointing", default=None, help="[default: with it]")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, in bytes.")
def estimate(
    what: str,
    ref: str | None,
    model: str | None,
    sequence_length: int | None,
    store: str,
    as_json: bool,
    **flags: Any,  # noqa: ANN401
) -> None:
    """Estimate the memory of a training on a card: its terms, which cards hold it, what would save how much.

    RECIPE is a recipe (.yaml), a folder, a config.json or a name on the hub; no weights are read. REF names a
    tokenize artifact, whose longest row is taken. Needs `pip install 'prep[train]'`.

    \b
    Example:
      prep estimate configs/qlora-mistral-7b.yaml
      prep estimate mistralai/Mistral-7B-v0.3 --sequence-length 4096 --micro-batch-size 1
    """
    from trainers.settings import require

    require()
    from pipeline.artifacts import Store
    from pipeline.estimating import case_of
    from pipeline.progress import say_json
    from trainers.device import quiet
    from trainers.memory import cards, words
    from trainers.memory.estimate import estimate as estimated

    found = Store(store).find(ref, "tokenize") if ref else None
    with quiet():
        case = case_of(what, given_flags(model=model, **flags), sequence_length, found)
        asked, fit, less = estimated(case), cards.fits(case), cards.advice(case)
    if as_json:
        say_json(words.facts(asked, case, fit, less))
        return
    parts = (words.head(asked, case), words.terms(asked), words.cards(fit), words.savings(less))
    click.echo("\n\n".join("\n".join(lines) for lines in parts))
