"""Conversations are labelled and proved the same way whether in batches or one by one; weights are kept."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from pipeline.documents import MESSAGES
from pipeline.tokens import masks
from pipeline.tokens.chat import Chat, rendered_sample, template_text
from pipeline.tokens.encoding.encoder import PROVED, Encoder
from pipeline.tokens.masks import UNASKED, encode
from pipeline.tokens.tokenizer import Tokenizer, train

UNTAGGED = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CUT = "{% for m in messages %}<|im_start|>{{ m.role }}\né{% if m.role == 'assistant' %}{% generation %}é{{ m.content }}é\
{% endgeneration %}{% else %}{{ m.content }}{% endif %}é{% endfor %}"
SHORT_END = UNTAGGED.replace("<|im_end|>\n", "</s><s>")
LAST_EMPTY = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"


def bytes_tokenizer() -> Tokenizer:
    """Return a tokenizer whose tokens cut `é` and join what stands on both sides of it."""
    trained = train([["The mill xé é<é stands. \xe8\xe9 \n\n"] * 3], 300)
    special = ["<s>", "</s>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    trained.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return Tokenizer(trained.backend, {"bos_token": "<s>", "eos_token": "</s>"})


BYTES = bytes_tokenizer()
TEMPLATES = [*(template_text(name, None) for name in ("chatml", "llama-3", "mistral")), UNTAGGED, CUT, SHORT_END, LAST_EMPTY]
said = st.text(st.sampled_from(" \nxé<>è🙂\u0301The"), max_size=8) | st.sampled_from(["<s>", "<|im_end|>", "é" * 9])
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": said}, optional={"weight": st.sampled_from([0.0, 1.0, 0.5])}
)
talks = st.lists(st.lists(message, max_size=5), max_size=5)


def answer(encoded) -> tuple:
    unfit = {place: (why.measure, why.reason, why.message) for place, why in encoded.unfit.items()}
    return *(part.tolist() for part in encoded.tokens), encoded.fit, unfit


@given(talks, st.sampled_from(TEMPLATES), st.sampled_from(["assistant", "last", "all"]))
def test_a_batch_is_labelled_and_refused_as_each_conversation_alone(conversations, template, train_on):
    chat = Chat(BYTES.with_chat_template(template))
    together = encode(chat, conversations, train_on, Encoder(BYTES, PROVED))
    assert answer(together) == answer(encode(chat, conversations, train_on, Encoder(BYTES, UNASKED)))


def test_conversations_that_tokens_spell_are_not_decoded(monkeypatch):
    chat = Chat(BYTES.with_chat_template(template_text("chatml", None)))
    talk = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The mill."}]
    monkeypatch.setattr(masks, "_labelled", lambda *_: pytest.fail("decoded"))
    assert encode(chat, [talk] * 3, "assistant", Encoder(BYTES, PROVED, one_in=0)).fit == [0, 1, 2]


def test_a_tokenizer_that_decodes_otherwise_than_byte_by_byte_has_its_turns_decoded():
    backend = train([["The mill"]], 270).backend
    backend.add_special_tokens([AddedToken("<é>", special=True, normalized=False)])  # ByteLevel decodes it to <\xe9>
    assert not Encoder(Tokenizer(backend, {}), PROVED).rendered(["The mill"]).spelled.any()


def test_an_answer_of_weight_0_is_not_trained_where_all_is():
    talk = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "The mill", "weight": 0.0}]
    chat = Chat(BYTES.with_chat_template(template_text("chatml", None)))
    tokens = encode(chat, [talk], "all").tokens
    silent = tokens.ids[~tokens.supervised].tolist()
    assert BYTES.backend.decode(silent, skip_special_tokens=False) == "The mill<|im_end|>"


def test_an_answers_weight_between_0_and_1_is_refused():
    talk = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "weight": 0.5}]
    problem = encode(Chat(BYTES.with_chat_template(UNTAGGED)), [talk], "assistant").unfit[0]
    assert (problem.measure, problem.message) == ("weight", 1)
    assert problem.reason == "the answer's weight is 0.5, and labels can only say 0 or 1"


def test_a_question_has_a_weight_without_effect():
    talk = [{"role": "user", "content": "x", "weight": 0.5}, {"role": "assistant", "content": "y", "weight": 1.0}]
    assert encode(Chat(BYTES.with_chat_template(UNTAGGED)), [talk], "assistant").fit == [0]


def test_a_sample_of_chats_is_rendered_but_for_those_that_cannot_be():
    talks = [[{"role": "user", "content": "Hi"}], [{"role": "user", "content": "<s>"}]]
    texts = rendered_sample(BYTES.with_chat_template(UNTAGGED), pa.table({"messages": pa.array(talks, MESSAGES)}))
    assert texts == ["<|im_start|>user\nHi<|im_end|>\n"]


def test_no_conversation_gives_no_token():
    encoded = encode(Chat(BYTES.with_chat_template(UNTAGGED)), [], "assistant", Encoder(BYTES, PROVED))
    assert (len(encoded.tokens.ids), encoded.tokens.offsets.tolist(), encoded.fit) == (0, [0], [])
    assert encoded.tokens.supervised.dtype == np.bool_
