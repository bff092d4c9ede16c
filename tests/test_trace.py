"""A timeline is what Perfetto opens, whoever did the work and however the run ended, and changes nothing of what is made."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.cli import main
from pipeline.engine.executor import Executor
from pipeline.errors import UsageError
from pipeline.run import Silent
from pipeline.timing import Sum, Timed, phase, stage, timed
from pipeline.trace import BEGIN, Trace
from pipeline.traced import Traced, Watched

ROUNDED = 0.2  # µs: two figures of a sum are rounded to a tenth
RECIPE = """
name: town
ingest: {sources: [posts.csv, notes], text_column: body}
clean: [unicode, {word_count: {min: 1}}, slop, near_duplicates]
tokenize: {train_tokenizer: true, vocab_size: 300, sequence_length: 32}
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_STORE", "store")
    rows = "".join(f"The mill number {number} stands by river {number * 7} still.\n" for number in range(20))
    (tmp_path / "posts.csv").write_text(f"body\n{rows}As an AI language model I cannot.\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("A note about the mill, and the weir.")
    (tmp_path / "town.yaml").write_text(RECIPE)
    return tmp_path


def prep(*arguments):
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, result.output
    return result


def events(path="trace.json"):
    """Return a timeline's events, having seen that they are what the format asks for."""
    with open(path) as file:  # noqa: PTH123
        found = json.load(file)
    for event in found:
        assert {"name", "ph", "pid", "tid"} <= event.keys()
        assert event["ph"] in ("X", "M", "i")
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ph"] == "M" or event["ts"] >= 0
        assert event["ph"] != "X" or event["dur"] >= 0
    named = {event["pid"] for event in found if event["name"] == "process_name"}
    rows = {(event["pid"], event["tid"]) for event in found if event["name"] == "thread_name"}
    spans = [event for event in found if event["ph"] == "X"]
    assert {event["pid"] for event in spans} <= named
    assert {(event["pid"], event["tid"]) for event in spans} <= rows
    return found


def tasks(found):
    return [event for event in found if "shard" in event.get("args", {})]


def steps(found, task):
    """Return what stands within a task."""
    end = task["ts"] + task["dur"] + ROUNDED
    return [
        event
        for event in found
        if event.get("cat") == "step" and event["tid"] == task["tid"] and task["ts"] <= event["ts"] + ROUNDED <= end
    ]


def square(number):
    with timed("squaring", 8):
        return number * number


def traced(path, engine, items=3):
    with Trace(path, ["run"]) as trace:
        trace.stage("clean/web")
        shown = Watched(Silent(), trace)
        answers = list(shown.track("clean, pass 1", Traced(engine, trace).map(square, range(items)), items))
    return answers, trace


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_leaves_an_event_for_each_task_with_its_steps_within_it(work, workers):
    prep("run", "town.yaml", "--workers", str(workers), "--trace")
    found = events()
    assert {event["args"]["stage"] for event in tasks(found)} == {"ingest", "clean", "tokenize"}
    for task in tasks(found):
        assert set(task["args"]) == {"stage", "artifact", "shard", "node", "worker", "cpu_seconds", "peak_rss_bytes"}
        within = steps(found, task)
        assert sum(event["dur"] for event in within) <= task["dur"] + ROUNDED * (1 + len(within))
        assert all(event["ts"] + event["dur"] <= task["ts"] + task["dur"] + ROUNDED * (1 + len(within)) for event in within)
    (passage,) = [task for task in tasks(found) if task["name"] == "clean, pass 1"]
    assert {"unicode", "word_count", "slop", "near_duplicates"} <= {event["name"] for event in steps(found, passage)}
    assert {"csv", "text", "encode", "pack", "write"} <= {event["name"] for event in found}
    assert {"publish", "search", "ingest/town", "clean/town", "tokenize/town"} <= {
        event["name"] for event in found if event["pid"] == 1
    }
    assert found[-1]["name"] == "done"


def test_a_timeline_changes_no_byte_of_what_is_made(work):
    prep("run", "town.yaml", "--store", "plain")
    prep("run", "town.yaml", "--store", "traced", "--trace")
    plain, traced_ = (
        {artifact.ref: artifact.manifest.files for artifact in Store(name).list()} for name in ("plain", "traced")
    )
    assert plain == traced_
    facts = [Store(name).newest("clean").manifest.run for name in ("plain", "traced")]
    assert facts[0]["engine"] == facts[1]["engine"] == "local"


def test_the_profile_is_a_table_in_the_end(work):
    lines = prep("run", "town.yaml", "--trace", "t.json").stdout.splitlines()
    head = lines.index("artifact\tstep\tseconds\tshare\tMB\tMB/s\tcalls")
    rows = {tuple(line.split("\t")[:2]) for line in lines[head + 1 :]}
    assert {("ingest/town", "csv"), ("clean/town", "slop"), ("tokenize/town", "encode"), ("tokenize/town", "pack")} <= rows


def test_with_json_each_artifact_has_its_profile(work):
    told = json.loads(prep("run", "town.yaml", "--trace", "--json", "--quiet").stdout)
    assert [{row["artifact"] for row in artifact["profile"]} for artifact in told] == [
        {"ingest/town"}, {"clean/town"}, {"tokenize/town"},
    ]  # fmt: skip
    (word_count,) = [row for row in told[1]["profile"] if row["step"] == "word_count"]
    assert word_count["calls"] == 2  # it looks, and the stage acts
    assert word_count["MB"] >= 0


def test_a_stage_without_tasks_has_its_phases_for_steps(tmp_path):
    with Trace(tmp_path / "t.json", []) as trace:
        stage("train/town")
        with phase("fit"):
            assert list(Watched(Silent(), trace).track("train", iter("abc"), 3)) == ["a", "b", "c"]
    assert [(row["artifact"], row["step"], row["calls"]) for row in trace.profile()] == [("train/town", "fit", 1)]
    (train, fit) = [event for event in events(tmp_path / "t.json") if event["name"] in ("train", "fit")]
    assert fit["ts"] <= train["ts"] + ROUNDED


def test_without_the_flag_there_is_no_profile_and_no_file(work):
    assert "profile" not in json.loads(prep("ingest", "notes", "--json").stdout)
    assert not list(work.glob("*.json"))


def test_a_file_that_is_no_timeline_is_not_written_over(work):
    result = CliRunner().invoke(main, ["ingest", "notes", "--trace", "posts.csv"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --trace posts.csv: the file is there, and is no timeline of prep. Name another one; --trace without a name "
        "stands last.\n"
    )
    assert (work / "posts.csv").read_text().startswith("body\n")


def test_times_come_from_other_processes_too(tmp_path, engines):
    answers, trace = traced(tmp_path / "t.json", engines[2], 4)
    assert answers == [0, 1, 4, 9]
    found = tasks(events(tmp_path / "t.json"))
    assert [event["args"]["shard"] for event in found] == [0, 1, 2, 3]
    assert os.getpid() not in {event["args"]["worker"] for event in found}
    (squaring,) = [row for row in trace.profile("clean/web") if row["step"] == "squaring"]
    assert (squaring["calls"], squaring["MB"]) == (4, 0.0)


def test_times_come_from_whatever_has_submit(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.engine.node import ground

    with ThreadPoolExecutor(2) as pool:
        engine = Executor(pool, 2, ground(tmp_path / "store"))
        assert traced(tmp_path / "t.json", engine)[0] == [0, 1, 4]
        engine.close()
    assert len(tasks(events(tmp_path / "t.json"))) == 3


def test_a_run_that_fails_leaves_what_there_is(tmp_path, engines):
    def fail(_):
        raise UsageError("no")

    path = tmp_path / "t.json"
    with contextlib.suppress(UsageError), Trace(path, []) as trace:
        list(Traced(engines[1], trace).map(square, range(2)))
        list(Traced(engines[1], trace).map(fail, [0]))
    found = events(path)
    assert len(tasks(found)) == 2
    assert found[-1]["name"] == "failed: no"


ENDLESS = """
import sys, time
from pathlib import Path
from pipeline.engine.local import Local
from pipeline.trace import Trace
from pipeline.traced import Traced

def wait(number):
    time.sleep(0.01)
    return number

with Trace(Path(sys.argv[1]), ["run"]) as trace:
    for _ in Traced(Local(1), trace).map(wait, range(10**4)):
        pass
"""


def test_a_run_that_is_killed_leaves_a_timeline_that_the_same_command_goes_on_with(tmp_path, engines):
    path = tmp_path / "t.json"
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)])
    while not path.exists() or '"shard": 5' not in path.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    lines = path.read_text().splitlines()
    whole = [json.loads(line.rstrip(",")) for line in lines[1:-1]]  # the last line may be cut; viewers do without the bracket
    before = len([event for event in whole if "shard" in event.get("args", {})])
    assert before >= 4
    traced(path, engines[1])
    found = events(path)
    assert len([event for event in found if event["name"] == BEGIN]) == 2
    assert len(tasks(found)) >= before + 3
    assert max(event["ts"] for event in tasks(found)) == tasks(found)[-1]["ts"]


