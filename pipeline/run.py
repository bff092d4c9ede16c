"""What a stage works with: the store, the engine, and whom it tells how far it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pipeline.artifacts import Artifact, Identity, Store
from pipeline.code_version import installed
from pipeline.engine import Engine, Expects
from pipeline.timing import stage

Answer = TypeVar("Answer")


class Note(str):
    """An answer that says how things stand, in words that are shown beside how far they are."""

    __slots__ = ()


class Progress(Protocol):
    """Whom a stage tells how far it is."""

    def track(self, label: str, answers: Iterator[Answer], total: int) -> Iterator[Answer]:
        """Pass the answers on and show how many of them have come."""
        ...

    def say(self, line: str) -> None:
        """Tell the user something."""
        ...


class Silent:
    """Tells nobody."""

    def track(self, label: str, answers: Iterator[Answer], total: int) -> Iterator[Answer]:  # noqa: ARG002  the protocol's
        """Pass the answers on."""
        return answers

    def say(self, line: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Run:
    """One run of `prep`: where artifacts go, who does the work, and whom to tell."""

    store: Store
    engine: Engine
    progress: Progress = field(default_factory=Silent)
    memory: int | None = None  # bytes that all processes may hold; bounds what a step over all shards holds before it spills

    def answered(self, identity: Identity, name: str) -> Artifact | None:
        """Return the artifact that an equal run left, and say so; None where there is none."""
        stage(f"{identity.stage}/{name}")
        artifact = self.store.answer(identity, name)
        if artifact is not None:
            stage("")
            self.progress.say(f"{artifact.ref}: already there, nothing to do")
        return artifact

    def expect(self, *, little: bool) -> None:
        """Tell the engine, as soon as that is known, that it will have work, and whether all that is given is little."""
        if isinstance(engine := self._own_engine(), Expects):
            engine.expect(little=little)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest notes of this run beside the artifact's identity."""
        engine = self._own_engine()
        return {"engine": type(engine).__name__.lower(), "workers": engine.workers}

    def _own_engine(self) -> Engine:
        engine: Engine = getattr(self.engine, "engine", self.engine)  # a traced one holds another
        return engine


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of `prep` and of some packages, for the manifest."""
    from pipeline import __version__

    return {"prep": __version__, **{package: installed(package) for package in packages}}
