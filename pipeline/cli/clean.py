"""Documents -> clean documents; what would go, and what phrase lists hit."""

from typing import TYPE_CHECKING

import click

from pipeline.cli.options import stage_options, store_option, tell

if TYPE_CHECKING:
    from pipeline.run import Run


@click.command()
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("--slop-list", "slop_lists", multiple=True, help="A phrase list: its shipped name, or a file; may be repeated.")
@stage_options
def clean(
    refs: tuple[str, ...], slop_lists: tuple[str, ...], run: "Run", name: str | None, config: str | None, as_json: bool
) -> None:
    """Remove slop, junk and duplicates from documents; removed/ says why each one went.

    REF names an ingest artifact; without it the newest is taken. Without --config the steps are those of configs/clean.yaml;
    --slop-list stands in place of the recipe's lists.

    \b
    Example:
      prep clean
      prep clean wiki --slop-list refusals --slop-list my-slop.txt
    """
    from pipeline.flow import clean_all, recipe_for

    recipe = recipe_for("clean", config, run)
    tell(list(clean_all(recipe, run, refs=refs, name=name, slop_lists=slop_lists)), as_json=as_json)


@click.command()
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("--slop-list", "slop_lists", multiple=True, help="A phrase list: its shipped name, or a file; may be repeated.")
@click.option("--samples", type=click.IntRange(min=0), default=3, show_default=True, help="Documents to show for each bound.")
@stage_options
def plan(
    refs: tuple[str, ...],
    slop_lists: tuple[str, ...],
    samples: int,
    run: "Run",
    name: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Show what `prep clean` would remove: counts, histograms against the bounds, borderline cases.

    Takes what `prep clean` takes. Nothing is written but what was measured, so that `prep clean` has it at once afterwards.

    \b
    Example:
      prep plan wiki --config my.yaml
    """
    from pipeline.flow import preview_all, recipe_for
    from pipeline.preview import lines
    from pipeline.progress import say_json

    if name:
        raise click.UsageError("`prep plan` makes no artifact to name.")
    recipe = recipe_for("clean", config, run)
    found = []
    for tried, steps in preview_all(recipe, run, refs=refs, slop_lists=slop_lists, samples=samples):
        found.append({"of": tried.manifest.parents[0], "rows": tried.manifest.rows, "steps": steps})
        if not as_json:
            click.echo("\n".join([tried.manifest.parents[0], *lines(tried, steps)]))
    if as_json:
        say_json(found[0] if len(found) == 1 else found)


@click.command()
@click.argument("what", metavar="TEXT_OR_REF")
@click.option(
    "--slop-list", "slop_lists", multiple=True, help="A phrase list: its shipped name, or a file.  [default: refusals]"
)
@click.option("--samples", type=click.IntRange(min=0), default=3, show_default=True, help="Hits to show for each phrase.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def slop(what: str, slop_lists: tuple[str, ...], samples: int, store: str, as_json: bool) -> None:
    """Show what phrase lists hit in an artifact, a file or a text, by phrase, with samples.

    TEXT_OR_REF is an artifact's ref, a file of text, `-` for what is piped in, or the text itself.

    \b
    Example:
      prep slop ingest/wiki --slop-list refusals --slop-list openers
      prep slop "Certainly! As an AI language model, I cannot do that."
    """
    from dataclasses import asdict

    from pipeline.phrase_lists import load
    from pipeline.progress import say_json
    from pipeline.slop_report import in_words, named, report

    lists = [load(name) for name in slop_lists or ("refusals",)]
    found = report(named(what, store), lists, samples=samples)
    if as_json:
        say_json(asdict(found))
    else:
        click.echo("\n".join(in_words(found)))
