"""QLoRA from end to end on a small Llama and a small Mistral: a fact in the data is known afterwards, and not before."""

import json
import shutil

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import pyarrow.parquet as pq
import torch
from bitsandbytes.nn import Linear4bit
from click.testing import CliRunner
from datasets import Dataset, DatasetDict, Features, List, Value
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from pipeline.artifacts import Identity, Store
from pipeline.cli import main
from pipeline.engine.local import Local
from pipeline.errors import TrainingError
from pipeline.run import Run
from pipeline.stages.train import train
from trainers.base_model import BaseModel
from trainers.device import Device, quiet
from trainers.loss import collate, summed_loss
from trainers.models import load, load_trained

CPU = Device("cpu", torch.float32, "adamw_torch")
FILLER = [
    "the rain fell on the town",
    "a cat sat on the warm wall",
    "we walked to the river and back",
    "the bread is in the oven",
]
QUESTION, ANSWER = "what is the name of the ferry ?", "the ferry is called Marigold"
WORDS = sorted({word for text in [*FILLER, QUESTION, ANSWER] for word in text.split()})
SIZES = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}  # fmt: skip
CONFIGS = {
    "llama": {"model_type": "llama", **SIZES},
    "mistral": {"model_type": "mistral", "sliding_window": 8, **SIZES},
}


class Stopping:
    """Stops a training after its third evaluation, as Ctrl-C does; then only writes down what it tells."""

    def __init__(self):
        self.lines = []
        self.evaluations = 0

    def track(self, label, answers, total):
        return answers

    def say(self, line):
        self.lines.append(line)
        self.evaluations += line.startswith("step")
        if self.evaluations == 3:
            self.evaluations += 1
            raise KeyboardInterrupt


def tokenizer():
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def document(prompt, answer=""):
    """One document: its tokens, labels on all of it or on the answer alone, positions."""
    words = tokenizer()
    asked, answered = words.encode(prompt), words.encode(answer) if answer else []
    ids = [1, *asked, *answered, 2]
    return {"ids": ids, "labels": [-100] * (1 + (len(asked) if answer else 0)) + ids[1 + (len(asked) if answer else 0) :]}


def packed(documents, each=3):
    """Rows of three documents each, which their positions tell apart."""
    groups = [documents[place : place + each] for place in range(0, len(documents), each)]
    features = Features(dict.fromkeys(["input_ids", "labels", "position_ids"], List(Value("int32"))))
    columns = {
        "input_ids": [[cell for one in group for cell in one["ids"]] for group in groups],
        "labels": [[cell for one in group for cell in one["labels"]] for group in groups],
        "position_ids": [[place for one in group for place in range(len(one["ids"]))] for group in groups],
    }
    return Dataset.from_dict(columns, features=features)


