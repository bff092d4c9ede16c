"""A tokenizer's name or the data -> a tokenizer that knows its own content: vocabulary, special tokens, chat template.

A tokenizer is a local folder, a `tokenizer.json`, a SentencePiece `tokenizer.model`, Mistral's tekken.json, a name on the
Hugging Face hub, or trained on the documents themselves.
Whatever it came from, it is kept as its content alone, so two copies in two places are the same tokenizer.
"""

import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from pipeline.artifacts import canonical
from pipeline.errors import TokenizerError
from pipeline.tokens import sentencepiece_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ENDOFTEXT, IM_START, IM_END = TRAINED_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SAVED = {"backend": "tokenizers", "model_max_length": 1000000000000000019884624838656, "tokenizer_class": "TokenizersBackend"}
SMALLEST_VOCABULARY = 256 + len(TRAINED_SPECIAL)  # every byte has a token, so nothing is unknown
PLAIN_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
KNOWN = {
    "bos_token": ("<s>", "<|begin_of_text|>", "<bos>"),
    "eos_token": ("</s>", "<|end_of_text|>", "<eos>", ENDOFTEXT),
}


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer's content: the encoder, its special tokens by role (`bos_token`, `eos_token`, ...), its chat template."""

    backend: tokenizers.Tokenizer
    special_tokens: dict[str, str]
    chat_template: str | None = None

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 of all that decides which ids come out; the same wherever the tokenizer lies."""
        content = [json.loads(self.backend.to_str()), self.special_tokens, self.chat_template]
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    def token_id(self, role: str) -> int | None:
        """Return the id of the special token of a role (`eos_token`), or None where the tokenizer has none."""
        token = self.special_tokens.get(role)
        return None if token is None else self.backend.token_to_id(token)

    @property
    def control_tokens(self) -> list[str]:
        """Return the tokens that steer a model and never stand for text, longest first."""
        added = self.backend.get_added_tokens_decoder().values()
        return sorted({token.content for token in added if token.special}, key=lambda token: (-len(token), token))

    def with_chat_template(self, template: str) -> "Tokenizer":
        """Return the same tokenizer with another chat template."""
        return replace(self, chat_template=template)

    def save(self, folder: Path) -> None:
        """Write the files that `transformers.AutoTokenizer.from_pretrained(folder)` opens."""
        folder.mkdir(parents=True, exist_ok=True)
        self.backend.save(str(folder / "tokenizer.json"))
        config = {**SAVED, **self.special_tokens}
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        if self.chat_template is not None:
            (folder / "chat_template.jinja").write_text(self.chat_template, encoding="utf-8", newline="")


def load(named: str) -> Tokenizer:
    """Open a tokenizer: a folder, a `tokenizer.json`, a `.model` of SentencePiece, a tekken.json, or a name on the hub.

    A `tokenizer.json` beside its `tokenizer_config.json` is opened with it; alone it does not say which tokens begin and end
    a text, and neither does Mistral's tekken.json, so they are known by name (`<s>`, `</s>`, ...). Raises `TokenizerError`.
    """
    path = Path(named).expanduser()
    if path.is_file() and ".model" in path.suffixes and not path.with_name("tokenizer_config.json").exists():
        return Tokenizer(*sentencepiece_tokenizer.opened(path))
    if path.is_file() and path.name.startswith("tekken"):
        return _of_tekken(path)
    if path.is_file() and not path.with_name("tokenizer_config.json").exists():
        return _of_file(path)
    if path.exists():
        folder = path.parent if path.is_file() else path
        return _of_plain_folder(folder) or _of_model_folder(folder) or _of_transformers(str(folder))
    if named.startswith((".", "/", "~")) or named.count("/") > 1 or path.suffix == ".json":
        raise TokenizerError(
            f"{named}: no such file or folder. Name a folder, a tokenizer.json or a hub name, or --train-tokenizer."
        )
    return _of_transformers(named, local_only=not _hub_answers())


@lru_cache(maxsize=2)
def reopened(folder: Path) -> Tokenizer:
    """Open a folder that `Tokenizer.save` wrote; a worker does so once, and `transformers` takes 3 s to import."""
    config = json.loads((folder / "tokenizer_config.json").read_bytes())
    template = folder / "chat_template.jinja"
    return Tokenizer(
        _plain(tokenizers.Tokenizer.from_file(os.fspath(folder / "tokenizer.json"))),
        {role: token for role, token in sorted(config.items()) if role.endswith("_token") and token is not None},
        template.read_bytes().decode() if template.exists() else None,
    )


def train(texts: Iterable[Sequence[str]], vocab_size: int, special_tokens: Sequence[str] = ()) -> Tokenizer:
    """Train a byte-level BPE tokenizer on batches of texts; the same texts give the same tokenizer.

    It knows every byte, ends a text with `<|endoftext|>`, has the two tokens of the chatml template, and other special ones.
    `vocab_size` is at least `SMALLEST_VOCABULARY`, and more than there are words to learn is not filled.

    >>> tokenizer = train([["hello hello"]], vocab_size=300)
    >>> tokenizer.backend.encode("hello you").tokens
    ['hello', 'Ġ', 'y', 'o', 'u']
    """
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = bytes_
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(dict.fromkeys([*TRAINED_SPECIAL, *special_tokens])),
        initial_alphabet=sorted(bytes_.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return Tokenizer(backend, {"eos_token": ENDOFTEXT, "pad_token": ENDOFTEXT})


def _of_file(path: Path) -> Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(
            f"{path}: not a tokenizer.json ({_first_line(error)}). Name the file that the model came with."
        ) from error
    return Tokenizer(_plain(backend), _known_by_name(backend))


def _known_by_name(backend: tokenizers.Tokenizer) -> dict[str, str]:
    control = Tokenizer(backend, {}).control_tokens
    known = {role: [name for name in names if name in control] for role, names in KNOWN.items()}
    return {role: names[0] for role, names in known.items() if names}


def _of_plain_folder(folder: Path) -> Tokenizer | None:
    """Open a folder without transformers, which takes 4 s to import; None where its classes may make more of it than it says.

    That is so but for the class that adds nothing to a tokenizer.json, whose config names no token which that file lacks.
    """
    try:
        config = json.loads((folder / "tokenizer_config.json").read_bytes())
        if config.get("tokenizer_class") not in PLAIN_CLASSES or isinstance(config.get("chat_template"), list):
            return None
        opened = reopened(folder)
    except Exception:  # the same trouble is met again, and told, by transformers
        return None
    named = [*opened.special_tokens.values(), *(token["content"] for token in config.get("added_tokens_decoder", {}).values())]
    plain = all(isinstance(token, str) and opened.backend.token_to_id(token) is not None for token in named)
    if not plain or not opened.special_tokens.keys() & {"bos_token", "eos_token"}:
        return None
    return opened if opened.chat_template is not None else replace(opened, chat_template=config.get("chat_template"))


def _of_model_folder(folder: Path) -> Tokenizer | None:
    found = sentencepiece_tokenizer.of_folder(folder)
    return None if found is None else Tokenizer(*found)


def _of_tekken(path: Path) -> Tokenizer:
    """Open a tekken file of any name; `transformers` looks for it by its usual one."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "tekken.json")
        try:
            return _of_transformers(folder)
        except TokenizerError as error:
            raise TokenizerError(str(error).replace(folder, str(path))) from error


