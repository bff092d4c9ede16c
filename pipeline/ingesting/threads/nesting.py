"""All turns of some threads -> a row of `messages` a thread, or what is wrong with it."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations.turns import ROLES
from pipeline.documents import MESSAGES, STRING, Rejection, Rows
from pipeline.ingesting.forming import as_json
from pipeline.ingesting.threads.turns import CONTENT, ORDER, PLACE, ROLE, THREAD, TURN, Columns
from pipeline.places import Places

MOST_ROWS = 10_000
INTEGER, NUMBER = r"^-?\d{1,18}$", r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

Ints = npt.NDArray[np.int64]


def nested(turns: pa.Table, columns: Columns, roles: Mapping[str, str]) -> Iterator[Rows | Rejection]:
    """Yield the conversations of whole threads, in the order of their first turns, and the threads that are none."""
    codes = turns[THREAD].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    order = _sorted(codes, turns[ORDER].combine_chunks())
    turns, codes = turns.take(pa.array(order)), codes[order]
    offsets = np.searchsorted(codes, np.arange(codes[-1] + 2 if len(codes) else 1))
    role = _roles(turns[ROLE].combine_chunks(), roles)
    faults = _faults(turns, role, columns)
    faulty = np.unique(codes[list(faults)]) if faults else np.zeros(0, np.int64)
    for start in range(0, len(offsets) - 1, MOST_ROWS):
        yield from _rows(
            turns, role, offsets[start : start + MOST_ROWS + 1], np.isin(np.arange(start, start + MOST_ROWS), faulty), columns
        )
    for thread in faulty.tolist():
        first, end = int(offsets[thread]), int(offsets[thread + 1])
        why = next(faults[turn] for turn in range(first, end) if turn in faults)
        raw = as_json(turns.slice(first, end - first).drop_columns(list(TURN)).to_pylist())
        yield Rejection(f"{columns.thread}={turns[THREAD][first].as_py()}", why, raw)


def _sorted(codes: Ints, order: pa.LargeStringArray) -> Ints:
    """Return the turns' numbers sorted by thread, order and arrival; integers are told apart to their last digit."""
    integer, number = (_in_all(codes, pc.fill_null(pc.match_substring_regex(order, form), False)) for form in (INTEGER, NUMBER))
    keys = [np.arange(len(codes)), _ranks(order, ~number)]
    keys.append(pc.if_else(pa.array(number & ~integer), order, "0").cast(pa.float64()).to_numpy())
    keys.append(pc.if_else(pa.array(integer), order, "0").cast(pa.int64()).to_numpy())
    result: Ints = np.lexsort((*keys, codes))
    return result


def _in_all(codes: Ints, holds: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    """Say of each turn whether something holds of all turns of its thread."""
    against = np.bincount(codes, ~holds.to_numpy(zero_copy_only=False), codes.max(initial=-1) + 1)
    result: npt.NDArray[np.bool_] = (against == 0)[codes]
    return result


def _ranks(order: pa.LargeStringArray, chosen: npt.NDArray[np.bool_]) -> Ints:
    """Return the ranks of the chosen texts among one another, 0 for the others."""
    ranks: Ints = pc.rank(pc.if_else(pa.array(chosen), order, ""), tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks


def _roles(named: pa.LargeStringArray, given: Mapping[str, str]) -> pa.LargeStringArray:
    """Return the roles that names stand for, NULL where one is not known; what the user says stands over what is usual."""
    own = pa.array(list(given.values()), STRING).take(pc.index_in(named, pa.array(list(given), STRING)))
    usual = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(named)), pa.array(list(ROLES), STRING))
    return pc.coalesce(own, pa.array(list(ROLES.values()), STRING).take(usual))


def _faults(turns: pa.Table, role: pa.LargeStringArray, columns: Columns) -> dict[int, str]:
    faults = {}
    if columns.order is not None:
        for turn in np.flatnonzero(turns[ORDER].is_null().to_numpy()).tolist():
            faults[turn] = f"row {turns[PLACE][turn].as_py()}: the column {columns.order!r} is NULL"
    for turn in np.flatnonzero(role.is_null().to_numpy(zero_copy_only=False)).tolist():
        name = turns[ROLE][turn].as_py()
        faults[turn] = f"row {turns[PLACE][turn].as_py()}: unknown role {name!r}. Say whose it is with --role {name}=user"
    return faults


def _rows(
    turns: pa.Table, role: pa.LargeStringArray, offsets: Ints, faulty: npt.NDArray[np.bool_], columns: Columns
) -> Iterator[Rows]:
    start, end = int(offsets[0]), int(offsets[-1])
    some = turns.slice(start, end - start)
    content = pc.fill_null(some[CONTENT], "").combine_chunks()
    struct = pa.StructArray.from_arrays(
        [role.slice(start, end - start).fill_null(""), content], fields=list(MESSAGES.value_type)
    )
    messages = pa.ListArray.from_arrays(pa.array((offsets - start).astype(np.int32)), struct, type=MESSAGES)
    spoken = {*TURN, columns.role, columns.text, "messages"}
    first = some.take(pa.array(offsets[:-1] - start))
    table = first.select([name for name in first.column_names if name not in spoken]).append_column("messages", messages)
    sound = pa.array(np.flatnonzero(~faulty[: table.num_rows]))
    if len(sound):
        yield Rows(table.take(sound), Places(f"{columns.thread}=", first[THREAD].take(sound).combine_chunks()))
