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


def test_an_array_and_a_compiled_function_import_neither_pandas_nor_awkward():
    code = "from filters.kernels import kernel\npa.array(np.arange(2)); from pipeline.tokens.orders import draws; draws(2, 1)\n"
    assert said(code + "print({'pandas', 'awkward'} & set(sys.modules))") == ["set()"]


def test_pyarrow_knows_a_series_as_soon_as_somebody_imports_pandas():
    code = "pa.array(np.arange(2))\nimport pandas as pd\nprint(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    assert said(code) == ["1"]


def test_pandas_that_was_there_already_stays():
    code = "print(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    whole = "import pandas as pd\n" + BEGIN + code
    assert subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True).stdout == "1\n"


def test_nothing_stays_hidden():
    assert said("import awkward, pandas; print(awkward.__name__, pandas.__name__)") == ["awkward", "pandas"]
