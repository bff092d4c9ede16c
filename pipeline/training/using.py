"""A train artifact -> what it answers to prompts, and one model of its base and its adapter."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.artifacts import Artifact, Store, refusals
from pipeline.errors import UsageError
from pipeline.training.parent import tokenizer_of, tokens_of

if TYPE_CHECKING:
    from trainers.device import Device
    from trainers.generate import Answer

BATCH = 4  # rows
MOST_ROWS = 64  # of the validation split, by which a merge is judged


class Merged(NamedTuple):
    """A merged model: where it lies, and its loss per supervised token beside that of the base with the adapter."""

    ref: str
    folder: str
    gguf: str | None
    adapter_loss: float
    merged_loss: float


@dataclass(frozen=True)
class Trained:
    """A train artifact with the tokenize artifact that it was made from."""

    artifact: Artifact
    tokens: Artifact

    @property
    def whole(self) -> bool:
        """Say whether it holds a whole model, with no adapter to merge."""
        return (self.artifact.path / "model").is_dir()


def trained(store: Store, ref: str) -> Trained:
    """Find a train artifact and its parent; raises `ArtifactNotFound`."""
    from trainers.settings import require

    require()
    artifact = store.find(ref, "train")
    return Trained(artifact, store.find(artifact.manifest.parents[0]))


def answers(one: Trained, prompts: Iterable[str], *, base: bool = False, **settings: Any) -> "Iterator[Answer]":  # noqa: ANN401
    """Answer prompts one after the other, by the trained model or, with `base`, by the model as it was before.

    `settings` are those of `trainers.generate.answer`. Raises `UsageError` where the model from before is not kept.
    """
    from trainers import generate, models
    from trainers.device import quiet, threads_for

    if base and one.whole:
        raise UsageError(f"{one.artifact.ref} holds a whole model, and not the one that it was trained from. Leave out --base.")
    with quiet():
        model, tokenizer = models.load_trained(one.artifact.path, _device(one)), tokenizer_of(one.tokens)
        before = model.disable_adapter() if base else contextlib.nullcontext()
        with threads_for(model), before:
            for prompt in prompts:
                yield generate.answer(model, tokenizer, prompt, **settings)


def merge(one: Trained, out: Path, *, gguf: str | None = None) -> Merged:
    """Write base and adapter as one model to a folder that is not there yet or empty, and its loss beside the adapter's.

    The base is added to in its own precision; where it was trained upon in 4 bits the merged model is another than the trained
    one, so both are tried on the validation rows. Raises `UsageError`, `TrainingError`, `StoreError`.
    """
    from trainers import merge as merging
    from trainers.device import quiet
    from trainers.models import base_of

    if one.whole:
        raise UsageError(f"{one.artifact.ref} holds a whole model, with no adapter to merge: {one.artifact.path / 'model'}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder. Name another one.")
    device = _device(one)
    places = [Path(os.environ["LLAMA_CPP"])] if "LLAMA_CPP" in os.environ else []
    with quiet():
        model, tokenizer = merging.merged(base_of(one.artifact.path), one.artifact.path, device), tokenizer_of(one.tokens)
        before, after = _losses(one, model, device)
        with refusals(out), _whole(out) as folder:
            merging.write(model, tokenizer, folder)
            if gguf:
                merging.gguf(folder, folder / "model.gguf", gguf, places)
    return Merged(one.artifact.ref, str(out), str(out / "model.gguf") if gguf else None, before, after)


def _losses(one: Trained, model: Any, device: "Device") -> tuple[float, float]:  # noqa: ANN401  a transformers model
    from trainers.loss import mean_loss
    from trainers.models import load_trained

    splits = tokens_of(one.tokens)
    rows = splits["validation"] if len(splits.get("validation", ())) else splits["train"]
    rows = rows.select(range(min(MOST_ROWS, len(rows))))
    return mean_loss(load_trained(one.artifact.path, device), rows, BATCH), mean_loss(model, rows, BATCH)


def _device(one: Trained) -> "Device":
    """Return this machine's device, with the precision that was asked for in training."""
    from trainers.device import device_for

    return device_for(one.artifact.manifest.recipe["bf16"])


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` that becomes it when all is written, and is gone where something fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
        folder.chmod(0o755)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
