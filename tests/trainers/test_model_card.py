import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from trainers.account import Account, Ancestor, Source
from trainers.history import Pace, Point
from trainers.model_card import model_card
from trainers.verdict import Facts, Finding, Verdict

POINTS = [
    *(Point(step, step / 40, "train", 3 - step / 40, 1e-4, 1.0, 900 * step) for step in range(1, 41)),
    *(Point(step, step / 40, "validation", 3 - step / 50, None, None, 900 * step) for step in (0, 20, 40)),
]
PACES = [Pace(step, 0.5, 1000, 2 << 30) for step in range(1, 41)]
FOUND = Verdict((Finding("overfit", 0.8, "It rose by 0.2 after step 20.", (), {}, (20,)),))
ACCOUNT = Account(
    name="wiki",
    base_model="mistralai/Mistral-7B-v0.3",
    revision="abc123",
    settings={"adapter": "qlora", "learning_rate": 2e-4},
    facts=Facts(supervised_tokens=36_000),
    lineage=(
        Ancestor("tokenize/wiki@1", {"in": 12, "kept": 10}),
        Ancestor(
            "ingest/wiki@0",
            {"in": 12, "kept": 12},
            (Source("a.csv", "ab" * 32, 2048), Source("hf://datasets/acme/talks/train.parquet", "cd" * 32, 10)),
            3,
        ),
    ),
    run={"device": "cuda"},
)


def card(**changes):
    """The front matter, parsed, and the text below it."""
    opening, front, body = model_card(POINTS, PACES, FOUND, ACCOUNT._replace(**changes)).split("---\n", 2)
    assert opening == ""
    return YAML(typ="safe").load(front), body


def test_the_front_matter_says_what_the_hub_wants_to_know():
    front, _ = card()
    assert front["base_model"] == "mistralai/Mistral-7B-v0.3"
    assert front["library_name"] == "peft"
    assert front["pipeline_tag"] == "text-generation"
    assert front["tags"] == ["prep", "lora", "qlora", "base_model:adapter:mistralai/Mistral-7B-v0.3"]
    assert front["datasets"] == ["acme/talks"]


def test_the_licence_is_left_to_the_user():
    front, _ = card()
    assert "license" not in front
    assert "\n# license: fill in" in model_card(POINTS, PACES, FOUND, ACCOUNT)


def test_the_lineage_goes_down_to_the_files():
    front, body = card()
    assert [found["artifact"] for found in front["lineage"]] == ["tokenize/wiki@1", "ingest/wiki@0"]
    assert front["lineage"][1]["sources"][0] == {"name": "a.csv", "sha256": "ab" * 32}
    assert front["lineage"][1]["source_count"] == 3
    assert "`a.csv` (2.0 KiB, sha256 `abababababab`)" in body
    assert "and 1 more" in body


def test_the_validation_loss_stands_where_the_hub_looks_for_results():
    (model,) = card()[0]["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == 2.2
    assert model["results"][0]["dataset"]["split"] == "validation"


@pytest.mark.parametrize(
    "said",
    [
        "A QLoRA adapter for `mistralai/Mistral-7B-v0.3`, revision `abc123`, trained on `tokenize/wiki@1`.",
        "- **overfit**: It rose by 0.2 after step 20.",
        "| validation | 3.0000 | 2.2000 (step 40) | 2.2000 |",
        'from_pretrained("mistralai/Mistral-7B-v0.3", revision="abc123")',
        "PeftModel.from_pretrained(base,",
        "- steps: 40",
        "- peak memory: 2.00 GiB",
        "- supervised tokens, once through: 36,000",
        "- learning\\_rate: 0.0002",
    ],
)
def test_the_card_says(said):
    assert said in card()[1]


def test_plain_lora_is_called_so():
    front, body = card(settings={"adapter": "lora"})
    assert "qlora" not in front["tags"]
    assert "A LoRA adapter" in body


def test_the_result_is_that_of_the_weights_that_were_kept():
    front, body = card(kept_step=20)
    assert front["model-index"][0]["results"][0]["metrics"][0]["value"] == 2.6
    assert "- step whose weights were kept: 20" in body


def test_a_model_that_was_trained_whole_needs_no_peft():
    front, body = card(settings={"adapter": "none"})
    assert (front["library_name"], front["tags"][-1]) == ("transformers", "base_model:finetune:mistralai/Mistral-7B-v0.3")
    assert "All weights of `mistralai" in body
    assert "peft" not in body


def test_a_training_without_validation_has_no_result():
    _, front, _ = model_card(POINTS[:40], [], Verdict(()), Account("a", "b", {}, Facts(0))).split("---\n", 2)
    assert YAML(typ="safe").load(front)["model-index"] == [{"name": "a", "results": []}]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_name_is_valid_yaml_and_comes_back(name):
    account = ACCOUNT._replace(name=name, base_model=name, lineage=(Ancestor(name, {}, (Source(name, "ab", 1),), 1),))
    written = model_card(POINTS, PACES, FOUND, account)
    front = YAML(typ="safe").load(written.removeprefix("---\n").split("\n# license", 1)[0])
    assert front["base_model"] == front["lineage"][0]["artifact"] == front["model-index"][0]["name"] == name


def test_the_hub_reads_the_card():
    hub = pytest.importorskip("huggingface_hub")
    read = hub.ModelCard(model_card(POINTS, PACES, FOUND, ACCOUNT))
    assert read.data.base_model == "mistralai/Mistral-7B-v0.3"
    assert read.data.eval_results[0].metric_value == 2.2
    assert read.text.strip().startswith("# wiki")
