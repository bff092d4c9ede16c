"""Phrase lists: a shipped name or a file -> phrases with their marks, folded as texts are, and patterns."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import regex

from filters import kernels
from filters.kinds import PhraseList
from filters.slop import marked, parsed
from pipeline.configs_folder import configs_folder
from pipeline.errors import SourceError, did_you_mean


def shipped() -> dict[str, Path]:
    """Return the lists that ship, by name."""
    return {path.stem: path for path in sorted((configs_folder() / "phrases").glob("*.txt"))}


def purpose(path: Path) -> str:
    """Return what a list is for: its first comment line."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def load(name: str) -> PhraseList:
    """Read a list: plain text (a phrase a line, `#` comments, `re:` before a pattern) or YAML (a key with a list of strings).

    A phrase keeps its marks: `^` before it (only at the start of a message), `$` after it (only at its end).

    Raises `SourceError` for a name that is neither a shipped list nor a file, an unreadable file, a mark without a
    phrase, and a broken pattern.
    """
    path = Path(name) if Path(name).is_file() else shipped().get(name)
    if path is None:
        hint = did_you_mean(name, shipped()) or f" Lists that ship: {', '.join(shipped())}."
        raise SourceError(f"no phrase list or file {name!r}.{hint}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    lines = _yaml_lines(path, text) if path.suffix in (".yaml", ".yml") else text.splitlines()
    entries = [line.strip() for line in lines]
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    if not entries:
        raise SourceError(f"{path}: holds no phrase. Write one a line.")
    patterns = [entry[3:].strip() for entry in entries if entry.startswith("re:")]
    for pattern in patterns:
        _check(path, pattern)
    phrases = [entry for entry in entries if not entry.startswith("re:")]
    if bare := [entry for entry in phrases if not parsed(entry)[0]]:
        raise SourceError(f"{path}: {bare[0]!r} is a mark without a phrase. For the sign itself write {_signs(bare[0])!r}.")
    return PhraseList(path.stem, folded(phrases), tuple(patterns))


def folded(phrases: list[str]) -> tuple[str, ...]:
    """Return phrases as they are looked for: case, white-space runs and typographic quotes evened out, each once.

    >>> folded(["I’m  Sorry", "i'm sorry", "^ Sure!"])
    ("i'm sorry", '^sure!')
    """
    data = "".join(phrases).encode()
    offsets = kernels.read_only(np.cumsum([0, *(len(phrase.encode()) for phrase in phrases)], dtype=np.int64))
    out, bounds, _ = kernels.fold(np.frombuffer(data, dtype=np.uint8), offsets)
    texts = (marked(*parsed(out[start:end].tobytes().decode().strip())) for start, end in pairwise(bounds))
    return tuple(dict.fromkeys(text for text in texts if text))


def _signs(entry: str) -> str:
    return "".join(f"\\{sign}" for sign in entry if not sign.isspace())


def _yaml_lines(path: Path, text: str) -> list[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise SourceError(f"{path}: not YAML ({' '.join(str(error).split())}).") from error
    lists = list(content.values()) if isinstance(content, dict) else [content]
    strings: list[Any] = [entry for values in lists if isinstance(values, list) for entry in values]
    if not strings or not all(isinstance(entry, str) for entry in strings):
        raise SourceError(f"{path}: a phrase list in YAML is a key with a list of strings, like `phrases: [as an ai, ...]`.")
    return strings


def _check(path: Path, pattern: str) -> None:
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise SourceError(f"{path}: the pattern {pattern!r} is broken ({error}).") from error
