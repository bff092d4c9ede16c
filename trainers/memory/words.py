"""An estimate, how it fits cards and what would save memory -> lines of at most 100 columns, and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from trainers.memory.cards import CARDS, Advice, Fit
from trainers.memory.case import Case
from trainers.memory.estimate import GIB, Estimate, many


def gib(count: int) -> str:
    """Say bytes in GiB.

    >>> gib(3 * 2**29)
    '1.50'
    """
    return f"{count / GIB:.2f}"


def head(asked: Estimate, case: Case) -> list[str]:
    """Say in two lines what is estimated: the model, and the training."""
    now, place = case.settings, "a CUDA card" if case.device.name == "cuda" else "the CPU"
    dtype = str(case.device.dtype).removeprefix("torch.")
    checkpoints = "gradient checkpointing" if now.gradient_checkpointing else "no checkpointing"
    return [
        f"{many(asked.parameters)} parameters, {many(asked.trained)} learn: adapter {now.adapter}, on {place} in {dtype}",
        f"{now.micro_batch_size} x {case.length:,} tokens a pass, {checkpoints}",
    ]


def terms(asked: Estimate) -> list[str]:
    """Say an estimate's terms and their sum.

    >>> from trainers.memory.estimate import Term
    >>> print("\\n".join(terms(Estimate((Term("gradients", 2**30, "268.4 M x 4 bytes"),), 0, 0))))
    term                    GiB
    gradients              1.00  268.4 M x 4 bytes
    total                  1.00
    """
    rows = [f"{term.name:<20}{gib(term.bytes):>7}  {term.formula}" for term in asked.terms]
    return [f"{'term':<20}{'GiB':>7}", *rows, f"{'total':<20}{gib(asked.total):>7}"]


def cards(found: Sequence[Fit]) -> list[str]:
    """Say which cards hold it. The processes of `prep train` work apart on rows of their own: each needs as much."""
    rows = [
        f"{fit.card:<8}{_mark(fit.holds):<10}{CARDS[fit.card]:>5.1f}  {fit.largest or 'none':>24}   "
        f"{_mark(fit.two_hold)} {gib(fit.sharded)} each"
        for fit in found
    ]
    return [
        f"{'card':<8}{'holds it':<10}{'GiB':>5}  {'largest micro_batch_size':>24}   two cards, sharded (not by prep train)",
        *rows,
        "Two cards that are data-parallel need as much on each as one; they only take more rows a step.",
    ]


def savings(found: Sequence[Advice]) -> list[str]:
    """Say what would save how much, each change alone.

    >>> print("\\n".join(savings([Advice("lora_r 8", 2**28)])))
    to need less         saves GiB, each change alone
                           0.25  lora_r 8
    """
    return [
        f"{'to need less':<21}saves GiB, each change alone",
        *(f"{'':<20}{gib(each.saves):>7}  {each.change}" for each in found),
    ]


def facts(asked: Estimate, case: Case, fit: Sequence[Fit], less: Sequence[Advice]) -> dict[str, Any]:
    """Return all of it for a machine, in bytes."""
    return {
        "parameters": asked.parameters,
        "trained": asked.trained,
        "adapter": case.settings.adapter,
        "micro_batch_size": case.settings.micro_batch_size,
        "length": case.length,
        "terms": [asdict(term) for term in asked.terms],
        "allocated": asked.allocated,
        "total": asked.total,
        "cards": [asdict(one) for one in fit],
        "advice": [each._asdict() for each in less],
    }


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"
