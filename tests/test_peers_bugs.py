"""Losses of data that other tools are known for: short rows, a bad row and its batch, chains, false candidates, blank text."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import kinds
from filters.kinds import PhraseList, Reference, Spans
from pipeline.cleaning.answers import Answers
from pipeline.cleaning.looking import look
from pipeline.cleaning.passage import Passage, through
from pipeline.cleaning.plan import Step, bounds_of
from pipeline.documents import schema
from pipeline.errors import FilterError
from pipeline.recipe import fields_of
from pipeline.stages.clean import clean

BLANK = ["", " ", "\n", "\r\n\r\n", "\0", "a\0b", "\ufeff", "\u2028", "\x1f\x85\x0b", "\n" * 300, "-\n" * 50]
SIGNS = ["!", "...", "[", "{", "1", "🎉", "👩‍👩‍👧‍👦", "\u0301", "e\u0301\u0301", "\ue000", "\U0010ffff", "\u202eabc"]
WORDS = ["مرحبا بالعالم", "שלום", "中文没有空格", "a" * 3000, "a " * 500, "word", "Word. Word! Word?", "lorem ipsum", "x@y.z"]
NASTY = [*BLANK, *SIGNS, *WORDS, "As an AI language model,", "&amp;&#0;", "Ã©Ã©", "http://a.b/c?d=e"]
TEXT = st.lists(st.sampled_from(NASTY), max_size=5).map("".join) | st.text(max_size=20)
ROLE = st.sampled_from(["system", "user", "assistant", "tool"])
CHAT = st.lists(st.tuples(ROLE, TEXT), max_size=3)
ALL = list(kinds.filters())
WAITING = [name for name, found in kinds.filters().items() if found.kind in ("duplicates", "recurring")]
ALTERING = ["drop", "strip", "strip_sentence", "strip_line", "truncate", "redact"]
GIVEN = {
    "PhraseList": (PhraseList("own", ("as an ai language model", "word")),),
    "Reference": (Reference("own", ("word word word " * 5, "中文没有空格" * 5), ("own:1", "own:2")),),
}
LINE = "x" * 1_000_000
SPACED = "ab " * 350_000


def step_of(name, **bounds):
    """Return a step with a filter's defaults, bounds that nothing meets, and what it cannot do without."""
    found = kinds.filters()[name]
    fields = fields_of(found.function)
    own = {key: _setting(key, *field) for key, field in fields.items()}
    applied = {key: default for key, (_, default) in bounds_of(found).items()} if found.kind != "measure" else {}
    if found.kind == "measure":
        names = found.names or (found.name,)
        applied = {name: {"in": ["none such"]} if name in found.labels else {"min": -np.inf, "max": np.inf} for name in names}
    if found.kind == "duplicates":
        applied["against"] = []
    return Step(0, found, own, {**applied, **bounds})


def _setting(name, annotation, default):
    kind = next((kind for kind in GIVEN if kind in str(annotation)), None)
    if kind:
        return GIVEN[kind]
    return default if default is not ... else {"patterns": ("w.rd", "a+b")}.get(name, ("word",))


def table(contents):
    ids = [f"d{number}" for number in range(len(contents))]
    kind = "text" if all(isinstance(content, str) for content in contents) else "chat"
    body = contents
    if kind == "chat":
        body = [[{"role": role, "content": text} for role, text in turns] for turns in contents]
    return pa.table([ids, body, ids], schema=schema(kind))


def taken(step, contents, folder):
    """Take documents through a step; return the ids that are kept, removed and rejected."""
    passage = Passage(table(contents), np.arange(len(contents)))
    through(passage, [step], [step], Answers(folder, "00000"))
    parts = (passage.documents, passage.table("removed"), passage.table("rejected"))
    return [part["id"].to_pylist() for part in parts]


def ids(artifact, part="documents"):
    return [id_ for file in artifact.files(part) for id_ in pq.read_table(file)["id"].to_pylist()]


@pytest.fixture
def toy(monkeypatch):
    """Register a filter that cannot look at a text with "poison", and a measure that fails at one."""

    def wary(texts):
        """Find "bad"; refuse "poison"."""
        rows = texts.to_pylist()
        found = [(row, *hit.span()) for row, text in enumerate(rows) for hit in re.finditer("bad", text)]
        text, start, end = np.array(found, dtype=np.int64).reshape(-1, 3).T
        failed = tuple((row, "poison") for row, own in enumerate(rows) if "poison" in own)
        return Spans(text, start, end, np.zeros(len(text), dtype=np.int64), ["bad"], failed)

    def share(texts, offsets):
        """Divide by the number of words, as if there were always some."""
        counts = np.array([float(len(text.split())) for text in texts.to_pylist()])
        with np.errstate(invalid="ignore"):
            return counts / counts

    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.spans(version=1)(wary)
    kinds.measure(version=1)(share)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


@pytest.mark.parametrize("count", [2, 5, 40])
def test_short_rows_that_differ_in_one_word_all_stay(cleaned, count):
    texts = [f"answer {'abcdefghijklmnopqrstuvwxyz'[at % 26]}{at}" for at in range(count)]
    assert len(ids(cleaned(texts, ["exact_duplicates", {"near_duplicates": {"threshold": 0.1}}], shards=2))) == count


def test_short_rows_that_are_equal_go_but_for_one(cleaned):
    assert ids(cleaned(["yes", "no", "Yes.", "yes"], ["near_duplicates"], shards=2)) == ["d0", "d1"]


