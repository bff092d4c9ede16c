"""Sources by the million: some bytes each, and cut into tasks."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingesting.plan import plan
from pipeline.sources import expand
from pipeline.sources.planned import Cut


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
