"""An export as a whole: what it refuses, what it leaves behind, and the command."""

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline import exporters
from pipeline.cli import main
from pipeline.errors import StoreError, UsageError
from pipeline.exporters import _folder, export, exporter, modules
from pipeline.listing import listing
from pipeline.recipe import fields_of


def prep(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_every_exporter_says_what_it_takes_and_does():
    assert {"axolotl", "hf", "jsonl", "llamafactory", "parquet", "trl"} <= set(modules())
    for name, module in modules().items():
        assert set(module.TAKES) <= {"ingest", "clean", "tokenize", "train"}
        assert exporter(name).__doc__
        assert all(default is not ... for _, default in fields_of(exporter(name)).values())


def test_an_exporter_is_one_file(tmp_path, monkeypatch, documents):
    (tmp_path / "ids.py").write_text(
        "from pipeline.exporters._folder import Export\n"
        "TAKES = ('ingest',)\n"
        "def ids(artifact, folder, splits, *, end: str = '!'):\n"
        "    '''Write a file.'''\n"
        "    (folder.path / 'ids').write_text(artifact.manifest.name + end)\n"
        "    return Export({'train': 1}, f'cat {folder.home}/ids')\n"
    )
    monkeypatch.setattr(exporters, "__path__", [*exporters.__path__, str(tmp_path)])
    modules.cache_clear()
    try:
        done = export(documents(["a"]), "ids", tmp_path / "out", settings={"end": "?"})
    finally:
        modules.cache_clear()
    assert (tmp_path / "out" / "ids").read_text() == "sample?"
    assert done.use == f"cat {tmp_path}/out/ids"


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        ("axolotle", {}, "no exporter 'axolotle'. Did you mean 'axolotl'?"),
        ("zzz", {}, "no exporter 'zzz'. There are: axolotl, hf, jsonl, llamafactory, parquet, trl."),
        ("jsonl", {"validatoin": 0.1}, "jsonl: no setting 'validatoin'. Did you mean 'validation'?"),
        ("jsonl", {"validation": 1.5}, "jsonl: validation: input should be less than 1, not 1.5"),
    ],
)
def test_what_is_not_known_is_named(to, settings, message, documents, tmp_path):
    with pytest.raises(UsageError) as caught:
        export(documents(["a"]), to, tmp_path / "out", settings=settings)
    assert str(caught.value) == message


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_an_artifact_of_a_stage_that_it_cannot_take_is_named(to, tokens, tmp_path):
    made = tokens([[[([1, 2], [1, 2])]]])
    with pytest.raises(UsageError, match=f"{made.ref}: {to} takes ingest or clean artifacts. `prep list clean`"):
        export(made, to, tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(documents, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="out is not empty, and holds no equal export"):
        export(documents(["a"]), "jsonl", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_left_alone(documents, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="out is a file, and an export is a folder"):
        export(documents(["a"]), "jsonl", tmp_path / "out")


def test_an_empty_folder_is_filled(documents, tmp_path):
    (tmp_path / "out").mkdir()
    export(documents(["a"]), "jsonl", tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").exists()


def test_the_same_export_again_writes_nothing(documents, tmp_path):
    first = export(documents(["a"]), "jsonl", tmp_path / "out")
    written = (tmp_path / "out" / "train.jsonl").stat().st_mtime_ns
    again = export(documents(["a"]), "jsonl", tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").stat().st_mtime_ns == written
    assert again == first._replace(known=True)


@pytest.mark.parametrize("change", [{"settings": {"validation": 0.5}}, {"split": "train"}])
def test_another_export_of_the_same_artifact_is_not_written_over_it(change, documents, tmp_path):
    export(documents(["a"]), "jsonl", tmp_path / "out")
    with pytest.raises(UsageError, match="holds no equal export"):
        export(documents(["a"]), "jsonl", tmp_path / "out", **change)


def test_an_export_of_which_a_file_was_cut_is_no_equal_one(documents, tmp_path):
    export(documents(["a"]), "jsonl", tmp_path / "out")
    (tmp_path / "out" / "train.jsonl").write_text("")
    with pytest.raises(UsageError, match="holds no equal export"):
        export(documents(["a"]), "jsonl", tmp_path / "out")


@pytest.mark.parametrize("card", ["[1", "[]", '{"card": {}}'])
def test_a_folder_with_another_tools_card_is_left_alone(card, documents, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / _folder.CARD).write_text(card)
    with pytest.raises(UsageError, match="holds no equal export"):
        export(documents(["a"]), "jsonl", tmp_path / "out")


def test_a_disk_that_is_full_says_so_and_leaves_nothing(documents, tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "ENOSPC")

    monkeypatch.setattr(_folder, "_to_disk", full)
    with pytest.raises(StoreError, match=r"out: cannot write \(No space left on device\). Mend that, or name a folder"):
        export(documents(["a"]), "jsonl", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("to", ["jsonl", "parquet", "hf"])
def test_a_file_that_the_system_refuses_to_grow_says_so_and_leaves_nothing(to, documents, tmp_path):
    made = documents(["".join(chr(33 + (number * number + step) % 90) for number in range(9999)) for step in range(50)])
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from pipeline.cli import main; main(sys.argv[1:])"
    )
    arguments = ["export", made.ref, str(tmp_path / "out"), "--to", to, "--store", str(made.path.parent.parent)]
    done = subprocess.run([sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: {tmp_path}/out: cannot write (File too large). Mend that, or name a folder elsewhere; nothing was left there."
    ]
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_a_run_that_is_killed_leaves_no_folder_of_that_name(documents, tmp_path):
    made = documents(["a"])
    killed = (
        "import os, signal, sys; from pipeline.exporters import _folder;"
        f"_folder._to_disk = lambda path: os.kill(os.getpid(), {int(signal.SIGKILL)});"
        "from pipeline.cli import main; main(sys.argv[1:])"
    )
    arguments = ["export", made.ref, str(tmp_path / "out"), "--to", "jsonl", "--store", str(made.path.parent.parent)]
    done = subprocess.run([sys.executable, "-c", killed, *arguments], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert export(made, "jsonl", tmp_path / "out").rows == {"train": 1}


def test_the_command_says_what_it_wrote_and_how_to_use_it(documents, tmp_path):
    made = documents([f"text {number}" for number in range(40)])
    store, out = made.path.parent.parent, tmp_path / "out"
    arguments = ["export", "ingest/sample", out, "--to", "axolotl", "--set", "base_model=some/model", "--store", store]
    done = prep(*arguments, "--set", "validation=0.3")
    rows = {split: len((out / f"{split}.jsonl").read_text().splitlines()) for split in ("train", "validation")}
    assert done.output.splitlines() == [
        f"{made.ref}  as axolotl: {rows['train']} train, {rows['validation']} validation",
        f"  {out}",
        f"  accelerate launch -m axolotl.cli.train {out}/axolotl.yaml",
    ]
    again = prep(*arguments, "--set", "validation=0.3", "--json")
    assert json.loads(again.output) == {
        "ref": made.ref,
        "to": "axolotl",
        "folder": str(out),
        "rows": rows,
        "use": f"accelerate launch -m axolotl.cli.train {out}/axolotl.yaml",
        "known": True,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "validation"], "--set validation: write it as NAME=VALUE, like validation=0.1."),
        (["--set", "validation=[0"], "jsonl: validation: input should be a valid number, not '[0'"),
        (["--to", "josnl"], "no exporter 'josnl'. Did you mean 'jsonl'?"),
    ],
)
def test_a_wrong_flag_is_one_line(arguments, message, documents, tmp_path):
    made = documents(["a"])
    done = prep("export", made.ref, tmp_path / "out", "--to", "jsonl", "--store", made.path.parent.parent, *arguments)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == f"Error: {message}"


def test_exporters_are_listed_with_what_they_take_and_their_settings(tmp_path):
    columns, rows = listing("exporters", str(tmp_path))
    assert columns == ["exporter", "takes", "what it does", "settings"]
    assert ["jsonl", "ingest clean"] in [row[:2] for row in rows]
    assert all(len(row) == 4 and row[2] and row[3] for row in rows)
