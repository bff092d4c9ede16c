"""Sources -> documents; what a dump or a database holds, and the rows that were rejected."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import given_flags, stage_options, store_option, tell

if TYPE_CHECKING:
    from pipeline.run import Run


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--format", "format_", help="The sources' format, where suffix and content do not tell it.")
@click.option("--text-column", help="The column that holds the text, or a template: '{title}\\n\\n{body}'.")
@click.option("--id-column", help="The column that holds each row's own id, which is kept.")
@click.option("--keep-columns", help="Columns that ride along: a,b or all.")
@click.option("--chat-by", help="The column that tells a row's conversation: rows are turns.")
@click.option("--role-column", help="The column that tells whose turn a row is.")
@click.option("--order-by", help="The column that turns are sorted by.")
@click.option(
    "--role", "roles", multiple=True, metavar="NAME=ROLE", help="What a name in the role column means: agent=assistant."
)
@click.option("--table", help="The table of a dump or a database.")
@click.option("--query", help="A SELECT to run on a database.")
@click.option("--encoding", help="The encoding of tables, dumps and texts, where it is not as the files say.")
@click.option("--repair", is_flag=True, default=None, help="Mend conversations whose turns are in disorder.")
@click.option("--retry", metavar="REF", help="Read an artifact's rejected rows again; SOURCES are files of mended ones.")
@stage_options
def ingest(
    sources: tuple[str, ...],
    retry: str | None,
    run: "Run",
    name: str | None,
    config: str | None,
    as_json: bool,
    **flags: Any,  # noqa: ANN401
) -> None:
    """Read SOURCES (files, folders, globs) into documents.

    HTML, MHTML, WARC, CSV/TSV, SQL dumps, JSONL/JSON (texts and chats), Parquet, Arrow, SQLite, DuckDB, text and Markdown,
    also packed (.gz, .zst, .zip, .tar ...) or elsewhere (s3://, gs://, https://); PostgreSQL, MySQL and MariaDB by URL. What
    cannot be read goes to rejected/ with its raw bytes, and the rest goes on; `prep rejected` prints it, and --retry reads it
    again, mended or with other settings.

    \b
    Example:
      prep ingest pages/ --name wiki
      prep ingest dump.sql --table posts --text-column '{title}: {body}' --id-column id
      prep ingest postgresql://me@host/shop --query 'SELECT id, body FROM posts ORDER BY id' --text-column body
      prep ingest tickets.csv --chat-by ticket --role-column author --role agent=assistant --order-by sent --text-column body
    """
    from pipeline.flow import ingest_all, recipe_for, retry_one

    columns = flags.pop("keep_columns")
    keep = None if columns is None else columns if columns == "all" else [column.strip() for column in columns.split(",")]
    template = flags["text_column"] and flags["text_column"].replace("\\n", "\n").replace("\\t", "\t")
    roles = dict(_role(said) for said in flags.pop("roles")) or None
    given = given_flags(
        **{**flags, "text_column": template, "format": flags.pop("format_"), "keep_columns": keep, "roles": roles}
    )
    given.pop("format_", None)
    if retry is not None:
        recipe = recipe_for("ingest", config, run)
        tell([retry_one(recipe, run, ref=retry, rows=sources, name=name, flags=given)], as_json=as_json)
        return
    if not sources and config is None:
        raise click.UsageError("Name what to read, like `prep ingest pages/ posts.csv`, or a recipe with --config.")
    recipe = recipe_for("ingest", config, run)
    tell(list(ingest_all(recipe, run, name=name, sources=sources, flags=given)), as_json=as_json)


def _role(said: str) -> tuple[str, str]:
    name, equals, role = said.rpartition("=")
    if not equals:
        raise click.UsageError(f"--role {said}: write it as NAME=ROLE, like agent=assistant.")
    return name, role


@click.command()
@click.argument("source")
@click.option("--encoding", default="", help="A dump's encoding, where it names none or a wrong one: cp1252.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def tables(source: str, encoding: str, as_json: bool) -> None:
    """List the tables of an SQL dump or a database: rows, columns, longest texts.

    Databases are files of SQLite and DuckDB, and PostgreSQL, MySQL and MariaDB by URL.

    The last line is a command that ingests the column with most text. Lengths are bytes, of a dump as written in it.

    \b
    Example:
      prep tables dump.sql
      prep tables postgresql://me@host/shop
    """
    from pipeline.progress import say_json, table
    from pipeline.tables import facts, listing, notes, suggestion, tables_of

    found = tables_of(source, encoding)
    if as_json:
        say_json(facts(source, found))
        return
    table(*listing(found))
    for line in notes(found):
        click.echo(line, err=True)
    if command := suggestion(source, found):
        click.echo(command)


@click.command()
@click.argument("ref")
@store_option
def rejected(ref: str, store: str) -> None:
    """Print the rejected rows of an ingest artifact as lines of JSON, to be mended.

    Give the lines back, mended, with `prep ingest --retry`; those you delete stay rejected.

    \b
    Example:
      prep rejected posts > mend.jsonl
      prep ingest --retry posts mend.jsonl
    """
    from pipeline.artifacts import Store
    from pipeline.progress import say_line
    from pipeline.rejections import rejected as rows

    for row in rows(Store(store).find(ref, "ingest")):
        say_line(row)
