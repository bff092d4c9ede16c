"""The samples, end to end: `prep ingest` and `prep clean` find what data/samples/README.md says is planted in them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.cli import main

ROOT = Path(__file__).parent.parent
DUMPS = ("mariadb", "postgres_copy", "postgres_inserts", "sqlite")
CLEAN = "[unicode, {slop: {lists: [refusals]}}, exact_duplicates, {near_duplicates: {threshold: 0.7}}]"
RECIPE = f"""
ingest:
  web:
    sources:
      - data/samples/pages
      - {{path: data/samples/posts.csv, text_column: body}}
{"".join(f"      - {{path: data/samples/{name}.sql, table: posts, text_column: body}}{chr(10)}" for name in DUMPS)}
  chats: {{sources: [data/samples/chats]}}
clean: {{web: {CLEAN}, chats: {CLEAN}}}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The store after `prep ingest` and `prep clean` of all samples."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "recipe.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for stage in ("ingest", "clean"):
            arguments = [stage, "--config", str(folder / "recipe.yaml"), "--store", str(folder / "store")]
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, result.output
    return Store(folder / "store")


def removed(store, name):
    return {count["filter"]: count["removed"] for count in store.find(f"clean/{name}").manifest.counts}


def why(store, document):
    result = CliRunner().invoke(main, ["why", document, "--store", str(store.root)])
    return [line.partition(": ")[2] for line in result.stdout.splitlines()]


def test_the_texts_that_are_planted_are_read_and_the_broken_ones_rejected(store):
    assert store.find("ingest/web").manifest.rows == {"in": 120, "kept": 113, "removed": 0, "rejected": 7}
    assert store.find("ingest/web").manifest.counts == [
        {"reason": "the text is NULL", "rejected": 4},
        {"reason": "6 fields, not 4", "rejected": 1},
        {"reason": "the page has no text", "rejected": 1},
        {"reason": "the text is empty", "rejected": 1},
    ]


def test_the_chats_that_are_planted_are_read_and_the_broken_ones_rejected(store):
    assert store.find("ingest/chats").manifest.rows == {"in": 97, "kept": 95, "removed": 0, "rejected": 2}


def test_clean_removes_from_the_texts_what_is_planted(store):
    assert removed(store, "web") == {"unicode": 0, "slop": 1, "exact_duplicates": 1, "near_duplicates": 1}
    assert store.find("clean/web").manifest.rows == {"in": 113, "kept": 110, "removed": 3, "rejected": 0}


def test_clean_removes_from_the_chats_what_is_planted(store):
    assert removed(store, "chats") == {"unicode": 0, "slop": 13, "exact_duplicates": 8, "near_duplicates": 5}
    assert store.find("clean/chats").manifest.rows == {"in": 95, "kept": 69, "removed": 26, "rejected": 0}


def test_everything_in_the_store_is_as_its_manifests_say(store):
    assert [found.verify() for found in store.list()] == [[], [], [], []]


@pytest.mark.parametrize(
    ("document", "answers"),
    [
        ("pages/library/poster.html", ["rejected: the page has no text"]),
        ("posts.csv:9", ["rejected: the text is empty"]),
        ("posts.csv:23", ["rejected: 6 fields, not 4"]),
        ("chats/alpaca.jsonl:22", ["rejected: not JSON: unexpected end of data (column 108)"]),
        (
            "pages/almanac/ten-tips.html",
            ["read", """removed by slop; hits 1, max 0; "As an AI language model, I don't" at byte 971"""],
        ),
        (
            "chats/alpaca.jsonl:12",
            [
                "read",
                "removed by slop; hits 2, max 0; 'I’m sorry, but as an AI' in message 2 at byte 0; "
                "'I don’t have personal preferences' in message 2 at byte 41",
            ],
        ),
        (
            "pages/library/mill-ledger.html",
            ["read", "removed by exact_duplicates; similarity 1 to pages/library/mill-ledger-print.html, which stays"],
        ),
        (
            "chats/openai.jsonl:33",
            ["read", "removed by exact_duplicates; similarity 1 to chats/openai.jsonl:16, which stays"],
        ),
        (
            "pages/almanac/compost.html",
            [
                "read",
                "removed by near_duplicates; similarity 0.839 to pages/almanac/compost-2019.html, which stays",
            ],
        ),
        (
            "chats/alpaca.jsonl:34",
            ["read", "removed by near_duplicates; similarity 0.875 to chats/alpaca.jsonl:29, which stays"],
        ),
        ("pages/almanac/bread.html", ["read", "kept"]),
        ("mariadb.sql:posts:1", ["read", "kept"]),
    ],
)
def test_why_says_what_became_of_a_document(store, document, answers):
    assert why(store, document) == answers


def test_the_help_example_of_pages_and_a_table_works_on_the_samples(tmp_path):
    sources = [str(ROOT / "data/samples/pages"), str(ROOT / "data/samples/posts.csv")]
    result = CliRunner().invoke(main, ["ingest", *sources, "--text-column", "body", "--store", str(tmp_path)])
    assert result.stdout.splitlines()[0].partition("  ")[2].startswith("56 rows: 53 kept, 3 rejected")