@pytest.mark.parametrize("command", [["run"], ["another"]])
def test_a_run_that_came_to_its_end_and_another_command_begin_a_new_timeline(tmp_path, engines, command):
    path = tmp_path / "t.json"
    if command == ["run"]:
        traced(path, engines[1])
    else:
        with pytest.raises(KeyboardInterrupt), Trace(path, command):
            raise KeyboardInterrupt
        assert events(path)[-1]["name"] == "interrupted"
    traced(path, engines[1])
    assert len([event for event in events(path) if event["name"] == BEGIN]) == 1


def test_where_a_timeline_goes_on_a_node_keeps_its_place(tmp_path):
    path = tmp_path / "t.json"
    for nodes in (("far", "near"), ("near", "far")):
        with contextlib.suppress(KeyboardInterrupt), Trace(path, []) as trace:
            for node in nodes:
                trace.task(Timed(square)((0, 1)).record._replace(node=node), "square")
            raise KeyboardInterrupt
    assert {(event["args"]["node"], event["pid"]) for event in tasks(events(path))} == {("far", 2), ("near", 3)}


def test_a_run_that_was_killed_before_it_wrote_a_line_leaves_a_file_that_can_be_used(tmp_path, engines):
    path = tmp_path / "t.json"
    path.write_text("[\n")
    traced(path, engines[1])
    assert len(tasks(events(path))) == 3