def _of_transformers(named: str, *, local_only: bool = False) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        opened = AutoTokenizer.from_pretrained(named, local_files_only=local_only)
    except Exception as error:  # what comes depends on the file that is broken, down to bare Exception
        raise TokenizerError(f"{named}: cannot open a tokenizer there. {_why(local_only, error)}") from error
    if not opened.is_fast:
        raise TokenizerError(f"{named}: this tokenizer has no fast form (tokenizer.json), and only those are taken.")
    backend, special = _plain(opened.backend_tokenizer), _special_tokens(opened)
    if not special.keys() & {"bos_token", "eos_token"}:
        special |= _known_by_name(backend)
    return Tokenizer(backend, special, _template(opened))


def _plain(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Take off truncation and padding, which would lose tokens and add some."""
    backend.no_truncation()
    backend.no_padding()
    return backend


def _special_tokens(opened: "PreTrainedTokenizerFast") -> dict[str, str]:
    found = opened.special_tokens_map.items()
    return {role: str(token) for role, token in sorted(found) if isinstance(token, str)}


def _template(opened: "PreTrainedTokenizerFast") -> str | None:
    template = opened.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return None if template is None else str(template)


def _hub_answers() -> bool:
    """Say whether the hub's name can be resolved; without this check a machine without a network waits 40 s for the error."""
    from huggingface_hub import constants

    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")):
        return True
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


def _why(local_only: bool, error: Exception) -> str:
    if local_only:
        return (
            "It is no folder here, not in the hub's cache, and the hub cannot be reached. "
            "Check the name and the network, or give a local folder or tokenizer.json with --tokenizer."
        )
    return f"Is it the folder that holds tokenizer.json? ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
