"""A SentencePiece model file -> the same tokenizer for `tokenizers`, made without SentencePiece's library or a network.

A BPE model joins the pair of neighbours whose piece has the highest score: that order is its merges. Control tokens (`<s>`,
`[INST]`) are no text. Nor are a user's own pieces (`[REF]`) of a BPE model that puts a space in front of each text: what stands
behind one would get a space too. So they are spelled out there, and found in texts by models that put no space.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, processors

from pipeline.errors import TokenizerError
from pipeline.tokens.protobuf import Malformed
from pipeline.tokens.sentencepiece_model import BPE, SPACE, Kind, Model, Piece, merges, parsed

ADDED = ("lstrip", "rstrip", "single_word", "special")  # of a token that a folder adds


def opened(path: Path) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """Return a model's tokenizer, and its special tokens by role; raises `TokenizerError`."""
    try:
        model = parsed(path.read_bytes())
    except (Malformed, ValueError, OSError) as error:
        raise TokenizerError(
            f"{path}: not a SentencePiece model, or cut short ({error}). Name the file that the model came with."
        ) from error
    special = {role: model.pieces[number].text for role, number in sorted(model.roles.items())}
    return _backend(model), special


def of_folder(folder: Path) -> tuple[tokenizers.Tokenizer, dict[str, str], str | None] | None:
    """Open a folder that has a tokenizer.model and no tokenizer.json, with the tokens that it adds, and its chat template.

    Returns None for other folders; raises `TokenizerError`.
    """
    if not (folder / "tokenizer.model").exists() or (folder / "tokenizer.json").exists():
        return None
    backend, special = opened(folder / "tokenizer.model")
    config = _json(folder / "tokenizer_config.json")
    listed = {content: int(number) for content, number in _json(folder / "added_tokens.json").items()}
    told = {entry["content"]: int(number) for number, entry in config.get("added_tokens_decoder", {}).items()}
    settings = {entry["content"]: entry for entry in config.get("added_tokens_decoder", {}).values()}
    for content, number in sorted({**listed, **told}.items(), key=lambda entry: entry[1]):
        _add(backend, content, number, settings.get(content, {"special": True}), folder)
    for role in ("bos_token", "eos_token", "pad_token", "unk_token"):
        if token := config.get(role):
            special[role] = token["content"] if isinstance(token, dict) else token
    template = folder / "chat_template.jinja"
    return backend, special, template.read_text("utf-8") if template.exists() else config.get("chat_template")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError as error:
        raise TokenizerError(f"{path}: not JSON ({error}). Take it from the model's folder again.") from error
    return found if isinstance(found, dict) else {}


def _add(backend: tokenizers.Tokenizer, content: str, number: int, settings: dict[str, Any], folder: Path) -> None:
    backend.add_tokens([AddedToken(content, normalized=False, **{key: bool(settings.get(key, False)) for key in ADDED})])
    if backend.token_to_id(content) != number:
        raise TokenizerError(
            f"{folder}: its added token {content!r} should be number {number} and would be {backend.token_to_id(content)}. "
            f"Does tokenizer.model belong to this folder?"
        )


def _backend(model: Model) -> tokenizers.Tokenizer:
    byte_fallback = any(piece.kind == Kind.BYTE for piece in model.pieces)
    unknown = model.roles.get("unk_token")
    if model.algorithm == BPE:
        numbers = {piece.text: number for number, piece in enumerate(model.pieces)}
        name = None if unknown is None else model.pieces[unknown].text
        options = {"unk_token": name, "fuse_unk": True, "byte_fallback": byte_fallback}
        core: models.Model = models.BPE(numbers, merges(model.pieces), **options)
    else:
        core = models.Unigram(_scored(model.pieces), unknown, byte_fallback)
    backend = tokenizers.Tokenizer(core)
    backend.normalizer = _normalizer(model)
    backend.decoder = _decoder(model)
    control = [piece.text for piece in model.pieces if piece.kind in (Kind.CONTROL, Kind.UNKNOWN)]
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    if not model.space_first:
        own = [piece.text for piece in model.pieces if piece.kind == Kind.USERS_OWN]
        backend.add_tokens([AddedToken(text, special=False, normalized=False) for text in own])
    if "bos_token" in model.roles:
        begin = model.pieces[model.roles["bos_token"]].text
        backend.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, model.roles["bos_token"])]
        )
    return backend


def _scored(pieces: Sequence[Piece]) -> list[tuple[str, float]]:
    """Return pieces with scores; those that are never found in a text (`<0x0A>`) with one so low that none is.

    That holds where each of their letters has a piece, as in any model that met some English.
    """
    out_of_reach = 10 * min(0.0, *(piece.score for piece in pieces)) - 10
    hidden = (Kind.BYTE, Kind.UNUSED)
    return [(piece.text, out_of_reach if piece.kind in hidden else piece.score) for piece in pieces]


def _normalizer(model: Model) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.single_spaces:
        steps += [normalizers.Replace(Regex(pattern), one) for pattern, one in ((r"\A +| +\z", ""), (" {2,}", " "))]
    steps += [normalizers.Prepend(SPACE)] if model.space_first else []
    return normalizers.Sequence([*steps, normalizers.Replace(" ", SPACE)])


def _decoder(model: Model) -> decoders.Decoder:
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if model.space_first else steps)
