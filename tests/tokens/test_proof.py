"""The fast encoder is proved on the parents' own documents, while they are encoded."""

from concurrent.futures import Future
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents import schema
from pipeline.tokens import proof
from pipeline.tokens.encoding.encoder import ABSENT, PROVED, Choice
from pipeline.tokens.parents import Shard
from pipeline.tokens.tokenizer import train

NO = Choice("it errs", ABSENT)


def proved(choice):
    future = Future()
    future.set_result(choice)
    return future


def shards(folder, kind, *bodies):
    found = []
    for number, body in enumerate(bodies):
        path = folder / f"{number}.parquet"
        columns = {"id": [str(place) for place in range(len(body))], "text": body, "source": ["s"] * len(body)}
        pq.write_table(pa.table(columns, schema=schema("text")), path)
        found.append(Shard(number, path, "clean/a", kind))
    return found


def test_answers_pass_while_the_proof_holds():
    assert list(proof.while_it_holds(PROVED, proved(PROVED), iter([1, 2]))) == [1, 2]


def test_a_refusal_stops_the_answers_and_says_what_is_chosen():
    answers = proof.while_it_holds(PROVED, proved(NO), iter([1, 2]))
    with pytest.raises(proof.Refused) as caught:
        next(answers)
    assert caught.value.choice == NO


def test_a_refusal_ends_the_tasks_before_it_is_told():
    ended = []

    def tasks():
        try:
            yield from range(3)
        finally:
            ended.append(True)

    with pytest.raises(proof.Refused):
        list(proof.while_it_holds(PROVED, proved(NO), tasks()))
    assert ended == [True]


def test_a_refusal_that_comes_last_is_met_too():
    late = Future()
    answers = proof.while_it_holds(PROVED, late, iter([1]))
    assert next(answers) == 1
    late.set_result(NO)
    with pytest.raises(proof.Refused):
        next(answers)


def test_what_is_encoded_by_the_tokenizer_itself_needs_no_proof():
    assert list(proof.while_it_holds(NO, proved(NO), iter([1]))) == [1]


def test_nothing_is_hoped_for_a_kind_that_is_not_there():
    assert proof.hope([Shard(0, Path("a"), "clean/a", "chat")]) == Choice(ABSENT, None)


def test_the_heads_of_shards_all_over_the_parents_are_held_against_each_other(tmp_path, monkeypatch):
    train([["a"]], 300).save(tmp_path / "tokenizer")
    seen = []
    monkeypatch.setattr(proof, "choose", lambda tokenizer, texts, chats: seen.extend([texts, chats]) or PROVED)
    proof.prove(tmp_path / "tokenizer", shards(tmp_path, "text", *([f"text {number}"] for number in range(9))))
    assert seen == [["text 0", "text 2", "text 4", "text 6"], None]


def test_a_shard_without_documents_has_no_head(tmp_path):
    train([["a"]], 300).save(tmp_path / "tokenizer")
    assert proof.prove(tmp_path / "tokenizer", shards(tmp_path, "text", [], ["a mill"])) == Choice(None, ABSENT)


def test_only_a_tokenizer_that_the_fast_encoder_may_know_is_hopeful(tmp_path):
    train([["a"]], 300).save(tmp_path / "bytes")
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
    assert (proof.hopeful(tmp_path / "bytes"), proof.hopeful(tmp_path)) == (True, False)
