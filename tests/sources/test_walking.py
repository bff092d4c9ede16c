"""A folder -> its files in order, one folder's names in memory at a time."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.data_sets import ATTRIBUTES, SAVED
from pipeline.sources.folders import Folder
from pipeline.sources.walking import PLAIN, walked

NAMES = st.text("ab-.é中", min_size=1, max_size=3).filter(lambda name: not name.startswith("."))
PATHS = st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12)


def fates(root):
    return {path: fate[1] for path, fate in walked(str(root)) if fate != PLAIN}


@settings(max_examples=100, deadline=None)
@given(PATHS)
def test_files_come_in_the_order_of_their_paths(paths):
    with tempfile.TemporaryDirectory() as root:
        for path in paths:
            try:
                (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(root) / path).touch()
            except (FileExistsError, NotADirectoryError):  # a file has a folder's name already
                continue
        found = [path for path, _ in walked(root)]
        assert found == sorted(str(file.relative_to(root)) for file in Path(root).rglob("*") if file.is_file())


def test_a_note_of_datasets_is_told_by_what_lies_in_the_folders_below(tmp_path):
    (tmp_path / "train").mkdir()
    for name in ("dataset_dict.json", "train/state.json", "train/dataset_info.json"):
        (tmp_path / name).write_text("{}")
    assert fates(tmp_path) == dict.fromkeys(["dataset_dict.json", "train/state.json", "train/dataset_info.json"], SAVED)


def test_a_readme_with_a_card_is_a_document_where_it_is_all_there_is(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    assert fates(tmp_path) == {}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").touch()
    assert list(fates(tmp_path)) == ["README.md"]


def test_attributes_are_told_by_the_documents_that_they_are_of(tmp_path):
    for name in ("documents/0.json", "attributes/pii/0.json", "attributes/pii/1.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert fates(tmp_path) == {"attributes/pii/0.json": ATTRIBUTES}


def test_a_folders_files_have_its_name_and_its_path_before_theirs():
    assert Folder("pages", "/in/pages/").found("a/b.html", PLAIN)[:2] == ("pages/a/b.html", "/in/pages/a/b.html")
    assert Folder("", ".").found("b.html", PLAIN)[:2] == ("b.html", "b.html")
