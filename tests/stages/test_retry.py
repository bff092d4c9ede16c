"""Retry: rejected rows, mended or read with other settings."""

import json
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.cli import main
from pipeline.documents import Rejection, Remark, Rows
from pipeline.engine.local import Local
from pipeline.errors import SourceError, UsageError
from pipeline.rejections import mended, rejected
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.stages.retry import retry


@pytest.fixture
def run(tmp_path):
    return Run(Store(tmp_path / "store"), Local(1))


def rows_of(artifact, part="documents"):
    return [row for file in artifact.files(part) for row in pq.read_table(file).to_pylist()]


def texts(artifact):
    return {row["id"]: row["text"] for row in rows_of(artifact)}


@pytest.fixture
def lines(run, tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"text": "good"}\n{"text": "open"\n{"text": ""}\n')
    return ingest([str(path)], "lines", run)


def test_rejected_rows_are_printed_with_where_they_stood_and_why(lines):
    first, second = sorted(rejected(lines), key=lambda row: row["place"])
    assert (first["source"], first["place"], first["raw"]) == ("lines.jsonl", "2", '{"text": "open"')
    assert (second["place"], second["error"], second["raw"]) == ("3", "the text is empty", '{"text": ""}')


def test_a_mended_row_becomes_a_document_beside_the_parents_own(run, lines):
    again = retry(lines, "lines", run, rows={("lines.jsonl", "2"): ['{"text": "closed"}']})
    assert texts(again) == {"lines.jsonl:1": "good", "lines.jsonl:2": "closed"}
    assert [row["place"] for row in rows_of(again, "rejected")] == ["3"]
    assert again.manifest.rows == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}
    assert again.manifest.parents == [lines.ref]


def test_a_row_that_is_still_broken_stays_rejected_with_its_new_reason(run, lines):
    again = retry(lines, "lines", run, rows={("lines.jsonl", "2"): ["{1"]})
    (row,) = [row for row in rows_of(again, "rejected") if row["place"] == "2"]
    assert (row["raw"], row["error"][:8]) == (b"{1", "not JSON")


def test_a_row_that_was_emptied_stays_rejected(run, lines):
    again = retry(lines, "lines", run, rows={("lines.jsonl", "2"): [""]})
    assert ("2", "nothing to read") in [(row["place"], row["error"]) for row in rows_of(again, "rejected")]


def test_a_row_that_was_two_becomes_two_documents(run, lines):
    again = retry(lines, "lines", run, rows={("lines.jsonl", "2"): ['{"text": "one"}', '{"text": "two"}\n{"text": "three"}']})
    assert list(texts(again).values()) == ["good", "one", "two", "three"]
    assert list(texts(again)) == [f"lines.jsonl:{place}" for place in ("1", "2", "2.2", "2.2.2")]


def test_all_rejected_rows_are_read_again_with_other_settings(run, tmp_path):
    path = tmp_path / "posts.jsonl"
    path.write_text('{"id": 1, "body": "", "title": "A"}\n{"id": 2, "body": "B", "title": ""}\n')
    first = ingest([str(path)], "posts", run, text_column="body", id_column="id")
    again = retry(first, "posts", run, changes={"text_column": "title"})
    assert texts(again) == {"2": "B", "1": "A"}


def test_the_same_retry_is_answered_at_once(run, lines):
    rows = {("lines.jsonl", "2"): ['{"text": "closed"}']}
    assert retry(lines, "lines", run, rows=rows).ref == retry(lines, "lines", run, rows=rows).ref
    assert (
        retry(lines, "lines", run, rows={("lines.jsonl", "3"): ['{"text": "closed"}']}).ref
        != retry(lines, "lines", run, rows=rows).ref
    )


def test_a_retry_can_be_retried(run, lines):
    once = retry(lines, "lines", run, rows={("lines.jsonl", "2"): ['{"text": "closed"}']})
    twice = retry(once, "lines", run, rows={("lines.jsonl", "3"): ['{"text": "full"}']})
    assert list(texts(twice).values()) == ["good", "closed", "full"]
    assert twice.manifest.rows["rejected"] == 0
    with pytest.raises(UsageError, match="has no rejected rows"):
        retry(twice, "lines", run)


def test_a_row_that_was_not_rejected_is_refused(run, lines):
    with pytest.raises(UsageError, match=r"lines\.jsonl:1 is no rejected row of ingest/lines"):
        retry(lines, "lines", run, rows={("lines.jsonl", "1"): ["{}"]})


