"""Web archives: each stored page is a document, and what is none, or broken, says why."""

import gzip
import inspect
import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Rows
from pipeline.readers import format_of
from pipeline.readers.html import html
from pipeline.readers.warc import SCHEMA, records, responses, sniff, warc
from pipeline.sources import Source

HTML = "Content-Type: text/html"
MEMBERS = {
    "a.warc": b"".join,
    "a.warc.gz": lambda records: b"".join(gzip.compress(record, mtime=0) for record in records),
    "a.warc.zst": lambda records: pa.Codec("zstd").compress(b"".join(records), asbytes=True),
}


def record(number, block, kind="response", content_type="application/http; msgtype=response", **more):
    header = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Date": "2024-05-06T07:08:09Z",
        "WARC-Target-URI": f"https://bread.example/{number}",
        "Content-Type": content_type,
        "Content-Length": str(len(block)),
    } | {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in header.items() if value is not None)
    return f"WARC/1.0\r\n{lines}\r\n".encode() + block + b"\r\n\r\n"


def page(number, body, *header, status="200 OK"):
    head = "\r\n".join([f"HTTP/1.1 {status}", *(header or (HTML,))])
    return record(number, f"{head}\r\n\r\n".encode() + body)


def read(tmp_path, content, name="a.warc", **settings):
    """Return the documents (place, text) and the rejections (place, error, raw)."""
    path = tmp_path / name
    path.write_bytes(content)
    documents, rejected = [], []
    for found in warc(Source(name, str(path)), **settings):
        if isinstance(found, Rows):
            documents += zip(found.places, found.table["text"].to_pylist(), strict=True)
        else:
            rejected.append(found)
    return documents, rejected


def rows_of(tmp_path, content):
    (tmp_path / "a.warc").write_bytes(content)
    (found,) = warc(Source("a.warc", str(tmp_path / "a.warc")))
    return found.table.to_pylist()


PAGES = [page(number, f"<p>Bread {number} is baked.".encode()) for number in range(4)]
TEXTS = [(str(number), f"Bread {number} is baked.") for number in range(4)]


@pytest.mark.parametrize("name", MEMBERS)
def test_a_page_is_a_document_with_the_id_of_its_record(tmp_path, name):
    assert read(tmp_path, MEMBERS[name](PAGES), name) == (TEXTS, [])
    assert format_of(Source(name, str(tmp_path / name))) == "warc"


def test_a_page_has_its_records_url_date_status_and_content_type(tmp_path):
    (row,) = rows_of(tmp_path, page(1, b"<title>Bread</title><p>Hi"))
    expected = {
        "text": "Hi", "title": "Bread", "url": "https://bread.example/1", "date": "2024-05-06T07:08:09Z", "status": 200,
        "content_type": "text/html",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert list(row) == SCHEMA.names


def test_a_record_without_an_id_is_named_by_its_offset(tmp_path):
    content = PAGES[0] + record(9, page(9, b"").split(b"\r\n\r\n", 1)[1][:-4] + b"<p>Hi", WARC_Record_ID=None)
    assert read(tmp_path, content)[0][-1][0] == str(len(PAGES[0]))


def test_the_settings_are_those_of_the_reader_of_pages(tmp_path):
    settings = {name: it for name, it in inspect.signature(html).parameters.items() if it.kind is it.KEYWORD_ONLY}
    assert {name: inspect.signature(warc).parameters[name] for name in settings} == settings
    body = b"<div class=a>One</div><div>Two</div>"
    assert read(tmp_path, page(1, body), engine="soup", keep=[".a"])[0] == [("1", "One")]


def test_what_only_tells_of_the_crawl_is_no_document(tmp_path):
    about = [record(number, b"x", kind) for number, kind in enumerate(("warcinfo", "request", "metadata"))]
    assert read(tmp_path, b"".join([*about, PAGES[3]])) == ([TEXTS[3]], [])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (page(1, b"<p>Gone", status="404 Not Found"), "HTTP status 404"),
        (page(1, b"", "Location: /", status="301 Moved"), "HTTP status 301"),
        (page(1, b"\x89PNG", "Content-Type: image/png"), "image/png, no web page"),
        (page(1, b"Hi", "Server: x"), "of no type, no web page"),
        (record(1, b"", "revisit"), "a revisit: the page did not change, and is not stored again"),
        (record(1, b"<p>", "continuation"), "a continuation record holds no page of its own"),
        (record(1, b"10.0.0.1", "resource", "text/dns"), "text/dns, no web page"),
        (record(1, b"nonsense"), "no HTTP response"),
        (page(1, b"<p>"), "the page has no text"),
        (
            page(1, gzip.compress(b"<p>Hi" * 99, mtime=0)[:20] + bytes(99), HTML, "Content-Encoding: gzip"),
            "the HTTP body cannot be decoded",
        ),
    ],
)
def test_a_record_without_a_page_is_rejected_with_the_reason_and_the_rest_is_read(tmp_path, content, error):
    documents, rejected = read(tmp_path, PAGES[0] + content + PAGES[2])
    assert documents == [TEXTS[0], TEXTS[2]]
    assert [(found.place, found.error) for found in rejected] == [("1", error)]


