"""PII: kinds side by side, where spans lie, and how long it takes."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters import kernels
from filters.pii import candidates, pii


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "jo@example.com"),
        ("ip", "163.36.107.25"),
        ("phone", "tel. 030/12345678"),
        ("card", "4111111111111111"),
        ("iban", "NO9386011117947"),
        ("key", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_a_kind_that_is_not_asked_for_is_not_found(found_in, kind, text):
    others = {"email", "ip", "phone", "card", "iban", "key"} - {kind}
    assert len(found_in(text, kinds=[kind])) == 1
    assert found_in(text, kinds=sorted(others)) == []


def test_of_spans_that_overlap_the_more_telling_stays(found_in):
    assert found_in("email@123.123.123.123") == [(0, "email@123.123.123.123", "email")]
    key = "-----BEGIN PRIVATE KEY-----\n{}\njo@example.com\n\n-----END PRIVATE KEY-----"
    assert [label for *_, label in found_in(key.format("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj" * 2))] == ["private_key"]


def test_spans_of_a_slice_are_of_the_slice():
    texts = pa.array(["jo@example.com", "é jo@example.com"], pa.large_string())[1:]
    found = pii(texts)
    assert (found.text.tolist(), found.start.tolist(), found.end.tolist()) == ([0], [3], [17])


def test_an_address_does_not_reach_from_one_text_into_the_next(found_in):
    assert found_in("jo", "@example.com", "jo@example", ".com", "4111 1111", " 1111 1111") == []


PIECES = [
    "email@subdomain.example.com",
    "почта@пример.рф",
    "163.36.107.25",
    "2a00:1450:4001:81b::200e",
    "4111111111111111",
    "4111 1111 1111 1111",
    "GB82 WEST 1234 5698 7654 32",
    "AKIAIOSFODNN7EXAMPLE",
    f"hf_{'Ab3dEf6hIj9lMn2pQr5tUv8xYz1BcD4eFg'}",
    f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA'}\n-----END PRIVATE KEY-----",
    "+49 89 4366 5522",
    "(415) 555-1212",
    "tel. ",
    "@",
    "a@",
    "+",
    "(",
    "-",
    ".",
    " ",
]
PIECES += [
    "1",
    "0",
    "12",
    "::",
    "2001:",
    "\n",
    "\0",
    "é",
    "数",
    "🎉",
    "\u202e",
    "-----BEGIN ",
    "eyJ",
    "sk-",
    "DE",
    "é@",
    "xn--",
    "[",
    "/",
]
BYTES = st.lists(st.sampled_from([piece.encode() for piece in PIECES] + [b"\xff", b"\xc2", b"\xa0"]), max_size=12).map(b"".join)


@settings(max_examples=150)
@given(st.lists(BYTES | st.binary(max_size=40), max_size=4), st.integers(0, 2))
@example([b"", b"\xff@\xff.com", b"a@\xc3.com"], 1)
@example([b"jo@example.com" * 300], 0)
def test_spans_lie_in_their_texts_in_order_and_apart(raw, skip):
    texts = pa.array(raw, pa.large_binary()).view(pa.large_string())[skip:]
    found = pii(texts)
    sizes = np.array([len(text) for text in raw[skip:]], dtype=np.int64)
    assert (found.start >= 0).all()
    assert (found.start < found.end).all()
    assert (found.end <= sizes[found.text]).all()
    same = found.text[1:] == found.text[:-1]
    assert (np.diff(found.text) >= 0).all()
    assert (found.start[1:] >= found.end[:-1])[same].all()


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))
def test_a_text_is_looked_at_by_itself(found_in, text):
    alone = [(span, label) for _, span, label in found_in(text)]
    assert [(span, label) for row, span, label in found_in("jo@", text, ".com") if row == 1] == alone


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "a@",
        "1.",
        "1 ",
        "a.",
        "a@b.",
        "@a.",
        "+1",
        "(0",
        "sk-",
        "eyJ",
        "DE89",
        "1234 ",
        "2001:",
        "tel ",
        "0 1",
        "-----BEGIN ",
        "4111-",
    ],
)
def test_a_long_line_takes_time_in_proportion_to_its_length(piece):
    size = 10_000_000 if piece in ("1", "a@") else 1_000_000
    line = pa.array([piece * (size // len(piece))], pa.large_string())
    pii(line[:0])
    begin = time.process_time()
    pii(line)
    assert time.process_time() - begin < 20


def test_each_of_many_in_a_row_is_found(matched):
    for one in (
        "a@b.cc",
        "163.36.107.25",
        "+49 89 4366 5522",
        "415-555-1212",
        "(415) 555-1212",
        "4111111111111111",
        "NO9386011117947",
    ):
        assert matched(" ".join([one] * 100)) == [one] * 100


def test_more_candidates_than_were_reckoned_with_are_all_seen():
    texts = pa.array(["a@b.cc " * 5000], pa.large_string())
    assert len(candidates.candidates(*kernels.buffers(texts)).row) == 5000
    assert len(pii(texts).text) == 5000


@pytest.mark.parametrize("texts", [(), ("",), ("", "\0"), ("@",), ("+",), ("1",)])
def test_texts_without_any_are_answered_with_no_spans(found_in, texts):
    assert found_in(*texts) == []
