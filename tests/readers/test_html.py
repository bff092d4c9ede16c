import gzip

import pytest

from pipeline.documents import Rejection, Rows
from pipeline.errors import RecipeError
from pipeline.readers.html import decode, html, sniff
from pipeline.sources import Source

PAGE = b"""<!doctype html><html><head><title>Bread
 and butter</title></head><body><nav>Home</nav><p>Bread is baked.</p><footer>Imprint</footer></body></html>"""
MHTML = b"""From: <Saved by a browser>\r
Snapshot-Content-Location: https://a.example/\r
MIME-Version: 1.0\r
Content-Type: multipart/related; type="text/html"; boundary="=_x"\r
\r
--=_x\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
Content-Location: https://a.example/bread\r
\r
<title>Bread</title><p>Br=F8d =3D=\r
 bread.</p>\r
--=_x--\r
"""
ENGINES = ["auto", "resiliparse", "soup"]


def read(tmp_path, page, name="page.html", **settings):
    path = tmp_path / name
    path.write_bytes(page)
    (got,) = html(Source(name, str(path)), **settings)
    return got


def written(tmp_path, page, **settings):
    return text(read(tmp_path, page.encode(), markdown=True, **settings))


def text(got):
    assert isinstance(got, Rows)
    return got.table["text"][0].as_py()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_main_content_is_taken_and_navigation_left_out(tmp_path, engine):
    assert text(read(tmp_path, PAGE, engine=engine)) == "Bread is baked."


