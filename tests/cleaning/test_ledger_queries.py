"""What the ledger answers with pandas alone: which phrase, which twin, which value and bound."""

import pandas as pd
import pytest

from pipeline.stages.clean import clean

LONG = "the mill by the river runs day and night and nobody in the village has ever seen who feeds it with grain"
CHAT = [("user", "Who?"), ("assistant", "As an AI, I cannot. I'm sorry.")]


@pytest.fixture
def own_list(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("as an ai\ni'm sorry\nnever said\n")
    return str(path)


@pytest.fixture
def artifact(cleaned, own_list):
    texts = [
        "As an AI, as an AI",
        "I'm sorry, as an AI",
        "short",
        "a good text of words",
        LONG,
        LONG.replace("grain", "corn"),
        LONG,
        "as an ai " + "x " * 40,
    ]
    steps = [
        {"slop": {"lists": [own_list], "max_per_1000_words": 100}},
        {"slop": {"lists": [own_list], "action": "redact"}},
        {"word_count": {"min": 2, "max": 50}},
        "exact_duplicates",
        {"near_duplicates": {"threshold": 0.8}},
    ]
    return cleaned(texts, steps, shards=2)


@pytest.fixture
def ledger(artifact):
    return pd.read_parquet(artifact.path / "removed").set_index("id")


def spans(frame):
    """Return a row a span, with the label, text, message and place in columns."""
    rows = frame["evidence"].dropna().explode()
    return pd.DataFrame(rows.tolist(), index=rows.index)


def test_which_phrases_removed_how_many_documents(ledger):
    found = spans(ledger[ledger["filter"] == "slop"]).reset_index()
    counts = found.drop_duplicates(["id", "label"])["label"].value_counts().to_dict()
    assert counts == {"as an ai": 2, "i'm sorry": 1}


def test_how_often_each_phrase_was_hit(ledger):
    assert spans(ledger)["label"].value_counts().to_dict() == {"as an ai": 3, "i'm sorry": 1}


def test_where_a_phrase_stood(ledger):
    first = spans(ledger).loc["d1"].iloc[0]
    text = ledger.loc["d1", "text"].encode()
    assert (first["label"], text[first["start"] : first["end"]].decode()) == ("i'm sorry", first["text"])


def test_which_document_is_the_twin_and_how_similar(ledger):
    words = len(LONG.split())
    twins = ledger["twin"].dropna()
    assert twins.to_dict() == {"d5": "d4", "d6": "d4"}
    assert ledger.loc["d6", "similarity"] == 1
    assert ledger.loc["d5", "similarity"] == (words - 5) / (words - 3)


def test_the_twin_of_each_document_is_kept(artifact, ledger):
    kept = pd.read_parquet(artifact.path / "documents")["id"]
    assert set(ledger["twin"].dropna()) <= set(kept)


def test_the_value_and_the_bound_by_which_a_document_went(ledger):
    row = ledger.loc["d2"]
    assert (row["filter"], row["measure"], row["value"], row["bound"]) == ("word_count", "word_count", 1.0, "min 2")
    assert ledger.loc["d0", ["measure", "bound"]].tolist() == ["hits per 1,000 words", "max 100"]


def test_every_value_breaks_its_bound(ledger):
    number = ledger["bound"].str.rpartition(" ")[2].astype(float)
    end = ledger["bound"].str.split().str[0]
    low, high = end == "min", end == "max"
    assert (ledger["value"][low] < number[low]).all()
    assert (ledger["value"][high] > number[high]).all()
    assert (ledger["value"][end == "below"] >= number[end == "below"]).all()


def test_how_many_documents_each_filter_removed(artifact, ledger):
    counted = pd.Series({count["filter"]: 0 for count in artifact.manifest.counts})
    for count in artifact.manifest.counts:
        counted[count["filter"]] += count["removed"]
    by_filter = ledger.groupby("filter")["value"].count()
    assert by_filter.to_dict() == counted[counted > 0].to_dict() == {
        "exact_duplicates": 1, "near_duplicates": 1, "slop": 2, "word_count": 1,
    }  # fmt: skip


def test_every_document_stands_in_one_part(artifact, ledger):
    kept = pd.read_parquet(artifact.path / "documents")["id"]
    assert sorted([*kept, *ledger.index]) == [f"d{number}" for number in range(8)]


def test_what_was_altered_in_a_document_that_stays(artifact):
    edits = pd.read_parquet(artifact.path / "edits").set_index("id")
    found = spans(edits)
    assert (edits.loc["d7", "action"], found.loc["d7", "label"], found.loc["d7", "text"]) == ("redact", "as an ai", None)


def test_what_a_measure_measured_of_every_document(artifact):
    measures = pd.read_parquet(artifact.path / "measures").set_index("id")["word_count"]
    assert measures["d2"] == 1
    assert measures[["d0", "d1"]].isna().all()
    assert (measures.dropna() >= 1).all()


def test_in_which_turn_a_phrase_stood(documents, run_with, own_list):
    artifact = clean(documents([CHAT]), "sample", run_with(1), steps=[{"slop": {"lists": [own_list]}}])
    frame = pd.read_parquet(artifact.path / "removed").set_index("id")
    found = spans(frame)
    assert found["message"].tolist() == [1, 1]
    content = frame.loc["d0", "messages"][1]["content"].encode()
    assert [content[start:end].decode() for start, end in zip(found["start"], found["end"], strict=True)] == [
        "As an AI",
        "I'm sorry",
    ]
