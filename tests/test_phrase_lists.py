"""Phrase lists: a name or a file -> folded phrases and patterns."""

import pyarrow as pa
import pytest
import regex

from filters.slop import slop
from pipeline.errors import SourceError
from pipeline.phrase_lists import folded, load, purpose, shipped


@pytest.fixture
def written(tmp_path):
    def write(content, name="own.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_a_list_is_a_phrase_a_line_without_comments_and_blank_lines(written):
    found = load(written("# mine\n\n  as an ai  \n#another\nI’m  Sorry\n"))
    assert (found.name, found.phrases, found.patterns) == ("own", ("as an ai", "i'm sorry"), ())


def test_patterns_are_kept_as_they_are(written):
    found = load(written("re: I'm \\w+\nplain\nre:^ok$"))
    assert (found.phrases, found.patterns) == (("plain",), (r"I'm \w+", "^ok$"))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfas an ai\r\n", b"as an ai\r", b"as an ai"])
def test_a_byte_order_mark_and_foreign_line_ends_make_no_difference(written, content):
    assert load(written(content)).phrases == ("as an ai",)


@pytest.mark.parametrize("content", ["phrases: [As an AI, ok]", "- As an AI\n- ok", "a: [As an AI]\nb:\n  - ok\nversion: 2"])
def test_a_yaml_list_is_read_too(written, content):
    assert load(written(content, "own.yaml")).phrases == ("as an ai", "ok")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("phrases: [1, 2]", "a phrase list in YAML is a key with a list of strings"),
        ("phrases: as an ai", "a phrase list in YAML is a key with a list of strings"),
        ("", "a phrase list in YAML is a key with a list of strings"),
        ("phrases: [as an", "not YAML"),
    ],
)
def test_yaml_that_is_no_list_of_strings_is_refused(written, content, message):
    with pytest.raises(SourceError, match=message):
        load(written(content, "own.yml"))


def test_a_broken_pattern_is_named(written):
    with pytest.raises(SourceError, match=r"own\.txt: the pattern '\(ab' is broken"):
        load(written("re:(ab"))


def test_a_file_that_is_no_utf8_is_refused(written):
    with pytest.raises(SourceError, match=r"own\.txt: cannot be read as UTF-8 text"):
        load(written(b"caf\xe9"))


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(SourceError, match=r"no phrase list or file 'refusal'\. Did you mean 'refusals'"):
        load("refusal")


def test_a_name_like_no_other_gets_all_that_ship():
    with pytest.raises(SourceError, match=r"Lists that ship: .*refusals"):
        load("zzz")


def test_a_file_goes_before_a_shipped_list_of_its_name(written, tmp_path, monkeypatch):
    written("mine", "refusals")
    monkeypatch.chdir(tmp_path)
    assert load("refusals").phrases == ("mine",)


def test_phrases_that_fold_to_the_same_are_one():
    assert folded(["As an AI", "as  an ai", "", " \t", "ÜBER\u2003uns"]) == ("as an ai", "über uns")


@pytest.mark.parametrize("name", shipped())
def test_every_list_that_ships_says_what_it_is_for_and_can_be_used(name):
    found = load(name)
    assert purpose(shipped()[name])
    assert found.phrases
    assert all(regex.compile(pattern) for pattern in found.patterns)


@pytest.mark.parametrize("name", shipped())
def test_every_phrase_that_ships_finds_itself(name):
    found = load(name)
    hits = slop(pa.array(found.phrases, pa.large_string()), lists=(found,))
    assert sorted(set(hits.text.tolist())) == list(range(len(found.phrases)))


def test_a_list_without_a_comment_has_no_purpose(written, tmp_path):
    written("as an ai")
    assert purpose(tmp_path / "own.txt") == ""


def test_marks_for_the_start_and_the_end_of_a_message_stay_with_the_phrase(written):
    assert load(written("^ Certainly!\nI  hope this helps $\n^No$")).phrases == ("^certainly!", "i hope this helps$", "^no$")


def test_a_sign_that_is_no_mark_keeps_its_backslash(written):
    assert load(written("\\^_^\nmakes 5\\$\nmake $$$ fast")).phrases == ("\\^_^", "makes 5\\$", "make $$$ fast")


@pytest.mark.parametrize(("content", "instead"), [("ok\n^", r"\\^"), ("$", r"\\$"), ("^ $", r"\\^\\$")])
def test_a_mark_without_a_phrase_is_refused(written, content, instead):
    with pytest.raises(SourceError) as error:
        load(written(content))
    assert str(error.value).endswith(f"is a mark without a phrase. For the sign itself write '{instead}'.")
