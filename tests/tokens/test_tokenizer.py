"""Loading, training and naming tokenizers."""

import shutil
from pathlib import Path

import mistral_common
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

from pipeline.errors import TokenizerError
from pipeline.tokens.chat import Chat, template_text
from pipeline.tokens.masks import encode
from pipeline.tokens.tokenizer import Tokenizer, load, reopened, train

TEXTS = [["The mill stands by the river.", "The river runs by the mill."] * 3, ["Grüße, 世界 🌍"]]
TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"


@pytest.fixture
def trained() -> Tokenizer:
    return train(TEXTS, 300)


def test_training_twice_gives_the_same_tokenizer(trained):
    assert train(TEXTS, 300).content_hash == trained.content_hash


def test_other_texts_give_another_tokenizer(trained):
    assert train([["entirely different words, different words"]], 300).content_hash != trained.content_hash


@pytest.mark.parametrize("text", ["", " leading and trailing ", "日本語 e\u0301 \x00\x7f", "👩‍👩‍👧 \r\n\t"])
def test_a_trained_tokenizer_gives_every_text_back(trained, text):
    assert trained.backend.decode(trained.backend.encode(text).ids) == text


def test_a_saved_tokenizer_opens_in_transformers_with_its_template_and_the_same_ids(trained, tmp_path):
    trained.with_chat_template("{{ messages[0].content }}").save(tmp_path / "tokenizer")
    opened = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert opened("The mill")["input_ids"] == trained.backend.encode("The mill").ids
    assert (opened.eos_token, opened.chat_template) == ("<|endoftext|>", "{{ messages[0].content }}")


def test_saving_and_loading_keeps_the_content_and_so_the_hash(trained, tmp_path):
    with_template = trained.with_chat_template("{{ messages[0].content }}")
    with_template.save(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert load(str(tmp_path / "here")).content_hash == with_template.content_hash
    assert load(str(tmp_path / "there")).content_hash == with_template.content_hash
    assert reopened(tmp_path / "there").content_hash == with_template.content_hash


def test_saving_leaves_no_path_in_the_files(trained, tmp_path):
    trained.save(tmp_path / "here")
    load(str(tmp_path / "here")).save(tmp_path / "again")
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_another_chat_template_is_another_content(trained):
    assert trained.with_chat_template("x").content_hash != trained.content_hash


def test_a_tokenizer_json_is_opened_with_the_config_beside_it(trained, tmp_path):
    trained.save(tmp_path)
    assert load(str(tmp_path / "tokenizer.json")).special_tokens == trained.special_tokens


def test_a_tokenizer_json_alone_has_its_special_tokens_known_by_name(tmp_path):
    backend = Backend(models.WordLevel({"[UNK]": 0, "<s>": 1, "</s>": 2, "mill": 3}, unk_token="[UNK]"))
    backend.add_special_tokens(["<s>", "</s>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    opened = load(str(tmp_path / "tokenizer.json"))
    assert opened.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert (opened.token_id("eos_token"), opened.token_id("pad_token")) == (2, None)


def test_truncation_and_padding_of_a_tokenizer_are_taken_off(trained, tmp_path):
    trained.backend.enable_truncation(3)
    trained.backend.save(str(tmp_path / "tokenizer.json"))
    assert len(load(str(tmp_path / "tokenizer.json")).backend.encode("The mill stands by the river.").ids) > 3


def test_a_sentencepiece_style_tokenizer_loads_with_the_same_ids(tmp_path):
    backend = Backend(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    backend.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False))
    backend.save(str(tmp_path / "tokenizer.json"))
    assert load(str(tmp_path / "tokenizer.json")).backend.encode("the mill").ids == backend.encode("the mill").ids


def test_mistrals_tekken_loads_and_gives_texts_and_answers_back(tmp_path):
    shutil.copy(TEKKEN, tmp_path / "tekken.json")
    opened = load(str(tmp_path))
    ids = opened.backend.encode("Grüße, 世界 🌍", add_special_tokens=False).ids
    assert opened.backend.decode(ids) == "Grüße, 世界 🌍"
    assert opened.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    talk = [{"role": "user", "content": "/hi :)"}, {"role": "assistant", "content": "/yo  \n\n\tGrüße 🌍"}]
    chat = Chat(opened.with_chat_template(template_text("mistral", None)))
    tokens = encode(chat, [talk], "assistant").tokens
    assert (
        opened.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False) == " /yo  \n\n\tGrüße 🌍</s>"
    )


def test_a_file_that_is_no_tokenizer_is_one_clear_line(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"not": "a tokenizer"}')
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a tokenizer\.json \(.*\)\. Name"):
        load(str(tmp_path / "tokenizer.json"))


def test_a_folder_without_a_tokenizer_is_one_clear_line(tmp_path):
    with pytest.raises(TokenizerError, match="cannot open a tokenizer there") as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_with_a_broken_tokenizer_is_one_clear_line(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"not": "a tokenizer"}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    with pytest.raises(TokenizerError, match="cannot open a tokenizer there") as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub():
    with pytest.raises(TokenizerError, match="no such file or folder"):
        load("./models/mill")


def test_a_hub_name_that_cannot_be_reached_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://hub.invalid")
    with pytest.raises(TokenizerError, match=r"^mill/river-7b: cannot open .* the hub cannot be reached") as caught:
        load("mill/river-7b")
    assert "\n" not in str(caught.value)
