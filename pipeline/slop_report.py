"""Texts and phrase lists -> which phrases stand in them, how often, and samples: what `slop` would find, nothing removed."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.kinds import PhraseList, Spans
from filters.slop import slop
from pipeline.artifacts import Artifact, Store, read_shard
from pipeline.documents import flat_text
from pipeline.errors import ArtifactNotFound

AROUND = 40  # characters of a sample on each side of the hit
Ints = npt.NDArray[np.int64]


class Shard(NamedTuple):
    """Documents as filters see them: document i has the id `ids[i]` and the texts `offsets[i]` to `offsets[i + 1]`.

    Text t is message `messages[t]` of its document.
    """

    ids: pa.StringArray
    texts: pa.LargeStringArray
    offsets: Ints
    messages: Ints


class Sample(NamedTuple):
    """A hit in its place: the document's id, the number of the message, and the text around, the hit between « and »."""

    id: str
    message: int
    excerpt: str


@dataclass
class Hits:
    """What one phrase or pattern hits: how often, in how many documents, and the first documents as samples."""

    phrase: str
    lists: tuple[str, ...]
    hits: int = 0
    documents: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass
class Report:
    """What phrase lists hit: phrases by falling number of hits, those of equal number by name; and of how many documents.

    `failed` counts the documents on one of whose texts a pattern took too long; they are in no other number but `documents`.
    """

    phrases: list[Hits]
    documents: int = 0
    hit: int = 0
    failed: int = 0

    @property
    def hits(self) -> int:
        """Return the number of hits of all phrases."""
        return sum(phrase.hits for phrase in self.phrases)


def shards_of(artifact: Artifact) -> Iterator[Shard]:
    """Return an artifact's documents shard by shard."""
    for file in artifact.files("documents"):
        documents = read_shard(file)
        texts, offsets, messages = flat_text(documents)
        yield Shard(documents["id"].combine_chunks(), texts, offsets, messages)


def shard_of(name: str, text: str) -> Shard:
    """Return one text as a shard of one document."""
    texts = pa.array([text], pa.large_string())
    return Shard(pa.array([name]), texts, np.array([0, 1]), np.zeros(1, dtype=np.int64))


def named(what: str, store: str) -> Iterable[Shard]:
    """Return the documents that a word of the command line means: an artifact's, a file's, those piped in (`-`), or its own.

    Raises `ArtifactNotFound` for a word that looks like a ref and is none.
    """
    if what == "-":
        return [shard_of("stdin", sys.stdin.read())]
    if Path(what).is_file():
        return [shard_of(what, Path(what).read_text(encoding="utf-8", errors="replace"))]
    try:
        return shards_of(Store(store).find(what))
    except ArtifactNotFound:
        if re.fullmatch(r"((ingest|clean)/)?[\w.-]*(@[0-9a-f]+)?", what) and re.search(r"[/@]", what):
            raise
        return [shard_of("text", what)]


def report(shards: Iterable[Shard], lists: Sequence[PhraseList], *, samples: int = 3, whole_words: bool = True) -> Report:
    """Look for phrases, shard by shard; keep up to `samples` samples of each phrase, each of another document.

    >>> shard = Shard(pa.array(["a.txt"]), pa.array(["As an AI…"], pa.large_string()), np.array([0, 1]), np.array([0]))
    >>> in_words(report([shard], [PhraseList("own", ("as an ai", "great question"))]))[-1]
    '                     a.txt: «As an AI»…'
    """
    entries = dict.fromkeys(entry for one in lists for entry in (*one.phrases, *one.patterns))
    found = {entry: Hits(entry, _names(entry, lists)) for entry in entries}
    whole = Report(list(found.values()))
    for shard in shards:
        spans = slop(shard.texts, lists=tuple(lists), whole_words=whole_words)
        _count(whole, found, shard, spans, samples)
    whole.phrases.sort(key=lambda phrase: (-phrase.hits, phrase.phrase))
    return whole


def in_words(whole: Report) -> list[str]:
    """Return the lines to print: a summary, then each phrase that was found, with its samples.

    >>> in_words(Report([Hits("as an ai", ("refusals",), 3, 2)], documents=1200, hit=2))[0]
    '3 hits in 2 of 1,200 documents (0.167 %), by 1 of 1 phrases'
    """
    hit = [phrase for phrase in whole.phrases if phrase.hits]
    share = f"{100 * whole.hit / whole.documents:.3g} %" if whole.documents else "none"
    lines = [
        f"{whole.hits:,} hits in {whole.hit:,} of {whole.documents:,} documents ({share}), "
        f"by {len(hit):,} of {len(whole.phrases):,} phrases"
    ]
    if whole.failed:
        lines.append(f"{whole.failed:,} documents were not searched to the end: a pattern took too long on them")
    if hit:
        lines.append("   hits  documents  phrase")
    for phrase in hit:
        lines.append(f"{phrase.hits:>7,} {phrase.documents:>10,}  {phrase.phrase}  ({', '.join(phrase.lists)})")
        lines += [f"{'':21}{sample.id}: {sample.excerpt}" for sample in phrase.samples]
    return lines


def excerpt(text: bytes, start: int, end: int) -> str:
    """Return the text around a hit, on one line, the hit between « and ».

    >>> excerpt("Well,\\nas an AI model".encode(), 6, 14)
    'Well, «as an AI» model'
    """
    before = text[max(start - 4 * AROUND, 0) : start].decode("utf-8", "ignore")
    after = text[end : end + 4 * AROUND].decode("utf-8", "ignore")
    left = "…" * (start > 4 * AROUND or len(before) > AROUND) + before[-AROUND:]
    right = after[:AROUND] + "…" * (end + 4 * AROUND < len(text) or len(after) > AROUND)
    matched = text[start:end].decode("utf-8", "replace")
    return _printable(f"{left}«{matched}»{right}").strip()


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split(None)))


def _names(entry: str, lists: Sequence[PhraseList]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in lists if entry in one.phrases or entry in one.patterns))


def _count(whole: Report, found: dict[str, Hits], shard: Shard, spans: Spans, samples: int) -> None:
    """Add what was found in a shard."""
    document = np.searchsorted(shard.offsets, spans.text, side="right") - 1
    failed = np.array([text for text, _ in spans.failed], dtype=np.int64)
    whole.documents += len(shard.ids)
    whole.hit += len(np.unique(document))
    whole.failed += len(np.unique(np.searchsorted(shard.offsets, failed, side="right")))
    pairs, first = np.unique(np.stack([spans.label, document]), axis=1, return_index=True)
    hits, documents = (np.bincount(labels, minlength=len(spans.labels)) for labels in (spans.label, pairs[0]))
    for label in np.flatnonzero(hits):
        phrase = found[spans.labels[label]]
        phrase.hits += int(hits[label])
        phrase.documents += int(documents[label])
        begin = np.searchsorted(pairs[0], label)
        for span in first[begin : begin + min(samples - len(phrase.samples), documents[label])]:
            phrase.samples.append(_sample(shard, spans, int(span), int(document[span])))


def _sample(shard: Shard, spans: Spans, span: int, document: int) -> Sample:
    text = int(spans.text[span])
    around = excerpt(shard.texts[text].as_buffer().to_pybytes(), int(spans.start[span]), int(spans.end[span]))
    return Sample(shard.ids[document].as_py(), int(shard.messages[text]), around)