def test_no_password_stands_in_a_timeline(tmp_path):
    with contextlib.suppress(UsageError), Trace(tmp_path / "t.json", ["ingest", "postgresql://me:secret@host/shop"]):
        raise UsageError("mysql://me:secret@host/shop does not answer")
    text = (tmp_path / "t.json").read_text()
    assert "secret" not in text
    assert "postgresql://me" in text


def test_a_workers_time_is_told_below_its_node(tmp_path):
    with Trace(tmp_path / "t.json", []) as trace:
        for node, worker in (("far", 7), ("near", 8), ("far", 9)):
            trace.task(Timed(square)((0, 1)).record._replace(node=node, worker=worker), "square")
    names = {(event["pid"], event["args"]["name"]) for event in events(tmp_path / "t.json") if event["ph"] == "M"}
    assert {(2, "node far"), (2, "worker 7"), (3, "node near"), (3, "worker 8"), (2, "worker 9")} <= names


def test_two_hundred_short_tasks_are_timed_in_a_fraction_of_a_millisecond_each(tmp_path, engines):
    start = time.perf_counter()
    traced(tmp_path / "t.json", engines[1], 200)
    assert (time.perf_counter() - start) / 200 < 0.002


def test_sums_that_began_one_after_the_other_stand_side_by_side():
    from pipeline.trace import _side_by_side

    sums = {"write": Sum(9.0, 1.0), "read": Sum(0.0, 6.0), "form": Sum(1.0, 3.0)}
    assert [(name, start) for name, start, _ in _side_by_side(sums)] == [("read", 0.0), ("form", 6.0), ("write", 9.0)]
