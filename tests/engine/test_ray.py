"""A recipe on a Ray cluster: the same bytes as on this machine, whatever dies on the way."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import pytest

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.engine.ray import Ray
from pipeline.errors import UsageError, WorkerDied
from pipeline.flow import run_recipe
from pipeline.recipe import load
from pipeline.run import Run
from pipeline.stages import ingest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]
ROOT = Path(__file__).parents[2]
RECIPE = """
name: both
ingest:
  web: {sources: [data/samples/pages, {path: data/samples/posts.csv, text_column: body}]}
  chats: {sources: data/samples/chats}
clean:
  web: [unicode, slop, {word_count: {min: 20}}, recurring_lines, exact_duplicates, near_duplicates]
  chats: [{slop: {lists: [refusals], on: [assistant]}}, exact_duplicates, near_duplicates]
tokenize: {train_tokenizer: true, vocab_size: 600, sequence_length: 256, validation: 0.2}
"""


class Dying:
    """A Ray engine of which one task of each kind dies when it has done its work, before it has answered."""

    def __init__(self, engine, folder, **deaths):
        self.engine, self.folder, self.deaths = engine, folder, deaths

    @property
    def workers(self):
        return self.engine.workers

    def map(self, task, items):
        victim = self.deaths.get(getattr(task, "func", task).__name__)
        return self.engine.map(task if victim is None else partial(die_behind, self.folder, victim, task), items)


def die_behind(folder, victim, task, item):
    """Do a task; the first time, kill the worker then, and before it its parent, without which there is no node."""
    answer = task(item)
    with contextlib.suppress(FileExistsError):
        (Path(folder) / victim).touch(exist_ok=False)
        for process in [os.getppid(), os.getpid()] if victim == "node" else [os.getpid()]:
            os.kill(process, signal.SIGKILL)
    return answer


def die_once(folder, number):
    """Kill the worker, the first time."""
    begun = Path(folder) / f"{number}"
    if not begun.exists():
        begun.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def begin(folder, number):
    (Path(folder) / f"{number}").touch()
    time.sleep(0.2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run the recipe with an engine, a task for three sources, and return what each file's content is."""
    stores = tmp_path_factory.mktemp("stores")
    (stores / "both.yaml").write_text(RECIPE)

    def run(engine, name):
        artifacts = list(run_recipe(load(stores / "both.yaml"), Run(Store(stores / name), engine)))
        assert [line for artifact in artifacts for line in artifact.verify()] == []
        return [(artifact.ref, entry["path"], entry["sha256"]) for artifact in artifacts for entry in artifact.manifest.files]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(ingest, "TASK_SOURCES", 3)
        yield run


@pytest.fixture(scope="module")
def expected(made):
    return made(Local(1), "one")


@pytest.mark.slow
def test_a_recipe_makes_the_same_bytes_with_two_local_workers(made, expected, local_engine):
    assert made(local_engine, "two") == expected


@pytest.mark.slow
def test_a_recipe_makes_the_same_bytes_on_a_cluster(made, expected, ray_engine):
    assert made(ray_engine, "ray") == expected


def test_a_recipe_makes_the_same_bytes_where_a_node_and_a_worker_die(made, expected, ray_engine, tmp_path):
    dying = Dying(ray_engine, str(tmp_path), pass_batch="node", encode_shard="worker")
    assert made(dying, "disturbed") == expected
    assert {(tmp_path / victim).exists() for victim in ("node", "worker")} == {True}


def test_a_task_whose_worker_was_killed_is_done_again(ray_engine, tmp_path):
    assert list(ray_engine.map(partial(die_once, str(tmp_path)), [7])) == [7]


@pytest.mark.slow
def test_a_task_that_kills_each_worker_is_given_up(ray_engine, monkeypatch):
    monkeypatch.setattr("pipeline.engine.ray.TRIES", 0)
    with pytest.raises(WorkerDied, match="Finished shards are kept"):
        list(ray_engine.map(die, [0]))


def test_workers_are_a_bound(ray_engine, cluster, tmp_path):
    list(ray_engine.map(abs, [0]))
    bounded = Ray(tmp_path / "store", workers=1, address=cluster.address)
    answers = bounded.map(partial(begin, str(tmp_path)), range(9))
    next(answers)
    assert bounded.workers == 1
    assert len(list(tmp_path.glob("[0-9]"))) == 1
    answers.close()
    bounded.close()
    assert list((tmp_path / "store").iterdir()) == []


def test_a_cluster_without_cores_is_told(ray_engine, cluster, tmp_path, monkeypatch):
    import ray

    list(ray_engine.map(abs, [0]))
    monkeypatch.setattr(ray, "cluster_resources", dict)
    with pytest.raises(UsageError, match=r"at \S+ has no core for tasks. Add a node that has, or give --workers N"):
        list(Ray(tmp_path, address=cluster.address).map(abs, [0]))


def test_an_address_at_which_nobody_answers_is_told(ray_engine, tmp_path, monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(UsageError, match=r"nobody answers at localhost:1 .* Give --address host:port of the head node"):
        list(Ray(tmp_path, address="localhost:1").map(abs, [0]))


def test_a_cluster_that_listens_and_does_not_answer_is_given_up_in_one_line(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("pipeline.engine.ray.WELCOME", 1.0)
    with dumb() as port, warnings.catch_warnings(action="ignore"):
        start = time.perf_counter()
        with pytest.raises(UsageError, match=r"no Ray cluster could be used at ray://.*RAY_AUTH_TOKEN") as caught:
            list(Ray(tmp_path, address=f"ray://localhost:{port}").map(abs, [0]))
    assert "(no answer in 1 s)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 10


@contextlib.contextmanager
def dumb():
    """Listen where nothing is ever answered; give the port."""
    with socket.create_server(("localhost", 0)) as server:
        yield server.getsockname()[1]


SHIPS = """
import sys
from pathlib import Path
import pipeline.engine.ray as engine

def home(_):
    import pipeline
    from pipeline.configs_folder import configs_folder
    return pipeline.__file__, (configs_folder() / "clean.yaml").is_file()

engine.code_version = lambda: "of another checkout"
on = engine.Ray(Path(sys.argv[1]), address=sys.argv[2])
print(set(on.map(home, range(6))))
on.close()
"""


@pytest.mark.slow
def test_code_that_nodes_lack_is_sent_along_with_its_configuration(cluster, tmp_path):
    command = [sys.executable, "-c", SHIPS, str(tmp_path), cluster.address]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert "working_dir_files/_ray_pkg_" in done.stdout
    assert done.stdout.count("__init__.py") == done.stdout.count("True") == 1
    assert done.stderr == ""


WAITS = """
import sys, time
from pathlib import Path
from pipeline.engine.choice import engine

def wait(folder, number):
    (Path(folder) / f"{number}.begun").touch()
    time.sleep(60)

from functools import partial
with engine("ray", Path(sys.argv[1]), address=sys.argv[2]) as on:
    list(on.map(partial(wait, sys.argv[1]), range(9)))
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_run_at_once_and_frees_the_nodes(cluster, ray_engine, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path), cluster.address],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while not list(tmp_path.glob("*.begun")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert time.monotonic() - asked < 5
    assert list(tmp_path.glob(".mark*")) == []
    assert list(ray_engine.map(abs, range(3))) == [0, 1, 2]
