"""The command line: what it prints, where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.cli import main

PREP = Path(sys.executable).with_name("prep")
HEAVY = ("pyarrow", "numba", "pandas", "torch", "transformers", "numpy", "pydantic", "datasets")
SECONDS = re.compile(r"\(\d+\.\d s\)")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working folder with a CSV file of two good rows and an empty one; the store is `store` below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_STORE", "store")
    (tmp_path / "posts.csv").write_text("title,body\nA,The mill stands.\nB,\nC,As an AI language model I cannot.\n")
    return tmp_path


def prep(*arguments):
    return CliRunner().invoke(main, [*arguments])


def printed(*arguments):
    """Return the lines on stdout and on stderr of a run that ends well, seconds and the store's clock evened out."""
    result = prep(*arguments)
    assert result.exit_code == 0, result.output
    return [SECONDS.sub("(S)", line) for line in result.stdout.splitlines()], result.stderr.splitlines()


def ingest(*arguments):
    return printed("ingest", "posts.csv", "--text-column", "body", *arguments)


def ref_of(stage="ingest"):
    return Store("store").newest(stage).ref


@pytest.mark.parametrize("name", list(main.commands))
def test_every_command_has_help_with_an_example(name):
    help_text = prep(name, "--help").output
    assert "\n  Example:\n    prep " in help_text
    assert len(main.commands[name].get_short_help_str(200)) > 10


@pytest.mark.parametrize("name", list(main.commands))
def test_every_option_has_help(name):
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_options_that_all_stages_share_are_in_each():
    shared = {"store", "name", "config", "workers", "engine", "as_json", "quiet"}
    for stage in ("ingest", "clean", "tokenize", "train", "run"):
        assert shared <= {option.name for option in main.commands[stage].params}


def test_the_commands_are_listed_in_the_order_of_the_flow():
    lines = prep("--help").output.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == [
        "ingest", "tables", "clean", "plan", "tokenize", "train", "estimate", "generate", "merge", "run",
        "export", "list", "show", "diff", "slop", "rejected", "why", "verify", "gc",
    ]  # fmt: skip


def test_every_example_of_the_help_is_a_call_that_the_command_line_takes():
    for name in ("", *main.commands):
        for line in prep(*([name] if name else []), "--help").output.splitlines():
            if line.startswith("    prep "):
                words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\S+", line)][1:]
                command = main.commands[words[0]]
                known = {spelled for option in command.params for spelled in option.opts}
                assert {word for word in words if word.startswith("-") and word != "-"} <= known, line


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["clean", "--help"]])
def test_help_needs_no_heavy_import(arguments):
    code = f"import sys\nfrom pipeline.cli import main\nmain({arguments}, standalone_mode=False)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.splitlines()[-1].split() if name in HEAVY} == set()


def test_ingest_says_what_came_of_the_sources(work):
    out, err = ingest()
    assert out == [
        f"{ref_of()}  3 rows: 2 kept, 1 rejected  (S)",
        "  1 rejected: the text is empty",
        f"  store/{ref_of()}",
    ]
    assert err == ["posts.csv: comma, UTF-8, 2 columns named by its first line"]


def test_clean_says_what_it_took_and_what_went(work):
    ingest()
    out, err = printed("clean", "--slop-list", "refusals", "--workers", "1")
    assert out == [
        f"{ref_of('clean')}  2 rows: 1 kept, 1 removed  (S)",
        "  unicode: 0 of 2 removed",
        "  slop: 1 of 2 removed",
        "  word_count: 0 of 1 removed",
        "  exact_duplicates: 0 of 1 removed",
        "  near_duplicates: 0 of 1 removed, estimated recall at the threshold 95.0%",
        f"  store/{ref_of('clean')}",
    ]
    assert err == ["no --config: using clean.yaml, which ships with prep", f"from {ref_of()}"]


def test_the_same_call_again_says_that_all_is_there(work):
    first, _ = ingest()
    again, err = ingest()
    assert (again, err) == (first, [f"{ref_of()}: already there, nothing to do"])


def test_quiet_says_nothing_but_the_result(work):
    ingest()
    assert ingest("--quiet")[1] == []
    assert printed("clean", "-q")[1] == []


def test_json_is_all_there_is_on_stdout(work):
    result = prep("ingest", "posts.csv", "--text-column", "body", "--json")
    told = json.loads(result.stdout)
    assert (told["ref"], told["path"]) == (ref_of(), f"store/{ref_of()}")
    assert told["rows"] == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}
    assert told["counts"] == [{"reason": "the text is empty", "rejected": 1}]


def test_list_show_and_why_print_json(work):
    ingest()
    assert json.loads(prep("list", "--json").stdout)[0]["ref"] == ref_of()
    assert json.loads(prep("show", "posts", "--json").stdout)["name"] == "posts"
    assert json.loads(prep("why", "posts.csv:1", "--json").stdout) == [f"{ref_of()}: read"]


def test_list_prints_a_line_an_artifact(work):
    ingest()
    finished = Store("store").newest("ingest").manifest.run["finished"]
    assert printed("list")[0] == ["ref\tin\tkept\tfinished", f"{ref_of()}\t3\t2\t{finished}"]
    assert printed("list", "clean")[0] == ["ref\tin\tkept\tfinished"]


