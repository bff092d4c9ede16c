"""The ingest stage: sources -> an artifact of documents and rejections."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.artifacts import Store
from pipeline.documents import Remark, Rows
from pipeline.engine.local import Local
from pipeline.errors import RecipeError, SourceError, UsageError
from pipeline.ingesting import parts
from pipeline.ingesting.plan import default_name
from pipeline.run import Run, Silent
from pipeline.sources import Source, content_hash
from pipeline.stages import ingest as stage
from pipeline.stages.ingest import ingest

CHAT = '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}\n'


@pytest.fixture
def run(tmp_path):
    return Run(Store(tmp_path / "store"), Local(1))


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "in" / "posts.csv"
    path.parent.mkdir()
    path.write_text("title,body\nA,Hello\nB,\nC,World\n")
    return path


def rows_of(artifact, part="documents"):
    return [row for file in artifact.files(part) for row in pq.read_table(file).to_pylist()]


def bytes_of(artifact):
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def refused(error, *arguments, **settings):
    with pytest.raises(error) as caught:
        ingest(*arguments, **settings)
    return str(caught.value)


def test_rows_become_documents_and_what_is_none_is_rejected_with_its_bytes(run, posts):
    made = ingest([str(posts)], "posts", run, text_column="body")
    assert [(row["id"], row["text"]) for row in rows_of(made)] == [("posts.csv:1", "Hello"), ("posts.csv:3", "World")]
    assert rows_of(made, "rejected") == [{"source": "posts.csv", "place": "2", "error": "the text is empty", "raw": b"B,"}]
    assert made.manifest.rows == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}
    assert made.manifest.counts == [{"reason": "the text is empty", "rejected": 1}]


def test_the_sources_are_noted_with_format_hash_and_size(run, posts):
    made = ingest([str(posts)], "posts", run, text_column="body")
    digest = hashlib.sha256(posts.read_bytes()).hexdigest()
    size = posts.stat().st_size
    (noted,) = rows_of(made, "sources")
    assert json.loads(noted.pop("settings"))["text_column"] == "body"
    assert noted == {"name": "posts.csv", "format": "csv", "sha256": digest, "bytes": size}


def test_what_a_reader_found_out_is_kept_and_told(tmp_path, posts, monkeypatch):
    def found_out(source, **settings):
        yield Remark("in English", b"head", b"tail", {"header": True})
        yield Rows(pa.table({"body": ["Hello"]}), ["1"])

    told = []
    monkeypatch.setattr("pipeline.readers.csv.csv", found_out)
    monkeypatch.setattr(Silent, "say", lambda _, line: told.append(line))
    with zipfile.ZipFile(posts.with_name("more.zip"), "w") as archive:
        archive.write(posts, "a/posts.csv")
    made = ingest([str(posts.parent)], "posts", Run(Store(tmp_path / "store"), Local(1)), text_column="body")
    remark = {"text": "in English", "before": b"head", "after": b"tail", "settings": '{"header":true}'}
    assert rows_of(made, "remarks") == [{"source": f"in/{name}", **remark} for name in ("more.zip/a/posts.csv", "posts.csv")]
    assert told == ["in/more.zip/a/posts.csv: in English", "in/posts.csv: in English"]


def test_paths_workers_and_clock_do_not_enter_the_identity(run, posts, tmp_path):
    made = ingest([str(posts)], "posts", run, text_column="body")
    elsewhere = shutil.copytree(posts.parent, tmp_path / "elsewhere") / "posts.csv"
    os.utime(elsewhere, (1, 1))
    other = Run(Store(tmp_path / "other"), Local(2))
    again = ingest([str(elsewhere)], "posts", other, text_column="body")
    assert (again.ref, bytes_of(again)) == (made.ref, bytes_of(made))


def test_a_byte_of_a_source_a_setting_and_a_name_enter_the_identity(run, posts):
    def ref(source=posts, **settings):
        return ingest([{"path": str(source), **settings}], "posts", run, text_column="body").ref

    refs = [ref(), ref(delimiter=","), ref(text_column="title"), ref(keep_columns="all"), ref(id_column="title")]
    refs.append(ref(shutil.copy(posts, posts.parent / "renamed.csv")))
    posts.write_text(posts.read_text().replace("World", "Worle"))
    refs.append(ref())
    assert len(set(refs)) == 7


def test_a_default_that_is_spelled_out_is_the_same_identity(run, posts):
    made = ingest([str(posts)], "posts", run, text_column="body")
    assert ingest([{"path": str(posts), "header": "auto"}], "posts", run, text_column="body").ref == made.ref


def test_the_order_in_which_sources_are_named_does_not_matter(run, posts):
    other = posts.parent / "a.csv"
    other.write_text("body\nFirst\n")
    one = ingest([str(posts), str(other)], "x", run, text_column="body")
    two = ingest([str(other), str(posts)], "x", run, text_column="body")
    assert one.ref == two.ref
    assert [row["id"] for row in rows_of(one)] == ["a.csv:1", "posts.csv:1", "posts.csv:3"]


def test_the_same_call_is_answered_without_work(run, posts):
    made = ingest([str(posts)], "posts", run, text_column="body")
    again = ingest([str(posts)], "posts", run, text_column="body")
    assert again.manifest == made.manifest


def test_two_worker_counts_write_the_same_bytes(run, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TASK_SOURCES", 2)
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"page {number}")
    (folder / "bad.txt").write_bytes(b"caf\xe9")
    one = ingest([str(folder)], "pages", run)
    pool = Local(2)
    two = ingest([str(folder)], "pages", Run(Store(tmp_path / "other"), pool))
    pool.close()
    assert (two.ref, bytes_of(two)) == (one.ref, bytes_of(one))
    assert len(one.files("documents")) == 3


def test_a_run_that_broke_goes_on_and_ends_with_the_same_bytes(run, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TASK_SOURCES", 1)
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_text(f"text\npage {number}\n")
    whole = ingest([str(folder)], "pages", Run(Store(tmp_path / "other"), Local(1)))
    read = stage.documents

    def stumble(source, *given):
        if source.name.endswith("2.csv"):
            raise KeyboardInterrupt
        return read(source, *given)

    monkeypatch.setattr(stage, "documents", stumble)
    with pytest.raises(KeyboardInterrupt):
        ingest([str(folder)], "pages", run)
    opened = []
    monkeypatch.setattr(stage, "documents", lambda source, *given: opened.append(source.name) or read(source, *given))
    again = ingest([str(folder)], "pages", run)
    assert opened == ["pages/2.csv"]
    assert (again.ref, bytes_of(again)) == (whole.ref, bytes_of(whole))


def test_documents_are_cut_into_shards_by_their_size(run, posts, monkeypatch):
    monkeypatch.setattr(parts, "SHARD_BYTES", 1)
    other = posts.parent / "a.csv"
    other.write_text("body\nFirst\n")
    made = ingest([str(posts), str(other)], "x", run, text_column="body")
    assert [pq.read_metadata(file).num_rows for file in made.files("documents")] == [1, 2]


def test_sources_of_different_columns_share_one_schema(run, posts):
    (posts.parent / "more.csv").write_text("body,score\nHi,3\n")
    entries = [{"path": str(posts), "keep_columns": "title"}, {"path": str(posts.parent / "more.csv"), "keep_columns": "score"}]
    made = ingest(entries, "x", run, text_column="body")
    assert len({pq.read_schema(file) for file in made.files("documents")}) == 1
    assert [(row["score"], row["title"]) for row in rows_of(made)] == [("3", None), (None, "A"), (None, "C")]


def test_two_types_of_one_column_become_text(run, tmp_path):
    for name, cells in (("a", [7]), ("b", ["x"])):
        pq.write_table(pa.table({"text": ["t"], "n": cells}), tmp_path / f"{name}.parquet")
    made = ingest([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")], "x", run, keep_columns=["n"])
    assert [row["n"] for row in rows_of(made)] == ["7", "x"]


def test_columns_named_for_all_sources_are_the_tables_and_pages_keep_their_own(run, posts):
    page = posts.parent / "page.html"
    page.write_text("<title>T</title><main><p>A page about the mill, the river and the road.</p></main>")
    settings = {"text_column": "body", "keep_columns": ["title"]}
    made = ingest([str(page), str(posts)], "x", run, **settings)
    assert [(row["id"], row["title"]) for row in rows_of(made)] == [
        ("page.html", "T"),
        ("posts.csv:1", "A"),
        ("posts.csv:3", "C"),
    ]
    alone = refused(SourceError, [str(page)], "x", run, **settings)
    assert alone == f"{page}: no column 'body'. It has: text, title, url, date, language."


def test_a_kept_column_that_a_jsonl_batch_lacks_is_null_there(run, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.jsonl.BLOCK", 16)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a first row"}\n{"text": "b", "lang": "en"}\n{"text": "c"}\n')
    made = ingest([str(path)], "rows", run, keep_columns=["lang"])
    assert [row["lang"] for row in rows_of(made)] == [None, "en", None]


def test_a_kept_column_that_no_jsonl_row_has_is_told(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "lang": "en"}\n')
    message = refused(SourceError, [str(path)], "rows", run, keep_columns=["lng"])
    assert message == f"{path}: no column 'lng'. Did you mean 'lang'? It has: text, lang."


def test_texts_and_chats_in_one_call_are_refused_whatever_the_task(run, posts, monkeypatch):
    chat = posts.parent / "chat.jsonl"
    chat.write_text(CHAT)
    expected = (
        f"{posts} holds text documents, the sources before it chat documents, and an artifact holds one kind. "
        "Ingest them apart, each with a --name."
    )
    entries = [{"path": str(posts), "text_column": "body"}, str(chat)]
    assert refused(SourceError, entries, "x", run) == expected
    monkeypatch.setattr(stage, "TASK_SOURCES", 1)
    assert refused(SourceError, entries, "y", run) == expected


def test_sources_without_any_document_leave_no_artifact(run, posts):
    posts.write_text('body\n""\n')
    message = refused(SourceError, [str(posts)], "x", run, text_column="body")
    assert message == "no document was read: posts.csv:1: the text is empty"
    assert run.store.list() == []


def test_nothing_to_ingest_is_told(run):
    assert refused(UsageError, [], "x", run) == "nothing to ingest. Name files, folders or globs: prep ingest pages/ posts.csv"


def test_all_wrong_settings_of_all_sources_are_told_at_once(run, posts):
    other = shutil.copy(posts, posts.parent / "other.csv")
    entries = [{"pth": "x"}, {"path": str(posts), "delimitr": ";"}, {"path": str(other), "header": "no"}, {"path": 7}]
    assert refused(RecipeError, entries, "x", run, text_column="body").splitlines() == [
        "ingest: 4 problems",
        "  ingest, source 1: 'path' is missing",
        "  ingest, source 4: path: input should be a valid string, not 7",
        f"  ingest, {other}: header: input should be a valid boolean or 'auto', not 'no'",
        f"  ingest, {posts}: no setting 'delimitr'. Did you mean 'delimiter'?",
    ]


def test_a_setting_that_no_source_takes_is_told(run, posts):
    message = refused(RecipeError, [str(posts)], "x", run, text_column="body", query="SELECT 1")
    assert message == "ingest: 1 problem\n  ingest: 'query' is no setting of csv"


def test_a_setting_that_one_of_the_sources_takes_is_for_that_one(run, posts):
    dump = posts.parent / "dump.sql"
    dump.write_text(
        "CREATE TABLE t (body text);\nINSERT INTO t VALUES ('Hi');\nCREATE TABLE u (x int);\nINSERT INTO u VALUES (1);\n"
    )
    made = ingest([str(posts), str(dump)], "x", run, text_column="body", table="t")
    assert [row["id"] for row in rows_of(made)] == ["dump.sql:t:1", "posts.csv:1", "posts.csv:3"]


def test_two_entries_of_one_name_are_refused(run, posts, tmp_path):
    other = shutil.copy(posts, tmp_path)
    message = refused(SourceError, [str(posts), str(other)], "x", run, text_column="body")
    assert message == (f"two sources would be named 'posts.csv': {posts} and {other}. Name the folder that holds both instead.")


def test_a_gzipped_source_is_read_by_the_suffix_below(run, posts):
    (posts.parent / "more.csv.gz").write_bytes(gzip.compress(b"body\nHi\n"))
    made = ingest([str(posts.parent / "more.csv.gz")], "x", run, text_column="body")
    assert [row["id"] for row in rows_of(made)] == ["more.csv.gz:1"]


@pytest.mark.parametrize(
    ("sources", "name"),
    [(["in/posts.csv.gz"], "posts"), ([{"path": "/a/b c/"}], "b-c"), (["pages/*.html"], "documents"), (["..."], "documents")],
)
def test_the_default_name_is_the_first_sources(sources, name):
    assert default_name(sources) == name


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.sampled_from(["x", "", " ", '"', "a,b", "ok"]), min_size=1, max_size=8))
def test_no_row_of_a_source_is_lost(run, tmp_path, cells):
    path = tmp_path / "rows.csv"
    path.write_text("n,body\n0,kept\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells, 1)))
    made = ingest([str(path)], "rows", run, text_column="body")
    rows = made.manifest.rows
    assert rows["in"] == rows["kept"] + rows["rejected"]
    assert len(rows_of(made)) + len(rows_of(made, "rejected")) == rows["in"]


def test_a_file_named_twice_with_other_settings_is_told(run, posts):
    sources = [{"path": str(posts), "text_column": "body"}, {"path": str(posts), "text_column": "title"}]
    with pytest.raises(RecipeError, match="is named twice, with other settings"):
        ingest(sources, "posts", run)


def test_a_file_named_alone_and_in_its_folder_is_told(run, posts):
    with pytest.raises(RecipeError, match=r"is named twice, as 'in/posts\.csv' and as 'posts\.csv'"):
        ingest([str(posts.parent), str(posts)], "posts", run, text_column="body")


def test_a_database_with_a_log_beside_it_is_known_by_both(run, tmp_path):
    source = Source("x.db", str(tmp_path / "x.db"))
    (tmp_path / "x.db").write_bytes(b"pages")
    before = content_hash(source)
    (tmp_path / "x.db-wal").write_bytes(b"more pages")
    assert content_hash(source) != before


def test_many_tasks_of_two_workers_write_the_bytes_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TASK_SOURCES", 2)
    (tmp_path / "pages").mkdir()
    for number in range(11):
        (tmp_path / "pages" / f"{number:02}.txt").write_text(f"page {number}" if number % 3 else "")
    made = []
    for workers in (1, 2):
        engine = Local(workers)
        made.append(ingest([str(tmp_path / "pages")], "pages", Run(Store(tmp_path / str(workers)), engine)))
        engine.close()
    one, two = (artifact.manifest for artifact in made)
    assert (one.files, one.rows, one.counts) == (two.files, two.rows, two.counts)
    assert len([file for file in one.files if file["path"].startswith("documents/")]) == 6


def test_a_table_in_a_folder_whose_text_is_not_named_is_rejected_and_the_pages_are_read(run, tmp_path):
    (tmp_path / "mix").mkdir()
    (tmp_path / "mix" / "page.txt").write_text("Hello")
    (tmp_path / "mix" / "conf.json").write_text('{"name": "x"}')
    made = ingest([str(tmp_path / "mix")], "mix", run)
    assert [row["id"] for row in rows_of(made)] == ["mix/page.txt"]
    (rejected,) = rows_of(made, "rejected")
    assert (rejected["source"], rejected["raw"]) == ("mix/conf.json", b'{"name": "x"}')
    assert "which column holds the text?" in rejected["error"]


def test_ids_of_the_source_that_are_not_unique_are_counted(tmp_path):
    (tmp_path / "rows.csv").write_text("id,text\na,one\na,two\nb,three\n,four\n")
    heard = []
    progress = type("Heard", (Silent,), {"say": lambda _, line: heard.append(line)})()
    made = ingest([str(tmp_path / "rows.csv")], "rows", Run(Store(tmp_path / "s"), Local(1), progress), id_column="id")
    assert heard == ["1 documents have an id that another one has", "rows.csv: comma, UTF-8, 2 columns named by its first line"]
    assert [row["id"] for row in rows_of(made)] == ["a", "a", "b"]
    assert [row["error"] for row in rows_of(made, "rejected")] == ["the id column 'id' is empty"]


def test_a_store_without_hard_links_gets_copies(run, posts, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refused)
    assert len(rows_of(ingest([str(posts)], "posts", run, text_column="body"))) == 2


def test_an_archive_of_pages_beside_a_page_becomes_documents(run, tmp_path):
    folder = tmp_path / "crawl"
    folder.mkdir()
    (folder / "a.html").write_text("<p>Hello")
    head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:7>\r\nWARC-Target-URI: https://a.example/\r\n"
    pages = [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>World", b"HTTP/1.1 404 Gone\r\n\r\n"]
    records = [f"{head}Content-Length: {len(page)}\r\n\r\n".encode() + page + b"\r\n\r\n" for page in pages]
    (folder / "b.warc.gz").write_bytes(b"".join(map(gzip.compress, records)))
    made = ingest([str(folder)], "crawl", run, keep_columns=["url"])
    assert [(row["id"], row["text"]) for row in rows_of(made)] == [("crawl/a.html", "Hello"), ("crawl/b.warc.gz:7", "World")]
    assert rows_of(made)[1]["url"] == "https://a.example/"
    assert [row["error"] for row in rows_of(made, "rejected")] == ["HTTP status 404"]


FILES = {
    "a.html": b"<p>Hello",
    "b/posts.csv": b"title,body\nT,World\nU,\n",
    "c.txt.gz": gzip.compress(b"packed", mtime=0),
    "d.png": b"\x89PNG",
    "e.db": b"SQLite format 3\x00",
    "../f.txt": b"up",
}
OF_MEMBERS = {"/a.html": "Hello", "/b/posts.csv:1": "World", "/c.txt.gz": "packed"}


def archive(path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in FILES.items():
                zipped.writestr(name, content)
        return
    with tarfile.open(path, "w:gz") as packed:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("name", ["in.zip", "in.tgz"])
def test_the_members_of_an_archive_are_read_each_by_its_format(run, tmp_path, name):
    archive(tmp_path / name)
    made = ingest([str(tmp_path / name)], "in", run, text_column="body", keep_columns=["title"])
    assert {row["id"]: row["text"] for row in rows_of(made)} == {f"{name}{part}": text for part, text in OF_MEMBERS.items()}
    assert sorted((row["source"], row["place"], row["error"]) for row in rows_of(made, "rejected")) == [
        (name, "../f.txt", "its path leads out of the archive"),
        (f"{name}/b/posts.csv", "2", "the text is empty"),
        (f"{name}/d.png", "", "no reader for this kind of file (--format says how to read it)"),
        (f"{name}/e.db", "", "a database in an archive cannot be read. Unpack it first"),
    ]


def test_an_archive_in_a_folder_is_read_with_the_files_beside_it(run, tmp_path):
    folder = tmp_path / "all"
    folder.mkdir()
    archive(folder / "in.zip")
    (folder / "z.html").write_text("<p>Beside")
    made = ingest([str(folder)], "in", run, text_column="body")
    assert [row["id"] for row in rows_of(made)] == [*(f"all/in.zip{part}" for part in OF_MEMBERS), "all/z.html"]


def test_the_format_that_is_set_for_an_archive_is_its_members(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as zipped:
        zipped.writestr("page", "<p>Hi")
    made = ingest([{"path": str(tmp_path / "in.zip"), "format": "html", "engine": "soup"}], "in", run)
    assert [(row["id"], row["text"]) for row in rows_of(made)] == [("in.zip/page", "Hi")]


def test_a_setting_that_no_member_can_have_is_refused(run, tmp_path):
    archive(tmp_path / "in.zip")
    message = refused(RecipeError, [{"path": str(tmp_path / "in.zip"), "colour": "red"}], "in", run)
    assert "'colour' is no setting of csv, database" in message


def test_an_archive_that_is_none_says_so(run, tmp_path):
    (tmp_path / "in.zip").write_text("plain")
    assert refused(SourceError, [str(tmp_path / "in.zip")], "in", run) == (
        "no document was read: in.zip: the archive cannot be read to its end (File is not a zip file)"
    )


def test_rows_of_a_table_become_chats_by_their_thread(run, tmp_path):
    path = tmp_path / "tickets.csv"
    path.write_text("ticket,who,at,body\n7,agent,2,Yo\n7,user,1,Hi\n8,user,1,Hello\n8,agent,2,\n")
    roles = {"agent": "assistant"}
    settings = {"chat_by": "ticket", "role_column": "who", "order_by": "at", "roles": roles, "text_column": "body"}
    made = ingest([str(path)], "tickets", run, keep_columns=["ticket"], **settings)
    (chat,) = [row for row in rows_of(made) if row["ticket"] == "7"]
    assert chat["id"] == "tickets.csv:ticket=7"
    assert chat["messages"] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def test_turns_of_conversations_may_lack_a_column_in_some_lines(run, tmp_path):
    path = tmp_path / "turns.jsonl"
    path.write_text(
        '{"t": 7, "who": "user", "text": "Hi"}\n'
        '{"t": 7, "who": "assistant", "text": "Yo", "at": 2}\n'
        '{"t": 8, "who": "user", "text": "Hi", "at": 1}\n{"t": 8, "who": "assistant", "text": "Yo", "at": 2}\n'
    )
    made = ingest([str(path)], "turns", run, chat_by="t", role_column="who", order_by="at")
    assert [row["error"] for row in rows_of(made, "rejected")] == ["row 1: the column 'at' is NULL"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"chat_by": "t"}, "`chat_by` and `role_column` go together"),
        ({"order_by": "at"}, "'order_by' is for rows with `chat_by`"),
    ],
)
def test_settings_of_conversations_without_one_another_are_refused(run, posts, settings, problem):
    assert problem in refused(RecipeError, [str(posts)], "posts", run, **settings)
