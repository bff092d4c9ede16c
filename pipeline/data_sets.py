"""The files of a folder that another tool wrote -> those that only tell of the others, and are no documents.

datasets       state.json and dataset_info.json beside *.arrow, dataset_dict.json above, cache-*.arrow of its own steps
the hub        README.md with a data set's card in its head, dataset_infos.json
Spark, Hadoop  _SUCCESS, _metadata, _committed_..., _started_...
dolma          attributes/TAGGER/x beside documents/x
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

SAVED = "what `datasets` notes of the data set that it saved"
CACHED = "what `datasets` keeps of a step that it once ran"
CARD = "the card of a data set"
MARKED = "what Spark or Hadoop notes of the files that it wrote"
ATTRIBUTES = "what dolma's taggers say of the documents"

CARD_KEYS = {"dataset_info", "configs", "task_categories", "size_categories", "pretty_name", "annotations_creators", "license"}
"""One of these stands in the head of a data set's card (https://huggingface.co/docs/hub/datasets-cards)."""

MARKS = re.compile(r"_SUCCESS|_metadata|_common_metadata|_(?:committed|started)_\w+")

Folders = Mapping[str, set[str]]


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
    found = {path: why for folder, names in folders.items() for path, why in _in_folder(folder, names, folders, start)}
    return found | {path: ATTRIBUTES for path in known if "attributes/" in path and _has_documents(path, known)}


def _in_folder(folder: str, names: set[str], folders: Folders, start: Callable[[str], bytes]) -> Iterator[tuple[str, str]]:
    within = f"{folder}/" if folder else ""
    saved = {"state.json", "dataset_info.json"} <= names
    if saved:
        yield from ((f"{within}{name}", SAVED) for name in ("state.json", "dataset_info.json"))
    if "dataset_dict.json" in names and any("state.json" in folders[own] for own in folders if own.startswith(within)):
        yield f"{within}dataset_dict.json", SAVED
    others = len(names) > 1 or any(own.startswith(within) for own in folders if own != folder)
    if "README.md" in names and others and _is_card(start(f"{within}README.md")):
        yield f"{within}README.md", CARD
        if "dataset_infos.json" in names:
            yield f"{within}dataset_infos.json", CARD
    for name in names:
        if name.startswith("_") and MARKS.fullmatch(name):
            yield f"{within}{name}", MARKED
        elif saved and name.startswith("cache-") and name.endswith(".arrow"):
            yield f"{within}{name}", CACHED


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


def _has_documents(path: str, known: set[str]) -> bool:
    """Tell a file of attributes by the file of documents that it is of.

    >>> _has_documents("wiki/attributes/pii/0.json.gz", {"wiki/documents/0.json.gz"})
    True
    """
    above, _, below = f"/{path}".rpartition("/attributes/")
    tail = below.partition("/")[2]
    return bool(tail) and f"{above}/documents/{tail}".lstrip("/") in known
