"""Files that are hostile or unlucky, as a run of ingest meets them: it tells of each, reads the rest, and publishes no lie."""

import os
import socket
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import sources as module
from pipeline.artifacts import Store
from pipeline.documents import Rows
from pipeline.engine.local import Local
from pipeline.errors import SourceError
from pipeline.ingesting.plan import plan
from pipeline.run import Run
from pipeline.sources import Source, expand, printable
from pipeline.sources.walking import BESIDE, LEADS_OUT, NOT_PLAIN
from pipeline.stages.ingest import ingest

HOW = "Choose one with --text-column, or several with --text-column '{a} {b}'."


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder `pages` with one good file; the working folder is above it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/good.txt").write_text("Good")
    return tmp_path / "pages"


@pytest.fixture
def run(tmp_path):
    return Run(Store(tmp_path / "store"), Local(1))


def rejected(artifact):
    return {row["source"]: row["error"] for file in artifact.files("rejected") for row in pq.read_table(file).to_pylist()}


def refused(named, run):
    with pytest.raises(SourceError) as caught:
        ingest([named], "x", run)
    return str(caught.value)


def deny(monkeypatch, path):
    """Have one file refuse to be opened, to root as well."""

    def refusing(opened):
        def refuse(name, *more, **named):
            if name == path:
                raise PermissionError(13, os.strerror(13))
            return opened(name, *more, **named)

        return refuse

    monkeypatch.setattr("pipeline.sources.io.FileIO", refusing(module.io.FileIO))
    monkeypatch.setattr("pipeline.sources.os.open", refusing(os.open))


# links


def test_a_link_out_of_a_folder_is_rejected_and_one_that_stays_is_read(folder, run):
    (folder.parent / "secret.txt").write_text("Secret")
    (folder.parent / "elsewhere").mkdir()
    (folder / "file.txt").symlink_to("../secret.txt")
    (folder / "folder").symlink_to("../elsewhere")
    (folder / "same.txt").symlink_to("good.txt")
    made = ingest(["pages"], "x", run)
    assert rejected(made) == {"pages/file.txt": LEADS_OUT, "pages/folder": LEADS_OUT}
    assert made.manifest.rows["kept"] == 2


def test_a_globs_links_may_not_leave_its_folder_either(folder, run):
    (folder.parent / "secret.txt").write_text("Secret")
    (folder / "link.txt").symlink_to("../secret.txt")
    assert rejected(ingest(["pages/*.txt"], "x", run)) == {"pages/link.txt": LEADS_OUT}


def test_links_in_a_circle_end(folder, run):
    (folder / "up").symlink_to("..")
    (folder / "round").symlink_to(".")
    (folder / "self.txt").symlink_to("self.txt")
    made = ingest(["pages"], "x", run)
    assert rejected(made) == {"pages/up": LEADS_OUT, "pages/self.txt": NOT_PLAIN}
    assert [(source.name, source.why) for source in expand(["pages"]) if source.format == "passed_over"] == [
        ("pages/round", BESIDE)
    ]


def test_a_link_that_is_named_itself_is_followed(folder):
    Path("file.txt").symlink_to("pages/good.txt")
    Path("folder").symlink_to("pages")
    assert [source.name for source in expand(["file.txt"])] == ["file.txt"]
    assert [source.why for source in expand(["folder"])] == [""]


def test_the_links_of_the_hubs_cache_are_followed(tmp_path):
    home = tmp_path / "datasets--me--set"
    (home / "blobs").mkdir(parents=True)
    (home / "blobs/0a1b").write_text('{"text": "Hi"}\n')
    (home / "snapshots/abc/data").mkdir(parents=True)
    (home / "snapshots/abc/data/rows.jsonl").symlink_to("../../../blobs/0a1b")
    for named in ("snapshots/abc", "snapshots/abc/data"):
        assert [source.why for source in expand([str(home / named)])] == [""]


# what is no file, or may not be read


def test_a_pipe_and_a_socket_in_a_folder_are_rejected_whatever_the_format(folder, run):
    os.mkfifo("pages/pipe.txt")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("pages/socket.txt")
        made = ingest(["pages"], "x", run, format="text")
    assert rejected(made) == {"pages/pipe.txt": NOT_PLAIN, "pages/socket.txt": NOT_PLAIN}


def test_a_file_that_may_not_be_read_is_rejected_among_others_and_stops_where_it_is_named(folder, run, monkeypatch):
    (folder / "locked.html").write_text("<p>Hi")
    deny(monkeypatch, "pages/locked.html")
    assert rejected(ingest(["pages"], "x", run)) == {"pages/locked.html": "cannot be read (Permission denied)"}
    assert refused("pages/locked.html", run) == "pages/locked.html: cannot be read (Permission denied). Check its permissions."


