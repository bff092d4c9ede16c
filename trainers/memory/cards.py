"""A case and the memory of cards -> which cards hold it, with how many rows a pass, and what would save how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trainers.memory.case import Case
from trainers.memory.estimate import GIB, Estimate, estimate

# GiB that torch finds on the smaller ones of each kind: RTX 3090 and 4090, A100 40 GB, L40S with error correction, A100 80 GB.
CARDS = {"24 GB": 23.6, "40 GB": 39.4, "48 GB": 44.4, "80 GB": 79.1}
WORTH = 0.01 * GIB  # below it, advice saves nothing to speak of
CHUNK = 1024  # tokens


@dataclass(frozen=True)
class Fit:
    """How a training fits a kind of card."""

    card: str
    holds: bool
    largest: int
    """The largest `micro_batch_size` that the card holds, with all else as it is; 0: none."""
    sharded: int
    """Bytes on each of two cards that share the weights, gradients and optimizer state."""
    two_hold: bool


class Advice(NamedTuple):
    """A change that makes a training smaller."""

    change: str
    saves: int
    """Bytes."""


def fits(case: Case) -> list[Fit]:
    """Return how a case fits each of `CARDS`; raises `TrainingError`."""
    asked = estimate(case)
    each = sharded(asked)
    rooms = {card: int(room * GIB) for card, room in CARDS.items()}
    largest = largest_micro_batches(case, list(rooms.values()))
    return [
        Fit(card, asked.total <= room, rows, each, each <= room)
        for (card, room), rows in zip(rooms.items(), largest, strict=True)
    ]


def largest_micro_batch(case: Case, room: int) -> int:
    """Return the largest `micro_batch_size` of which `room` bytes of a card hold the total; 0 where they hold no row.

    Raises `TrainingError`.
    """
    rows = largest_micro_batches(case, [room])[0]
    while rows and estimate(case.but(micro_batch_size=rows + 1)).total <= room:
        rows += 1
    return rows


def largest_micro_batches(case: Case, rooms: Sequence[int]) -> list[int]:
    """Return a `micro_batch_size` for each room that fits it; where rows are very short, some more would fit, too.

    The total is a convex function of the rows, as the greatest of sums that each grow evenly. So the line through one row and
    two, prolonged, stays below it, and finds a number that is too large; the chord from two to that number stays above it, so
    that what fits by the chord fits.
    """

    def needs(rows: int) -> int:
        return estimate(case.but(micro_batch_size=rows)).total

    one, two = needs(1), needs(2)
    far = 2 + max(1, (max(rooms) - one) // (two - one))
    slope = (needs(far) - two) / (far - 2)
    return [0 if room < one else 1 if room < two else 2 + int((room - two) / slope) for room in rooms]


def sharded(asked: Estimate) -> int:
    """Return the bytes on each of two cards that share what the model holds, and have rows of their own."""
    held = ("4-bit weights", "other weights", "trained weights", "gradients", "optimizer state")
    return asked.total - sum(asked[name] for name in held) // 2


def advice(case: Case) -> list[Advice]:
    """Return changes that make a case smaller, what saves most first; raises `TrainingError`."""
    before = estimate(case)
    found = [Advice(change, before.total - estimate(other).total) for change, other in _changes(case)]
    if case.tokens > CHUNK:
        found.append(Advice(f"a loss over {CHUNK:,} tokens at a time (not in prep train)", _chunked(before, case)))
    return sorted((each for each in found if each.saves > WORTH), key=lambda each: -each.saves)


def _changes(case: Case) -> Iterator[tuple[str, Case]]:
    """Yield one change of each setting that costs memory."""
    now = case.settings
    if now.micro_batch_size > 1:
        rows = now.micro_batch_size // 2
        passes = now.gradient_accumulation_steps * now.micro_batch_size // rows
        yield f"micro_batch_size {rows}, gradient_accumulation_steps {passes}", case.but(micro_batch_size=rows)
    if not now.gradient_checkpointing:
        yield "gradient_checkpointing true", case.but(gradient_checkpointing=True)
    if case.length > 512:
        yield f"rows of {case.length // 2:,} tokens (sequence_length of tokenize)", case.but(length=case.length // 2)
    if now.adapter != "qlora":
        yield "adapter qlora", case.but(adapter="qlora")
    if not case.has_adapter:
        yield "adapter lora", case.but(adapter="lora")
    elif now.lora_r > 8:
        yield "lora_r 8", case.but(lora_r=8)
    if not case.device.optimizer.endswith("8bit"):
        device = case.device._replace(optimizer="paged_adamw_8bit")
        yield "optimizer paged_adamw_8bit", replace(case.but(optimizer=device.optimizer), device=device)


def _chunked(before: Estimate, case: Case) -> int:
    """Return what a loss saves that has the logits of some tokens at a time, down to what a layer's backward takes."""
    head = before["logits and loss"]
    return head - max(min(head, before.layer), head * CHUNK // case.tokens)
