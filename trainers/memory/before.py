"""A training that is about to begin on a card -> what it will need, told before its first step, and what would help."""

from collections.abc import Callable

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel
from trainers.device import Device
from trainers.memory import cards
from trainers.memory.case import Case, config_of
from trainers.memory.estimate import GIB, estimate
from trainers.settings import Settings

MOST = 3  # changes that a line names


def case_for(base: BaseModel, settings: Settings, longest: int, device: Device, vocabulary: int) -> Case:
    """Return the case of a training with rows of at most `longest` tokens; raises `TrainingError`."""
    model = base.place if base.config is None else {"config": base.config}
    return Case(config_of(model, base.revision, vocabulary), settings, longest, device, made=base.config is not None)


def told(case: Case, room: int, say: Callable[[str], None]) -> dict[str, int]:
    """Say what a training will need of a card's `room` bytes; returns the bytes by what they are for, none where it is unknown.

    It is an estimate, so it stops no training.
    """
    try:
        asked = estimate(case)
    except TrainingError as error:
        say(f"memory: no estimate ({error})")
        return {}
    over = "" if asked.total <= room else f", which is too little. {what_helps(case)}"
    say(f"memory: about {asked.total / GIB:.1f} GiB of the card's {room / GIB:.1f}{over}")
    return {term.name: term.bytes for term in asked.terms}


def what_helps(case: Case) -> str:
    """Return a sentence on the largest terms of a training's memory, and one on what would save most, each change alone."""
    try:
        asked, changes = estimate(case), cards.advice(case)[:MOST]
    except TrainingError:
        return ""
    terms = sorted(asked.terms, key=lambda term: -term.bytes)[:MOST]
    largest = ", ".join(f"{term.name} {term.bytes / GIB:.1f}" for term in terms)
    saves = "; ".join(f"{change.change} ({change.saves / GIB:.1f} less)" for change in changes)
    return f"Estimated: {asked.total / GIB:.1f} GiB, most of it {largest}." + (f" It would take: {saves}." if saves else "")
