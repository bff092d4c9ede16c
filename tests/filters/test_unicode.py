"""Unicode: held against ftfy over the whole text."""

import ftfy
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.unicode import unicode

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


def test_printable_ascii_is_handed_back_as_it_is():
    texts = pa.array(["plain text\n\twith lines", ""], pa.large_string())
    assert unicode(texts) is texts


@pytest.mark.parametrize("texts", [[], [""], ["\0"]])
def test_nothing_to_mend_is_no_trouble(texts):
    assert mended(*texts) == [""] * len(texts)


def test_a_slice_is_mended_as_itself():
    texts = pa.array(["Ã©", "plain", "Ã©", "Ã¼"], pa.large_string())[1:3]
    assert unicode(texts).to_pylist() == ["plain", "é"]


MOJIBAKE = "aé©“”’—–…•Ã¤â€™œžŸ°±²³´µ¶·¸¹º»¼½¾¿À\u0301\u00a0\u2009 \u200b\ufb01ｆ日本語кирил😀\u3000\u00ad\u0085_"


@given(st.lists(st.text(MOJIBAKE, max_size=12), max_size=8))
@example(["é™½", "β€™", "a Ã ", "â”½’😀"])
@settings(max_examples=500)
def test_of_what_looks_like_mojibake_no_line_is_passed_over_that_ftfy_would_mend(texts):
    assert unicode(pa.array(texts, pa.large_string())).to_pylist() == [by_ftfy(text) for text in texts]
