"""What a node is asked, and what is said where it lacks something."""

import socket
from pathlib import Path

import pytest

from pipeline.code_version import code_version
from pipeline.engine.node import Facts, Failed, Ground, answer_of, asked, done, ground, unfit
from pipeline.errors import StoreError

HERE = socket.gethostname()


@pytest.fixture
def common(tmp_path):
    return ground(tmp_path / "store")


def test_a_node_that_has_everything_is_fit(common):
    facts = Facts(*asked(common)())
    assert facts[:4] == (HERE, True, True, code_version())
    assert unfit(common, facts) is None


@pytest.mark.parametrize(
    ("lacking", "line"),
    [
        ({"folder": False}, "node far has no folder {cwd}. Run prep in a folder that every node sees under the same path."),
        (
            {"mark": False},
            "node far does not see the store {store}. Choose one with --store that every node sees under the same path, on a "
            "network file system.",
        ),
        ({"code": None}, "node far has another prep than this machine. Install the same one on every node."),
        (
            {"versions": {"pyarrow": "0.1"}},
            "node far: pyarrow 0.1 ({pyarrow} here). Install the same versions on every node: other ones write other bytes.",
        ),
        (
            {"versions": {"pyarrow": None}},
            "node far: pyarrow is missing ({pyarrow} here). Install the same versions on every node: other ones write other "
            "bytes.",
        ),
    ],
)
def test_what_a_node_lacks_is_told_in_one_line(common, lacking, line):
    import pyarrow

    facts = Facts(*asked(common)())._replace(node="far", **lacking)
    store = Path(common.mark).parent
    assert unfit(common, facts) == line.format(cwd=Path.cwd(), store=store, pyarrow=pyarrow.__version__)


def test_a_task_on_a_node_that_does_not_see_the_store_is_not_begun(tmp_path):
    outcome = done(Ground(str(Path.cwd()), str(tmp_path / "elsewhere" / ".mark")), Path.unlink, tmp_path / "never")
    with pytest.raises(StoreError, match=f"node {HERE} does not see the store {tmp_path / 'elsewhere'}"):
        answer_of(outcome)


def test_an_error_of_a_task_brings_its_node_and_traceback_along(common):
    outcome = done(common, int, "seven")
    assert isinstance(outcome, Failed)
    assert outcome.error.__notes__[0].startswith(f"on {HERE}: Traceback")


def test_a_mark_is_gone_when_it_is_taken_away(common):
    common.remove()
    common.remove()
    assert list(Path(common.mark).parent.iterdir()) == []
