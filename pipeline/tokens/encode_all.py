"""All shards of documents -> their tokens, by an encoder that is proved meanwhile; or by another, all of them again.

Tasks begin with the fast encoder, as if it had been proved, and the driver proves it beside them (see `proof`). Where it is
refused, or errs in the middle, all is encoded by the tokenizer's own, and what the fast one wrote is thrown away. What was
found stands in `work/refused.json` of the draft, so a run that was killed goes on with it.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.artifacts import atomic
from pipeline.engine.memory import Weighed, release
from pipeline.run import Run
from pipeline.tokens import proof
from pipeline.tokens.encode_shard import Plan, encode_shard, need
from pipeline.tokens.encoding.encoder import ABSENT, Choice, EncodingDiffers
from pipeline.tokens.encoding.fast import Unsupported
from pipeline.tokens.parents import Shard

SLOW = Choice(*["the fast encoder erred"] * 2)


def encode_all(plan: Plan, shards: Sequence[Shard], run: Run) -> list[dict[str, Any]]:
    """Encode all shards; return what their tasks answered. Of `plan` the choice of encoders is the hoped one."""
    folder, refused = plan.draft / "tokenizer", plan.draft / "work" / "refused.json"
    with ThreadPoolExecutor(1) as aside:
        proving = aside.submit(_proved, refused, folder, shards, run)
        if run.engine.workers == 1 or refused.exists() or not proof.hopeful(folder):
            choice = proving.result()
            plan = plan if choice == plan.choice else _again(plan, choice, refused)
        while True:
            try:
                task = Weighed(partial(encode_shard, plan), need)
                found = proof.while_it_holds(plan.choice, proving, run.engine.map(task, shards))
                return list(run.progress.track("tokenize", found, len(shards)))
            except (proof.Refused, Unsupported):
                choice = proving.result()
            except EncodingDiffers as error:
                run.progress.say(f"{error} All are encoded again by `tokenizers`.")
                choice = SLOW
            plan = _again(plan, choice, refused)


def _again(plan: Plan, choice: Choice, refused: Path) -> Plan:
    """Take another choice of encoders for all, and throw away what was encoded by any choice but it."""
    if not refused.exists() or json.loads(refused.read_text()) != choice._asdict():
        for answer in (plan.draft / "work").glob("[0-9]*.json"):
            answer.unlink()
        with atomic(refused) as temporary:
            temporary.write_text(json.dumps(choice._asdict()))
    return replace(plan, choice=choice)


def _proved(refused: Path, folder: Path, shards: Sequence[Shard], run: Run) -> Choice:
    """Return what the proof says, or what an earlier run has found; tell which encoder is taken if it is not the fast one.

    What the proof held is given back: tasks run beside it to the end of all encoding.
    """
    choice = Choice(**json.loads(refused.read_text())) if refused.exists() else proof.prove(folder, shards)
    for what, why in zip(("texts", "chats"), choice, strict=True):
        if why not in (None, ABSENT):
            run.progress.say(f"{what} are encoded by `tokenizers`: {why}")
    release()
    return choice
