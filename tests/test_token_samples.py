"""What `prep show` shows of tokens: which rows, their text, what is trained; as plain text, in colours, as a page."""

import re
from html import unescape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from pipeline.artifacts import Artifact, Identity, atomic
from pipeline.cli import main
from pipeline.errors import BrokenArtifact, TokenizerError
from pipeline.token_samples import show_rows
from pipeline.token_samples.density import sampled
from pipeline.token_samples.page import page
from pipeline.token_samples.rows import Speller, rows_of
from pipeline.token_samples.summary import histogram, summaries
from pipeline.token_samples.summary import in_words as summary_in_words
from pipeline.token_samples.words import coloured, plain, readable
from pipeline.tokens.encoding.spelling import spelling
from pipeline.tokens.rows import INDEX, TOKEN_LISTS
from pipeline.tokens.tokenizer import Tokenizer, train

BYTES = train([["the river runs"]], 280)
CHAT = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nThe mill.<|im_end|>\n"


@pytest.fixture
def tokens(store):
    """Publish rows of tokens: `tokens([[("text", supervised), ...], ...])`, a row's documents cut where `cuts` says."""

    def make(rows, *, packed=False, tokenizer=BYTES, split="train", sequence_length=100) -> Artifact:
        encoded = [
            [(tokenizer.backend.encode(text, add_special_tokens=False).ids, trained) for text, trained in row] for row in rows
        ]
        ids = [[number for part, _ in row for number in part] for row in encoded]
        labels = [[number if trained else -100 for part, trained in row for number in part] for row in encoded]
        positions = [[place for part, _ in row for place in range(len(part))] for row in encoded]
        columns = {"input_ids": ids, "labels": labels} | ({"position_ids": positions} if packed else {})
        table = pa.table({name: pa.array(cells, TOKEN_LISTS) for name, cells in columns.items()})
        entries = []
        for number, row in enumerate(encoded):
            parts = row if packed else [(ids[number], None)]
            for part, _ in parts:
                name = f"d{len(entries)}"
                entries.append([split, number, name, "clean/c@1", 0, len(part), sum(map(len, [p for p, t in row if t]))])
        index = pa.table(
            [pa.array(cells, field.type) for cells, field in zip(zip(*entries, strict=True), INDEX, strict=True)], INDEX
        )
        with store.draft(Identity("tokenize", {"sequence_length": sequence_length, "rows": repr(rows)}), "t") as draft:
            tokenizer.save(draft.path / "tokenizer")
            with (
                atomic(draft.path / "tokens" / split / "00000.arrow") as temporary,
                pa.ipc.new_stream(temporary, table.schema) as out,
            ):
                for number in range(len(table)):
                    out.write_table(table.slice(number, 1))
            with atomic(draft.path / "tokens" / split / "state.json") as temporary:
                temporary.write_text("{}")
            with atomic(draft.path / "index" / "00000.parquet") as temporary:
                pq.write_table(index, temporary)
            return draft.publish({"in": len(rows), "kept": len(rows)}, versions={}, run={})

    return make


def shown(artifact, count=3, longest=1000, split="train") -> list[list[str]]:
    return [plain(row) for row in rows_of(artifact, split, count, longest)]


def test_what_is_supervised_stands_in_brackets(tokens):
    assert shown(tokens([[("Who? ", False), ("The river", True)]])) == [
        ["== train row 0: 8 tokens, 3 supervised (38%), d0", "Who? [[The river]]"]
    ]


def test_control_tokens_are_shown(tokens):
    lines = shown(tokens([[("<|im_start|>user\nHi<|im_end|>", False)]]))[0]
    assert lines[1:] == ["<|im_start|>user⏎", "Hi<|im_end|>"]


def test_a_packed_row_shows_where_documents_begin(tokens):
    assert shown(tokens([[("the", False), (" river", True)]], packed=True))[0][1:] == [
        "-- document 1: d0", "the", "-- document 2: d1", "[[ river]]",
    ]  # fmt: skip


def test_a_character_of_several_tokens_is_one_piece(tokens):
    row = rows_of(tokens([[("a🙂漢", True)]]), "train", 1, 100)[0]
    assert [piece.text for piece in row.stretches[0].pieces] == ["a", "🙂", "漢"]
    assert row.tokens == 8


