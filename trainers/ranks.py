"""One training by several processes: how many there are, which of them this is, what they agree on and add up.

`torchrun` and `accelerate launch` start the same command several times, on one machine or on several, and say in its
environment how many processes there are (WORLD_SIZE), which of them this is (RANK; on its machine LOCAL_RANK), and where the
first one listens (MASTER_ADDR, MASTER_PORT). The first alone has the draft, talks, writes and publishes; the others follow.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import TrainingError

if TYPE_CHECKING:
    import torch

Answer = TypeVar("Answer")

# The others wait as long while the first loads, draws and publishes. A process that dies is noticed at once by its connections.
PATIENCE = timedelta(hours=6)
SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM")
GONE = ("gloo", "NCCL", "TCPStore", "Connection closed by", "Connection reset by")


def count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1


def rank() -> int:
    """Return which of them this is, from 0 on."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def is_first() -> bool:
    """Say whether this is the process that has the draft, talks and writes."""
    return rank() == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Connect this process with the others while it trains; raises `TrainingError`."""
    if count() == 1:
        yield
        return
    import torch.distributed as together

    _check()
    together.init_process_group(_backend(), timeout=PATIENCE)
    yield
    together.destroy_process_group()  # not after an error: the others would break off first, and be taken for its cause


def _backend() -> str:
    """Give this process its card, and name what connects it: tensors of cards by NCCL, all else by gloo."""
    import torch

    if not torch.cuda.is_available():
        return "gloo"
    here, cards = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if here >= cards:
        raise TrainingError(f"this machine has {cards} cards, and was to run at least {here + 1} processes. Start one a card.")
    torch.cuda.set_device(here)
    return "cpu:gloo,cuda:nccl"


def _check() -> None:
    for name in SHARDING:
        if os.environ.get(name, "false").lower() in ("1", "true"):
            kind = name.removeprefix("ACCELERATE_USE_").replace("_LM", "").lower()
            raise TrainingError(f"accelerate is set up for {kind}, but prep train shares rows alone. Run `accelerate config`.")


def meet() -> None:
    """Wait until all processes are here."""
    agreed(lambda: None)


def agreed(decide: Callable[[], Answer]) -> Answer:
    """Return what the first process decides, in all of them.

    >>> agreed(lambda: 40)
    40
    """
    if count() == 1:
        return decide()
    import torch.distributed as together

    told = [decide() if is_first() else None]
    together.broadcast_object_list(told, device="cpu")  # type: ignore[arg-type]  # its stubs want a device that is made
    answer: Answer = told[0]  # type: ignore[assignment]
    return answer


def summed(numbers: "torch.Tensor") -> "torch.Tensor":
    """Return the sums over all processes of what each has; in one process they are its own."""
    if count() > 1:
        import torch.distributed as together

        together.all_reduce(numbers)
    return numbers


def is_loss_of_another(error: BaseException | None) -> bool:
    """Say whether an error tells that another process is gone, so that its cause lies there.

    >>> is_loss_of_another(RuntimeError("[gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]:50112"))
    True
    >>> is_loss_of_another(ValueError("NCCL"))
    False
    """
    return isinstance(error, RuntimeError) and any(word in str(error) for word in GONE)
