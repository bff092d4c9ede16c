"""A trained adapter -> answers, and one merged model."""

import sys
from typing import Any

import click

from pipeline.cli.options import store_option


@click.command()
@click.argument("ref")
@click.argument("prompts", nargs=-1, required=True, metavar="PROMPT...")
@click.option("--system", help="What the system's turn says.")
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), default=256, show_default=True, help="Tokens of an answer at most."
)
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True, help="0: the likeliest token each time."
)
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw from the likeliest tokens that have this share.",
)
@click.option("--seed", type=int, default=42, show_default=True, help="Seed of what is drawn.")
@click.option("--base", is_flag=True, help="Ask the base model, without the adapter.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each prompt.")
def generate(ref: str, prompts: tuple[str, ...], base: bool, store: str, as_json: bool, **settings: Any) -> None:  # noqa: ANN401
    """Try what was trained: answer each PROMPT.

    REF names a train artifact; `-` takes a prompt a line from what is piped in. With a chat template a prompt is a user's turn;
    without one the model goes on with it.

    \b
    Example:
      prep generate wiki "Who built the mill?"
      prep generate train/wiki@8c2f "Who built the mill?" --base
      prep generate wiki - --json < questions.txt
    """
    from pipeline.artifacts import Store
    from pipeline.progress import say_line
    from pipeline.training.using import answers, trained

    asked = [one for given in prompts for one in (_piped() if given == "-" else [given])]
    for said in answers(trained(Store(store), ref), asked, base=base, **settings):
        if as_json:
            say_line(said._asdict())
        else:
            click.echo(said.text if len(asked) == 1 else f"> {said.prompt}\n{said.text}\n")


def _piped() -> list[str]:
    return sys.stdin.read().splitlines()


@click.command()
@click.argument("ref")
@click.argument("out", metavar="FOLDER", type=click.Path())
@click.option(
    "--gguf",
    type=click.Choice(["auto", "f32", "f16", "bf16", "q8_0"]),
    help="Also write model.gguf, by llama.cpp's converter (LLAMA_CPP or PATH).",
)
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def merge(ref: str, out: str, gguf: str | None, store: str, as_json: bool) -> None:
    """Write base model and adapter as one model that transformers loads, or llama.cpp.

    The adapter is added to the base in the base's own precision. Where it was trained upon 4 bits that is not quite the model
    that was trained, so the loss of both on the validation rows is printed.

    \b
    Example:
      prep merge wiki models/wiki
      LLAMA_CPP=~/llama.cpp prep merge wiki models/wiki --gguf q8_0
    """
    from pathlib import Path

    from pipeline.artifacts import Store
    from pipeline.progress import say_json
    from pipeline.training import using

    done = using.merge(using.trained(Store(store), ref), Path(out), gguf=gguf)
    if as_json:
        say_json(done._asdict())
        return
    click.echo(f"{done.ref}  merged: {done.folder}")
    click.echo(f"  loss per supervised token {done.merged_loss:.4f}, with the adapter {done.adapter_loss:.4f}")
    if done.gguf:
        click.echo(f"  {done.gguf}")
