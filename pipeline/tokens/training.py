"""Documents -> a tokenizer trained on them, of one of two kinds; the same texts give the same one.

`bpe` works on bytes, as GPT-2's and Llama 3's do. `sentencepiece_bpe` works on characters, with a space in front of a text, and
falls back on bytes for those that it has not met, as Llama 2's and Mistral's do. There is no Unigram: the trainer of
`tokenizers` gives other scores each time that it runs.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import orjson
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

from pipeline.errors import TokenizerError, UsageError
from pipeline.tokens.tokenizer import ENDOFTEXT, TRAINED_SPECIAL, Tokenizer, train

Kind = Literal["bpe", "sentencepiece_bpe"]
KINDS = {"bpe": "byte-level BPE", "sentencepiece_bpe": "BPE of characters with byte fallback"}
UNKNOWN, SPACE = "<unk>", "▁"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def check(vocab_size: int, kind: Kind, special_tokens: Sequence[str]) -> None:
    """Raise `UsageError` for settings of which no tokenizer can be made."""
    odd = [token for token in special_tokens if token != token.strip() or not token or token in BYTES]
    if odd or len(set(special_tokens)) < len(special_tokens):
        what = f"{odd[0]!r} is no name for one" if odd else "one is there twice"
        raise UsageError(f"special_tokens: {what}. Give names like <|think|>, each once.")
    least = smallest_vocabulary(kind, special_tokens)
    if vocab_size < least:
        raise UsageError(f"--vocab-size {vocab_size} is too small: bytes and special tokens take {least}.")


def smallest_vocabulary(kind: Kind, special_tokens: Sequence[str] = ()) -> int:
    """Return how many tokens a tokenizer has that learnt nothing.

    >>> smallest_vocabulary("bpe"), smallest_vocabulary("sentencepiece_bpe", ["<|think|>"])
    (259, 261)
    """
    return 256 + len(_special(special_tokens)) + (kind == "sentencepiece_bpe")


def trained(texts: Iterable[Sequence[str]], vocab_size: int, kind: Kind, special_tokens: Sequence[str] = ()) -> Tokenizer:
    """Train a tokenizer on batches of texts, with more special tokens on wish; raises `TokenizerError`.

    >>> tokenizer = trained([["hello hello"]], 300, "sentencepiece_bpe", ["<|think|>"])
    >>> tokenizer.backend.encode("hello <|think|>é").tokens
    ['▁hello', '▁', '<|think|>', '▁', '<0xC3>', '<0xA9>']
    """
    if kind == "bpe":
        return train(texts, vocab_size, special_tokens)
    learnt = tokenizers.Tokenizer(models.BPE(unk_token=UNKNOWN))
    learnt.normalizer, learnt.pre_tokenizer = _normalizer(), _pre_tokenizer()
    special = [UNKNOWN, *_special(special_tokens)]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[*special, *BYTES], show_progress=False)
    learnt.train_from_iterator(texts, trainer)
    if (size := learnt.get_vocab_size()) > vocab_size:
        raise TokenizerError(
            f"--vocab-size {vocab_size} is too small: the documents' characters, bytes and special tokens take {size}. "
            f"Give more, or train the kind bpe, which needs no characters."
        )
    return Tokenizer(_with_bytes(learnt, special), {"eos_token": ENDOFTEXT, "pad_token": ENDOFTEXT, "unk_token": UNKNOWN})


def _special(special_tokens: Sequence[str]) -> list[str]:
    return [*TRAINED_SPECIAL, *(token for token in special_tokens if token not in TRAINED_SPECIAL)]


def _with_bytes(learnt: tokenizers.Tokenizer, special: Sequence[str]) -> tokenizers.Tokenizer:
    """Return what was learnt with bytes for unknown characters: to learn, they had to be special tokens, which none is."""
    model = orjson.loads(learnt.to_str())["model"]
    joined = [(left, right) for left, right in model["merges"]]
    backend = tokenizers.Tokenizer(models.BPE(model["vocab"], joined, unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    backend.normalizer, backend.pre_tokenizer = _normalizer(), _pre_tokenizer()
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.decoder = decoders.Sequence(steps)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return backend


def _normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Metaspace(SPACE, prepend_scheme="never")
