"""What the report and the model card tell of a training beside its losses: the base, settings, data, memory, texts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trainers.verdict import Facts

GIB = 1 << 30


class Source(NamedTuple):
    """A file that documents were read from: its name, the SHA-256 of its bytes, how many there are."""

    name: str
    sha256: str
    size: int


class Ancestor(NamedTuple):
    """An artifact the training goes back to: its ref, its rows, the first of its sources and how many there are."""

    ref: str
    rows: Mapping[str, int]
    sources: Sequence[Source] = ()
    source_count: int = 0


class Sample(NamedTuple):
    """A prompt, and what the base model and the trained one make of it."""

    prompt: str
    base: str | None
    trained: str


class Account(NamedTuple):
    """All that is known of a training but its points, paces and verdict."""

    name: str
    base_model: str
    """A name on the Hub or a folder's."""
    settings: Mapping[str, Any]
    facts: Facts
    revision: str | None = None
    lineage: Sequence[Ancestor] = ()
    """The nearest first."""
    kept_step: int | None = None
    """The step whose weights the adapter holds, where that is not the last."""
    run: Mapping[str, Any] = {}
    """Device, precision, versions of packages."""
    memory: Mapping[str, int] = {}
    """Bytes that were estimated, by what they are for."""
    samples: Sequence[Sample] = ()


def size(count: int) -> str:
    """Say how many bytes there are.

    >>> size(3 << 29), size(2048)
    ('1.50 GiB', '2.0 KiB')
    """
    if count >= GIB:
        return f"{count / GIB:.2f} GiB"
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / 1024:.1f} KiB"


def data_facts(facts: Facts) -> list[tuple[str, str]]:
    """Name what is known of the data.

    >>> data_facts(Facts(supervised_tokens=1200, text_bytes=2048))
    [('supervised tokens, once through', '1,200'), ('text', '2.0 KiB')]
    """
    found = [
        ("supervised tokens, once through", facts.supervised_tokens),
        ("supervised tokens of validation", facts.validation_tokens),
        ("supervised tokens of the training sample", facts.sample_tokens),
    ]
    known = [(name, f"{count:,}") for name, count in found if count]
    return [*known, *([("text", size(facts.text_bytes))] if facts.text_bytes is not None else [])]


def said(value: object) -> str:
    """Say a value as a recipe would have it.

    >>> said({"rate": 2e-4, "on": ["q_proj", "v_proj"]})
    'rate 0.0002, on q_proj, v_proj'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {said(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
