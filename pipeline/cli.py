"""`prep`: one thin command a stage: parse, call, print. Heavy imports stand inside the commands that need them."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import PrepError, without_passwords

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.run import Run

Command = Callable[..., Any]


class Stop(click.ClickException):
    """An error as one line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for the class


class Prep(click.Group):
    """The commands in the order of the flow; whatever goes wrong ends in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the commands in the order they were written."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's signature
        """Run a command; turn an error into one line."""
        try:
            return super().invoke(ctx)
        except PrepError as error:
            raise Stop(str(error), error.exit_code) from error
        except KeyboardInterrupt as error:
            raise Stop("interrupted. Finished shards are kept: run the same command again to go on.", 130) from error
        except BrokenPipeError:
            sys.stderr.close()
            raise SystemExit(0) from None
        except OSError as error:
            raise Stop(f"{error.filename or 'the system'}: {error.strerror or error}") from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("PREP_DEBUG"):
                raise
            message = without_passwords(f"{type(error).__name__}: {' '.join(str(error).split())}")
            raise Stop(f"a defect of prep: {message}. Please report it; PREP_DEBUG=1 shows where.") from error


@click.group(cls=Prep, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="prep", prog_name="prep")
def main() -> None:
    """Turn raw pages, tables, dumps and chats into a clean, tokenized data set, and fine-tune on it.

    Each stage reads the newest artifact of the stage before, or the one you name, and writes a new one.

    \b
    Example:
      prep ingest pages/ posts.csv --text-column body
      prep clean --slop-list refusals
      prep tokenize --train-tokenizer --vocab-size 8000
      prep train --model mistralai/Mistral-7B-v0.3
    """


def store_option(command: Command) -> Command:
    """Add `--store`, for commands that only look."""
    return click.option(
        "--store",
        envvar="PREP_STORE",
        default="data/artifacts",
        show_default=True,
        show_envvar=True,
        help="Folder of artifacts.",
    )(command)


def stage_options(command: Command) -> Command:
    """Add the flags that mean the same in every stage, and hand them on as a `Run`."""

    @functools.wraps(command)
    def with_run(store: str, workers: int | None, engine: str, quiet: bool, **given: Any) -> None:  # noqa: ARG001, ANN401
        from pipeline.artifacts import Store
        from pipeline.engine.local import Local
        from pipeline.progress import Terminal
        from pipeline.run import Run

        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells those without torch that they lack it
        local = Local(workers)
        try:
            command(run=Run(Store(store), local, Terminal(quiet=quiet)), **given)
        finally:
            local.close()

    options = [
        click.option("--name", help="The artifact's name; by default the first source's, or the parent's."),
        click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A recipe; the stage takes its section."),
        click.option("--workers", type=click.IntRange(min=1), help="Worker processes; by default one a core."),
        click.option("--engine", type=click.Choice(["local"]), default="local", show_default=True, help="Who does the work."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--quiet", "-q", is_flag=True, help="No progress, no remarks."),
    ]
    for option in reversed(options):
        with_run = option(with_run)
    return store_option(with_run)


def given_flags(**flags: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the flags that were given."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def tell(artifacts: "Sequence[Artifact]", *, as_json: bool) -> None:
    """Print what a stage made."""
    from pipeline.progress import facts, result, say_json

    if as_json:
        say_json(facts(artifacts[0]) if len(artifacts) == 1 else [facts(artifact) for artifact in artifacts])
        return
    for artifact in artifacts:
        click.echo("\n".join(result(artifact)))


@main.command()
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


@main.command()
@click.argument("source")
@click.option("--encoding", default="", help="A dump's encoding, where it names none or a wrong one: cp1252.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def tables(source: str, encoding: str, as_json: bool) -> None:
    """List the tables of an SQL dump, an SQLite or a DuckDB database: rows, columns, longest texts.

    The last line is a command that ingests the column with most text. Lengths are bytes, of a dump as written in it.

    \b
    Example:
      prep tables dump.sql
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


@main.command()
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


@main.command()
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


def _shares(flag: str, said: str | None) -> dict[str, float] | None:
    """Read `wiki=0.3,chats=0.7`."""
    if said is None:
        return None
    try:
        return {name.strip(): float(share) for name, _, share in (part.rpartition("=") for part in said.split(","))}
    except ValueError as error:
        raise click.UsageError(f"{flag} {said}: write it as NAME=NUMBER,NAME=NUMBER, like wiki=0.3,chats=0.7.") from error


