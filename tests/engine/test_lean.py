"""Libraries that import others unasked do not, and nobody notices."""

import subprocess
import sys

BEGIN = """
import sys
import numpy as np, pyarrow as pa
from pipeline.engine.lean import lean
lean(); lean()
"""


def said(code):
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True)
    return done.stdout.split() + done.stderr.split()


def test_an_array_and_a_compiled_function_import_none_of_them():
    code = "from filters.kernels import kernel\npa.array(np.arange(2)); from pipeline.tokens.orders import draws; draws(2, 1)\n"
    assert said(code + "print({'pandas', 'awkward', 'cffi', 'yaml'} & set(sys.modules))") == ["set()"]


def test_pyarrow_knows_a_series_as_soon_as_somebody_imports_pandas():
    code = "pa.array(np.arange(2))\nimport pandas as pd\nprint(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    assert said(code) == ["1"]


def test_pandas_that_was_there_already_stays():
    code = "print(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    whole = "import pandas as pd\n" + BEGIN + code
    assert subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True).stdout == "1\n"


def test_nothing_stays_hidden():
    assert said("import awkward, cffi, pandas, yaml; print(awkward.__name__, cffi.__name__)") == ["awkward", "cffi"]


def run_on_a_note(tmp_path, code):
    """Run a recipe on one short text, then more code; return the last line that it prints."""
    (tmp_path / "a.jsonl").write_text('{"text": "A note."}\n')
    steps = "[unicode, slop, {word_count: {min: 1}}, exact_duplicates, near_duplicates]"
    settings = "tokenize: {train_tokenizer: true, vocab_size: 300, validation: 0}"
    (tmp_path / "r.yaml").write_text(f"ingest: {{sources: [{tmp_path}/a.jsonl]}}\nclean: {steps}\n{settings}\n")
    run = f"""
import sys
from pipeline.cli import main
main(["run", "{tmp_path}/r.yaml", "-q", "--json", "--store", "{tmp_path}/store"], standalone_mode=False)
"""
    done = subprocess.run([sys.executable, "-c", run + code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_a_run_on_plain_texts_imports_no_library_that_these_have_no_use_for(tmp_path):
    code = """
import multiprocessing.forkserver
libraries = {"ftfy", "polars", "jinja2", "transformers", "torch", "pandas", "cffi", "pipeline.stages.train"}
print("imported:", *(libraries & set(sys.modules)), multiprocessing.forkserver._forkserver._forkserver_pid)
"""
    assert run_on_a_note(tmp_path, code) == "imported: None"


def test_a_run_loads_no_kernel_for_two_kinds_of_the_same_array(tmp_path):
    code = """
modules = [module for name, module in sys.modules.items() if name.startswith(("filters", "pipeline"))]
found = {name: value for module in modules for name, value in vars(module).items() if hasattr(value, "nopython_signatures")}
print("loaded twice:", *(name for name, kernel in found.items() if len(kernel.signatures) > 1))
"""
    assert run_on_a_note(tmp_path, code) == "loaded twice:"