def test_cells_that_were_kept_as_json_are_read_as_the_row_they_are_in_the_columns_types(run, tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE posts (id INTEGER, body TEXT)")
        database.executemany("INSERT INTO posts VALUES (?, ?)", [(1, "Hi"), (2, "")])
    first = ingest([str(path)], "shop", run, text_column="body", keep_columns=["id"])
    again = retry(first, "shop", run, rows={("shop.db", "posts:2"): ['{"id": 2, "body": "Yo"}']})
    assert [(row["id"], row["text"], row["id"]) for row in rows_of(again)] == [
        ("shop.db:posts:1", "Hi", "shop.db:posts:1"),
        ("shop.db:posts:2", "Yo", "shop.db:posts:2"),
    ]
    assert [row["own_id"] for row in rows_of(again)] == [1, 2]


def test_a_row_is_read_between_what_stood_around_it_and_with_what_was_found_out(run, tmp_path, monkeypatch):
    read = []

    def table(source, *, encoding: str = ""):
        with source.part() if source.part else open(source.path, "rb") as file:  # noqa: PTH123
            read.append((file.read(), encoding))
        yield Remark("with a header", b"head|", b"|tail", {"encoding": "cp1252"})
        yield Rows(pa.table({"text": ["Hi"]}), ["1"])
        yield Rejection("2", "broken", "é".encode("cp1252"))

    monkeypatch.setattr("pipeline.readers.csv.csv", table)
    path = tmp_path / "a.csv"
    path.write_text("x")
    first = ingest([str(path)], "a", run)
    assert [row["raw"] for row in rejected(first)] == ["é"]
    again = retry(first, "a", run, rows={("a.csv", "2"): ["ö"]})
    retry(again, "a", run, rows={("a.csv", "2"): ["→"]})
    assert read[1:] == [("head|ö|tail".encode("cp1252"), "cp1252"), ("head|→|tail".encode(), "utf-8")]


def test_a_conversation_of_rows_is_mended_whole(run, tmp_path):
    path = tmp_path / "turns.jsonl"
    turns = [(7, "user", "Hi"), (7, "assistant", "Yo"), (8, "boss", "Go"), (None, "user", "?")]
    path.write_text("".join(json.dumps({"t": t, "who": who, "text": text}) + "\n" for t, who, text in turns))
    first = ingest([str(path)], "turns", run, chat_by="t", role_column="who")
    (place,) = [row["place"] for row in rejected(first) if row["place"].startswith("t=")]
    rows = [{"t": 8, "who": "user", "text": "Go"}, {"t": 8, "who": "assistant", "text": "Gone"}]
    again = retry(first, "turns", run, rows={("turns.jsonl", place): [json.dumps(rows)], ("turns.jsonl", "4"): ['{"t": 9}']})
    assert [message["content"] for message in rows_of(again)[1]["messages"]] == ["Go", "Gone"]
    assert [row["error"] for row in rows_of(again, "rejected")] == [
        "a turn is read with its conversation. Mend the source and ingest it again"
    ]


def test_a_row_of_a_csv_file_is_mended_in_its_encoding_and_with_its_delimiter(run, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes("id;body;more\n1;Käse;x\n2;Brötchen\n3;Müsli, Nüsse;y\n".encode("cp1252"))
    first = ingest([str(path)], "posts", run, text_column="body", keep_columns=["more"])
    (row,) = rejected(first)
    assert (row["place"], row["error"], row["raw"]) == ("2", "2 fields, not 3", "2;Brötchen")
    again = retry(first, "posts", run, rows={("posts.csv", "2"): ["2;Brötchen, →;z"]})
    assert [(row["id"], row["text"], row["more"]) for row in rows_of(again)][-1] == ("posts.csv:2", "Brötchen, →", "z")
    assert again.manifest.rows["rejected"] == 0


def test_a_row_that_stays_rejected_keeps_its_sources_encoding(run, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes("id;body\n1;Käse\n2\n".encode("cp1252"))
    first = ingest([str(path)], "posts", run, text_column="body")
    again = retry(first, "posts", run, rows={("posts.csv", "2"): ["2;Brötchen;zu viel"]})
    (row,) = rows_of(again, "rejected")
    assert row["raw"] == "2;Brötchen;zu viel".encode("cp1252")
    assert [row["raw"] for row in rejected(again)] == ["2;Brötchen;zu viel"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not a row as `prep rejected REF` prints it"),
        ('{"source": "a", "raw": ""}', "no 'place'"),
        ('{"source": "a", "place": "1", "raw_base64": "?"}', "not a row"),
        ('{"source": "a", "place": 1, "raw": ""}', "source, place and raw are texts"),
    ],
)
def test_a_line_that_is_no_rejected_row_is_told_with_its_number(tmp_path, line, why):
    path = tmp_path / "mend.jsonl"
    path.write_text("\n" + line)
    with pytest.raises(SourceError) as caught:
        mended([str(path)])
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert why in str(caught.value)


def test_the_commands_print_and_take_back_rejected_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "good"}\n{"text": "caf\xe9"}\n')
    prep = lambda *arguments: CliRunner().invoke(main, [*arguments, "--store", "store"], catch_exceptions=False)
    assert prep("ingest", "a.jsonl").exit_code == 0
    (printed,) = map(json.loads, prep("rejected", "a").stdout.splitlines())
    assert "raw_base64" in printed
    (tmp_path / "mend.jsonl").write_text(json.dumps({**printed, "raw": '{"text": "café"}'}))
    assert prep("ingest", "--retry", "a", "mend.jsonl").exit_code == 0
    assert texts(Store("store").find("a")) == {"a.jsonl:1": "good", "a.jsonl:2": "café"}
