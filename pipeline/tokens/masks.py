"""Conversations -> tokens, of which the assistant's are supervised, each conversation proved or refused with the reason.

A token is labelled by the characters it stands for: whatever overlaps an assistant turn is trained.
"""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import TokenizerError
from pipeline.tokens.chat import Chat, Message, Rendered, Turn, Unfit
from pipeline.tokens.encoding.encoder import Choice, Encoder
from pipeline.tokens.labels import TrainOn as TrainOn
from pipeline.tokens.labels import labelled
from pipeline.tokens.rows import Tokens
from pipeline.tokens.tokenizer import Tokenizer

UNASKED = Choice("it was not asked for", "it was not asked for")

PROBE = [
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "It is 4."},
    {"role": "user", "content": "And 3 + 3?"},
    {"role": "assistant", "content": "It is 6."},
]


class Encoded(NamedTuple):
    """Conversations as tokens: those that were proved, by position, and what is wrong with the others."""

    tokens: Tokens
    fit: list[int]
    unfit: dict[int, Unfit]


def encode(
    chat: Chat, conversations: Sequence[Sequence[Message]], train_on: TrainOn, encoder: Encoder | None = None
) -> Encoded:
    """Render, encode, label and prove conversations.

    Proved for each: every assistant turn has supervised tokens, its end-of-turn is among them, they decode to the very text of
    the turn, and the BOS token stands nowhere but at the start. `train_on` says which tokens are supervised: those of every
    `assistant` turn, of the `last` one, or `all`, but for those of weight 0.

    Where the encoder found that tokens spell a conversation byte for byte, each turn's tokens decode to its text, if they begin
    and end with whole characters; the others are decoded, turn by turn.
    """
    encoder = encoder or Encoder(chat.tokenizer, UNASKED)
    rendered: dict[int, Rendered] = {}
    unfit: dict[int, Unfit] = {}
    for place, messages in enumerate(conversations):
        try:
            rendered[place] = chat.render(messages)
        except Unfit as problem:
            unfit[place] = problem
    numbers, every = list(rendered), list(rendered.values())
    ids, characters, spelled = encoder.rendered([one.text for one in every])
    supervised, proved = labelled(every, ids, characters, train_on)
    proved &= spelled & ~_second_bos(chat.tokenizer, *ids)
    for number in np.flatnonzero(~proved).tolist():
        own = slice(*ids.offsets[number : number + 2])
        try:
            supervised[own] = _labelled(chat.tokenizer, every[number], ids.ids[own], characters[own], train_on)
        except Unfit as problem:
            unfit[numbers[number]] = problem
    fits = np.array([place not in unfit for place in numbers], np.bool_)
    fit = [place for place in numbers if place not in unfit]
    return Encoded(Tokens(ids.ids, supervised, ids.offsets).chosen(fits), fit, unfit)


def probe(chat: Chat) -> None:
    """Encode and prove a small conversation; raises `TokenizerError` where the template itself is what fails.

    That the words of the conversation are not in the vocabulary says nothing of the template.
    """
    unfit = encode(chat, [PROBE], "assistant").unfit
    if unfit and unfit[0].measure != "decoded_text":
        raise TokenizerError(f"the chat template cannot be used: {unfit[0].reason}. Choose another with --chat-template.")


def _labelled(
    tokenizer: Tokenizer, rendered: Rendered, ids: npt.NDArray[np.int32], places: npt.NDArray[np.int64], train_on: TrainOn
) -> npt.NDArray[np.bool_]:
    """Label and prove one conversation, decoding each turn; raises `Unfit`."""
    if _second_bos(tokenizer, ids, np.array([0, len(ids)])).any():
        raise Unfit("bos", "the BOS token stands inside the conversation")
    supervised = np.full(len(ids), train_on == "all")
    for turn in rendered.turns:
        own = _tokens_of(turn, places)
        _prove_turn(tokenizer, rendered.text, turn, ids[own], places[own])
        if train_on == "assistant" or turn is rendered.turns[-1]:
            supervised[own] = True
    for turn in rendered.untrained:
        supervised[_tokens_of(turn, places)] &= train_on != "all"
    return supervised


def _tokens_of(turn: Turn, places: npt.NDArray[np.int64]) -> slice:
    first = int(np.searchsorted(places[:, 1], turn.start, side="right"))
    return slice(first, int(np.searchsorted(places[:, 0], turn.end, side="left")))


def _second_bos(tokenizer: Tokenizer, ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Say in which conversations the BOS token stands anywhere but at the start; nowhere where it is the EOS token as well."""
    bos = tokenizer.token_id("bos_token")
    found = np.zeros(len(offsets) - 1, np.bool_)
    if bos is not None and bos != tokenizer.token_id("eos_token"):
        at = np.setdiff1d(np.flatnonzero(ids == bos), offsets[:-1])
        found[np.searchsorted(offsets, at, side="right") - 1] = True
    return found


def _prove_turn(tokenizer: Tokenizer, text: str, turn: Turn, ids: npt.NDArray[np.int32], places: npt.NDArray[np.int64]) -> None:
    if not len(ids):
        raise Unfit("labels", "an assistant turn has no supervised token", turn.message)
    if places[-1, 1] < turn.end:
        raise Unfit("end_of_turn", "the end of the assistant's turn is not among the supervised tokens", turn.message)
    expected = text[min(turn.start, places[0, 0]) : places[-1, 1]]  # a token may reach over the turn's edge
    decoded = tokenizer.backend.decode(ids.tolist(), skip_special_tokens=False)
    if decoded != expected and _bare(decoded) != _bare(expected):
        raise Unfit("decoded_text", "the supervised tokens do not decode to the assistant's text", turn.message)


def _bare(text: str) -> str:
    """Return what is left of a text when a tokenizer has normalised it: no white space, one case, compatible forms.

    >>> _bare("Ｈello  World") == _bare("hello world")
    True
    """
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
