"""Dask's engine: what is wrong with a scheduler is told in one line."""

import pytest

from pipeline.engine.choice import engine
from pipeline.errors import UsageError

pytest.importorskip("distributed")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


def test_the_address_must_be_given(tmp_path):
    with pytest.raises(UsageError, match="where is the scheduler"):
        engine("dask", tmp_path)


def test_an_address_at_which_nobody_answers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.engine.dask.PATIENCE", 1)
    with pytest.raises(UsageError, match="no Dask scheduler answers at tcp://localhost:1 "):
        engine("dask", tmp_path, address="tcp://localhost:1")
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_without_workers_is_told(tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, pytest.raises(UsageError) as caught:
        engine("dask", tmp_path, address=cluster.scheduler_address)
    where = cluster.scheduler_address
    assert str(caught.value) == f"the Dask scheduler at {where} has no workers. Start one: dask worker {where}."
