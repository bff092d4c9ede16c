"""Answers kept between runs: what is not asked again, what is, and that they never change an artifact."""

import re
import shutil

import numpy as np
import pytest

from filters import kinds
from filters.kinds import Keyed, Spans
from pipeline.stages.clean import clean

CONTENTS = ["a", "a b", "a b c", "bad", "a bad b", "a b c d"]


class Calls(list):
    """The texts that toy filters were asked about, call by call, without calls about nothing."""

    def note(self, texts):
        if len(texts):
            self.append(texts.to_pylist())


@pytest.fixture
def calls(monkeypatch):
    """Register toy filters that note which texts they are asked about; the engine of one worker asks in this process."""
    asked = Calls()

    def words(texts, offsets, *, scale: float = 1):
        """Count words."""
        asked.note(texts)
        return np.array([float(len(text.split())) for text in texts.to_pylist()]) * scale

    def bad(texts):
        """Find "bad"."""
        asked.note(texts)
        found = [(row, *hit.span()) for row, text in enumerate(texts.to_pylist()) for hit in re.finditer("bad", text)]
        text, start, end = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return Spans(text, start, end, np.zeros(len(text), dtype=np.int64), ["bad"])

    def shout(texts):
        """Make texts loud."""
        import pyarrow.compute as pc

        return pc.utf8_upper(texts)

    def whole(texts):
        """Key each text."""
        lengths = np.array([len(text) for text in texts.to_pylist()], dtype=np.int64)
        keys = np.array([hash(text) & 0xFFFFFFFF for text in texts.to_pylist()], dtype=np.uint64)
        return Keyed(np.arange(len(texts)), np.zeros(len(texts), dtype=np.int64), lengths, keys)

    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.measure(version=1)(words)
    kinds.spans(version=1)(bad)
    kinds.rewrite(version=1)(shout)
    kinds.recurring(version=1)(whole)
    kinds.filters.cache_clear()
    yield asked
    kinds.filters.cache_clear()


@pytest.fixture
def after(documents, run_with):
    """Clean the same texts: `after(steps)`."""
    return lambda *steps, contents=CONTENTS: clean(documents(contents), "sample", run_with(1), steps=list(steps))


def bytes_of(artifact):
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def forget(store):
    shutil.rmtree(store.root / "answers")


def answer_files(store):
    return sorted((store.root / "answers").rglob("*.arrow"))


def test_another_bound_asks_nothing_again(calls, after):
    assert after({"words": {"min": 2}}).manifest.rows["kept"] == 4
    assert after({"words": {"min": 3, "max": 3}}).manifest.rows["kept"] == 2
    assert calls == [CONTENTS]


def test_another_action_asks_nothing_again(calls, after):
    after({"bad": {"max": 0}})
    after({"bad": {"action": "strip"}})
    assert calls == [CONTENTS]


def test_a_loosened_bound_before_it_asks_only_about_what_is_new(calls, after):
    after({"word_count": {"min": 3}}, {"words": {"min": 1}})
    after({"word_count": {"min": 2}}, {"words": {"min": 1}})
    assert calls == [["a b c", "a bad b", "a b c d"], ["a b"]]


def test_a_tightened_bound_before_it_asks_nothing(calls, after):
    after({"word_count": {"min": 1}}, {"words": {"min": 1}})
    after({"word_count": {"min": 4}}, {"words": {"min": 1}})
    assert calls == [CONTENTS]


def test_what_was_asked_later_is_kept_too(calls, after):
    for low in (3, 2, 1, 2):
        after({"word_count": {"min": low}}, {"words": {"min": low}})
    assert calls == [["a b c", "a bad b", "a b c d"], ["a b"], ["a", "bad"]]


def test_a_changed_setting_asks_anew(calls, after):
    after({"words": {"min": 2}})
    after({"words": {"min": 2, "scale": 2.0}})
    assert len(calls) == 2


