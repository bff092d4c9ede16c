"""Rows of tokens -> an adapter."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import given_flags, stage_options, tell

if TYPE_CHECKING:
    from pipeline.run import Run


@click.command()
@click.argument("ref", required=False)
@click.option("--model", help="The base model: a folder or a name on the hub.")
@click.option("--adapter", type=click.Choice(["qlora", "lora"]), help="4-bit base (QLoRA), or a full one.  [default: qlora]")
@click.option("--learning-rate", type=float, help="Peak learning rate.  [default: 2e-4]")
@click.option("--num-epochs", type=float, help="Times over the data.  [default: 1]")
@click.option("--max-steps", type=int, help="Stop after so many optimizer steps.")
@click.option("--micro-batch-size", type=int, help="Rows a forward pass.  [default: 2]")
@click.option("--gradient-accumulation-steps", type=int, help="Passes an optimizer step.  [default: 4]")
@click.option("--lora-r", type=int, help="Rank of the adapter.  [default: 16]")
@click.option("--seed", type=int, help="Seed of all that is random.  [default: 42]")
@stage_options
def train(ref: str | None, run: "Run", name: str | None, config: str | None, as_json: bool, **flags: Any) -> None:  # noqa: ANN401
    """Fine-tune a base model on tokens with QLoRA; writes the adapter, metrics and a learning curve.

    REF names a tokenize artifact; without it the newest is taken. Without --model and --config, a small model is made on the
    spot (configs/train.yaml): enough to see that the data can be learned. Needs `pip install 'prep[train]'`.

    \b
    Example:
      prep train --model mistralai/Mistral-7B-v0.3 --num-epochs 2
      prep train tokenize/wiki --config configs/qlora-mistral-7b.yaml
    """
    from pipeline.flow import recipe_for, train_one

    given = given_flags(**flags)
    recipe = recipe_for("train", config, run, settled="model" in given)
    tell([train_one(recipe, run, refs=[ref] if ref else [], name=name, flags=given)], as_json=as_json)
