"""Sources: what the user named -> files with stable names."""

import gzip
import hashlib
import os
import socket

import pytest

from pipeline.documents import Rejection
from pipeline.errors import RecipeError, SourceError
from pipeline.ingesting.plan import plan, problems_of_sources
from pipeline.readers import columns, format_of, formats, modules, reader
from pipeline.readers.foreign import foreign
from pipeline.sources import Source, content_hash, expand, head, open_bytes
from pipeline.sources.walking import NOT_PLAIN


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of pages, one of them hidden, one gzipped, one in a hidden folder; the working folder is above it."""
    monkeypatch.chdir(tmp_path)
    for name in ("pages/b.html", "pages/2024/a.html", "pages/.hidden.html", "pages/.git/c.html", "posts.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "pages/z.html.gz").write_bytes(gzip.compress(b"packed", mtime=0))
    return tmp_path


def names(*arguments):
    return [source.name for source in expand([str(argument) for argument in arguments])]


def refused(*arguments):
    with pytest.raises(SourceError) as caught:
        expand([str(argument) for argument in arguments])
    return str(caught.value)


def test_a_file_is_named_by_its_last_part(tree):
    assert names(tree / "posts.csv") == names("posts.csv") == ["posts.csv"]


def test_a_folders_files_are_named_from_the_folder_on_and_hidden_ones_are_passed_over(tree):
    expected = ["pages/2024/a.html", "pages/b.html", "pages/z.html.gz"]
    assert names("pages") == names("pages/") == names("./pages") == names(tree / "pages") == expected


def test_the_name_of_the_working_folder_stands_for_a_dot(tree, monkeypatch):
    monkeypatch.chdir(tree / "pages" / "2024")
    assert names(".") == ["2024/a.html"]


def test_a_globs_files_are_named_from_its_fixed_part_on(tree):
    assert names("pages/*.html") == ["pages/b.html"]
    assert names(tree / "pages" / "**" / "*.html") == ["pages/2024/a.html", "pages/b.html"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tree):
    (tree / "a[1].csv").write_text("")
    assert names("a[1].csv") == ["a[1].csv"]


def test_sources_come_sorted_by_name_whatever_their_order(tree):
    assert names("posts.csv", "pages") == names("pages", "posts.csv") == [*names("pages"), "posts.csv"]


def test_a_file_named_twice_is_read_once(tree):
    assert names("posts.csv", "posts.csv") == ["posts.csv"]


def test_two_files_of_one_name_are_refused(tree):
    (tree / "other").mkdir()
    (tree / "other/posts.csv").write_text("")
    assert refused("posts.csv", "other/posts.csv") == (
        "two sources would be named 'posts.csv': posts.csv and other/posts.csv. Name the folder that holds both instead."
    )


def test_what_is_not_there_is_refused(tree):
    assert refused("nope.csv") == "nope.csv: no such file or folder. Check the path."
    assert (
        refused("pages/*.csv")
        == "no file matches 'pages/*.csv'. Check the path, and quote it, so that the shell leaves it alone."
    )
    (tree / "empty").mkdir()
    assert refused("empty") == "empty: the folder holds no files. Check the path; hidden files are passed over."


def test_a_pipe_that_is_named_is_refused_without_waiting_for_it(tree):
    os.mkfifo("pipe.html")
    assert refused("pipe.html") == "pipe.html: no plain file, but a pipe or a device. Write it to a file first."


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_that_is_named_is_refused_unread(tree, device):
    (tree / "device.csv").symlink_to(device)
    assert refused("device.csv") == "device.csv: no plain file, but a pipe or a device. Write it to a file first."


def test_a_socket_that_is_named_is_refused(tree):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.csv")
        assert refused("socket.csv") == "socket.csv: no plain file, but a pipe or a device. Write it to a file first."


def test_a_pipe_that_a_glob_matches_is_rejected_and_the_rest_is_read(tree):
    os.mkfifo("pages/pipe.html")
    planned = {source.name: source.why for source, _ in plan(["pages/*.html"], {})}
    assert planned.pop("pages/pipe.html") == NOT_PLAIN
    assert len(planned) == 1
    assert not any(planned.values())


def test_what_is_no_plain_file_in_a_folder_is_rejected_and_the_rest_is_read(tree):
    os.mkfifo("pages/pipe.html")
    (tree / "pages/link.html").symlink_to("nowhere")
    (tree / "pages/style.css").write_text("p { color: red }")
    planned = {source.name: source for source, _ in plan(["pages"], {})}
    assert [name for name, source in planned.items() if source.format == "foreign"] == [
        "pages/link.html", "pages/pipe.html", "pages/style.css",
    ]  # fmt: skip
    assert list(foreign(planned["pages/pipe.html"])) == [
        Rejection("", "no plain file, but a link to nothing, a pipe or a device", b"")
    ]
    (rejection,) = foreign(planned["pages/style.css"])
    assert rejection == Rejection("", "no reader for this kind of file (--format says how to read it)", b"p { color: red }")


def test_what_a_plan_would_refuse_is_told_without_raising(tree):
    sources = [{"path": "pages", "engin": "soup"}, {"path": "posts.csv", "header": 3}]
    assert problems_of_sources(sources, {}) == [
        "ingest, pages/2024/a.html: no setting 'engin'. Did you mean 'engine'?",
        "ingest, posts.csv: header: input should be a valid boolean or 'auto', not 3",
    ]
    assert problems_of_sources("posts.csv", {"text_column": "body"}) == []
    assert problems_of_sources([], {}) == []


def test_a_file_named_twice_through_a_link_is_told(tree):
    (tree / "same.csv").symlink_to("posts.csv")
    with pytest.raises(RecipeError, match=r"same\.csv is named twice, as 'posts\.csv' and as 'same\.csv'"):
        plan(["posts.csv", "same.csv"], {})


def test_a_gzipped_file_is_unpacked_while_it_is_read(tree):
    source = Source("z", str(tree / "pages/z.html.gz"))
    with open_bytes(source) as file:
        assert file.read() == b"packed"
    assert head(source, 4) == b"pack"


def test_a_file_that_only_says_that_it_is_gzipped_cannot_be_read(tree):
    (tree / "a.gz").write_text("plain")
    with pytest.raises(SourceError, match=r"a\.gz: cannot be read \(Not a gzipped file"):
        head(Source("a", str(tree / "a.gz")))


def test_the_hash_is_of_the_bytes_on_the_disk(tree):
    packed = (tree / "pages/z.html.gz").read_bytes()
    assert content_hash(Source("z", str(tree / "pages/z.html.gz"))) == hashlib.sha256(packed).hexdigest()


def test_a_file_that_went_away_says_so(tree):
    for read in (content_hash, open_bytes):
        with pytest.raises(SourceError, match=r"gone\.csv: cannot be (read|opened) \(No such file or directory\)"):
            read(Source("gone.csv", "gone.csv"))


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("a.csv", b"", "csv"),
        ("A.HTML.gz", gzip.compress(b"", mtime=0), "html"),
        ("page", b"<!doctype html><p>Hi", "html"),
        ("rows.dat", b'{"text": "Hi"}', "jsonl"),
        ("notes.md", b"# Hi", "text"),
    ],
)
def test_the_format_is_told_by_suffix_else_by_content(tmp_path, name, content, format):
    (tmp_path / name).write_bytes(content)
    assert format_of(Source(name, str(tmp_path / name))) == format


def test_a_format_that_cannot_be_told_is_asked_for(tree):
    (tree / "what").write_text("who knows")
    with pytest.raises(SourceError) as caught:
        format_of(Source("what", "what"))
    assert str(caught.value) == f"what: cannot tell its format. Say it with --format ({', '.join(formats())})."


def test_an_unknown_format_is_named_with_the_nearest():
    with pytest.raises(SourceError) as caught:
        reader("cvs")
    assert str(caught.value) == "unknown format 'cvs'. Did you mean 'csv'?"


def test_every_module_of_a_format_has_its_reader_with_help_and_suffixes():
    for name, module in modules().items():
        assert reader(name).__doc__
        assert all(suffix.startswith(".") for suffix in module.SUFFIXES)


def test_only_pages_archives_and_text_files_have_columns_of_their_own():
    assert [name for name in modules() if columns(name)] == ["html", "text", "warc"]


def test_a_folders_setting_is_for_those_of_its_files_whose_reader_knows_it(tmp_path):
    (tmp_path / "a.html").write_text("<p>Hi</p>")
    (tmp_path / "b.txt").write_text("Hi")
    page, text = plan([{"path": str(tmp_path), "engine": "soup"}], {})
    assert (page[1]["engine"], "engine" in text[1]) == ("soup", False)
    with pytest.raises(RecipeError, match="no setting 'engin'"):
        plan([{"path": str(tmp_path), "engin": "soup"}], {})
    with pytest.raises(RecipeError, match="no setting 'engine'"):
        plan([{"path": str(tmp_path / "b.txt"), "engine": "soup"}], {})
