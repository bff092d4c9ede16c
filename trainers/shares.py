"""Rows of an epoch, the processes that share them -> each one's batches, so that an optimizer step has the rows it has alone.

A step's batches are dealt out one by one. Where they do not come out even, a process gets a batch without rows, whose loss is 0
and whose gradient is, too: accelerate's own sharding would begin again with the first rows and train on them twice.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import BatchSampler


class Crew(NamedTuple):
    """Processes that train together, and which of them is meant."""

    processes: int
    rank: int


def passes_each(passes: int, count: int) -> int:
    """Return the forward passes that each of several processes does of a step's.

    >>> passes_each(8, 2), passes_each(5, 2)
    (4, 3)
    """
    return -(-passes // count)


class Share(BatchSampler):
    """One process' batches of rows' numbers; those of one process alone are the Trainer's own, in its order.

    >>> alone = list(Share(rows=5, size=1, passes=3, seed=1, crew=Crew(1, 0)))
    >>> first, second = (list(Share(rows=5, size=1, passes=3, seed=1, crew=Crew(2, rank))) for rank in (0, 1))
    >>> first == [alone[0], alone[2], alone[3]], second == [alone[1], [], alone[4]]
    (True, True)
    """

    def __init__(self, rows: int, size: int, passes: int, seed: int, crew: Crew) -> None:
        self._order = SeedableRandomSampler(range(rows), data_seed=seed)
        super().__init__(self._order, size, drop_last=False)
        self._passes, self._crew = passes, crew

    @property
    def batch_sampler(self) -> "Share":
        """Return what has `set_epoch`, which the Trainer looks for in here."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Take the order of rows of an epoch."""
        self._order.set_epoch(epoch)

    def epoch_at(self, step: int) -> float:
        """Return how often the rows have been gone over after an optimizer step, by all processes.

        >>> share = Share(rows=5, size=1, passes=3, seed=1, crew=Crew(2, 0))
        >>> [share.epoch_at(step) for step in range(4)]
        [0.0, 0.6, 1.0, 1.6]
        """
        batches = super().__len__()
        epochs, more = divmod(step, passes_each(batches, self._passes))
        return epochs + more * self._passes / batches

    def __len__(self) -> int:
        steps, left = divmod(super().__len__(), self._passes)
        return steps * passes_each(self._passes, self._crew.processes) + passes_each(left, self._crew.processes)

    def __iter__(self) -> Iterator[list[int]]:
        batches = list(super().__iter__())
        for begin in range(0, len(batches), self._passes):
            yield from self._of_step(batches[begin : begin + self._passes])

    def _of_step(self, batches: Sequence[list[int]]) -> Iterator[list[int]]:
        for turn in range(passes_each(len(batches), self._crew.processes)):
            mine = turn * self._crew.processes + self._crew.rank
            yield batches[mine] if mine < len(batches) else []
