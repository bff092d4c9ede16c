"""A train artifact -> how it went, in lines: the verdict with its advice, and the courses of its losses.

verdict.json    what `trainers.verdict` found when the training ended; artifacts of older versions have none
metrics/        the losses
"""

from pipeline.artifacts import Artifact, read_shard
from pipeline.errors import BrokenArtifact


def how_it_went(artifact: Artifact) -> list[str]:
    """Return the lines; raises `BrokenArtifact` where a file is damaged or gone."""
    from trainers.history import POINTS, Point
    from trainers.sparkline import sparklines

    rows = [row for file in artifact.files("metrics") for row in read_shard(file, POINTS.names).to_pylist()]
    courses = sparklines([Point(**row) for row in rows])
    return [*_verdict(artifact), *(["losses per supervised token", *(f"  {line}" for line in courses)] if courses else [])]


def _verdict(artifact: Artifact) -> list[str]:
    from trainers.verdict import reopened

    path = artifact.path / "verdict.json"
    if not any(entry["path"] == path.name for entry in artifact.manifest.files):
        return []
    try:
        found, _ = reopened(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenArtifact(f"{path}: cannot be read ({error}). `prep verify {artifact.ref}` lists what is broken.") from error
    return ["verdict", *(f"  {line}" for line in found.lines())]