def test_show_prints_as_many_documents_as_asked_for(work):
    ingest()
    assert printed("show", "posts", "--documents", "1")[0][-2:] == ["posts.csv:1", "  The mill stands."]
    assert printed("show", "posts", "--documents", "0")[0][-1] == f"  {ref_of()}"


def test_why_says_what_became_of_a_document(work):
    ingest()
    printed("clean")
    assert printed("why", "posts.csv:1")[0] == [f"{ref_of()}: read", f"{ref_of('clean')}: kept"]


def test_verify_says_that_all_is_well_or_what_is_not(work):
    ingest()
    assert printed("verify", "posts")[0] == [f"{ref_of()}: 4 files as the manifest says"]
    (work / "store" / ref_of() / "documents" / "00000.parquet").write_bytes(b"PAR1")
    result = prep("verify", "posts")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"Error: {ref_of()}: broken. Remove the folder and run its stage again.",
        "documents/00000.parquet: its checksum is not the manifest's",
    ]


def test_run_makes_every_stage_of_a_recipe_and_takes_no_name(work):
    (work / "r.yaml").write_text("ingest: {sources: posts.csv, text_column: body}\nclean: [unicode]\n")
    out, _ = printed("run", "r.yaml")
    assert [line.partition("@")[0] for line in out if "@" in line and not line.startswith(" ")] == ["ingest/r", "clean/r"]
    assert [made["ref"] for made in json.loads(prep("run", "r.yaml", "--json").stdout)] == [ref_of(), ref_of("clean")]
    result = prep("run", "r.yaml", "--name", "x")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "Error: `prep run` takes name and settings from its recipe.",
    )


def test_the_store_of_the_flag_stands_over_the_environment(work):
    out, _ = ingest("--store", "other")
    assert out[-1].startswith("  other/ingest/posts@")
    assert not (work / "store").exists()


def test_escapes_of_a_template_are_newlines_and_tabs(work):
    printed("ingest", "posts.csv", "--text-column", "{title}\\n{body}", "--keep-columns", "title, body")
    assert printed("show", "posts", "--documents", "1")[0][-3:] == ["posts.csv:1", "  A", "  The mill stands."]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest", "--nope"],
        ["ingest"],
        ["nope"],
        ["clean", "--config", "nope.yaml"],
        ["clean", "--workers", "0"],
        ["clean", "--engine", "spark"],
        ["show"],
        ["show", "x", "--documents", "-1"],
        ["run"],
        ["list", "nope"],
    ],
)
def test_a_call_that_makes_no_sense_exits_with_2_and_prints_nothing_on_stdout(work, arguments):
    result = prep(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_a_mistyped_option_is_answered_with_the_right_one():
    result = prep("ingest", "x", "--text-colum", "body")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: No such option '--text-colum'.")
    assert "'--text-column'" in last


def test_a_defect_of_prep_is_one_line_and_its_place_is_shown_on_demand(work, monkeypatch):
    ingest()

    def stumble(store, document):
        raise ValueError("an odd\nthing")

    monkeypatch.setattr("pipeline.history.why", stumble)
    result = prep("why", "x")
    assert result.exit_code == 1
    assert result.stderr == ("Error: a defect of prep: ValueError: an odd thing. Please report it; PREP_DEBUG=1 shows where.\n")
    monkeypatch.setenv("PREP_DEBUG", "1")
    assert isinstance(prep("why", "x").exception, ValueError)


def test_an_interrupt_is_one_line_and_says_how_to_go_on(work, monkeypatch):
    def interrupt(store, document):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.history.why", interrupt)
    result = prep("why", "x")
    assert (result.exit_code, result.stderr) == (
        130,
        "Error: interrupted. Finished shards are kept: run the same command again to go on.\n",
    )


def test_prep_runs_as_a_program(work):
    ingested = subprocess.run(
        [PREP, "ingest", "posts.csv", "--text-column", "body", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(ingested.stdout)["rows"]["kept"] == 2
    assert ingested.stderr == "posts.csv: comma, UTF-8, 2 columns named by its first line\n"
    failed = subprocess.run([PREP, "ingest", "nope.csv"], capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "Error: nope.csv: no such file or folder. Check the path.\n"


def test_a_reader_that_has_closed_the_pipe_is_no_error(work):
    ingest()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([PREP, "show", "posts"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_second_prep_on_the_same_draft_is_told_to_wait(work):
    ref = ref_of_a_published_ingest()
    held = (
        "import sys\nfrom pipeline.artifacts import Identity, Store\n"
        f"draft = Store('store').draft(Identity('ingest', {{}}), 'posts')\n"
        f"draft.path = Store('store').root / {ref!r}\ndraft.work = draft.path / 'work'\n"
        "with draft:\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        second = subprocess.run(
            [PREP, "ingest", "posts.csv", "--text-column", "body"], capture_output=True, text=True, check=False
        )
        other.communicate()
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == f"Error: {ref} is being written by another prep. Wait for it to end, then run this again.\n"
    assert ingest()[0][0].startswith(ref)


def ref_of_a_published_ingest():
    """Return the ref that the ingest of `posts.csv` has, without leaving it in the store."""
    ingest("--store", "elsewhere")
    return Store("elsewhere").newest("ingest").ref
