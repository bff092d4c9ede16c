from datasets import Dataset

from pipeline.artifacts import Identity, Store
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.stages.tokenize import tokenize
from pipeline.training.facts import ancestors, facts_of


def made(tmp_path):
    """A page and what was tokenized of it, with a tokenizer of bytes."""
    (tmp_path / "a.txt").write_text("The mill grinds rye.\n" * 20)
    run = Run(Store(tmp_path / "store"), Local(1))
    documents = ingest([str(tmp_path / "a.txt")], "mill", run)
    return run.store, tokenize([documents], "mill", run, train_tokenizer=True, vocab_size=300, sequence_length=64, validation=0)


def test_the_bytes_of_the_text_are_those_that_tokens_spell(tmp_path):
    _, parent = made(tmp_path)
    rows = Dataset.from_file(str(next(file for file in parent.files("tokens/train") if file.suffix == ".arrow")))
    facts = facts_of(rows, parent, {"train": 90, "validation": 9}, steps=7)
    assert (facts.supervised_tokens, facts.validation_tokens, facts.sample_tokens, facts.steps) == (90, 9, 0, 7)
    control = len("<|endoftext|>")
    assert 20 * 21 - 1 <= facts.text_bytes <= 20 * 21 + 2 * control


def test_a_tokenizer_whose_bytes_are_not_known_leaves_the_text_open(tmp_path):
    store = Store(tmp_path)
    with store.draft(Identity("tokenize", {}), "bare") as draft:
        (draft.path / "tokens").mkdir()
        parent = draft.publish({"in": 0, "kept": 0}, versions={}, run={})
    assert facts_of(Dataset.from_dict({"input_ids": [[1]]}), parent, {"train": 1}, steps=1).text_bytes is None


def test_the_lineage_goes_down_to_the_files(tmp_path):
    store, parent = made(tmp_path)
    tokens, documents = ancestors(store, parent)
    assert (tokens.ref, tokens.sources) == (parent.ref, [])
    assert documents.ref == parent.manifest.parents[0]
    (source,) = documents.sources
    assert source.name.endswith("a.txt")
    assert (source.size, len(source.sha256), documents.source_count) == (420, 64, 1)
