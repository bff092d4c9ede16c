"""Tool calls, and what is mended, on their way through the stages."""

import orjson
import pyarrow.parquet as pq
import pytest

from pipeline.stages.clean import clean
from pipeline.stages.ingest import ingest
from pipeline.stages.tokenize import tokenize

USER, ASSISTANT = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yo."}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TALK = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
    ASSISTANT,
]
TOOLS = [{"type": "function", "function": {"name": "add"}}]
TEMPLATE = """{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}<|im_end|>
{% endfor %}"""


@pytest.fixture
def ingested(run_with, tmp_path):
    def make(*rows, **settings):
        for number, row in enumerate(rows):
            (tmp_path / f"{number}.jsonl").write_bytes(orjson.dumps(row))
        return ingest([str(tmp_path / "*.jsonl")], "calls", run_with(1), **settings)

    return make


def rows_of(artifact, folder="documents"):
    return [row for path in artifact.files(folder) for row in pq.read_table(path).to_pylist()]


def test_an_artifact_has_one_type_of_messages(ingested):
    plain, calling = rows_of(ingested({"messages": [USER, ASSISTANT]}, {"messages": TALK, "tools": TOOLS}))
    assert [turn["tool_calls"] for turn in plain["messages"]] == [None, None]
    assert (calling["messages"][2]["tool_call_id"], orjson.loads(calling["tools"])) == ("c1", TOOLS)


@pytest.mark.parametrize("action", ["strip", "truncate"])
def test_cutting_leaves_calls_where_they_are(ingested, run_with, tmp_path, action):
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("as an AI\n")
    more = [{"role": "user", "content": "And then?"}, {"role": "assistant", "content": "The river runs, as an AI."}]
    artifact = ingested({"messages": [*TALK, *more]})
    steps = [{"slop": {"lists": [str(phrases)], "action": action}}]
    (row,) = rows_of(clean(artifact, "calls", run_with(1), steps=steps))
    assert orjson.loads(row["messages"][1]["tool_calls"]) == [CALL]
    assert "as an AI" not in row["messages"][-1]["content"]


def test_a_conversation_with_calls_is_tokenized_or_removed_with_the_reason(ingested, run_with, tmp_path):
    (tmp_path / "calling.jinja").write_text(TEMPLATE)
    artifact = ingested({"messages": TALK, "tools": TOOLS}, {"messages": [USER, ASSISTANT]})
    how = {"train_tokenizer": True, "vocab_size": 300, "validation": 0}
    made = tokenize([artifact], "calls", run_with(1), chat_template=str(tmp_path / "calling.jinja"), **how)
    assert made.manifest.rows["kept"] == 2
    silent = tokenize([artifact], "calls", run_with(1), chat_template="chatml", **how)
    (removed,) = rows_of(silent, "removed")
    assert (removed["filter"], removed["evidence"][0]["text"]) == (
        "chat_template",
        "the template does not show the call of 'add'",
    )


def test_what_was_mended_is_told_of_the_source(ingested):
    rows = {"messages": [USER, USER, ASSISTANT, USER]}, {"messages": [USER, ASSISTANT]}
    artifact = ingested(*rows, repair=True)
    assert [len(row["messages"]) for row in rows_of(artifact)] == [2, 2]
    assert rows_of(artifact, "remarks")[0]["text"] == "repaired: 1 conversations: 1 turns joined, 1 left out"
