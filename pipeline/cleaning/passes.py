"""Steps -> the passes that they are cut into, and where a batch waits between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline.cleaning.plan import Step
from pipeline.cleaning.search import Place

WAITING = ("duplicates", "recurring")  # kinds of steps for which shards wait for one another


@dataclass(frozen=True)
class Pass:
    """Steps that a batch goes through alone, between those before and behind them for which shards wait for one another."""

    number: int
    before: list[Step]
    steps: list[Step]
    behind: list[Step]


@dataclass(frozen=True)
class Cleaning:
    """One run of the stage: its steps, where it works, and how many batches of shards there are."""

    steps: list[Step]
    draft: Path
    answers: Path
    batches: int

    def work(self, number: int) -> Path:
        """Return the folder in which batches wait behind a pass."""
        return self.draft / "work" / str(number)

    def place(self, number: int, batch: int) -> Place:
        """Return where a batch waits behind a pass."""
        return Place(self.work(number), batch)

    def places(self, number: int) -> list[Place]:
        """Return where all batches wait behind a pass."""
        return [self.place(number, batch) for batch in range(self.batches)]

    def measured(self, batch: int, step: int) -> Path:
        """Return the file of what a step measured of a batch."""
        return self.draft / "work" / "measured" / f"{batch:05}.{step}.arrow"


def passes_of(steps: Sequence[Step]) -> list[Pass]:
    """Cut steps at those for which shards wait; duplicates steps that follow one another are one such point."""
    passes: list[Pass] = []
    before: list[Step] = []
    alone: list[Step] = []
    for _, group in groupby(steps, key=lambda step: step.filter.kind if step.filter.kind == "duplicates" else step.number):
        run = list(group)
        if run[0].filter.kind in WAITING:
            passes.append(Pass(len(passes), before, alone, run))
            before, alone = run, []
        else:
            alone = [*alone, *run]
    return [*passes, Pass(len(passes), before, alone, [])]
