"""The files of a folder that another tool wrote -> those that only tell of the others, and are no documents.

datasets       state.json and dataset_info.json beside *.arrow, dataset_dict.json above, cache-*.arrow of its own steps
the hub        README.md with a data set's card in its head, dataset_infos.json
Spark, Hadoop  _SUCCESS, _metadata, _committed_..., _started_...
dolma          attributes/TAGGER/x beside documents/x
"""

import re
from collections.abc import Callable, Iterable, Iterator, Set
from functools import partial

SAVED = "what `datasets` notes of the data set that it saved"
CACHED = "what `datasets` keeps of a step that it once ran"
CARD = "the card of a data set"
MARKED = "what Spark or Hadoop notes of the files that it wrote"
ATTRIBUTES = "what dolma's taggers say of the documents"

CARD_KEYS = {"dataset_info", "configs", "task_categories", "size_categories", "pretty_name", "annotations_creators", "license"}
"""One of these stands in the head of a data set's card (https://huggingface.co/docs/hub/datasets-cards)."""

MARKS = re.compile(r"_SUCCESS|_metadata|_common_metadata|_(?:committed|started)_\w+")

ASKING = {"dataset_dict.json", "README.md"}  # what these are, the folders below say


def bookkeeping(paths: Iterable[str], start: Callable[[str], bytes]) -> dict[str, str]:
    """Return the files that are no documents, each with what it is; `start` gives the first bytes of a README.

    Paths are those below the folder that was named: what stands beside it is not known.

    >>> bookkeeping(["part-0.parquet", "_SUCCESS"], lambda path: b"")
    {'_SUCCESS': 'what Spark or Hadoop notes of the files that it wrote'}
    """
    known = set(paths)
    folders: dict[str, set[str]] = {}
    for path in known:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    found: dict[str, str] = {}
    for folder, names in folders.items():
        within = f"{folder}/" if folder else ""
        below = [folders[own] for own in folders if own != folder and own.startswith(within)] if names & ASKING else []
        told = in_folder(names, partial(_among, below), partial(_at, within, start))
        found.update((f"{within}{name}", why) for name, why in told)
    return found | {path: ATTRIBUTES for path in known if any(other in known for other in documents_of(path))}


def _among(folders: list[set[str]], name: str) -> bool:
    return any(not name or name in names for names in folders)


def _at(within: str, start: Callable[[str], bytes], name: str) -> bytes:
    return start(f"{within}{name}")


def in_folder(names: Set[str], below: Callable[[str], bool], start: Callable[[str], bytes]) -> Iterator[tuple[str, str]]:
    """Yield the files of one folder, of these names, that are no documents, each with what it is.

    `below` says whether a file of a name, or, asked for the empty name, any file lies in a folder further down.

    >>> list(in_folder({"_SUCCESS", "part-0.parquet"}, lambda name: False, lambda name: b""))
    [('_SUCCESS', 'what Spark or Hadoop notes of the files that it wrote')]
    """
    saved = names >= {"state.json", "dataset_info.json"}
    if saved:
        yield from ((name, SAVED) for name in ("state.json", "dataset_info.json"))
    if "dataset_dict.json" in names and ("state.json" in names or below("state.json")):
        yield "dataset_dict.json", SAVED
    if "README.md" in names and (len(names) > 1 or below("")) and _is_card(start("README.md")):
        yield "README.md", CARD
        if "dataset_infos.json" in names:
            yield "dataset_infos.json", CARD
    for name in names:
        if name.startswith("_") and MARKS.fullmatch(name):
            yield name, MARKED
        elif saved and name.startswith("cache-") and name.endswith(".arrow"):
            yield name, CACHED


def _is_card(start: bytes) -> bool:
    r"""Tell a card by the keys in its head.

    >>> _is_card(b"---\nlicense: mit\n---\n# Pages"), _is_card(b"---\ntitle: Pages\n---\n")
    (True, False)
    """
    lines = start.decode("utf-8", "replace").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return False
    end = lines.index("---", 1) if "---" in lines[1:] else len(lines)
    return any(line.partition(":")[0] in CARD_KEYS for line in lines[1:end])


def documents_of(path: str) -> list[str]:
    """Return the path of the documents that a file of attributes is of, if it is one by its own path.

    >>> documents_of("wiki/attributes/pii/0.json.gz"), documents_of("wiki/0.json.gz")
    (['wiki/documents/0.json.gz'], [])
    """
    above, attributes, below = f"/{path}".rpartition("/attributes/")
    tail = below.partition("/")[2]
    return [f"{above}/documents/{tail}".lstrip("/")] if attributes and tail else []