def test_other_roles_ask_anew(calls, after):
    chat = [[("user", "q"), ("assistant", "a b")]]
    after({"words": {"min": 1, "on": ["user"]}}, contents=chat)
    after({"words": {"min": 1, "on": ["assistant"]}}, contents=chat)
    assert calls == [["q"], ["a b"]]


def test_an_altering_step_before_it_asks_anew(calls, after):
    after({"words": {"min": 1}})
    after("shout", {"words": {"min": 1}})
    assert calls == [CONTENTS, [text.upper() for text in CONTENTS]]


def test_another_action_before_it_asks_anew(calls, after):
    after({"slop": {"action": "redact"}}, {"words": {"min": 1}})
    after({"slop": {"action": "strip"}}, {"words": {"min": 1}})
    assert len(calls) == 2


def test_a_removing_step_before_it_asks_nothing_anew(calls, after):
    after({"words": {"min": 1}})
    after("exact_duplicates", "near_duplicates", {"word_count": {"min": 2}}, {"words": {"min": 1}})
    assert calls == [CONTENTS]


def test_a_removing_step_before_what_recurs_asks_anew_behind_it(calls, after):
    after({"whole": {"documents": 2}}, {"words": {"min": 1}})
    after({"word_count": {"min": 2}}, {"whole": {"documents": 2}}, {"words": {"min": 1}})
    assert calls == [CONTENTS, ["a b", "a b c", "a bad b", "a b c d"]]


def test_another_parent_is_asked_about_itself(calls, after):
    after({"words": {"min": 1}})
    after({"words": {"min": 1}}, contents=["x"])
    assert calls == [CONTENTS, ["x"]]


def test_the_same_filter_twice_is_asked_once(calls, after):
    after({"words": {"min": 2}}, {"words": {"max": 3}})
    assert calls == [CONTENTS]


STEPS = [{"word_count": {"min": 2}}, "shout", {"bad": {"max": 0}}, {"words": {"max": 3}}, "near_duplicates"]


def test_warm_and_cold_answers_leave_the_same_bytes(calls, after, documents, run_with):
    cold = after(*STEPS)
    asked = len(calls)
    warm = clean(documents(CONTENTS), "other", run_with(1), steps=STEPS)
    assert len(calls) == asked
    assert bytes_of(warm) == bytes_of(cold)


def test_without_the_answers_folder_no_byte_is_another(calls, after, documents, run_with, store):
    cold = after(*STEPS)
    forget(store)
    again = clean(documents(CONTENTS), "other", run_with(1), steps=STEPS)
    assert bytes_of(again) == bytes_of(cold)


def test_answers_that_grew_in_parts_leave_the_same_bytes(calls, after, documents, run_with, store):
    last = [{"word_count": {"min": 1}}, {"words": {"max": 3}}, {"bad": {"max": 0}}]
    after({"word_count": {"min": 3}}, *last[1:])
    grown = after(*last)
    forget(store)
    assert bytes_of(clean(documents(CONTENTS), "other", run_with(1), steps=last)) == bytes_of(grown)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-20],
        lambda content: content[: len(content) // 2],
        lambda content: b"nonsense",
        lambda content: content[:-60] + bytes(50) + content[-10:],
        lambda content: content[:8] + bytes(len(content) - 18) + content[-10:],
    ],
    ids=["empty", "cut", "half", "nonsense", "footer", "zeros"],
)
def test_a_broken_answer_is_asked_for_again(calls, after, documents, run_with, store, damage):
    one = after({"words": {"min": 2}})
    for file in answer_files(store):
        file.write_bytes(damage(file.read_bytes()))
    again = clean(documents(CONTENTS), "other", run_with(1), steps=[{"words": {"min": 2}}])
    assert calls == [CONTENTS, CONTENTS]
    assert bytes_of(again) == bytes_of(one)


def test_answers_of_other_code_are_cleared_away(calls, after, store):
    old = store.root / "answers" / "0123456789abcdef" / "x.arrow"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    after({"words": {"min": 2}})
    assert not old.exists()
    assert len(answer_files(store)) == 1
