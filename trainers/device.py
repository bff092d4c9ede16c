"""Where a training runs and how it computes: a CUDA card, or the CPU in float32 with a plain optimizer."""

import contextlib
import resource
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import torch
import transformers
from transformers.training_args import OptimizerNames

from pipeline.errors import TrainingError, did_you_mean
from trainers.settings import Settings

# On 2 cores, with 1.5 M parameters and rows of 180 tokens, a step took 0.2 s with one thread, and with two 0.4 s on a quiet
# machine and up to 7 s on a busy one.
SMALL = 20_000_000


class Device(NamedTuple):
    """Where a training runs and how it computes."""

    name: str
    dtype: torch.dtype
    optimizer: str

    def facts(self) -> dict[str, str]:
        """Return what a manifest notes of it.

        >>> Device("cpu", torch.float32, "adamw_torch").facts()
        {'device': 'cpu', 'dtype': 'float32', 'optimizer': 'adamw_torch'}
        """
        return {"device": self.name, "dtype": _name(self.dtype), "optimizer": self.optimizer}


def chosen_device(settings: Settings, say: Callable[[str], None]) -> Device:
    """Choose device, precision and optimizer, and say what the user did not ask for.

    Raises `TrainingError` for an unknown optimizer, or a card without the bfloat16 that was asked for.
    """
    names = [name.value for name in OptimizerNames]
    if settings.optimizer not in names:
        raise TrainingError(f"optimizer {settings.optimizer!r} is unknown.{did_you_mean(settings.optimizer, names)}")
    device = device_for(settings.bf16, settings.optimizer)
    if device.name == "cpu":
        precision = f"{_name(device.dtype)} with {device.optimizer}"
        say(f"no CUDA here: training on the CPU in {precision}; fit for small models only")
    return device


def device_for(bf16: Literal["auto"] | bool, optimizer: str = "adamw_torch") -> Device:
    """Return this machine's device and its precision; raises `TrainingError` for a card without the bfloat16 asked for."""
    if torch.cuda.is_available():
        return Device("cuda", _card_dtype(bf16), optimizer)
    return Device(
        "cpu",
        torch.bfloat16 if bf16 is True else torch.float32,
        "adamw_torch" if optimizer.startswith("paged") else optimizer,
    )


@contextlib.contextmanager
def threads_for(model: Any) -> Iterator[None]:  # noqa: ANN401  a peft model
    """Give a small model one thread: its operations are too short to share. Its sums do not depend on the cores, then."""
    threads = torch.get_num_threads()
    if model.num_parameters() < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from talking to the terminal: its progress bars, hints and coming changes are none of the user's."""
    talk = transformers.utils.logging
    verbosity, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        talk.set_verbosity(verbosity)
        if bars:
            talk.enable_progress_bar()


def memory() -> int:
    """Return the bytes that were needed at most so far: allocated on the card; without one, this process's in memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _card_dtype(bf16: Any) -> torch.dtype:  # noqa: ANN401  "auto" or a boolean
    able = torch.cuda.is_bf16_supported(including_emulation=False)
    if bf16 is True and not able:
        raise TrainingError("bf16: this card cannot compute in bfloat16. Use bf16: auto, which takes float16 here.")
    if bf16 is False:
        return torch.float32
    return torch.bfloat16 if able else torch.float16
