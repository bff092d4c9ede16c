"""What can go wrong, each with one sentence that says what, where, and what to type next.

PrepError
├── UsageError          the command line or a call does not make sense (exit code 2)
├── RecipeError         a recipe has problems; all of them are listed
├── SourceError         a source cannot be read at all
├── ArtifactNotFound    no artifact has this ref
├── AmbiguousRef        several artifacts have it
├── BrokenArtifact      an artifact's files are not what its manifest says
├── DraftInUse          another `prep` is writing the same artifact now
├── StoreError          the store refuses: its disk is full or read-only, it is no folder, its bucket does not answer
├── RowsLost            rows in != kept + removed + rejected: a defect of `prep`, stopped before it is published
├── WorkerDied          a worker process ended without an answer
├── FilterError         a filter cannot go on
├── TooMuchRemoved      a step removes a larger share of the documents than its guard allows
├── TokenizerError      a tokenizer or its chat template cannot be used
└── TrainingError       training cannot start or go on
"""

import difflib
import re
from collections.abc import Iterable, Sequence


class PrepError(Exception):
    """Anything the user can mend; its message is the one line to print, without the passwords of URLs that it quotes."""

    exit_code = 1

    def __str__(self) -> str:
        return without_passwords(super().__str__())


class UsageError(PrepError):
    """The command line or a call does not make sense."""

    exit_code = 2


class RecipeError(PrepError):
    """A recipe has problems; all of them are listed, one a line."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        head = f"{where}: {len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


class SourceError(PrepError):
    """A source cannot be read at all."""


class ArtifactNotFound(PrepError):  # noqa: N818  the name says the error
    """No artifact has this ref."""

    def __init__(
        self, ref: str, store: object, known: Iterable[str], *, stage: str | None = None, elsewhere: str | None = None
    ) -> None:
        if elsewhere is not None:
            super().__init__(f"no {stage} artifact {ref!r} in {store}, but {elsewhere}. Run `prep {stage}` on it first.")
            return
        hint = did_you_mean(ref, known) or " `prep list` shows what there is."
        super().__init__(f"no artifact {ref!r} in {store}.{hint}")


class AmbiguousRef(PrepError):  # noqa: N818
    """Several artifacts have this ref."""

    def __init__(self, ref: str, matches: Sequence[str]) -> None:
        super().__init__(f"{ref!r} is ambiguous: {', '.join(matches)}. Type more of the fingerprint.")


class BrokenArtifact(PrepError):  # noqa: N818
    """An artifact's files are not what its manifest says."""


class DraftInUse(PrepError):  # noqa: N818
    """Another `prep` is writing the same artifact now."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"{ref} is being written by another prep. Wait for it to end, then run this again.")


class StoreError(PrepError):
    """The store refuses: its disk is full or read-only, it is no folder, or its bucket does not answer."""


class RowsLost(PrepError):  # noqa: N818
    """Rows in != kept + removed + rejected: a defect of `prep`, stopped before it is published."""

    def __init__(self, ref: str, rows: dict[str, int]) -> None:
        out = " + ".join(f"{count} {name}" for name, count in rows.items() if name != "in")
        super().__init__(f"{ref}: {rows['in']} rows in, but {out}. Nothing was published; please report this defect.")


class WorkerDied(PrepError):  # noqa: N818
    """A worker process ended without an answer."""

    def __init__(self) -> None:
        super().__init__(
            "a worker process died (killed, or out of memory). Finished shards are kept: "
            "run the same command again, with fewer --workers if memory is short. A script of your own that calls a stage "
            'does so under `if __name__ == "__main__":`.'
        )


class FilterError(PrepError):
    """A filter cannot go on."""


class TooMuchRemoved(PrepError):  # noqa: N818
    """A step removes a larger share of the documents than its guard allows."""

    def __init__(self, step: str, removed: int, documents: int, most: float) -> None:
        super().__init__(
            f"{step} removes {removed} of {documents} documents ({removed / documents:.1%}), and max_removed is {most:.15g}. "
            f"`prep plan` shows which; change its bounds, or raise max_removed."
        )


class TokenizerError(PrepError):
    """A tokenizer or its chat template cannot be used."""


class TrainingError(PrepError):
    """Training cannot start or go on."""


def without_passwords(text: str) -> str:
    """Return a text with the passwords of its URLs blanked out.

    >>> without_passwords("no such file: mysql://me:secret@host/shop?password=secret")
    'no such file: mysql://me:***@host/shop?password=***'
    >>> without_passwords("https://b.example/a.csv?X-Amz-Signature=secret&x=1")
    'https://b.example/a.csv?X-Amz-Signature=***&x=1'
    """
    text = re.sub(r"(?<=://)([^\s:/@]*):(?!PASSWORD@)\S*@", r"\1:***@", text)
    text = re.sub(r"(?i)([?&](?:x-amz-[\w-]+|x-goog-[\w-]+|signature|sig|token|awsaccesskeyid)=)[^\s&'\"]+", r"\1***", text)
    return re.sub(r"([?&]password=)[^\s&'\"]+", r"\1***", text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known word nearest to `word`, or an empty string.

    >>> did_you_mean("treshold", ["threshold", "keep"])
    " Did you mean 'threshold'?"
    >>> did_you_mean("zzz", ["threshold"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
