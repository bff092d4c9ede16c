"""Sources by the million: some bytes each, and cut into tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.ingesting.entries import entries
from pipeline.ingesting.plan import plan
from pipeline.ingesting.sorting import folders_apart
from pipeline.sources import expand
from pipeline.sources.planned import Cut, unpacked


def test_a_folders_files_take_a_few_bytes_each(tmp_path):
    for folder in range(2):
        (tmp_path / "notes" / f"{folder:05}").mkdir(parents=True)
        for number in range(1000):
            (tmp_path / "notes" / f"{folder:05}" / f"{number:04}.txt").touch()
    planned = plan([str(tmp_path / "notes")], {})
    assert len(planned) == 2000
    assert sum(map(len, planned.packs)) < 6 * len(planned)


def test_a_folder_is_planned_as_its_files_are_found_one_by_one(tmp_path):
    names = ["a.txt", "b/c.csv.gz", "b-d.html", "b.tar", "e.dat", "f/.hidden", "g..txt", "h.TXT", "h/sub.x/noend"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("<html><p>Hi")
    one_by_one = expand([str(tmp_path / "in")])
    planned = [source for source, _ in plan([str(tmp_path / "in")], {})]
    assert [(source.name, source.path, source.alone) for source in planned] == [
        (source.name, source.path, source.alone) for source in one_by_one
    ]
    formats = {source.name.removeprefix("in/"): source.format for source in planned}
    assert formats == {
        "a.txt": "text", "b-d.html": "html", "b.tar": "archive", "b/c.csv.gz": "csv", "e.dat": "html", "g..txt": "text",
        "h.TXT": "text", "h/sub.x/noend": "html",
    }  # fmt: skip


def test_names_that_do_not_come_in_order_are_sorted(tmp_path):
    for name in ("y\x07/b.txt", "y.txt", "y!.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    assert [source.name for source, _ in plan([str(tmp_path / "in")], {})] == ["in/y!.txt", "in/y.txt", "in/y\\x07/b.txt"]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Make three folders of two files each, of which the names begin alike, beside a table; work there."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/x.txt", "a/y.csv", "a-b/x.txt", "a-b/z.html", "c/a/x.txt", "c/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\nHi\n")
    (tmp_path / "a.csv").write_text("text\nHi\n")


def light(planned):
    """Return what the plan keeps of each source: a path alone, or a `Source` (None)."""
    return [one if isinstance(one, str) else None for pack in planned.packs for one in unpacked(pack).ones]


def test_of_several_folders_and_what_stands_beside_them_only_paths_are_kept(folders):
    planned = plan(["c/", {"path": "a/", "encoding": "cp1252"}, "a.csv", "a-b/"], {"text_column": "text"})
    assert light(planned) == ["x.txt", "z.html", None, "x.txt", "y.csv", "a/x.txt", "x.txt"]
    assert [(source.name, source.path, source.format, settings.get("encoding", "")) for source, settings in planned] == [
        ("a-b/x.txt", "a-b/x.txt", "text", ""),
        ("a-b/z.html", "a-b/z.html", "html", ""),
        ("a.csv", "a.csv", "csv", ""),
        ("a/x.txt", "a/x.txt", "text", "cp1252"),
        ("a/y.csv", "a/y.csv", "csv", "cp1252"),
        ("c/a/x.txt", "c/a/x.txt", "text", ""),
        ("c/x.txt", "c/x.txt", "text", ""),
    ]


@pytest.mark.parametrize("named", [["a", "c"], ["a", "a.csv"], ["a", "a-b/*.html"], ["c", "a", "a-b"]])
def test_folders_in_which_nothing_else_lies_are_apart(folders, named):
    assert folders_apart(entries(named, None)[0])


@pytest.mark.parametrize("named", [["c", "c/a"], ["a", "a/y.csv"], ["a", "a/*.csv"], [".", "a.csv"], ["a", "a"], ["/", "a"]])
def test_folders_of_which_a_file_may_be_named_twice_are_not(folders, named):
    assert folders_apart(entries(named, None)[0]) == {}


def test_a_folder_that_a_link_beside_it_leads_to_is_not_apart(folders, tmp_path):
    (tmp_path / "link").symlink_to("a")
    assert folders_apart(entries(["a", "link"], None)[0]) == {}


def test_two_folders_of_one_name_are_put_in_order_together(folders, tmp_path):
    (tmp_path / "d" / "a").mkdir(parents=True)
    (tmp_path / "d" / "a" / "xx.txt").touch()
    planned = plan(["a", "d/a"], {})
    assert light(planned) == ["x.txt", "xx.txt", "y.csv"]
    assert [source.path for source, _ in planned] == ["a/x.txt", "d/a/xx.txt", "a/y.csv"]


def test_two_folders_of_one_name_may_not_have_files_of_one_name(folders):
    with pytest.raises(SourceError, match=r"two sources would be named 'a/x\.txt': a/x\.txt and c/a/x\.txt"):
        plan(["a", "c/a"], {})


@given(st.lists(st.integers(0, 50)), st.integers(1, 60), st.integers(1, 5))
def test_tasks_hold_all_sources_in_order_within_their_bounds_and_none_could_take_the_next(sizes, most_bytes, most):
    cut = Cut(most_bytes, most)
    for size in sizes:
        cut.add(size, size)
    tasks = cut.close()
    assert [place for task in tasks for place in range(task.start, task.stop)] == list(range(len(sizes)))
    for task in tasks:
        own = sizes[task.start : task.stop]
        assert task.largest == max(own)
        assert len(own) == 1 or (sum(own) <= most_bytes and len(own) <= most)
        assert task.stop == len(sizes) or len(own) == most or sum(own) + sizes[task.stop] > most_bytes