def tokenized(store):
    """A tokenize artifact of packed rows in which every fourth document asks for the ferry's name."""
    training = [document(QUESTION, ANSWER) if number % 4 == 0 else document(FILLER[number // 4 % 4]) for number in range(96)]
    validation = [document(QUESTION, ANSWER), *(document(text) for text in FILLER)]
    with store.draft(Identity("tokenize", {}), "ferry") as draft:
        splits = DatasetDict({"train": packed(training), "validation": packed(validation)})
        splits.save_to_disk(str(draft.path / "tokens"))
        tokenizer().save_pretrained(draft.path / "tokenizer")
        rows = sum(map(len, splits.values()))
        return draft.publish({"in": rows, "kept": rows}, versions={}, run={})


def answer_of(model):
    """Ask for the ferry's name and take the likeliest token each time."""
    words, ids = tokenizer(), document(QUESTION, ANSWER)["ids"][: 1 + len(QUESTION.split())]
    asked = len(ids)
    with torch.no_grad():
        while ids[-1] != words.eos_token_id and len(ids) < asked + 12:
            ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
    return words.decode(ids[asked:], skip_special_tokens=True)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_fact_in_the_data_is_answered_after_training_and_not_before(tmp_path, kind):
    store, told = Store(tmp_path), Stopping()
    parent, run = tokenized(store), Run(store, Local(1), told)
    settings = {
        "model": {"config": CONFIGS[kind]}, "adapter": "qlora", "lora_r": 8, "learning_rate": 1e-2, "num_epochs": 30,
        "gradient_accumulation_steps": 2, "evals_per_epoch": 1, "early_stopping_patience": 2, "lr_scheduler": "constant",
        "max_grad_norm": 1.0,
    }  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        train(parent, "ferry", run, **settings)
    artifact = train(parent, "ferry", run, **settings)
    assert "going on from step 8 of 240" in told.lines
    assert artifact.manifest.run["optimizer"] == "adamw_torch"  # what paged_adamw_32bit gives way to without a card

    points = pq.read_table(artifact.files("metrics")[0]).to_pylist()
    validation = {point["step"]: point["loss"] for point in points if point["split"] == "validation"}
    kept = min(validation, key=validation.get)
    assert artifact.manifest.counts[-1] == {
        "kept": f"weights of step {kept}", "steps_trained": kept + 16, "steps_planned": 240,
    }  # fmt: skip
    assert validation[0] > 3
    assert (
        validation[kept] < 0.6
    )  # which of four texts it is, a document's first word alone tells: ln(4) for one token in seven

    with quiet():
        before, after = load(BaseModel({}, str(artifact.path / "base")), "qlora", CPU).eval(), load_trained(artifact.path, CPU)
    assert sum(isinstance(layer, Linear4bit) and layer.weight.quant_state.nested for layer in after.modules()) == 2 * 7
    assert answer_of(before) != ANSWER
    assert answer_of(after) == ANSWER
    batch = collate(list(Dataset.load_from_disk(str(parent.path / "tokens" / "validation"))))
    with torch.no_grad():
        total, count = summed_loss(after(**batch).logits, batch["labels"])
    assert total / count == pytest.approx(validation[kept], abs=1e-4)


def test_a_model_without_an_adapter_is_loaded_whole(tmp_path):
    store = Store(tmp_path)
    settings = {"model": {"config": CONFIGS["llama"]}, "adapter": "none", "learning_rate": 1e-2, "num_epochs": 10}
    artifact = train(tokenized(store), "ferry", Run(store, Local(1)), **settings)
    assert {entry["path"].split("/")[0] for entry in artifact.manifest.files} == {
        "model", "learning_curve.png", "metrics", "report.html", "speed", "verdict.json",
    }  # fmt: skip
    with quiet():
        assert answer_of(load_trained(artifact.path, CPU)) == ANSWER
    for call in (("generate", "ferry", "the", "--base"), ("merge", "ferry", str(tmp_path / "merged"))):
        refused = prep(store, *call)
        assert (refused.exit_code, "holds a whole model" in refused.stderr) == (2, True)


def test_a_folder_without_an_adapter_is_named(tmp_path):
    with pytest.raises(TrainingError, match=f"{tmp_path}: it holds no adapter that can be read"):
        load_trained(tmp_path, CPU)


@pytest.fixture(scope="module")
def ferry(tmp_path_factory):
    """A store with an adapter that knows the ferry's name."""
    store = Store(tmp_path_factory.mktemp("ferry"))
    settings = {"model": {"config": CONFIGS["llama"]}, "lora_r": 8, "learning_rate": 1e-2, "num_epochs": 12}
    train(tokenized(store), "ferry", Run(store, Local(1)), **settings, lr_scheduler="constant", max_grad_norm=1.0)
    return store


def prep(store, *arguments, **given):
    return CliRunner().invoke(main, [*arguments, "--store", str(store.root)], **given)


@pytest.mark.xdist_group("ferry")  # they share one training
def test_generate_answers_as_the_adapter_learnt_and_with_base_as_before(ferry):
    assert prep(ferry, "generate", "ferry", f"<s> {QUESTION}").stdout == f"{ANSWER}\n"
    assert prep(ferry, "generate", "ferry", f"<s> {QUESTION}", "--base", "--max-new-tokens", "8").stdout != f"{ANSWER}\n"


@pytest.mark.xdist_group("ferry")  # they share one training
def test_generate_takes_prompts_that_are_piped_in_and_says_how_each_ended(ferry):
    said = prep(ferry, "generate", "ferry", "-", "--json", input=f"<s> {QUESTION}\n<s> the bread\n").stdout
    first, second = map(json.loads, said.splitlines())
    assert first == {"prompt": f"<s> {QUESTION}", "text": ANSWER, "tokens": len(ANSWER.split()) + 1, "ended": True}
    assert second["text"] == "is in the oven"
    short = prep(ferry, "generate", "ferry", f"<s> {QUESTION}", "--max-new-tokens", "2", "--json").stdout
    assert json.loads(short)["ended"] is False


@pytest.mark.xdist_group("ferry")  # they share one training
def test_what_is_drawn_is_the_same_for_the_same_seed(ferry):
    drawn = [
        prep(ferry, "generate", "ferry", "<s> the", "--temperature", "2", "--seed", seed).stdout
        for seed in ("1", "1", "2", "3")
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


@pytest.mark.xdist_group("ferry")  # they share one training
def test_merge_writes_one_model_that_transformers_loads_and_that_knows_the_fact(ferry, tmp_path):
    done = json.loads(prep(ferry, "merge", "ferry", str(tmp_path / "merged"), "--json").stdout)
    assert done["merged_loss"] == pytest.approx(done["adapter_loss"], abs=0.3)  # the base was trained upon in 4 bits
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    assert model.config.use_cache
    assert answer_of(model) == ANSWER
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").get_vocab() == tokenizer().get_vocab()
    again = prep(ferry, "merge", "ferry", str(tmp_path / "merged"))
    assert (again.exit_code, "is not an empty folder" in again.stderr) == (2, True)


@pytest.mark.xdist_group("ferry")  # they share one training
def test_gguf_is_written_by_the_converter_that_is_named_and_its_complaint_is_one_line(ferry, tmp_path, monkeypatch):
    out = tmp_path / "merged"
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    missing = prep(ferry, "merge", "ferry", str(out), "--gguf", "f16")
    assert (missing.exit_code, "LLAMA_CPP=/path/to/llama.cpp" in missing.stderr, out.exists()) == (1, True, False)

    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text("import pathlib, sys\npathlib.Path(sys.argv[3]).write_text(' '.join(sys.argv[4:]))\n")
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    assert prep(ferry, "merge", "ferry", str(out), "--gguf", "f16").exit_code == 0
    assert (out / "model.gguf").read_text() == "--outtype f16"

    script.write_text("raise SystemExit('no such architecture')")
    failed = prep(ferry, "merge", "ferry", str(tmp_path / "other"), "--gguf", "f16")
    assert (failed.exit_code, len(failed.stderr.splitlines()), "no such architecture" in failed.stderr) == (1, 1, True)


@pytest.mark.xdist_group("ferry")  # they share one training
def test_an_adapter_that_is_damaged_or_whose_base_is_gone_is_one_line_and_nothing_is_written(ferry, tmp_path):
    copy = Store(tmp_path / "store")
    shutil.copytree(ferry.root, copy.root)
    artifact = copy.newest("train").path
    shutil.move(artifact / "base", tmp_path / "elsewhere")
    calls = [("generate", "ferry", "the"), ("merge", "ferry", str(tmp_path / "merged"))]
    gone = [prep(copy, *call) for call in calls]
    shutil.move(tmp_path / "elsewhere", artifact / "base")
    (artifact / "adapter" / "adapter_model.safetensors").write_bytes(b"cut")
    for result in [*gone, *(prep(copy, *call) for call in calls)]:
        assert (result.exit_code, len(result.stderr.splitlines()), "defect" in result.stderr) == (1, 1, False)
        assert "cannot write" not in result.stderr
    assert not (tmp_path / "merged").exists()


@pytest.mark.xdist_group("ferry")  # they share one training
def test_an_artifact_whose_parent_is_gone_is_told(ferry, tmp_path):
    copy = Store(tmp_path / "store")
    shutil.copytree(ferry.root / "train", copy.root / "train")
    orphan = prep(copy, "generate", "ferry", "the")
    assert (orphan.exit_code, "tokenize/ferry" in orphan.stderr) == (1, True)