def test_a_character_that_is_cut_shows_its_bytes():
    ids = BYTES.backend.encode("🙂", add_special_tokens=False).ids
    assert [piece.text for piece in Speller(BYTES).pieces(ids[:2])] == ["\\xf0\\x9f"]
    assert [piece.text for piece in Speller(BYTES).pieces(ids[2:])] == ["\\x99\\x82"]


@given(st.text(st.characters(codec="utf-8")))
def test_the_pieces_of_any_text_are_the_text(text):
    ids = BYTES.backend.encode(text, add_special_tokens=False).ids
    assert "".join(piece.text for piece in Speller(BYTES).pieces(ids)) == text


def test_a_sentencepiece_tokenizer_is_spelled_with_spaces_and_bytes():
    vocabulary = {"<unk>": 0, "▁a": 1, "<0xE6>": 2, "<0xBC>": 3, "<0xA2>": 4}
    backend = Backend(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    pieces = Speller(Tokenizer(backend, {})).pieces([1, 2, 3, 4])
    assert [piece.text for piece in pieces] == [" a", "漢"]


def test_tokens_of_words_are_decoded_together():
    backend = Backend(models.WordLevel({"the": 0, "river": 1}, unk_token="the"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert spelling(backend.to_str()) is None
    assert [piece.text for piece in Speller(Tokenizer(backend, {})).pieces([0, 1])] == ["the river"]


def test_a_long_row_is_shortened_and_says_so(tokens):
    lines = shown(tokens([[("abcdefghijklmnopqrstuvwxyz", True)]]), longest=6)[0]
    assert lines[1:] == ["[[abcd]]", "... 20 tokens left out ...", "[[yz]]"]


def test_rows_are_spread_over_the_split_and_are_the_same_each_time(tokens):
    artifact = tokens([[(str(number), True)] for number in range(50)])
    numbers = [row.number for row in rows_of(artifact, "train", 5, 100)]
    assert numbers == [row.number for row in rows_of(artifact, "train", 5, 100)] == sorted(set(numbers))
    assert len(numbers) == 5
    assert numbers[-1] > 10
    assert set(numbers) < {row.number for row in rows_of(artifact, "train", 9, 100)}


def test_a_split_without_a_row_shows_none(tokens):
    assert shown(tokens([[("a", True)]]), split="validation") == []


def test_a_damaged_file_is_named(tokens):
    artifact = tokens([[("a", True)]])
    artifact.files("tokens")[0].write_bytes(b"no arrow")
    with pytest.raises(BrokenArtifact, match=r"00000\.arrow: cannot be read .* `prep verify` lists what is broken"):
        shown(artifact)


def test_the_summary_counts_rows_tokens_and_roles(tokens):
    head, answer, end = CHAT.partition("The mill.<|im_end|>")
    found = summaries(tokens([[(head, False), (answer, True), (end, False)]] * 2))[0]
    size = len(BYTES.backend.encode(CHAT).ids)
    assert (found.lengths.tolist(), found.documents, found.full) == ([size, size], 2, None)
    assert found.roles.keys() == {"user", "assistant"}
    assert found.roles["user"][1] == 0
    assert found.roles["assistant"][1] == found.supervised == 2 * len(BYTES.backend.encode(answer).ids)
    assert sum(tokens for tokens, _ in found.roles.values()) == 2 * size


def test_a_text_behind_a_chat_is_no_message_of_it(tokens):
    found = summaries(tokens([[("<|im_start|>user\n", False), ("the river runs", True)]], packed=True))[0]
    assert found.roles == {"user": (len(BYTES.backend.encode("<|im_start|>user\n").ids), 0)}


def test_the_summary_says_how_full_packed_rows_are(tokens):
    found = summaries(tokens([[("abcd", True), ("efgh", True)]], packed=True, sequence_length=10))[0]
    assert found.full == 0.8
    assert "  packed: 80.0% of the rows' places hold a token" in summary_in_words(found)


def test_every_row_is_in_the_histogram():
    lengths = np.array([1, 5, 5, 2000])
    assert sum(int(line.split()[3].replace(",", "")) for line in histogram(lengths)) == 4


def test_white_space_and_controls_can_be_seen():
    assert readable("a \n  b\t\x00\u202e\u2028") == "a·⏎\n··b⇥\\x00\\u202e\\u2028"
    assert readable("👩‍👩‍👧 one two") == "👩‍👩‍👧 one two"


def test_a_terminal_gets_colours(tokens):
    row = rows_of(tokens([[("Who? ", False), ("The river", True)]]), "train", 1, 100)[0]
    console = Console(force_terminal=True, color_system="standard", width=80)
    with console.capture() as caught:
        console.print(coloured(row))
    assert "\x1b[2mWho? \x1b[0m" in caught.get()
    assert re.search("\x1b\\[92;40mThe river", caught.get())


def test_markup_and_controls_are_escaped_on_the_page(tokens):
    artifact = tokens([[("<script>alert(1)</script>\x1b&", True)]])
    written = page(artifact.ref, summaries(artifact), rows_of(artifact, "train", 1, 1000))
    text = unescape(re.sub("<[^>]*>", "", written))
    assert "<script" not in written
    assert "<script>alert(1)</script>\\x1b&" in text
    assert "prefers-color-scheme: dark" in written
    assert not re.search(r"\b(src|href|url)\b", written)


def test_a_page_marks_what_is_trained_and_where_documents_begin(tokens):
    artifact = tokens([[("<|im_start|>", False), ("a", True)]], packed=True)
    written = page(artifact.ref, summaries(artifact), rows_of(artifact, "train", 1, 1000))
    assert '<p class="border">document 2: d1</p>\n<div class="text"><mark><s>a</s></mark></div>' in written
    assert "<b>&lt;|im_start|&gt;</b>" in written


def test_the_command_prints_rows_or_writes_a_page(tokens, store, tmp_path):
    tokens([[("the", False), (" river", True)]])
    command = ["show", "tokenize/t", "--store", str(store.root)]
    printed = CliRunner().invoke(main, command).stdout.splitlines()
    assert printed[-2:] == ["== train row 0: 2 tokens, 1 supervised (50%), d0", "the[[ river]]"]
    done = CliRunner().invoke(main, [*command, "--html", str(tmp_path / "rows.html")])
    assert done.stdout.endswith(f"\nrows: {tmp_path / 'rows.html'}\n")
    assert (tmp_path / "rows.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_page_of_documents_is_refused(documents, store):
    documents(["a text"])
    done = CliRunner().invoke(main, ["show", "ingest/sample", "--store", str(store.root), "--html", "rows.html"])
    assert done.exit_code == 2
    assert "Name a tokenize artifact." in done.stderr


# how many bytes a token stands for


def test_a_token_stands_for_the_bytes_between_control_tokens(tokens):
    made = tokens([[("the river", True), ("<|im_end|>", True)], [("é runs", True)]])
    sample = sampled(made, "train")
    assert sample.texts == ["the river", "é runs"]
    ids = [number for text in sample.texts for number in BYTES.backend.encode(text).ids]
    assert (sample.tokens, sample.bytes_per_token) == (len(ids), (9 + 7) / len(ids))
    assert f"  a token stands for {16 / len(ids):.2f} bytes of text" in summary_in_words(summaries(made)[0])


def test_rows_of_control_tokens_alone_say_nothing_of_bytes(tokens):
    made = tokens([[("<|im_end|>", True)]])
    assert sampled(made, "train").bytes_per_token == 0
    assert not any("stands for" in line for line in summary_in_words(summaries(made)[0]))


def test_another_tokenizer_is_compared_on_the_same_text(tokens, tmp_path, capsys):
    train([["nothing of it"]], 259).save(tmp_path / "bytes")
    show_rows(tokens([[("the river runs", True)]]), "train", 0, compare_to=str(tmp_path / "bytes"))
    ours = len(BYTES.backend.encode("the river runs").ids)
    assert f"  {tmp_path / 'bytes'}: 1.00 bytes a token, {14 / ours - 1:.0%} more tokens\n" in capsys.readouterr().out


def test_an_unknown_tokenizer_is_refused_before_anything_is_shown(tokens, capsys):
    with pytest.raises(TokenizerError, match="no such file or folder"):
        show_rows(tokens([[("the river", True)]]), "train", 0, compare_to="./nothing")
    assert capsys.readouterr().out == ""