def test_documents_shorter_than_a_shingle_are_deduplicated_like_others(cleaned):
    steps = [{"near_duplicates": {"words": 20}}]
    assert ids(cleaned(["three words here", "three words here", "three other words"], steps)) == ["d0", "d2"]


def test_a_row_that_a_filter_cannot_look_at_takes_no_other_with_it(toy, cleaned):
    texts = ["good", "poison", "good too", "bad"] * 50
    artifact = cleaned(texts, [{"wary": {"max": 0}}, {"word_count": {"min": 1}}], shards=3)
    assert artifact.manifest.rows == {"in": 200, "kept": 100, "removed": 50, "rejected": 50}


def test_a_filter_that_answers_no_number_stops_the_run_and_loses_no_row(toy, documents, run_with, store):
    with pytest.raises(FilterError, match="share: share answered 1 documents with no number"):
        clean(documents(["a", " ", "b"]), "sample", run_with(1), steps=[{"share": {"min": 0}}])
    assert store.list("clean") == []


def test_one_false_candidate_does_not_merge_many_clusters(cleaned):
    common = "one two three four five"
    own = [" ".join([common, *(f"{letter}{at}" for at in range(20))]) for letter in "abcdef"]
    steps = [{"near_duplicates": {"threshold": 0.9, "bands": 60, "rows": 1}}]
    artifact = cleaned([*own, *(text.upper() for text in own)], steps, shards=3)
    assert ids(artifact) == [f"d{number}" for number in range(6)]


def test_a_long_chain_of_small_steps_does_not_come_down_to_one(cleaned):
    words = [f"w{number}" for number in range(200)]
    texts = [" ".join(words[first : first + 40]) for first in range(0, 160, 4)]
    artifact = cleaned(texts, [{"near_duplicates": {"threshold": 0.7}}], shards=4)
    assert ids(artifact) == [
        f"d{number}" for number in range(0, 40, 2)
    ]  # neighbours share 32 of 40 shingles, the next 28 of 44


@pytest.mark.parametrize("low", [0, 1, 2, 3])
def test_a_least_number_of_words_does_not_switch_deduplication_off(cleaned, low):
    texts = ["one and the same"] * 3
    assert len(ids(cleaned(texts, [{"word_count": {"min": low}}, "exact_duplicates"]))) == 1
    assert len(ids(cleaned(texts, [{"word_count": {"min": low}}, "near_duplicates"]))) == 1


@pytest.mark.parametrize("low", [1, 2, 3])
def test_a_least_number_of_words_of_a_line_does_not_switch_line_deduplication_off(cleaned, low):
    artifact = cleaned([f"one same line\nx{at} y z" for at in "abc"], [{"recurring_lines": {"documents": 3, "min_words": low}}])
    assert artifact.manifest.counts[0]["changed"] == 3


@pytest.mark.parametrize("count", [1000, 2**10 - 1])
def test_as_many_distinct_documents_as_there_are_stay(cleaned, count):
    texts = [f"document {at} of {count}" for at in range(count)]
    assert len(ids(cleaned(texts, ["exact_duplicates", "near_duplicates"], shards=4))) == count


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "contents", [[], [""], [" \n\t "], ["\0"], ["", "a", ""], [[]], [[("user", "")]], [[], [("user", "a")], []]]
)
def test_blank_texts_break_no_filter(tmp_path, name, contents):
    kept, removed, rejected = taken_or_keyed(step_of(name), contents, tmp_path)
    assert sorted([*kept, *removed]) == [f"d{number}" for number in range(len(contents))]
    assert rejected == []


def taken_or_keyed(step, contents, folder):
    """Take documents through a step; those for which shards wait only look."""
    if step.filter.name in WAITING:
        documents = table(contents)
        assert look(step, documents).num_rows == documents.num_rows
        return documents["id"].to_pylist(), [], []
    return taken(step, contents, folder)


@pytest.mark.parametrize("name", ALL)
def test_a_line_of_a_million_signs_breaks_no_filter(tmp_path, name):
    contents = [LINE, "a", SPACED]
    kept, removed, rejected = taken_or_keyed(step_of(name), contents, tmp_path)
    assert sorted([*kept, *removed, *rejected]) == ["d0", "d1", "d2"]


@settings(max_examples=25)
@pytest.mark.parametrize("name", ALL)
@given(contents=st.lists(TEXT, max_size=6) | st.lists(CHAT, max_size=4), action=st.sampled_from(ALTERING))
def test_no_text_breaks_a_filter_or_loses_a_row(tmp_path_factory, name, contents, action):
    kind = kinds.filters()[name].kind
    step = step_of(name, **({"action": action, "max": 0 if action == "drop" else None} if kind == "spans" else {}))
    found = taken_or_keyed(step, contents, tmp_path_factory.mktemp("answers"))
    assert sorted(id_ for part in found for id_ in part) == [f"d{number}" for number in range(len(contents))]


@settings(max_examples=10)
@pytest.mark.parametrize("name", WAITING)
@given(contents=st.lists(TEXT, min_size=1, max_size=6) | st.lists(CHAT.filter(bool), min_size=1, max_size=4))
def test_no_text_breaks_a_filter_over_all_shards_or_loses_a_row(documents, run_with, name, contents):
    steps = [{name: {"documents": 2} if kinds.filters()[name].kind == "recurring" else {}}]
    artifact = clean(documents(contents, shards=2), "sample", run_with(1), steps=steps)
    assert sorted([*ids(artifact), *ids(artifact, "removed")]) == [f"d{number}" for number in range(len(contents))]
