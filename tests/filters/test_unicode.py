"""Unicode: held against ftfy over the whole text."""

import ftfy
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters import kernels
from filters.unicode import unicode
from filters.unicode.suspects import plain

PIECES = [
    "a",
    "é",
    "Ã",
    "©",
    "â",
    "€",
    "™",
    "œ",
    "<",
    "&",
    "&amp;",
    "&lt;",
    "\x00",
    "\x07",
    "\x1b[31m",
    "\ufeff",
    "ﬁ",
    "’",
    "Ａ",
]
PIECES += ["🎉", "\u0301", "\u200f", "\xa0", "\xad", "\ufffd", "\x80", "\n"]
BREAKS = ["\r", "\r\n", "\u2028", "\x85", "&#13;", "&#10;"]


FILLERS = ["x" * 70, "\n", "й" * 40, "a line of plain words\n", "<", "&eacute;", "&", "&#x41;", "&" + "a" * 25 + ";"]


def made_of(pieces):
    return st.lists(st.sampled_from(pieces), max_size=12).map("".join)


def mended(*texts, **settings):
    return unicode(pa.array(texts, pa.large_string()), **settings).to_pylist()


def by_ftfy(text, normalization="NFC", quotes=False):
    config = ftfy.TextFixerConfig(
        normalization=normalization, uncurl_quotes=quotes, fix_latin_ligatures=quotes, fix_character_width=quotes, explain=False
    )
    return ftfy.fix_text(text, config)


@given(st.lists(made_of(PIECES + BREAKS) | st.text(), max_size=4))
@example(["one\r\ntwo\r\n", "last\r", "<p>\n&amp;\n", "&amp;\n<p>\n&amp;", "&#xD800;Ã€\n©"])
def test_a_text_is_mended_as_ftfy_mends_the_whole_of_it(texts):
    assert mended(*texts) == [by_ftfy(text) for text in texts]


@given(st.lists(made_of(PIECES + BREAKS + FILLERS), max_size=4))
@example(["<\n" + "x" * 70 + "&amp;", "&amp;" * 3, "\n" * 64 + "&amp;\n<\n&amp;\ncafe\u0301 &amp;\n"])
def test_long_texts_are_mended_as_ftfy_mends_the_whole_of_them(texts):
    assert mended(*texts) == [by_ftfy(text) for text in texts]


@given(st.lists(made_of(PIECES + BREAKS) | st.text(), max_size=4))
@example(["one\r\ntwo\r\n", "last\r", "<p>\n&amp;\n", "&amp;\n<p>\n&amp;", "&#xD800;Ã€\n©"])
def test_huge_lines_are_mended_in_pieces_as_ftfy_mends_the_whole_of_them(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("filters.unicode.HUGE", 0)
        assert mended(*texts) == [by_ftfy(text) for text in texts]


@pytest.mark.parametrize("before", ["", "&amp;<p>"], ids=["text", "markup in the first piece"])
def test_pieces_of_a_huge_line_are_ftfys_own(monkeypatch, before):
    monkeypatch.setattr("filters.unicode.HUGE", 1 << 20)
    line = before + "donâ€™t " * 150_000 + "&amp;\r\n&amp;<p>"  # more than a piece of a million characters
    assert mended(line) == [by_ftfy(line)]


@given(made_of(PIECES + BREAKS))
def test_settings_are_those_of_ftfy(text):
    settings = {"straight_quotes": True, "fix_latin_ligatures": True, "fix_character_width": True, "normalization": "NFKC"}
    assert mended(text, **settings) == [by_ftfy(text, "NFKC", quotes=True)]


@given(made_of(PIECES))
def test_mending_twice_is_mending_once(text):
    assert mended(*mended(text)) == mended(text)


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ("donâ€™t", "don’t"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("bell\x07 \x1b[31mred\x1b[0m nul\0", "bell red nul"),
        ("cafe\u0301", "café"),
        ("fish &amp; chips", "fish & chips"),
        ("<b>fish &amp; chips</b>\n&amp;", "<b>fish &amp; chips</b>\n&amp;"),
        ("“quoted” ﬁsh ＬＯＵＤ", "“quoted” ﬁsh ＬＯＵＤ"),
    ],
)
def test_what_is_broken_is_mended_and_what_is_right_stays(broken, right):
    assert mended(broken) == [right]


def test_entities_stay_where_they_are_not_to_be_unescaped():
    assert mended("fish &amp; chips", unescape_html=False) == ["fish &amp; chips"]


RIGHT = ["plain text\n\twith lines", "", "<b>AT&amp;T</b>\n&amp;", "“né à Орёл”, 数据 – 🎉…", "שָׁלוֹם", "a & b; &c"]


@pytest.mark.parametrize("text", RIGHT)
def test_what_has_nothing_to_mend_is_handed_back_as_it_is(text):
    texts = pa.array([text, "x"], pa.large_string())
    assert unicode(texts) is texts


@given(st.lists(st.binary(max_size=80), max_size=3))
@example([b"\xff \xc3\x83\xc2\xa9", b"ok\xc3", b"\xe2\x82\n&amp;", b"\xe0\x80\xa0"])
def test_broken_utf_8_is_survived(raw):
    texts = pa.array(raw, pa.large_binary()).view(pa.large_string())
    assert len(unicode(texts).view(pa.large_binary()).to_pylist()) == len(raw)


def test_broken_utf_8_becomes_the_replacement_character():
    assert unicode(pa.array([b"a\xffb"], pa.large_binary()).view(pa.large_string())).to_pylist() == ["a\ufffdb"]


@pytest.mark.parametrize("texts", [[], [""], ["\0"]])
def test_nothing_to_mend_is_no_trouble(texts):
    assert mended(*texts) == [""] * len(texts)


def test_a_slice_is_mended_as_itself():
    texts = pa.array(["Ã©", "plain", "Ã©", "Ã¼"], pa.large_string())[1:3]
    assert unicode(texts).to_pylist() == ["plain", "é"]


MOJIBAKE = "aé©“”’—–…•Ã¤â€™œžŸ°±²³´µ¶·¸¹º»¼½¾¿À\u0301\u00a0\u2009 \u200b\ufb01ｆ日本語кирил😀\u3000\u00ad\u0085_"


@given(st.lists(st.text(MOJIBAKE, max_size=12), max_size=8))
@example(["é™½", "β€™", "a Ã ", "â”½’😀"])
@settings(max_examples=200)
def test_of_what_looks_like_mojibake_no_line_is_passed_over_that_ftfy_would_mend(texts):
    assert unicode(pa.array(texts, pa.large_string())).to_pylist() == [by_ftfy(text) for text in texts]


@pytest.mark.parametrize("room", [0, 80])
def test_plain_are_printable_ascii_tabs_and_line_breaks_but_no_ampersand(room):
    texts = [pa.array([b"ok", b"o" * room + bytes([byte]) + b"k" * room], pa.large_binary()) for byte in range(256)]
    found = [byte for byte in range(256) if plain(*kernels.buffers(texts[byte]))]
    assert found == [byte for byte in range(256) if chr(byte) in "\t\n" or (32 <= byte < 127 and chr(byte) != "&")]
