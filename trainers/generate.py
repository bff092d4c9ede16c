"""A prompt -> what a model answers: the prompt as the tokenizer's chat template writes it, up to the token that ends a turn."""

from typing import Any, NamedTuple

import torch
from transformers import set_seed

PROBE = "x"


class Answer(NamedTuple):
    """What a model answered: the text, its number of tokens, and whether it ended by itself."""

    prompt: str
    text: str
    tokens: int
    ended: bool


def answer(
    model: Any,  # noqa: ANN401  a transformers or peft model
    tokenizer: Any,  # noqa: ANN401  a transformers tokenizer
    prompt: str,
    *,
    system: str | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 42,
) -> Answer:
    """Answer a prompt, by the likeliest token each time, or drawn at a `temperature` above 0.

    With a chat template the prompt is a user's turn; without one it is a text that the model goes on with.
    """
    chat = tokenizer.chat_template is not None
    ids = _turns(tokenizer, prompt, system) if chat else tokenizer(prompt)["input_ids"]
    ends = ends_of_turn(tokenizer) if chat else [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    sampled = {"do_sample": True, "temperature": temperature, "top_p": top_p} if temperature > 0 else {"do_sample": False}
    set_seed(seed)
    given = torch.tensor([ids], device=model.device)
    with torch.no_grad():
        out = model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=max_new_tokens,
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else 0,
            use_cache=True,
            **sampled,
        )
    new = out[0, len(ids) :].tolist()
    ended = bool(new) and new[-1] in ends
    return Answer(prompt, tokenizer.decode(new[:-1] if ended else new, skip_special_tokens=True), len(new), ended)


def ends_of_turn(tokenizer: Any) -> list[int]:  # noqa: ANN401  a transformers tokenizer
    """Return the ids that end an assistant's turn: what its chat template writes behind one, and the end of a text."""
    turns = [{"role": "user", "content": PROBE}, {"role": "assistant", "content": PROBE}]
    written = tokenizer.apply_chat_template(turns, tokenize=False)
    behind = tokenizer(written[written.rindex(PROBE) + len(PROBE) :], add_special_tokens=False)["input_ids"]
    special = [token for token in behind if token in tokenizer.all_special_ids][:1]
    return [*special, *({tokenizer.eos_token_id} - {None, *special})]


def _turns(tokenizer: Any, prompt: str, system: str | None) -> list[int]:  # noqa: ANN401  a transformers tokenizer
    turns = [{"role": "user", "content": prompt}]
    if system:
        turns.insert(0, {"role": "system", "content": system})
    written = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(written, add_special_tokens=False)["input_ids"]
    starts = tokenizer("")["input_ids"]  # the beginning of a text, where the tokenizer sets one and the template does not
    begin = starts[:1] if starts[:1] == [tokenizer.bos_token_id] and ids[:1] != starts[:1] else []
    return begin + ids