def test_of_a_response_that_is_no_page_only_the_headers_are_kept(tmp_path):
    _, (rejected,) = read(tmp_path, page(1, bytes(1 << 20), "Content-Type: image/png"))
    assert rejected.raw.endswith(b"Content-Type: image/png\r\n\r\n")


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"5\r\n<p>Hi\r\n6\r\n there\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        (gzip.compress(b"<p>Hi there", mtime=0), "Content-Encoding: gzip"),
        (zlib.compress(b"<p>Hi there"), "Content-Encoding: deflate"),
        (b"<p>Hi there", "Content-Encoding: gzip"),  # unpacked by the crawler
        (b"<p>Hi there", "Transfer-Encoding: chunked"),
        (gzip.compress(b"<p>Hi there", mtime=0), "Transfer-Encoding: chunked\r\nContent-Encoding: gzip"),
    ],
)
def test_an_http_body_is_decoded_as_far_as_it_is_coded(tmp_path, body, header):
    assert read(tmp_path, page(1, body, HTML, header)) == ([("1", "Hi there")], [])


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("<p>Łódź jest".encode("iso-8859-2"), "iso-8859-2"),
        ("<p>Łódź jest".encode("utf-16-le"), '"UTF-16LE"'),
        ("<p>Łódź jest".encode(), "iso-8859-1"),  # it is UTF-8, whatever the server says
        ('<meta charset="iso-8859-2"><p>Łódź jest'.encode("iso-8859-2"), "utf-8"),
        ("<p>Łódź jest".encode(), "nonsense"),
    ],
)
def test_the_headers_charset_holds_where_the_page_has_none(tmp_path, body, charset):
    assert read(tmp_path, page(1, body, f"Content-Type: text/html; charset={charset}"))[0] == [("1", "Łódź jest")]


def test_a_page_that_was_stored_without_http_is_a_page(tmp_path):
    assert read(tmp_path, record(1, b"<p>Hi", "resource", "text/html"))[0] == [("1", "Hi")]


def test_the_text_of_a_page_that_another_tool_extracted_is_taken_as_it_is(tmp_path):
    content = record(1, "Łódź\nis a town\n".encode(), "conversion", "text/plain")
    assert read(tmp_path, content, "a.warc.wet") == ([("1", "Łódź\nis a town")], [])


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (PAGES[1].replace(b"Content-Length: ", b"Content-Length: 9"), "the record is cut"),
        (PAGES[1].replace(b"Content-Length: 6", b"Content-Length: "), "the record does not end where its header says"),
        (PAGES[1].replace(b"Content-Length: ", b"Content-Length: x"), "no record with a length begins here"),
        (PAGES[1].replace(b"WARC/1.0", b"WRAC/1.0"), "no record with a length begins here"),
        (b"junk\r\n" * 9, "no record with a length begins here"),
    ],
)
def test_a_broken_record_is_rejected_with_its_bytes_and_the_rest_is_read(tmp_path, broken, error):
    documents, (rejected,) = read(tmp_path, PAGES[0] + broken + PAGES[2] + PAGES[3])
    assert documents == [TEXTS[0], TEXTS[2], TEXTS[3]]
    assert rejected == (str(len(PAGES[0])), error, broken)


