"""`prep estimate`: what it prints, and what it says where it cannot."""

import json
import re

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from pipeline.cli import main

CONFIG = {
    "model_type": "mistral",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return str(tmp_path)


def prep(*arguments):
    return CliRunner().invoke(main, ["estimate", *arguments])


def test_a_models_config_is_enough_and_the_terms_add_up(model):
    printed = prep(model, "--sequence-length", "256")
    assert printed.exit_code == 0, printed.output
    assert "2 x 256 tokens a pass, gradient checkpointing" in printed.stdout
    rows = re.findall(r"^(\S.*?) +(\d+\.\d\d)(?:  .*)?$", printed.stdout, re.MULTILINE)
    terms = {name: float(gib) for name, gib in rows}
    total = terms.pop("total")
    assert sum(terms.values()) == pytest.approx(total, abs=0.06)
    assert re.search(r"^24 GB +✓", printed.stdout, re.MULTILINE)


@pytest.mark.slow
def test_a_recipes_settings_and_flags_over_them_are_taken(tmp_path, model):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"tokenize: {{sequence_length: 300}}\ntrain: {{model: {model}, adapter: lora, micro_batch_size: 3}}\n")
    answer = json.loads(prep(str(recipe), "--micro-batch-size", "5", "--json").stdout)
    assert (answer["adapter"], answer["micro_batch_size"], answer["length"]) == ("lora", 5, 300)
    assert answer["total"] == sum(term["bytes"] for term in answer["terms"])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--optimizer", "adamw_tork", "--sequence-length", "256"], "Did you mean 'adamw_torch"),
        (["--sequence-length", "1024"], "the rows have 1,024 tokens, but the model takes 512"),
        (["--adapter", "dora"], "adapter: input should be"),
        (["--lora-r", "0"], "lora_r: input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(model, flags, says):
    printed = prep(model, *flags)
    assert printed.exit_code == 1
    assert says in printed.stderr
    assert "Traceback" not in printed.output
