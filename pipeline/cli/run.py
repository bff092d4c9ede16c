"""A recipe -> the artifacts of all its stages."""

from typing import TYPE_CHECKING

import click

from pipeline.cli.options import stage_options, tell

if TYPE_CHECKING:
    from pipeline.run import Run


@click.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False))
@stage_options
def run(recipe: str, run: "Run", name: str | None, config: str | None, as_json: bool) -> None:
    """Run all stages of a RECIPE, one after the other; what is there already is not made again.

    \b
    Example:
      prep run configs/demo.yaml
    """
    from pipeline.flow import run_recipe
    from pipeline.recipe import load

    if name or config:
        raise click.UsageError("`prep run` takes name and settings from its recipe.")
    made = []
    for artifact in run_recipe(load(recipe), run):
        made.append(artifact)
        if not as_json:
            tell([artifact], as_json=False)
    if as_json:
        tell(made, as_json=True)
