"""Engines for tests: each by its name, and a Ray cluster of three nodes of a core each, started once a session."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.engine.executor import Executor
from pipeline.engine.local import Local
from pipeline.engine.node import ground

SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_log_monitor": False}
SOON = {"_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 2}}  # seconds until a node is dead


@pytest.fixture(scope="package")
def cluster() -> Iterator[object]:
    """Start a head node without cores, as clusters often have, and three nodes with one."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_prestart_worker_first_driver"] = "0"  # noqa: SIM112  Ray's spelling
    started = Cluster(initialize_head=True, head_node_args={**SMALL, "num_cpus": 0, "include_dashboard": False, **SOON})
    for _ in range(3):
        started.add_node(wait=False, **SMALL)
    started.wait_for_nodes()
    yield started
    started.shutdown()


@pytest.fixture(scope="package")
def ray_engine(cluster, tmp_path_factory) -> Iterator[object]:
    from pipeline.engine.ray import Ray

    engine = Ray(tmp_path_factory.getbasetemp() / "seen", address=cluster.address)
    yield engine
    engine.close()


@pytest.fixture(scope="package")
def dask_engine(tmp_path_factory) -> Iterator[object]:
    distributed = pytest.importorskip("distributed")
    from pipeline.engine.dask import Dask

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        engine = Dask(tmp_path_factory.mktemp("dask"), address=cluster.scheduler_address)
        yield engine
        engine.close()


@pytest.fixture(scope="package")
def thread_engine(tmp_path_factory) -> Iterator[object]:
    with ThreadPoolExecutor(2) as pool:
        engine = Executor(pool, 2, ground(tmp_path_factory.mktemp("threads")))
        yield engine
        engine.close()


@pytest.fixture(scope="package")
def local_engine() -> Iterator[object]:
    engine = Local(2)
    yield engine
    engine.close()
