"""The slop report: by phrase, how often it stands in texts, in how many documents, and samples."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from filters.kinds import PhraseList
from pipeline.slop_report import AROUND, Hits, Report, Sample, Shard, excerpt, in_words, report

OWN = PhraseList("own", ("as an ai", "great question", "^sure"), (r"i decline \w+",))


def shard(*documents, first=0):
    """Return a shard of documents, each a list of messages."""
    texts = [text for messages in documents for text in messages]
    offsets = np.cumsum([0, *map(len, documents)])
    numbers = np.array([number for messages in documents for number in range(len(messages))], dtype=np.int64)
    ids = pa.array([f"d{number}" for number in range(first, first + len(documents))], pa.string())
    return Shard(ids, pa.array(texts, pa.large_string()), offsets, numbers)


def numbers(whole):
    return [(phrase.phrase, phrase.hits, phrase.documents) for phrase in whole.phrases if phrase.hits]


def test_hits_and_documents_are_counted_by_phrase():
    whole = report([shard(["As an AI, as an AI"], ["Great question!", "As an AI"], ["nothing"])], [OWN])
    assert numbers(whole) == [("as an ai", 3, 2), ("great question", 1, 1)]
    assert (whole.documents, whole.hit, whole.hits) == (3, 2, 4)


def test_shards_add_up():
    one = report([shard(["as an ai"], ["sure"], ["as an ai"])], [OWN])
    many = report([shard(["as an ai"]), shard(["sure"], ["as an ai"], first=1)], [OWN])
    assert one == many


def test_a_sample_says_which_message_and_marks_the_hit():
    whole = report([shard(["Hello", "Well,\nas an AI I know"])], [OWN])
    assert whole.phrases[0].samples == [Sample("d0", 1, "Well, «as an AI» I know")]


def test_samples_are_the_first_documents_each_once():
    whole = report([shard(["sure as an ai as an ai"], ["as an ai"]), shard(["as an ai"], first=2)], [OWN], samples=2)
    assert [sample.id for sample in whole.phrases[0].samples] == ["d0", "d1"]


def test_no_samples_are_kept_where_none_are_asked_for():
    assert report([shard(["as an ai"])], [OWN], samples=0).phrases[0].samples == []


def test_marked_phrases_and_patterns_are_named_as_written():
    whole = report([shard(["Sure, I decline politely"])], [OWN])
    assert numbers(whole) == [("^sure", 1, 1), (r"i decline \w+", 1, 1)]


def test_a_phrase_of_two_lists_is_counted_once_and_names_both():
    whole = report([shard(["as an ai"])], [OWN, PhraseList("other", ("as an ai",))])
    assert (whole.phrases[0].hits, whole.phrases[0].lists) == (1, ("own", "other"))


def test_no_documents_give_an_empty_report():
    assert in_words(report([], [OWN])) == ["0 hits in 0 of 0 documents (none), by 0 of 4 phrases"]


def test_documents_without_texts_are_counted_as_documents():
    assert report([shard([], ["as an ai"], [])], [OWN]).documents == 3


def test_the_lines_to_print():
    assert in_words(report([shard(["as an AI"], ["Sure: as an AI"], ["-"], ["-"])], [OWN], samples=1)) == [
        "3 hits in 2 of 4 documents (50 %), by 2 of 4 phrases",
        "   hits  documents  phrase",
        "      2          2  as an ai  (own)",
        "                     d0: «as an AI»",
        "      1          1  ^sure  (own)",
        "                     d1: «Sure»: as an AI",
    ]


def test_texts_that_were_not_searched_to_the_end_are_told():
    lines = in_words(Report([Hits("as an ai", ("own",))], documents=2, failed=1))
    assert lines[1:] == ["1 documents were not searched to the end: a pattern took too long on them"]


def test_an_excerpt_is_cut_on_both_sides_of_the_hit():
    text = "é" * 100 + "HIT" + "数" * 100
    start = len("é" * 100)
    assert excerpt(text.encode() + b"", 2 * start, 2 * start + 3) == "…" + "é" * AROUND + "«HIT»" + "数" * AROUND + "…"


@given(st.text(max_size=300), st.data())
def test_an_excerpt_is_one_line_of_printable_text(text, data):
    raw = text.encode("utf-8", "surrogatepass")
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(raw)), st.integers(0, len(raw)))))
    assert excerpt(raw, start, end).isprintable()
