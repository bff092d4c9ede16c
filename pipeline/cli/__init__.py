"""`prep`: one thin command a stage: parse, call, print. Heavy imports stand inside the commands that need them.

Read group.py for what becomes of errors, options.py for the flags that all share, then the commands in the order of the flow:
ingest.py, clean.py, tokenize.py, train.py, estimate.py, model.py, run.py, export.py, look.py, store.py.
"""

import click

from pipeline.cli import clean, estimate, export, ingest, look, model, run, store, tokenize, train
from pipeline.cli.group import Prep

COMMANDS = (
    ingest.ingest,
    ingest.tables,
    clean.clean,
    clean.plan,
    tokenize.tokenize,
    train.train,
    estimate.estimate,
    model.generate,
    model.merge,
    run.run,
    export.export,
    look.list_,
    look.show,
    look.diff,
    clean.slop,
    ingest.rejected,
    look.why,
    store.verify,
    store.gc,
)


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


for command in COMMANDS:
    main.add_command(command)
