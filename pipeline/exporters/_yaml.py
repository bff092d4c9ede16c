"""Settings -> the YAML file of another tool, and what all such files say of the model."""

from pathlib import Path
from typing import Any

from pipeline.artifacts import Artifact
from pipeline.errors import UsageError
from pipeline.exporters._training import Training


def write_yaml(path: Path, settings: dict[str, Any], command: str) -> None:
    """Write settings in their order, below the command that uses them; None is written as an empty value."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.width = 1 << 16
    with path.open("w", encoding="utf-8") as file:
        file.write(f"# {command}\n")
        yaml.dump(settings, file)


def model_of(artifact: Artifact, given: str | None, training: Training | None = None) -> str:
    """Return the base model: given, the training's, or the hub's whose tokenizer made the tokens; raises `UsageError`."""
    if given is not None:
        return given
    if training is not None and training.base_model is not None:
        return training.base_model
    named = str(artifact.manifest.run.get("tokenizer", "trained"))
    if named == "trained" or Path(named).exists():
        raise UsageError("which model is to be trained? Give --set base_model=NAME, a folder or a name on the hub.")
    return named


def need_train(artifact: Artifact, rows: dict[str, int]) -> None:
    """Raise `UsageError` where there is nothing to train on."""
    if not rows.get("train"):
        raise UsageError(
            f"{artifact.ref}: its train split is empty or not asked for, and a training needs it. Leave out --split."
        )
