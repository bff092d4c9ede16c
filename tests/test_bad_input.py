"""Bad input as a user meets it: one clear line that says what, where and what to type next; exit code 1; nothing lost."""

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.cli import main

NOBODY = 65534
FORMATS = "csv, database, html, jsonl, parquet, sql_dump, text, warc"
CHAT = '{"prompt": "Hi", "response": "Yo"}\n'


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A working folder with a CSV file; the store is `store` below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_STORE", "store")
    Path("posts.csv").write_text("title,body\nA,The mill stands.\nB,The river runs.\n")
    return tmp_path


def prep(*arguments):
    return CliRunner().invoke(main, [*arguments])


def refused(*arguments, code=1):
    """Return what a run that fails prints; quietly, so that it is the error alone."""
    result = prep(arguments[0], "-q", *arguments[1:]) if arguments[0] in ("ingest", "clean", "run") else prep(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("Error: ")
    return result.stderr.removeprefix("Error: ").removesuffix("\n")


def made(*arguments):
    """Run a stage that ends well; return its artifact."""
    result = prep(arguments[0], "-q", *arguments[1:])
    assert result.exit_code == 0, result.output
    return Store("store").newest(arguments[0])


def write(name, text):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return name


# what is named


def test_a_missing_file():
    assert refused("ingest", "nope.csv") == "nope.csv: no such file or folder. Check the path."


def test_a_glob_without_match():
    assert refused("ingest", "nope/*.csv") == (
        "no file matches 'nope/*.csv'. Check the path, and quote it, so that the shell leaves it alone."
    )


def test_an_empty_folder():
    Path("empty").mkdir()
    assert refused("ingest", "empty") == "empty: the folder holds no files. Check the path; hidden files are passed over."


def test_a_file_of_unknown_format():
    write("what", "who knows")
    assert refused("ingest", "what") == f"what: cannot tell its format. Say it with --format ({FORMATS})."


def test_an_unknown_format():
    assert refused("ingest", "posts.csv", "--format", "cvs") == "unknown format 'cvs'. Did you mean 'csv'?"


def test_a_name_that_no_folder_could_have():
    assert refused("ingest", "posts.csv", "--text-column", "body", "--name", "bad name", code=2) == (
        "'bad name' cannot be an artifact's name. Use letters, digits, '.', '_' and '-'; see --name."
    )


def test_a_file_whose_name_is_no_utf_8():
    Path(os.fsdecode(b"caf\xe9.txt")).write_text("A note.")
    made("ingest", ".", "--name", "here", "--text-column", "body")
    assert "caf\\xe9.txt\n  A note." in prep("show", "here").stdout


def as_nobody(*arguments):
    """Run `prep` without root's rights, once all that it imports is there; return its exit code and outputs."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become nobody")
    Path().chmod(0o755)
    Path("locked").write_text("")
    Path("locked").chmod(0)
    code = (
        "import os, sys\nimport rich.console, rich.progress\nfrom pipeline.cli import main\n"
        "main(['ingest', '-q', 'posts.csv', '--text-column', 'body', '--store', 'warm', '--workers', '1'],"
        " standalone_mode=False)\n"
        f"os.setegid({NOBODY}), os.seteuid({NOBODY})\n"
        "if os.access('locked', os.R_OK, effective_ids=True): sys.exit(99)\n"
        "print('---', flush=True)\nmain(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 99:
        pytest.skip("permissions do not bind here")
    return done.returncode, done.stdout.partition("---\n")[2], done.stderr


def test_a_file_that_may_not_be_read():
    Path("posts.tsv").write_text("body\nHi\n")
    Path("posts.tsv").chmod(0)
    assert as_nobody("ingest", "posts.tsv") == (
        1,
        "",
        "Error: posts.tsv: cannot be read (Permission denied). Check its permissions.\n",
    )


def test_a_folder_that_may_not_be_listed():
    write("pages/a.txt", "Hi")
    Path("pages").chmod(0)
    assert as_nobody("ingest", "pages") == (
        1,
        "",
        "Error: pages: cannot list this folder (Permission denied). Check its permissions.\n",
    )


def test_a_store_that_may_not_be_written():
    Path("store").mkdir(mode=0o755)
    code, out, err = as_nobody("ingest", "posts.csv", "--text-column", "body")
    assert (code, out) == (1, "")
    assert err.startswith("Error: store/ingest/posts@")
    assert "cannot write (Permission denied). Mend that or choose another --store" in err


# tables


def test_a_table_whose_text_column_is_not_named():
    assert refused("ingest", "posts.csv") == (
        "posts.csv: which column holds the text? It has: title, body. "
        "Choose one with --text-column, or several with --text-column '{a} {b}'."
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("bdy", "posts.csv: no column 'bdy'. Did you mean 'body'? It has: title, body."),
        ("{nope}", "posts.csv: no column 'nope'. It has: title, body."),
        ("{0}", "posts.csv: no column '0'. It has: title, body."),
        (
            "{title",
            "posts.csv: '{title' is no template (expected '}' before end of string). "
            "Write columns in braces, like '{title} {body}'; a brace of the text itself is doubled.",
        ),
    ],
)
def test_a_text_column_that_is_not_there(column, message):
    assert refused("ingest", "posts.csv", "--text-column", column) == message


def test_a_table_without_a_row_of_text():
    write("empty.csv", 'title,body\nA,""\n')
    assert refused("ingest", "empty.csv", "--text-column", "body") == "no document was read: empty.csv:1: the text is empty"


def test_a_broken_line_of_jsonl_is_rejected_and_the_rest_goes_on():
    write("a.jsonl", '{"text": "one"}\n{"text": broken\n{"text": "two"}\n')
    artifact = made("ingest", "a.jsonl")
    assert artifact.manifest.rows == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}
    assert prep("why", "a.jsonl:2").stdout.startswith(f"{artifact.ref}: rejected: not JSON: ")


def test_a_dump_that_is_cut_in_the_middle_keeps_the_rows_before_and_the_bytes_behind():
    write("dump.sql", "CREATE TABLE posts (id int, body text);\nINSERT INTO posts VALUES (1,'One'),(2,'Two'),(3,'Thr")
    artifact = made("ingest", "dump.sql", "--text-column", "body")
    assert artifact.manifest.rows == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}
    assert artifact.manifest.counts[0]["reason"].endswith("the dump ends in the middle of a row")


def test_a_dump_without_the_table():
    write("dump.sql", "CREATE TABLE posts (id int, body text);\nINSERT INTO posts VALUES (1,'One');\n")
    assert refused("ingest", "dump.sql", "--table", "post", "--text-column", "body") == (
        "dump.sql: no table 'post'. Did you mean 'posts'? It holds: posts."
    )


def test_a_gzipped_file_that_is_cut_keeps_what_could_be_read():
    whole = gzip.compress("".join(f'{{"text": "line {random.Random(n).random()}"}}\n' for n in range(2000)).encode())
    Path("a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    rows = made("ingest", "a.jsonl.gz").manifest.rows
    assert rows["kept"] > 500
    assert rows["rejected"] >= 1


def test_texts_and_chats_in_one_call():
    write("a.jsonl", '{"text": "one"}\n')
    write("chat.jsonl", CHAT)
    assert refused("ingest", "a.jsonl", "chat.jsonl") == (
        "chat.jsonl holds chat documents, the sources before it text documents, and an artifact holds one kind. "
        "Ingest them apart, each with a --name."
    )


# pages


def test_a_page_of_50_megabytes_is_read():
    paragraph = "<p>" + "The mill stands by the river, and the road goes past it. " * 20 + "</p>\n"
    write("big.html", "<html><body><main>" + paragraph * (50_000_000 // len(paragraph)) + "</main></body></html>")
    artifact = made("ingest", "big.html")
    assert artifact.manifest.rows["kept"] == 1


def test_a_page_without_text_is_rejected_and_the_others_are_read():
    write("pages/a.html", "<html><body><script>x</script></body></html>")
    write("pages/b.html", "<html><body><p>The mill stands by the river.</p></body></html>")
    artifact = made("ingest", "pages")
    assert artifact.manifest.rows == {"in": 2, "kept": 1, "removed": 0, "rejected": 1}
    assert prep("why", "pages/a.html").stdout == f"{artifact.ref}: rejected: the page has no text\n"


def test_a_folder_where_no_page_has_text():
    write("pages/a.html", "<html><body></body></html>")
    write("pages/b.html", "<html><body></body></html>")
    assert refused("ingest", "pages") == "no document was read: pages/a.html: the page has no text (and 1 more rejected)"
    assert Store("store").list() == []


# recipes and phrase lists


def test_a_recipe_of_three_mistakes():
    made("ingest", "posts.csv", "--text-column", "body")
    write("r.yaml", "clean:\n  - unicode\n  - near_duplicates: {treshold: 0.7, keep: longst}\n  - wordcount: {min: 1}\n")
    assert refused("clean", "--config", "r.yaml").splitlines() == [
        "r.yaml: 3 problems",
        "  line 3: clean, step 2, near_duplicates: no setting 'treshold'. Did you mean 'threshold'?",
        "  line 3: clean, step 2, near_duplicates: keep: input should be 'first', 'longest' or 'best(MEASURE)', not 'longst'",
        "  line 4: clean, step 3: no filter 'wordcount'. Did you mean 'word_count'?",
    ]


def test_a_recipe_that_is_no_yaml():
    write("r.yaml", "ingest: [\n")
    expected = ["r.yaml: 1 problem", "  line 2: not YAML: expected the node content, but found '<stream end>'"]
    assert refused("run", "r.yaml").splitlines() == expected
    assert refused("ingest", "--config", "r.yaml").splitlines() == expected


def test_a_recipe_without_the_section_of_the_stage():
    write("r.yaml", "name: x\n")
    expected = ["r.yaml: 1 problem", "  ingest: the section is missing; it needs at least {sources: [...]}"]
    assert refused("run", "r.yaml").splitlines() == expected
    assert refused("ingest", "--config", "r.yaml").splitlines() == expected


def test_a_phrase_list_that_is_not_there_or_broken():
    made("ingest", "posts.csv", "--text-column", "body")
    write("broken.txt", "re:(\n")
    assert refused("clean", "--slop-list", "refusal") == "no phrase list or file 'refusal'. Did you mean 'refusals'?"
    assert refused("clean", "--slop-list", "missing.txt") == (
        "no phrase list or file 'missing.txt'. Lists that ship: hedges, moralising, openers, refusals, signoffs, stock."
    )
    assert refused("clean", "--slop-list", "broken.txt") == "broken.txt: the pattern '(' is broken (missing ) at position 1)."


# the store


def test_a_stage_whose_parent_is_not_there_yet():
    assert refused("clean") == "store holds no ingest artifact yet. Run `prep ingest` first."


@pytest.mark.parametrize("command", ["show", "verify", "clean"])
def test_a_ref_that_is_not_there(command):
    assert refused(command, "nope") == "no artifact 'nope' in store. `prep list` shows what there is."


def test_a_parent_that_lacks_the_stage_between():
    ref = made("ingest", "posts.csv", "--text-column", "body").ref
    expected = f"no clean artifact 'posts' in store, but {ref}. Run `prep clean` on it first."
    assert refused("tokenize", "posts", "--train-tokenizer") == expected


def test_a_parent_of_the_wrong_stage():
    made("ingest", "posts.csv", "--text-column", "body")
    ref = made("clean").ref
    assert refused("clean", "clean/posts", code=2) == f"{ref} is no ingest artifact. `prep list ingest` shows those there are."
    assert refused("clean", "tokenize/x") == "no artifact 'tokenize/x' in store. `prep list` shows what there is."


def test_a_document_that_nobody_met():
    assert refused("why", "nope") == "no artifact in store has met a document 'nope'. `prep show REF` prints some ids."


@pytest.mark.parametrize("arguments", [["ingest", "posts.csv", "--text-column", "body"], ["clean"], ["list"], ["show", "x"]])
def test_a_store_that_is_a_file(arguments):
    write("store", "")
    assert refused(*arguments) == "store is a file, and a store is a folder. Choose another with --store."


@pytest.fixture
def small_disk(work):
    """Mount a store of one megabyte; return how to give it other mount options."""

    def mount(*arguments):
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0

    Path("store").mkdir()
    if not mount("-t", "tmpfs", "-o", "size=1m", "prep-test", "store"):
        pytest.skip("needs the right to mount")
    yield lambda options: mount("-o", f"remount,{options}", "store")
    subprocess.run(["umount", "store"], check=True)


def letters(count, seed):
    """Return words that hardly compress."""
    return random.Random(seed).randbytes(count // 2).hex(" ", 4)


def bytes_of(artifact):
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def test_a_full_disk_stops_ingest_which_then_goes_on_to_the_same_bytes(small_disk, monkeypatch):
    monkeypatch.setattr("pipeline.stages.ingest.TASK_SOURCES", 1)
    for number in range(4):
        write(f"notes/{number}.txt", letters(1_000_000, number))
    message = refused("ingest", "notes", "--workers", "1")
    assert message.startswith("store/ingest/notes@")
    assert message.endswith(
        ": cannot write (No space left on device). Mend that or choose another --store, and run the same command again: "
        "finished shards are kept."
    )
    assert len(list(Path("store").glob("ingest/*/work/*.json"))) == 1  # the first task is done
    assert small_disk("size=64m")
    artifact = made("ingest", "notes", "--workers", "1")
    assert bytes_of(artifact) == bytes_of(elsewhere("ingest", "notes", "--workers", "1"))
    assert artifact.verify() == []


def test_a_full_disk_stops_clean_which_then_goes_on_to_the_same_bytes(small_disk):
    write("notes.csv", "body\n" + "".join(f"{letters(2000, number % 280)}\n" for number in range(300)))
    made("ingest", "notes.csv", "--text-column", "body", "--workers", "1")
    message = refused("clean", "--workers", "1")
    assert message.startswith(("store/clean/notes@", "store/answers/"))  # two threads write
    assert "cannot write (No space left on device). Mend that or choose another --store" in message
    assert "\n" not in message
    assert small_disk("size=64m")
    artifact = made("clean", "--workers", "1")
    assert artifact.manifest.rows["removed"] == 20
    elsewhere("ingest", "notes.csv", "--text-column", "body", "--workers", "1")
    assert bytes_of(artifact) == bytes_of(elsewhere("clean", "--workers", "1"))


def elsewhere(stage, *arguments):
    """Run a stage with a store on another disk; return its artifact."""
    result = prep(stage, "-q", *arguments, "--store", "elsewhere")
    assert result.exit_code == 0, result.output
    return Store("elsewhere").newest(stage)


def test_a_read_only_store_answers_what_it_has_and_refuses_the_rest_in_one_line(small_disk):
    artifact = made("ingest", "posts.csv", "--text-column", "body")
    assert small_disk("ro")
    assert made("ingest", "posts.csv", "--text-column", "body").ref == artifact.ref
    assert prep("show", "posts").exit_code == 0
    message = refused("ingest", "posts.csv", "--text-column", "title")
    assert "cannot write (Read-only file system). Mend that or choose another --store" in message
