import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Identity, Store
from pipeline.errors import BrokenArtifact
from pipeline.listing import in_words
from pipeline.training.words import how_it_went
from trainers.history import Point, metrics
from trainers.verdict import Facts, Finding, Verdict, written

FOUND = Verdict((Finding("overfit", 0.8, "It rose.", ("Stop at step 2.",), {}, (2,)),))
POINTS = [Point(step, 0.5 * step, "train", 4.0 - step, 1e-4, 1.0, 9 * step) for step in (1, 2)]


def trained(tmp_path, verdict=None):
    """A train artifact with its losses, and a verdict where it was given one."""
    with Store(tmp_path).draft(Identity("train", {"verdict": verdict is not None}), "demo") as draft:
        (draft.path / "metrics").mkdir()
        pq.write_table(metrics(POINTS), draft.path / "metrics" / "00000.parquet")
        if verdict:
            (draft.path / "verdict.json").write_text(verdict)
        return draft.publish({"in": 2, "kept": 2}, versions={}, run={})


def test_the_verdict_and_the_courses_are_said(tmp_path):
    assert how_it_went(trained(tmp_path, written(FOUND, Facts(18)))) == [
        "verdict",
        "  overfit: It rose.",
        "    - Stop at step 2.",
        "losses per supervised token",
        f"  training   3.000 {'█' * 24}{'▁' * 24} 2.000",
    ]


def test_a_training_of_an_older_version_has_its_courses_only(tmp_path):
    assert how_it_went(trained(tmp_path))[0] == "losses per supervised token"


def test_prep_show_tells_how_a_training_went(tmp_path):
    artifact = trained(tmp_path, written(FOUND, Facts(18)))
    assert "  overfit: It rose." in in_words(Store(tmp_path), artifact, 0)


def test_a_broken_verdict_is_named(tmp_path):
    artifact = trained(tmp_path, "{")
    with pytest.raises(BrokenArtifact, match=r"verdict\.json: cannot be read .* `prep verify train/demo@"):
        how_it_went(artifact)
