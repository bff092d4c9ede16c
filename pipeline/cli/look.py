"""What is there: artifacts, their contents, their differences, what became of a document."""

import click

from pipeline.cli.options import store_option


@click.command("list")
@click.argument("what", default="artifacts")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(what: str, store: str, as_json: bool) -> None:
    """List artifacts (all, or a stage's), filters, presets, readers, exporters or phrases.

    \b
    Example:
      prep list
      prep list clean
      prep list filters
    """
    from pipeline.listing import listing
    from pipeline.progress import say_json, table

    columns, rows = listing(what, store)
    if as_json:
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


@click.command()
@click.argument("ref")
@click.option("--documents", type=click.IntRange(min=0), default=3, show_default=True, help="How many documents to print.")
@click.option("--split", type=click.Choice(["train", "validation"]), default="train", show_default=True, help="Whose rows.")
@click.option("--compare-to", metavar="TOKENIZER", help="Say how many bytes a token of another tokenizer stands for.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write rows of tokens as a page to this file.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def show(ref: str, documents: int, split: str, compare_to: str | None, html: str | None, store: str, as_json: bool) -> None:
    """Show an artifact: what made it, what it holds, where it comes from, a few documents.

    Of tokens, rows are shown, spread over a split: what is supervised is coloured or, piped, stands in [[...]].

    \b
    Example:
      prep show clean/wiki
      prep show tokenize/wiki --documents 20 --html rows.html
    """
    from dataclasses import asdict

    from pipeline.artifacts import Store
    from pipeline.listing import in_words
    from pipeline.progress import say_json

    found = Store(store).find(ref)
    if (html or compare_to) and found.manifest.stage != "tokenize":
        flag = "--html" if html else "--compare-to"
        raise click.UsageError(f"{flag} is for rows of tokens, and {found.ref} holds none. Name a tokenize artifact.")
    if as_json:
        say_json(asdict(found.manifest))
        return
    click.echo("\n".join(in_words(Store(store), found, documents)))
    if found.manifest.stage == "tokenize":
        from pipeline.token_samples import show_rows

        show_rows(found, split, documents, html, compare_to)


@click.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every document that changed sides.")
def diff(one: str, other: str, store: str, as_json: bool) -> None:
    """Compare artifacts A and B: what each filter removed, and the documents that changed sides.

    \b
    Example:
      prep diff clean/wiki@8c2f clean/wiki@bc2c
    """
    from pipeline.artifacts import Store
    from pipeline.difference import difference, lines
    from pipeline.progress import say_json

    found = difference(Store(store).find(one), Store(store).find(other))
    if as_json:
        say_json(found)
    else:
        click.echo("\n".join(lines(found)))


@click.command()
@click.argument("document", metavar="ID")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def why(document: str, store: str, as_json: bool) -> None:
    """Say what became of the document ID, through all stages.

    \b
    Example:
      prep why posts.csv:1042
    """
    from pipeline.artifacts import Store
    from pipeline.history import why as history
    from pipeline.progress import say_json

    lines = history(Store(store), document)
    if as_json:
        say_json(lines)
    else:
        click.echo("\n".join(lines))