def test_a_folder_that_cannot_be_listed_is_rejected_below_and_stops_where_it_is_named(folder, run, monkeypatch):
    (folder / "locked").mkdir()
    listed = os.scandir

    def refuse(path):
        if "locked" in str(path):
            raise PermissionError(13, os.strerror(13))
        return listed(path)

    monkeypatch.setattr("pipeline.sources.walking.os.scandir", refuse)
    assert rejected(ingest(["pages"], "x", run)) == {"pages/locked": "the folder cannot be listed (Permission denied)"}
    assert refused("pages/locked", run) == "pages/locked: cannot list this folder (Permission denied). Check its permissions."


# what changes


def test_a_file_that_goes_between_being_found_and_being_hashed_is_rejected(folder, run, monkeypatch):
    (folder / "gone.txt").write_text("Gone")
    planned = plan(["pages"], {})
    (folder / "gone.txt").unlink()
    monkeypatch.setattr("pipeline.stages.ingest.plan", lambda *given: planned)
    assert rejected(ingest(["pages"], "x", run)) == {"pages/gone.txt": "cannot be read (No such file or directory)"}


CHANGES = {
    "grows": lambda path: path.write_text("Good, and more"),
    "is replaced": lambda path: (path.with_name(".new").write_text("Evil"), path.with_name(".new").replace(path)),
    "goes": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_stops_the_run_and_nothing_of_it_is_kept(folder, run, monkeypatch, change):
    def read(source, **settings):
        CHANGES[change](folder / "good.txt")
        yield Rows(pa.table({"text": ["Evil"]}), [""])

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.readers.text.text", read)
        assert refused("pages", run) == (
            "pages/good.txt: changed while it was read. Run the same command again when nothing writes to it."
        )
    assert run.store.list() == []
    (folder / "good.txt").write_text("Good")
    (document,) = (pq.read_table(file).to_pylist() for file in ingest(["pages"], "x", run).files("documents"))
    assert [row["text"] for row in document] == ["Good"]


@pytest.mark.parametrize("size", [4, 200_000])
def test_a_file_that_changes_while_it_is_hashed_stops_the_run(folder, run, monkeypatch, size):
    (folder / "good.txt").write_text("G" * size)
    read, hash_of = os.read, module.content_hash
    change = partial((folder / "good.txt").write_text, "Other")
    monkeypatch.setattr("pipeline.sources.os.read", lambda *given: (read(*given), change())[0])
    monkeypatch.setattr(module, "content_hash", lambda source: (hash_of(source), (folder / "good.txt").write_text("More"))[0])
    assert "changed while it was read" in refused("pages", run)


# names


@pytest.mark.parametrize(
    "name", [b"new\nline.txt", b"bell\x07.txt", b"caf\xe9.txt", b"a" * 251 + b".txt", b" .txt", b"-rf.txt"]
)
def test_a_file_of_any_name_is_read_and_named_in_one_line(folder, run, name):
    Path(os.fsdecode(b"pages/" + name)).write_text("Named")
    made = ingest(["pages"], "x", run)
    names = [row["id"] for file in made.files("documents") for row in pq.read_table(file).to_pylist()]
    assert len(names) == 2
    assert all(name.isprintable() for name in names)


def test_a_broken_file_of_an_unprintable_name_is_rejected_in_one_line(folder, run):
    Path(os.fsdecode(b"pages/caf\xe9\n.csv")).write_text("a,b\n1,2\n")
    ((name, error),) = rejected(ingest(["pages"], "x", run)).items()
    assert name == "pages/caf\\xe9\\n.csv"
    assert error == f"pages/caf\\xe9\\n.csv: which column holds the text? It has: a, b. {HOW}"


def test_a_printable_name_stays_as_it_is():
    assert printable("pages/Grüße 中文 [1].html") == "pages/Grüße 中文 [1].html"


@pytest.mark.parametrize("named", ["", "  "])
def test_an_empty_path_is_not_the_folder_that_one_is_in(folder, run, named):
    assert refused(named, run) == "an empty path names nothing. Name a file or a folder; `.` is the folder you are in."


@pytest.mark.parametrize(
    ("named", "why"), [("a" * 300, "cannot be opened (File name too long)"), ("a\0b", "no such file or folder")]
)
def test_a_path_that_can_be_no_file_is_refused(folder, run, named, why):
    assert why in refused(named, run)


# many


def test_a_setting_of_a_source_is_not_asked_of_what_cannot_be_read_beside_it(folder):
    (folder / "style.css").write_text("p { color: red }")
    (folder / "page.html").write_text("<p>Hi")
    (folder / "good.txt").unlink()
    planned = plan([{"path": "pages", "engine": "soup"}], {})
    assert [source.format for source, _ in planned] == ["html", "foreign"]


def test_a_source_without_a_stamp_has_not_changed():
    module.ensure_unchanged(Source("gone", "gone"))
