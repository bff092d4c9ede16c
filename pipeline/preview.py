"""What a clean artifact, published or tried, shows of its steps: counts, histograms against the bounds, borderline cases."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.kinds import filters
from pipeline.artifacts import Artifact, read_shard
from pipeline.cleaning.bounds import in_a_bound
from pipeline.cleaning.passage import unused
from pipeline.documents import flat_text
from pipeline.progress import in_words

BINS = 10
BAR = 30  # characters
EXCERPT = 80  # characters


def preview(artifact: Artifact, samples: int = 3) -> list[dict[str, Any]]:
    """Return, for each step, its counts; for each bound, how many went by it, a histogram and the documents nearest to it."""
    ledger, removed_from = _ledger(artifact), artifact.files("removed")
    measures = [read_shard(file) for file in artifact.files("measures")]
    values = pa.concat_tables(measures) if measures else None
    steps, columns = [], {"id": pa.nulls(0)}
    for count, step in zip(artifact.manifest.counts, artifact.manifest.recipe["steps"], strict=True):
        own = ledger.filter(pc.equal(ledger["filter"], step["filter"]))
        named = {name: unused(name, columns) for name in _measures(step)}
        columns |= dict.fromkeys(named.values(), pa.nulls(0))
        bounds = []
        for name, bound in step["bounds"].items() if named else ():
            column = named[name]
            known = values[column].drop_null() if values is not None and column in values.column_names else None
            words = pa.array([in_a_bound(end, value) for end, value in bound.items()], own["bound"].type)
            gone = own.filter(pc.and_(pc.equal(own["measure"], name), pc.is_in(own["bound"], words)))
            removed = gone.num_rows if len(step["bounds"]) > 1 else count["removed"]
            bounds.append(
                {
                    "measure": name,
                    "bound": bound,
                    "removed": removed,
                    **_shape(known, bound),
                    **_cases(gone, removed_from, samples),
                }
            )
        if not bounds:
            bounds.append({"measure": None, "bound": None, "removed": count["removed"], **_cases(own, removed_from, samples)})
        steps.append({**count, "bounds": bounds})
    return steps


def _measures(step: dict[str, Any]) -> tuple[str, ...]:
    """Return the measures of a step, in the order of their columns; a filter of another kind has none."""
    found = filters().get(step["filter"])
    return (found.names or (found.name,)) if found is not None and found.kind == "measure" else ()


def _shape(values: pa.ChunkedArray | None, bound: dict[str, Any]) -> dict[str, Any]:
    """Return how values are distributed: the edges and counts of bins, or the count of each label."""
    if values is None or not len(values):
        return {}
    if not pa.types.is_floating(values.type):
        counted = sorted(values.value_counts().to_pylist(), key=lambda entry: (-entry["counts"], entry["values"]))
        return {"labels": {entry["values"]: entry["counts"] for entry in counted}}
    edges, counts = histogram(values.to_numpy(), *([bound[end]] if end in bound else [] for end in ("min", "max")))
    return {"histogram": {"edges": edges, "counts": counts}}


def histogram(
    values: npt.NDArray[np.float64], least: Sequence[float], most: Sequence[float] = ()
) -> tuple[list[float], list[int]]:
    """Count values in bins between their 1st and 99th percentile, open at both ends; each bound is an edge.

    A value on an edge is counted in the bin that begins there, one on a bound of `most` in the bin that ends there.

    The bins are of equal width, or of equal ratio where the values span more than two orders of magnitude.

    >>> edges, counts = histogram(np.arange(100.0), [25.0])
    >>> [round(edge, 1) for edge in edges], counts
    ([10.7, 25.0, 30.1, 39.8, 49.5, 59.2, 68.9, 78.6, 88.3], [11, 14, 6, 9, 10, 10, 9, 10, 10, 11])
    """
    low, high = np.percentile(values, [1, 99])
    spaced = np.geomspace(low, high, BINS + 1) if low > 0 and high > 100 * low else np.linspace(low, high, BINS + 1)
    inner = [edge for edge in spaced[1:-1] if not any(_beside(edge, bound, spaced) for bound in (*least, *most))]
    behind = np.nextafter(np.array(most, dtype=np.float64), np.inf)
    cuts = np.unique([*inner, *least, *behind])
    counts = np.bincount(np.searchsorted(cuts, values, side="right"), minlength=len(cuts) + 1)
    edges = np.where(np.isin(cuts, behind), np.nextafter(cuts, -np.inf), cuts)
    return [float(edge) for edge in edges], [int(count) for count in counts]


def _beside(edge: float, bound: float, spaced: npt.NDArray[np.float64]) -> bool:
    """Say whether a bound lies within half a bin of an edge, so that it stands in its place."""
    at = int(np.searchsorted(spaced, edge))
    return bool((spaced[at - 1] + edge) / 2 < bound < (spaced[at + 1] + edge) / 2)


def _ledger(artifact: Artifact) -> pa.Table:
    """Return why documents went, without their texts, and where each one stands: the shard, and the row in it."""
    tables = [
        read_shard(file, ["id", "filter", "measure", "value", "bound", "evidence", "twin"])
        for file in artifact.files("removed")
    ]
    placed = [
        table.append_column("shard", pa.repeat(pa.scalar(shard), len(table))).append_column(
            "row", pa.array(np.arange(len(table)))
        )
        for shard, table in enumerate(tables)
    ]
    return pa.concat_tables(placed)


def _cases(gone: pa.Table, files: Sequence[Path], samples: int) -> dict[str, Any]:
    """Return some documents that went: those whose value is nearest to the bound, first of all."""
    nearest = pa.array(np.argsort(_distances(gone), kind="stable")[:samples])
    return {
        "samples": [
            {"id": row["id"], "value": row["value"], "twin": row["twin"], "text": _excerpt(row, files)}
            for row in gone.take(nearest).to_pylist()
        ]
    }


def _distances(gone: pa.Table) -> npt.NDArray[np.float64]:
    """Return how far each value lies from the bound that it broke; 0 where one of them is no number."""
    bounds = gone["bound"].combine_chunks().dictionary_encode()
    numbers = pa.array([_number(bound) for bound in bounds.dictionary.to_pylist()], pa.float64())
    distance = pc.abs(pc.subtract(gone["value"], numbers.take(bounds.indices)))
    return np.asarray(pc.fill_null(distance, 0.0).to_numpy())


def _number(bound: str) -> float | None:
    try:
        return float(bound.rpartition(" ")[2])
    except ValueError:
        return None


def _excerpt(row: dict[str, Any], files: Sequence[Path]) -> str:
    found = [span["text"] for span in row["evidence"] or [] if span["text"]]
    text = found[0] if found else " | ".join(flat_text(read_shard(files[row["shard"]]).slice(row["row"], 1))[0].to_pylist())
    return " ".join(text.split())[:EXCERPT]


def lines(artifact: Artifact, steps: Sequence[dict[str, Any]]) -> list[str]:
    """Say a preview in lines."""
    rows = artifact.manifest.rows
    said = [
        f"{rows['in']} documents: "
        + ", ".join(f"{rows[key]} {key}" for key in ("kept", "removed", "rejected") if rows[key] or key != "rejected")
    ]
    for step in steps:
        said += ["", in_words(step)]
        for bound in step["bounds"]:
            if bound["measure"]:
                limits = ", ".join(f"{end} {_value(value)}" for end, value in bound["bound"].items())
                said.append(f"  {bound['measure']} ({limits}): {bound['removed']} removed")
            said += [f"    {line}" for line in _drawn(bound)]
            said += [f"    {_case(case)}" for case in bound["samples"]]
    return said


def _value(value: Any) -> str:  # noqa: ANN401  a bound's number or words
    return ", ".join(value) if isinstance(value, list) else f"{value:.6g}"


def _drawn(bound: dict[str, Any]) -> list[str]:
    if "labels" in bound:
        most = max(bound["labels"].values())
        return [f"{label:>16} {count:>9} {_bar(count, most)}" for label, count in list(bound["labels"].items())[:BINS]]
    if "histogram" not in bound:
        return []
    edges, counts = bound["histogram"]["edges"], bound["histogram"]["counts"]
    names = [
        f"below {_value(edges[0])}",
        *(f"{_value(low)} to {_value(high)}" for low, high in pairwise(edges)),
        f"from {_value(edges[-1])}",
    ]
    low, high = bound["bound"].get("min", -np.inf), bound["bound"].get("max", np.inf)
    bins = pairwise([-np.inf, *edges, np.inf])
    outside = [start != end and (end <= low or start >= high) for start, end in bins]
    most = max(counts)
    drawn = [
        f"{name:>20} {count:>9} {_bar(count, most)}{' outside' if out and count else ''}"
        for name, count, out in zip(names, counts, outside, strict=True)
    ]
    held = np.flatnonzero(counts)
    return drawn[held[0] : held[-1] + 1]


def _bar(count: int, most: int) -> str:
    return "#" * -(-BAR * count // max(1, most))


def _case(case: dict[str, Any]) -> str:
    value = f" ({case['value']:.4g})" if case["value"] is not None else ""
    twin = f" like {case['twin']}" if case["twin"] else ""
    return f"{case['id']}{value}{twin}: {case['text']!r}"
