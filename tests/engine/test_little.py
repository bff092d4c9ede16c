"""What is named -> whether it is little."""

import pytest

from pipeline.engine.little import A_FILE, LITTLE, little_named


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jsonl").write_bytes(b"x" * (LITTLE // 2))
    return tmp_path


def test_a_folders_files_count_at_any_depth(folder):
    assert little_named([folder])
    (folder / "b.jsonl").write_bytes(b"x" * (LITTLE // 2))
    assert not little_named([folder])


def test_files_count_together(folder):
    assert little_named([folder / "deep" / "a.jsonl"])
    assert not little_named([folder / "deep" / "a.jsonl"] * 2)


def test_many_empty_files_are_not_little(folder):
    for number in range(LITTLE // A_FILE // 2 + 1):
        (folder / str(number)).touch()
    assert not little_named([folder])


def test_a_link_that_leads_nowhere_is_a_file_to_open(folder):
    (folder / "gone.jsonl").symlink_to("nowhere")
    assert little_named([folder])


@pytest.mark.parametrize("named", ["https://example.org/a.jsonl", "mysql://me@host/shop", "pages/*.html", "nowhere", None, 7])
def test_of_what_is_no_file_nobody_knows(named):
    assert not little_named([named])
