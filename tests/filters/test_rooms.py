"""The rooms of the house: what a filter may import, since kept machine code is known by its own package and the kernels."""

import ast
from pathlib import Path

import pytest

import filters

ROOT = Path(filters.__file__).parent
SHARED = {"kinds", "kernels", "regexes", "piecewise"}


def rooms_used(file):
    """Yield the modules and packages right below `filters` that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "filters":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("filters."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_filter_imports_what_is_shared_and_no_other_filter(file):
    room = file.relative_to(ROOT).parts[0].removesuffix(".py")
    assert set(rooms_used(file)) <= ({"kernels"} if room == "kernels" else SHARED | {room})
