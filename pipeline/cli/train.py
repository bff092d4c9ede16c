"""Rows of tokens -> an adapter."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.launch import Repeatable, launch
from pipeline.cli.options import given_flags, stage_options, tell
from trainers import ranks

if TYPE_CHECKING:
    from pipeline.run import Run


class Rate(click.ParamType):  # type: ignore[type-arg]  # click's releases differ in whether it takes one
    """A learning rate, or `auto`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float | str:  # noqa: ANN401
        """Return the number, or the word."""
        return "auto" if value == "auto" else float(click.FLOAT(value, param, context))


class Rates(click.ParamType):  # type: ignore[type-arg]
    """Learning rates with commas between them."""

    name = "rates"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> list[float]:  # noqa: ANN401
        """Return the numbers."""
        return [float(click.FLOAT(rate, param, context)) for rate in str(value).split(",")]


@click.command(cls=Repeatable)
@click.argument("ref", required=False)
@click.option("--model", help="The base model: a folder or a name on the hub.")
@click.option(
    "--adapter",
    type=click.Choice(["qlora", "lora", "none"]),
    help="LoRA on a 4-bit base (QLoRA), on a full one, or none: all weights are trained.  [default: qlora]",
)
@click.option("--learning-rate", type=Rate(), help="Peak learning rate, or auto: by the size of a batch.  [default: 2e-4]")
@click.option("--lr-sweep", type=Rates(), help="Try these rates first, 1e-4,2e-4,4e-4, and train with the best of them.")
@click.option("--lr-sweep-steps", type=int, help="Optimizer steps of each try.  [default: 20]")
@click.option("--num-epochs", type=float, help="Times over the data.  [default: 1]")
@click.option("--max-steps", type=int, help="Stop after so many optimizer steps.")
@click.option("--micro-batch-size", type=int, help="Rows a forward pass.  [default: 2]")
@click.option("--gradient-accumulation-steps", type=int, help="Passes an optimizer step.  [default: 4]")
@click.option("--batch-tokens", type=int, help="Tokens an optimizer step; the passes follow from it.")
@click.option("--lora-r", type=int, help="Rank of the adapter.  [default: 16]")
@click.option("--early-stopping-patience", type=int, help="Stop after so many evaluations that are no better.")
@click.option("--saves-per-epoch", type=int, help="More checkpoints than one at each evaluation.")
@click.option("--report-to", multiple=True, help="Also tell the losses to tensorboard, wandb or mlflow.")
@click.option("--seed", type=int, help="Seed of all that is random.  [default: 42]")
@click.option("--launcher", type=click.Choice(["accelerate"]), help="Train in several processes on this machine, one a card.")
@click.option("--processes", type=click.IntRange(min=2), help="How many; they share a batch.  [default: one a card]")
@stage_options
def train(
    ref: str | None,
    run: "Run",
    name: str | None,
    config: str | None,
    as_json: bool,
    launcher: str | None,
    processes: int | None,
    **flags: Any,  # noqa: ANN401
) -> None:
    """Fine-tune a base model on tokens with QLoRA; writes the adapter, metrics and a learning curve.

    REF names a tokenize artifact; without it the newest is taken. Without --model and --config, a small model is made on the
    spot (configs/train.yaml): enough to see that the data can be learned. Needs `pip install 'prep[train]'`.

    The same command again goes on from the last checkpoint of a training that was stopped.

    Several cards share the rows of a batch, and train the same as one would. On several machines, start `-m pipeline.cli train`
    with torchrun or accelerate launch on each; the store is a folder that all see.

    \b
    Example:
      prep train --model mistralai/Mistral-7B-v0.3 --num-epochs 2
      prep train tokenize/wiki --config configs/qlora-mistral-7b.yaml
      prep train --model mistralai/Mistral-7B-v0.3 --lr-sweep 1e-4,2e-4,4e-4 --early-stopping-patience 3
      prep train --model mistralai/Mistral-7B-v0.3 --launcher accelerate --processes 2
    """
    from pipeline.flow import recipe_for, train_one
    from pipeline.run import Silent

    if processes and not launcher:
        raise click.UsageError("--processes is of --launcher accelerate.")
    if launcher and ranks.count() == 1:
        launch(click.get_current_context(), processes)
        return
    if not ranks.is_first():
        run = replace(run, progress=Silent())
    given = given_flags(**flags)
    if "report_to" in given:
        given["report_to"] = list(given["report_to"])
    recipe = recipe_for("train", config, run, settled="model" in given)
    artifact = train_one(recipe, run, refs=[ref] if ref else [], name=name, flags=given)
    if ranks.is_first():
        tell([artifact], as_json=as_json)
