"""Pages of any markup, also cut anywhere, keep the compiled walk within its arrays.

Compiled, it does not look whether it does: a step too far would read or write what lies there. So it runs as plain Python here,
in a process of its own, where numpy raises IndexError.
"""

import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers.html.blocks import TooDeepError, blocks_of, parse
from pipeline.readers.html.tags import NAMES

RAW = ["<!--", "-->", "<![CDATA[", "]]>", "<!", "<?", "</", "<", ">", "/>", "<br>", "</p", "&nbsp;", "&#160;", "&", "text"]
ATTRIBUTES = [" class=", " id=x", " hidden", " id", " role=''", " style='display:none'", ' class="nav"', "'", '"', " ", "="]
ODD = ["\0", "\n", "\r", "\xa0", "\u3000", "\u2003", "é", "中", "😀", "\ud800"]
TAGS = [f"{open_}{name}{close}" for open_ in ("<", "</") for name in NAMES for close in (">", "")]
TOKENS = st.one_of(*(st.sampled_from(some) for some in (TAGS, ["<pre>", "<p>", "<a>", "<li>", "<td>"], RAW, ATTRIBUTES, ODD)))
SOUPS = st.lists(TOKENS, max_size=60).map("".join)


@settings(max_examples=400, deadline=None, database=None)
@given(SOUPS, st.integers(0, 12))
def read(soup, cut):
    page = parse(soup[: len(soup) - cut])
    for strict in (True, False):
        blocks, spans = blocks_of(page, strict)
        assert all(0 <= start < end <= len(blocks) for start, end, _, _ in spans.tolist())


def read_deep():
    for nested in ("<div>", "<div>a", "<b>", "<pre>", "<ul><li>a", "<nav>"):
        try:
            blocks_of(parse(nested * 2100))
        except TooDeepError:
            continue
        raise AssertionError(nested)


def read_ends():
    """Read pages that end within each tag, where the walk has nothing behind it to look at."""
    for tag in TAGS:
        for page in (tag, f"<pre>a{tag}", f"<p>a{tag} class=x", f"<{tag}", f"{tag}</"):
            blocks_of(parse(page))


def run(function):
    env = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    call = [sys.executable, "-W", "ignore", __file__, function]  # hashes overflow, as they should, and numpy warns
    done = subprocess.run(call, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_markup_leads_the_walk_outside_of_its_arrays():
    run("read")


def test_no_depth_leads_the_walk_outside_of_its_arrays():
    run("read_deep")


def test_no_end_of_a_page_leads_the_walk_outside_of_its_arrays():
    run("read_ends")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
