"""A few learning rates, each tried for some steps from the same start -> the one with the lowest validation loss, a picture."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import TrainingError
from trainers.failures import Diverged
from trainers.history import of
from trainers.settings import Keeping, Settings

if TYPE_CHECKING:
    from datasets import Dataset

    from trainers.course import Say
    from trainers.device import Device
    from trainers.history import Split


class Try(NamedTuple):
    """A learning rate and the validation loss it came to; infinite where the loss was no number any more."""

    learning_rate: float
    loss: float


def sweep(
    model: Any,  # noqa: ANN401  a transformers or peft model
    rows: "Dataset",
    evaluated: "Mapping[Split, Dataset]",
    settings: Settings,
    device: "Device",
    scratch: Path,
    say: "Say",
) -> list[Try]:
    """Try each rate of `lr_sweep` with the schedule of a whole training, `lr_sweep_steps` long; raises `TrainingError`.

    The model is left as it was. A sweep that was killed goes on where it was.
    """
    if not evaluated:
        raise TrainingError("lr_sweep needs validation rows to compare by. Run `prep tokenize --validation 0.05`.")
    start = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    tries = []
    for rate in sorted(set(settings.lr_sweep or [])):
        short = replace(settings, learning_rate=rate, max_steps=settings.lr_sweep_steps, evals_per_epoch=1)
        folder = scratch / f"rate-{rate:g}"
        folder.mkdir(parents=True, exist_ok=True)
        tries.append(Try(rate, _loss(model, rows, {"validation": evaluated["validation"]}, short, device, folder)))
        say(f"learning rate {rate:g}: validation loss {tries[-1].loss:.3f} after {settings.lr_sweep_steps} steps")
        model.load_state_dict(start, strict=False)
    if all(math.isinf(one.loss) for one in tries):
        raise TrainingError(f"lr_sweep: the loss was no number at any of {settings.lr_sweep}. Try lower learning rates.")
    say(f"learning rate: {chosen(tries).learning_rate:g}, the best of {len(tries)}")
    return tries


def chosen(tries: list[Try]) -> Try:
    """Return the try with the lowest loss; of equals the one with the lowest rate.

    >>> chosen([Try(1e-4, 3.1), Try(2e-4, 2.9), Try(4e-4, math.inf)]).learning_rate
    0.0002
    """
    return min(tries, key=lambda one: (one.loss, one.learning_rate))


def draw(tries: list[Try], path: Path) -> None:
    """Draw the validation loss over the learning rate to a small PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    known = [one for one in tries if math.isfinite(one.loss)]
    axes.plot([one.learning_rate for one in known], [one.loss for one in known], color="#1f5f99", marker="o")
    axes.plot(*chosen(tries), color="#c8501e", marker="o", markersize=11, markerfacecolor="none")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("validation loss (nats)")
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def _loss(
    model: Any,  # noqa: ANN401
    rows: "Dataset",
    evaluated: "Mapping[Split, Dataset]",
    settings: Settings,
    device: "Device",
    folder: Path,
) -> float:
    from trainers.course import trained

    try:
        stream = trained(
            model, rows, evaluated, settings, device, folder, watch=lambda _: None, say=lambda _: None, keeping=Keeping()
        )
    except Diverged:
        return math.inf
    return of("validation", stream.points)[-1].loss