@pytest.mark.parametrize("engine", ENGINES)
def test_the_title_is_one_line(tmp_path, engine):
    assert read(tmp_path, PAGE, engine=engine).table["title"].to_pylist() == ["Bread and butter"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_without_a_title_has_none(tmp_path, engine):
    assert read(tmp_path, b"<p>Hi", engine=engine).table["title"].to_pylist() == [None]


def test_the_id_of_a_page_is_its_sources_name(tmp_path):
    assert list(read(tmp_path, PAGE).places) == [""]


@pytest.mark.parametrize("engine", ["auto", "resiliparse", "trafilatura"])
def test_without_main_content_all_text_is_taken(tmp_path, engine):
    assert text(read(tmp_path, PAGE, engine=engine, main_content=False)).split() == ["Home", "Bread", "is", "baked.", "Imprint"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_without_text_is_rejected_with_its_bytes(tmp_path, engine):
    page = b"<html><title>T</title><body><script>1</script></body></html>"
    assert read(tmp_path, page, engine=engine) == Rejection("", "the page has no text", page)


@pytest.mark.parametrize("engine", ["auto", "resiliparse"])
def test_a_page_of_navigation_only_is_rejected_with_what_to_set(tmp_path, engine):
    got = read(tmp_path, b"<body><nav><ul><li><a href=x>Next</a></ul></nav>", engine=engine)
    assert isinstance(got, Rejection)
    assert "main_content: false" in got.error


def test_an_empty_file_is_rejected(tmp_path):
    assert read(tmp_path, b"") == Rejection("", "the page has no text", b"")


def test_soup_keeps_only_what_is_selected_and_no_element_twice(tmp_path):
    page = b"<div class=a>One<div class=a>Two</div></div><div>Three</div>"
    assert text(read(tmp_path, page, engine="soup", keep=[".a"])) == "One\nTwo"


def test_soup_keeps_elements_that_look_alike(tmp_path):
    page = b"<div class=a>One</div><div><div class=a>One</div></div>"
    assert text(read(tmp_path, page, engine="soup", keep=[".a"])) == "One\nOne"


def test_soup_drops_what_is_selected(tmp_path):
    assert text(read(tmp_path, b"<p>One<p class=ad>Two", engine="soup", drop=[".ad"])) == "One"


@pytest.mark.parametrize(
    ("page", "ending"),
    [
        ("<p>été".encode("utf-16"), "été"),
        ("\ufeff<p>été".encode(), "été"),
        ('<meta charset="shift_jis"><p>日本語'.encode("shift_jis"), "日本語"),
        ('<?xml version="1.0" encoding="iso-8859-2"?><html><p>Łódź'.encode("iso-8859-2"), "Łódź"),
        ("<p>Съешь же ещё этих мягких французских булок".encode("cp1251"), "французских булок"),
        (b"<p>" + b"a" * 200_000 + "é".encode() + b"a" * 200_000, "aéa" + "a" * 199_999),
        (b"<meta charset=utf-16><p>caf\xc3\xa9", "café"),
        (b"<meta charset=nonsense><p>caf\xc3\xa9", "café"),
        (b"<meta charset=utf-8><p>caf\xc3\xa9 \xe9", "café \ufffd"),
    ],
)
def test_a_page_is_decoded_by_mark_declaration_or_its_bytes(page, ending):
    assert decode(page).endswith(ending)


@pytest.mark.parametrize("nested", [b"<div>", b"<ul><li>a", b"<div>a</div><div>"])
def test_a_page_nested_too_deep_is_rejected_at_once(tmp_path, nested):
    got = read(tmp_path, nested * 100_000 + b"Hi")
    assert isinstance(got, Rejection)
    assert "nested more than 2000 deep" in got.error


def test_a_long_page_is_not_taken_for_a_deep_one(tmp_path):
    assert text(read(tmp_path, b"<div><p>Bread is <b>baked</b>.</p></div>" * 5000)).count("baked") == 5000


def test_trafilatura_takes_the_main_content_and_the_title(tmp_path):
    sentence = b"Bread is baked in the old town by its bakers. " * 10
    page = (
        b"<html><head><title>Bread\n</title></head><body><nav><a href=x>Home</a></nav><article><p>"
        + sentence
        + b"</p></article>"
    )
    got = read(tmp_path, page, engine="trafilatura")
    assert text(got) == sentence.decode().strip()
    assert got.table["title"].to_pylist() == ["Bread"]


def test_a_page_without_text_is_rejected_by_trafilatura(tmp_path):
    page = b"<html><title>T</title><body><script>1</script></body></html>"
    assert read(tmp_path, page, engine="trafilatura") == Rejection("", "the page has no text", page)


def test_a_page_nested_too_deep_is_not_given_to_trafilatura(tmp_path):
    assert isinstance(read(tmp_path, b"<div>" * 100_000 + b"Hi", engine="trafilatura"), Rejection)


def test_what_a_page_declares_is_in_columns(tmp_path):
    page = b"""<html lang="en-GB"><head><link href="https://a.example/?b=1&amp;c=2" rel="alternate canonical">
    <meta property='article:published_time' content='2024-05-01T10:00:00Z'></head><p>Bread is baked."""
    got = read(tmp_path, page).table.select(["url", "date", "language"]).to_pylist()
    assert got == [{"url": "https://a.example/?b=1&c=2", "date": "2024-05-01T10:00:00Z", "language": "en-GB"}]


def test_the_address_may_be_declared_to_social_networks(tmp_path):
    page = b'<meta content="https://a.example/" property="og:url"><p>Bread is baked.'
    assert read(tmp_path, page).table["url"].to_pylist() == ["https://a.example/"]


def test_what_a_page_does_not_declare_is_null(tmp_path):
    got = read(tmp_path, b"<p>Bread is baked.").table.select(["url", "date", "language"]).to_pylist()
    assert got == [{"url": None, "date": None, "language": None}]


def test_what_the_body_says_is_no_declaration(tmp_path):
    page = b"<head><title>T</title></head><body><p>Bread is baked.<link rel=canonical href=x>"
    assert read(tmp_path, page).table["url"].to_pylist() == [None]


def test_a_packed_page_is_unpacked(tmp_path):
    assert text(read(tmp_path, gzip.compress(PAGE), "page.html.gz")) == "Bread is baked."


def test_a_packed_page_that_is_cut_is_rejected(tmp_path):
    got = read(tmp_path, gzip.compress(PAGE)[:-12], "page.html.gz")
    assert isinstance(got, Rejection)
    assert got.error.startswith("the page cannot be read to its end")


def test_a_page_is_told_by_its_first_element():
    assert sniff(b'\xef\xbb\xbf<?xml version="1.0"?>\n<html>')
    assert not sniff(b"# <html>")


@pytest.mark.parametrize("name", ["page.mht", "page"])
def test_a_page_that_a_browser_saved_is_read_with_its_address(tmp_path, name):
    got = read(tmp_path, MHTML, name)
    assert got.table.select(["text", "title", "url"]).to_pylist() == [
        {"text": "Brød = bread.", "title": "Bread", "url": "https://a.example/bread"}
    ]


def test_a_saved_page_is_told_by_its_header():
    assert sniff(MHTML)
    assert not sniff(b"Subject: Hello\r\n\r\nContent-Type: multipart/related")


def test_a_saved_page_that_is_cut_is_rejected(tmp_path):
    page = MHTML[: MHTML.index(b"</p>")]
    got = read(tmp_path, page, "page.mht")
    assert (got.error, got.raw) == ("the page cannot be read to its end (the MHTML file is cut)", page)


def test_saved_parts_without_a_page_are_rejected(tmp_path):
    page = MHTML.replace(b"text/html", b"text/css")
    assert read(tmp_path, page, "page.mht").error == "no web page among the parts of this MHTML file"


def test_the_charset_of_a_header_goes_before_that_of_the_page():
    assert decode(b"<meta charset=utf-8>caf\xe9", "iso-8859-1").endswith("café")


def test_a_charset_that_is_none_is_not_heard():
    assert decode("<meta charset=utf-8>café".encode(), "x-nonsense").endswith("café")


def test_latin1_is_read_as_windows_1252_as_in_browsers():
    assert decode(b"<meta charset=iso-8859-1>\x93Hi\x94").endswith("“Hi”")


def test_headings_lists_quotes_and_code_are_written_as_markdown(tmp_path):
    page = """<h2>Bread</h2><p>Bread is baked.</p><ol><li>flour<ul><li>rye</li></ul></li><li>salt</li></ol>
    <blockquote><p>Eat it.</p><p>Now.</p></blockquote><pre><code class="language-python">bake(\n  1)</code></pre>"""
    want = "## Bread\n\nBread is baked.\n\n1. flour\n   - rye\n2. salt\n\n> Eat it.\n>\n> Now.\n\n```python\nbake(\n  1)\n```"
    assert written(tmp_path, page) == want


def test_a_table_is_written_with_bars_and_empty_cells_stay(tmp_path):
    page = "<p>Bread is baked.</p><table><tr><th>Kind<th>Price<tr><td><td>1|2</table><p>It is.</p>"
    assert "\n\n| Kind | Price |\n| --- | --- |\n|  | 1\\|2 |\n\n" in written(tmp_path, page)


def test_text_that_looks_like_markdown_is_marked_as_text(tmp_path):
    assert written(tmp_path, "<p># 1<br>2. x<br>- y") == "\\# 1  \n2\\. x  \n\\- y"


def test_code_that_holds_a_fence_gets_a_longer_one(tmp_path):
    assert written(tmp_path, "<p>Bread is baked.</p><pre>```</pre>").endswith("\n\n````\n```\n````")


def test_a_second_paragraph_of_an_item_is_indented(tmp_path):
    assert written(tmp_path, "<p>Bread is baked.</p><ul><li><p>One</p><p>two</p></li></ul>").endswith("- One\n\n  two")


def test_trafilatura_writes_markdown_too(tmp_path):
    sentences = [f"Bread number {number} is baked in the old town by its bakers, whom all know. " for number in range(5)]
    parts = [f"<h2>Part {number}</h2><p>{sentence * 6}</p>" for number, sentence in enumerate(sentences)]
    got = written(tmp_path, f"<html><body><main><h1>Bread</h1>{''.join(parts)}</main></body></html>", engine="trafilatura")
    assert got.startswith("# Bread\n\n## Part 0\n\nBread number 0")


@pytest.mark.parametrize("settings", [{"engine": "resiliparse"}, {"engine": "soup"}, {"main_content": False}])
def test_who_cannot_write_markdown_says_who_can(tmp_path, settings):
    with pytest.raises(RecipeError, match="markdown: true is for the engines auto and trafilatura"):
        read(tmp_path, PAGE, markdown=True, **settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_of_millions_of_tags_is_rejected_at_once(tmp_path, engine):
    got = read(tmp_path, b"<a>" * 1_000_001, engine=engine)
    assert got.error == "the page has more than 1,000,000 tags"