@main.command()
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("--tokenizer", help="A folder, a tokenizer.json, or a name on the hub.")
@click.option("--train-tokenizer", is_flag=True, default=None, help="Train a byte-level BPE tokenizer on the documents.")
@click.option("--vocab-size", type=int, help="Vocabulary of a trained tokenizer.  [default: 8000]")
@click.option("--chat-template", help="A template that ships (chatml, llama-3, ...) or a .jinja file.")
@click.option("--sequence-length", type=int, help="Most tokens a row.  [default: 2048]")
@click.option(
    "--train-on", type=click.Choice(["assistant", "last", "all"]), help="Turns that are learned.  [default: assistant]"
)
@click.option(
    "--overlong",
    type=click.Choice(["auto", "split", "truncate", "drop", "error"]),
    help="What becomes of longer documents.  [default: auto: texts are split, conversations dropped]",
)
@click.option(
    "--packing",
    type=click.Choice(["best_fit", "concatenate", "none", "length_grouped"]),
    help="How documents fill rows.  [default: best_fit]",
)
@click.option("--validation", type=float, help="Share of documents held out, near duplicates together.  [default: 0.05]")
@click.option(
    "--validation-by",
    type=click.Choice(["document", "source"]),
    help="Hold out documents, or whole sources.  [default: document]",
)
@click.option("--mix", help="Shares of the training tokens: wiki=0.3,chats=0.7.")
@click.option("--epochs", help="How often artifacts are taken: wiki=2,chats=1.5.")
@click.option("--seed", type=int, help="Seed of the rows' order.  [default: 42]")
@stage_options
def tokenize(refs: tuple[str, ...], run: "Run", name: str | None, config: str | None, as_json: bool, **flags: Any) -> None:  # noqa: ANN401
    """Turn clean documents into rows of tokens that `datasets.load_from_disk` opens.

    Several REFs make one artifact. Without any, the newest of clean is taken; without --tokenizer, one is trained.

    \b
    Example:
      prep tokenize --train-tokenizer --vocab-size 8000
      prep tokenize wiki chats --tokenizer mistralai/Mistral-7B-v0.3 --chat-template chatml --mix wiki=0.3,chats=0.7
    """
    from pipeline.flow import recipe_for, tokenize_all

    shares = {key: _shares(f"--{key}", flags.pop(key)) for key in ("mix", "epochs")}
    given = given_flags(**flags, **shares)
    recipe = recipe_for("tokenize", config, run, settled="tokenizer" in given or "train_tokenizer" in given)
    tell([tokenize_all(recipe, run, refs=refs, name=name, flags=given)], as_json=as_json)


@main.command()
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


@main.command()
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


@main.command()
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


@main.command("list")
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


@main.command()
@click.argument("ref")
@click.option("--documents", type=click.IntRange(min=0), default=3, show_default=True, help="How many documents to print.")
@click.option("--split", type=click.Choice(["train", "validation"]), default="train", show_default=True, help="Whose rows.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write rows of tokens as a page to this file.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def show(ref: str, documents: int, split: str, html: str | None, store: str, as_json: bool) -> None:
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
    if html and found.manifest.stage != "tokenize":
        raise click.UsageError(f"--html shows rows of tokens, and {found.ref} holds none. Name a tokenize artifact.")
    if as_json:
        say_json(asdict(found.manifest))
        return
    click.echo("\n".join(in_words(Store(store), found, documents)))
    if found.manifest.stage == "tokenize":
        from pipeline.token_samples import show_rows

        show_rows(found, split, documents, html)


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
@click.argument("ref")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify(ref: str, store: str, as_json: bool) -> None:
    """Recompute the checksums of an artifact's files.

    \b
    Example:
      prep verify clean/wiki@8c2f
    """
    from pipeline.artifacts import Store
    from pipeline.errors import BrokenArtifact
    from pipeline.progress import say_json

    found = Store(store).find(ref)
    problems = found.verify()
    if problems:
        raise BrokenArtifact("\n".join([f"{found.ref}: broken. Remove the folder and run its stage again.", *problems]))
    if as_json:
        say_json({"ref": found.ref, "files": len(found.manifest.files), "problems": []})
    else:
        click.echo(f"{found.ref}: {len(found.manifest.files)} files as the manifest says")
