"""A template's name -> its text: one that ships, a file, or the tokenizer's own."""

from pathlib import Path

from pipeline.configs_folder import configs_folder
from pipeline.errors import TokenizerError, did_you_mean


def shipped_templates() -> list[str]:
    """Return the names of the chat templates that ship.

    >>> shipped_templates()
    ['alpaca', 'chatml', 'llama-3', 'mistral', 'mistral-v3', 'vicuna']
    """
    return sorted(path.stem for path in (configs_folder() / "chat_templates").glob("*.jinja"))


def template_text(named: str | None, own: str | None, fallback: str | None = None) -> str:
    """Return a template's text: a shipped one by name, a .jinja file, or the tokenizer's `own`, else the shipped `fallback`.

    Raises `TokenizerError` where there is none.
    """
    if named is None and own is not None:
        return own
    named = named or fallback
    names = shipped_templates()
    if named is None:
        raise TokenizerError(
            f"the tokenizer has no chat template. Choose one with --chat-template: {', '.join(names)}, or a .jinja file."
        )
    if named in names:
        return (configs_folder() / "chat_templates" / f"{named}.jinja").read_text("utf-8")
    try:
        return Path(named).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = did_you_mean(named, names)
        raise TokenizerError(
            f"no chat template {named!r}.{hint} There are {', '.join(names)}, or name a .jinja file."
        ) from error
