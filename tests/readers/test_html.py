import gzip

import pytest

from pipeline.documents import Rejection, Rows
from pipeline.readers.html import decode, html, sniff
from pipeline.sources import Source

PAGE = b"""<!doctype html><html><head><title>Bread
 and butter</title></head><body><nav>Home</nav><p>Bread is baked.</p><footer>Imprint</footer></body></html>"""
ENGINES = ["auto", "resiliparse", "soup"]


def read(tmp_path, page, name="page.html", **settings):
    path = tmp_path / name
    path.write_bytes(page)
    (got,) = html(Source(name, str(path)), **settings)
    return got


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
