import time

import pytest

from pipeline.documents import Rejection, Rows
from pipeline.readers.html import html
from pipeline.readers.html.blocks import blocks_of, parse
from pipeline.readers.html.main_text import lay_out, main_text
from pipeline.readers.html.names import kind_of
from pipeline.readers.html.tags import NAMES
from pipeline.sources import Source

SENTENCE = "The bakery in the old town has sold bread, rolls and cakes to its neighbours for a hundred years. "
NEWS = "<script></script>" * 20  # a page of many scripts


def read(tmp_path, page, **settings):
    path = tmp_path / "page.html"
    path.write_bytes(page.encode())
    (got,) = html(Source("page.html", str(path)), **{"engine": "auto"} | settings)
    return got


def blocks(markup, **settings):
    return [(block.tag, block.text) for block in blocks_of(parse(markup), **settings)[0]]


def test_navigation_teasers_and_comments_are_left_out(tmp_path):
    page = f"""{NEWS}<nav>Home</nav><div class=teasers><ul>{"<li><a href=x>Another story of the day</a>" * 20}</ul></div>
    <div id=story><p>{SENTENCE * 2}</p><p>{SENTENCE * 3}</p></div><div class=comments><p>{SENTENCE}</p></div>"""
    (text,) = read(tmp_path, page).table["text"].to_pylist()
    assert text == f"{SENTENCE * 2}".strip() + "\n\n" + f"{SENTENCE * 3}".strip()


@pytest.mark.parametrize("scripts", ["", NEWS])
def test_a_short_plain_list_within_the_text_stays(scripts):
    page = f"{scripts}<p>{SENTENCE}</p><ul><li>flour<li>salt</ul><p>{SENTENCE}</p>"
    assert "\n\n- flour\n- salt\n\n" in main_text(page).text


def test_a_list_that_ends_the_text_stays():
    assert main_text(f"{NEWS}<p>{SENTENCE * 3}</p><p>{SENTENCE * 3}</p><ul><li>flour<li>salt</ul>").text.endswith(
        "\n\n- flour\n- salt"
    )


def test_code_keeps_its_lines_and_indents():
    page = f"<p>{SENTENCE}</p><pre><code>def f():\n    <span>return</span> 1\n</code></pre><p>{SENTENCE}</p>"
    assert "\n\ndef f():\n    return 1\n\n" in main_text(page).text


def test_the_comments_of_highlighted_code_stay():
    page = f"<p>{SENTENCE}</p><pre>x = 1  <span class=comment># one</span></pre><p>{SENTENCE}</p>"
    assert "x = 1  # one" in main_text(page).text


CONTENTS = "".join(f"<li><a href=x>Chapter {number}: of bread and its bakers</a></li>" for number in range(1, 30))


@pytest.mark.parametrize("page", [f"<ul>{CONTENTS}</ul>", f"<div class=toc><p>Contents</p><ul>{CONTENTS}</ul></div>"])
def test_a_page_that_only_lists_links_keeps_them(page):
    text = main_text(f"<h1>A book of bread</h1>{page}<div class=footer>All rights reserved.</div>").text
    assert text.startswith("A book of bread\n\n")
    assert text.endswith("- Chapter 28: of bread and its bakers\n- Chapter 29: of bread and its bakers")


def test_a_table_of_contents_beside_an_article_is_left_out():
    page = f"<h1>Bread</h1><div class=toc><ul>{CONTENTS}</ul></div>" + f"<p>{SENTENCE * 3}</p>" * 9
    assert "Chapter" not in main_text(page).text


def test_the_id_of_a_section_is_its_title_and_not_heard():
    page = f"<p>{SENTENCE}</p><section id=subscriptions><h2>Subscriptions</h2><p>{SENTENCE}</p></section><p>{SENTENCE}</p>"
    assert "Subscriptions" in main_text(page).text


def test_links_in_a_row_amid_a_manuals_text_stay():
    page = f"<h1>READ</h1><p>{SENTENCE}</p><dl><dt>See also:</dt><dd><a href=x>WRITE</a></dd></dl><p>{SENTENCE}</p>"
    assert "WRITE" in main_text(page).text


def test_the_rows_of_a_table_are_lines():
    page = f"<p>{SENTENCE}</p><table><tr><th>Bread<th>Price<tr><td>Rye<td>3</table><p>{SENTENCE}</p>"
    assert "\n\nBread | Price\nRye | 3\n\n" in main_text(page).text


def test_line_breaks_of_the_source_are_spaces_and_br_is_a_line_break():
    assert main_text("<p>Bread\nis<br>baked.").text == "Bread is\nbaked."


def test_a_furniture_class_around_the_whole_page_is_not_believed():
    assert main_text(f"<form class=modal><p>{SENTENCE * 5}</p></form>").text == (SENTENCE * 5).strip()


def test_an_element_that_is_hidden_is_left_out():
    page = f"<p>{SENTENCE * 9}</p><p style='display: none'>{SENTENCE}</p><p hidden>{SENTENCE}</p>"
    assert main_text(page).text == (SENTENCE * 9).strip()


