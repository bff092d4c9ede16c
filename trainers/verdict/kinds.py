"""What a verdict is made of: the facts it is told, the findings it consists of, and how it reads."""

import json
from typing import Literal, NamedTuple

Name = Literal["unstable", "overfit", "underfit", "too little data", "well-fit", "not enough evaluations"]


class Facts(NamedTuple):
    """What is known of a training beside its losses; 0 and None: not known."""

    supervised_tokens: int
    """Of the training rows, once through."""
    validation_tokens: int = 0
    """Supervised tokens of the validation rows."""
    sample_tokens: int = 0
    """Supervised tokens of the sample of training rows that is evaluated as validation is."""
    text_bytes: int | None = None
    """UTF-8 bytes of the documents that were trained on."""
    steps: int = 0
    """Optimizer steps that were planned."""


class Finding(NamedTuple):
    """One thing that the losses say: its numbers, a sentence, and what to do about it."""

    name: Name
    weight: float
    """The heaviest is said first: 1 for what spoils a training, 0 for what is as it should be."""
    sentence: str
    advice: tuple[str, ...]
    numbers: dict[str, float]
    steps: tuple[int, ...] = ()
    """Where the picture should point at."""
    fatal: bool = False
    """Nothing else can be told of the fit."""


class Verdict(NamedTuple):
    """All findings, the heaviest first."""

    findings: tuple[Finding, ...]
    seconds: float = 0.0
    """How long the steps took, evaluations apart."""

    @property
    def headline(self) -> str:
        """Return the names of the findings, each once.

        >>> Verdict((Finding("overfit", 0.8, "", (), {}), Finding("too little data", 0.5, "", (), {}))).headline
        'overfit, too little data'
        """
        return ", ".join(dict.fromkeys(finding.name for finding in self.findings))

    def has(self, name: Name) -> bool:
        """Say whether a finding is among them."""
        return any(finding.name == name for finding in self.findings)

    def lines(self) -> list[str]:
        """Say each finding in a line, its advice below it.

        >>> Verdict((Finding("overfit", 0.8, "It rose.", ("Stop earlier.",), {}),)).lines()
        ['overfit: It rose.', '  - Stop earlier.']
        """
        return [
            line
            for finding in self.findings
            for line in (f"{finding.name}: {finding.sentence}", *(f"  - {advice}" for advice in finding.advice))
        ]


def written(verdict: Verdict, facts: Facts) -> str:
    """Return findings and facts as JSON, for `reopened`; no seconds, so that equal trainings leave equal bytes."""
    findings = [finding._asdict() for finding in verdict.findings]
    return json.dumps({"facts": facts._asdict(), "findings": findings}, indent=1, ensure_ascii=False) + "\n"


def reopened(text: str) -> tuple[Verdict, Facts]:
    """Return what `written` wrote.

    >>> kept = Verdict((Finding("overfit", 0.8, "It rose.", ("Stop earlier.",), {"rise": 0.2}, (40,)),)), Facts(900)
    >>> reopened(written(*kept)) == kept
    True
    """
    content = json.loads(text)
    lists = ("advice", "steps")
    findings = (Finding(**{**one, **{name: tuple(one[name]) for name in lists}}) for one in content["findings"])
    return Verdict(tuple(findings)), Facts(**content["facts"])
