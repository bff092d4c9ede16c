"""Compiled functions: under which name they are kept, and what it takes to load one."""

import subprocess
import sys
from pathlib import Path

import pytest

from filters.kernels import compiled

TREE = ("filters/one.py", "filters/two.py", "filters/big/__init__.py", "filters/big/deep/part.py", "filters/kernels/shared.py")


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1", encoding="utf-8")
    monkeypatch.setattr(compiled, "SHARED", tmp_path / "filters" / "kernels")
    return tmp_path


@pytest.mark.parametrize(
    ("own", "edited", "changes"),
    [
        ("filters/one.py", "filters/one.py", True),
        ("filters/one.py", "filters/kernels/shared.py", True),
        ("filters/one.py", "filters/two.py", False),
        ("filters/big/__init__.py", "filters/big/deep/part.py", True),
        ("filters/big/__init__.py", "filters/kernels/shared.py", True),
        ("filters/big/__init__.py", "filters/one.py", False),
    ],
)
def test_machine_code_is_made_anew_when_a_source_of_it_changes(house: Path, own, edited, changes):
    compiled._digest.cache_clear()
    before = compiled.sources(house / own)
    (house / edited).write_text("2", encoding="utf-8")
    compiled._digest.cache_clear()
    assert (compiled.sources(house / own) != before) == changes


def test_the_name_of_a_kernel_holds_the_hash_of_its_sources():
    from filters.kernels.words import count_words

    assert count_words.py_func.__qualname__ == f"count_words_{compiled.sources(Path(compiled.__file__).parent / 'words.py')}"


SUM = """
import numpy as np
from filters.kernels import kernel

@kernel
def add_up(values):
    sums = np.zeros(1, dtype=np.int64)
    for value in values:
        sums[0] += value
    return sums
"""
CALL = """
import sys
from total import add_up
import numpy as np
told = add_up(np.arange(4)).tolist(), sum(add_up.stats.cache_hits.values()), "numba.cpython.setobj" in sys.modules
print(*told)
"""


def test_a_kernel_is_compiled_once_and_then_loaded_without_what_compiling_takes(tmp_path):
    (tmp_path / "total.py").write_text(SUM, encoding="utf-8")

    def said():
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{CALL}"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert [said(), said()] == ["[6] 0 True\n", "[6] 1 False\n"]
