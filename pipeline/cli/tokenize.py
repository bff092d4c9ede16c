"""Clean documents -> rows of tokens."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import given_flags, stage_options, tell

if TYPE_CHECKING:
    from pipeline.run import Run


@click.command()
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("--tokenizer", help="A folder, a tokenizer.json, .model or tekken.json, or a name on the hub.")
@click.option("--train-tokenizer", is_flag=True, default=None, help="Train a BPE tokenizer on the documents.")
@click.option("--vocab-size", type=int, help="Vocabulary of a trained tokenizer.  [default: 8000]")
@click.option(
    "--tokenizer-kind", type=click.Choice(["bpe", "sentencepiece_bpe"]), help="Kind of a trained tokenizer.  [default: bpe]"
)
@click.option("--special-token", "special_tokens", multiple=True, help="One more special token of a trained tokenizer.")
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


def _shares(flag: str, said: str | None) -> dict[str, float] | None:
    """Read `wiki=0.3,chats=0.7`."""
    if said is None:
        return None
    try:
        return {name.strip(): float(share) for name, _, share in (part.rpartition("=") for part in said.split(","))}
    except ValueError as error:
        raise click.UsageError(f"{flag} {said}: write it as NAME=NUMBER,NAME=NUMBER, like wiki=0.3,chats=0.7.") from error
