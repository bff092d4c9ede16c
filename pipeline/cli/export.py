"""An artifact -> files as other tools read them."""

from typing import Any

import click

from pipeline.cli.options import store_option


@click.command()
@click.argument("ref")
@click.argument("out", metavar="FOLDER", type=click.Path())
@click.option("--to", required=True, metavar="NAME", help="The exporter; `prep list exporters` shows them and their settings.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "all"]),
    default="all",
    show_default=True,
    help="Which documents to write.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the exporter: validation=0.1.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def export(ref: str, out: str, to: str, split: str, settings: tuple[str, ...], store: str, as_json: bool) -> None:
    """Write an artifact as other tools read it: JSONL, Parquet, axolotl, TRL, LLaMA-Factory.

    The last line is a command or an expression that uses it. A folder that is not empty is never written to.

    \b
    Example:
      prep export clean/wiki --to jsonl exports/wiki --set validation=0.05
      prep export tokenize/wiki --to axolotl exports/axolotl --set base_model=mistralai/Mistral-7B-v0.3
    """
    from pathlib import Path

    from pipeline.artifacts import Store
    from pipeline.exporters import export as write
    from pipeline.progress import say_json

    done = write(Store(store).find(ref), to, Path(out), split=split, settings=dict(_setting(said) for said in settings))
    if as_json:
        say_json(done._asdict())
    else:
        rows = ", ".join(f"{count} {name}" for name, count in done.rows.items())
        click.echo(f"{done.ref}  as {done.to}: {rows}{' (there already)' if done.known else ''}")
        click.echo(f"  {done.folder}\n  {done.use}")


def _setting(said: str) -> tuple[str, Any]:
    """Split `NAME=VALUE`; the value is read as YAML, as in a recipe."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name, equals, value = said.partition("=")
    if not equals:
        raise click.UsageError(f"--set {said}: write it as NAME=VALUE, like validation=0.1.")
    try:
        return name, YAML(typ="safe").load(value)
    except YAMLError:
        return name, value