def test_a_page_of_short_pieces_keeps_them():
    page = "<main><h1>Constants</h1>" + "<h3>READ</h3><div>Opened to read.</div>" * 3 + "</main>"
    assert main_text(page).text.count("Opened to read.") == 3


def test_a_page_whose_text_is_scattered_is_unsure():
    page = NEWS + f"<div><div><p>{SENTENCE}</p></div>{'<a href=x>Another story of the day</a>' * 30}</div>" * 12
    assert main_text(page).unsure


def test_an_unsure_page_is_left_to_trafilatura(tmp_path):
    page = NEWS + f"<div><div><p>{SENTENCE}</p></div>{'<a href=x>Another story of the day</a>' * 30}</div>" * 12
    assert isinstance(read(tmp_path, page), Rows)


def test_blocks_end_where_block_elements_do():
    assert blocks("<div>One <b>two</b><p>three</p>four</div>") == [("div", "One two"), ("p", "three"), ("div", "four")]


def test_what_is_stepped_over_parts_no_word():
    assert blocks("<p>bre<script>1</script>ad</p>") == [("p", "bread")]


def test_text_after_furniture_is_read():
    assert blocks("<div>One<nav>Home</nav>two</div>") == [("div", "One"), ("div", "two")]


def test_the_second_walk_looks_into_furniture():
    assert blocks("<nav>Home</nav>", strict=False) == [("nav", "Home")]


def test_the_characters_in_links_are_counted():
    ((block,), _) = blocks_of(parse("<p>See <a href=x>here</a></p>"))
    assert (block.linked, block.first) == (4, False)


def test_spans_hold_the_blocks_of_their_elements():
    _, spans = blocks_of(parse("<div><p>One</p><ul><li>Two</ul></div>"))
    named = [(NAMES[tag], start, end) for start, end, _, tag in spans[:4].tolist()]
    assert named == [("p", 0, 1), ("li", 1, 2), ("ul", 1, 2), ("div", 0, 2)]


def test_an_item_that_begins_with_a_paragraph_has_its_mark():
    assert lay_out(blocks_of(parse("<ul><li><p>One</p><li><p>Two</p></ul>"))[0]) == "- One\n- Two"


def test_nothing_is_laid_out_as_nothing():
    assert lay_out(blocks_of(parse(""))[0]) == ""
    assert lay_out(blocks_of(parse("<p>One"))[0]) == "One"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sidebar", -1),
        ("post-meta", -1),
        ("commentList", -1),
        ("comment-list", -1),
        ("has-sidebar", 0),
        ("tag-cookies", 0),
        ("label-hidden", 0),
        ("article-body with-share share", 1),
        ("storyBody", 1),
        ("x " * 300, 0),
    ],
)
def test_names_are_told_apart(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize("nested", ["<div>", "<ul><li>a", "<div>a</div><div>", "<b>", "<pre>"])
def test_a_page_nested_too_deep_is_rejected_at_once(tmp_path, nested):
    got = read(tmp_path, nested * 100_000 + "Hi")
    assert isinstance(got, Rejection)
    assert "nested more than 2000 deep" in got.error


@pytest.mark.parametrize(
    "page",
    [
        "<a href=x>" * 50_000 + "Hi",
        "<p>" + "a" * 10_000_000,
        "<p>" + "a <br>" * 200_000,
        "<table>" + "<tr><td>1" * 100_000,
        "<p class='" + "article-" * 200_000 + "'>Hi",
        "<" * 1_000_000,
        "<link " * 200_000,
        "<!--" * 200_000 + "Hi",
        "<li>a" * 300_000,
        "<li>a &amp; b" * 200_000,
        "".join(f"<p class='post {number} wide'>a" for number in range(200_000)),
        "<div>" * 1990 + "</x>" * 500_000,
        "<p>\0" * 500_000,
    ],
)
def test_a_hostile_page_takes_seconds_at_most(tmp_path, page):
    start = time.process_time()
    read(tmp_path, page)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "page", ["", " ", "\0", "<", "<!-- -->", "<p>\0</p>", '<?xml version="1.0" encoding="utf-8"?><p>Hi', "\ud7ff", "😀", "שלום"]
)
def test_odd_pages_give_rows_or_a_reason(tmp_path, page):
    assert isinstance(read(tmp_path, page), Rows | Rejection)


def test_the_caption_of_a_manuals_table_stays():
    page = f"<p>{SENTENCE}</p><div class=caption>Breads that use rye</div><div>Rye loaf</div><p>{SENTENCE}</p>"
    assert "\n\nBreads that use rye\n\n" in main_text(page).text


def test_the_caption_of_a_picture_amid_an_article_is_left_out():
    page = f"{NEWS}<p>{SENTENCE * 3}</p><div class=caption>{SENTENCE}At night.</div><p>{SENTENCE * 3}</p>"
    assert "At night." not in main_text(page).text