def test_a_record_that_is_cut_is_rejected(tmp_path):
    documents, (rejected,) = read(tmp_path, PAGES[0] + PAGES[1][:-9])
    assert (documents, rejected) == ([TEXTS[0]], (str(len(PAGES[0])), "the record is cut", PAGES[1][:-9]))


@pytest.mark.parametrize("at", [0, 3, 60, -6], ids=["magic", "flags", "middle", "checksum"])
def test_a_damaged_member_is_rejected_and_the_rest_is_read(tmp_path, at):
    members = [gzip.compress(member, mtime=0) for member in PAGES]
    damaged = bytearray(members[1])
    damaged[at] ^= 0xFF
    documents, (rejected,) = read(tmp_path, b"".join([members[0], bytes(damaged), *members[2:]]), "a.warc.gz")
    assert documents == [TEXTS[0], TEXTS[2], TEXTS[3]]
    assert rejected.place == str(len(members[0]))
    assert "the packing is damaged" in rejected.error


def test_of_a_packed_archive_that_is_cut_all_whole_records_are_read(tmp_path):
    documents, (rejected,) = read(tmp_path, MEMBERS["a.warc.gz"](PAGES)[:-20], "a.warc.gz")
    assert documents == TEXTS[:3]
    assert rejected.error == "the record is cut: the file ends within a packed record"


def test_an_archive_packed_as_one_piece_is_read_up_to_the_damage(tmp_path):
    documents, rejected = read(tmp_path, gzip.compress(b"".join(PAGES), mtime=0)[:-4], "a.warc.gz")
    assert documents == TEXTS[:3]
    assert [found.error for found in rejected] == ["the record is not sound: the file ends within a packed record"]


def test_a_body_that_unpacks_to_more_than_a_page_may_have_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(responses, "MOST_BLOCK", 1 << 20)
    _, (rejected,) = read(tmp_path, page(1, gzip.compress(bytes(2 << 20)), HTML, "Content-Encoding: gzip"))
    assert rejected.error == "unpacked, the page has more than 1 MiB"


def test_a_record_that_is_too_long_is_passed_over_and_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MOST_BLOCK", 1 << 16)
    monkeypatch.setattr(responses, "MOST_BLOCK", 1 << 16)
    documents, (rejected,) = read(tmp_path, page(1, bytes(1 << 20)) + PAGES[2])
    assert documents == [TEXTS[2]]
    assert rejected.error == "the record has more than 0 MiB"


@pytest.mark.parametrize("content", [b"", b"\r\n"])
def test_an_empty_archive_is_rejected(tmp_path, content):
    assert read(tmp_path, content) == ([], [("", "the file is empty", b"")])


@pytest.mark.parametrize("name", MEMBERS)
@given(data=st.data())
def test_whatever_is_damaged_records_before_and_behind_stay(tmp_path_factory, name, data):
    content = bytearray(MEMBERS[name](PAGES))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(at + 1, len(content)))
    documents, rejected = read(tmp_path_factory.mktemp("damage"), bytes(content[:cut]), name)
    assert len(documents) + len(rejected) >= (1 if documents or rejected else 0)
    if name == "a.warc.gz" and cut == len(content):
        assert len(documents) >= 3


def test_an_archive_is_told_by_its_first_record():
    assert sniff(PAGES[0])
    assert not sniff(b"WARCRAFT")
