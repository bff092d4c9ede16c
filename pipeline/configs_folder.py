"""Where the configuration files that ship with `prep` lie: recipes, phrase lists, chat templates."""

from pathlib import Path


def configs_folder() -> Path:
    """Return `configs/` beside `pipeline/` in a checkout, or `pipeline/configs/` of an installed wheel.

    >>> configs_folder().name
    'configs'
    """
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"
