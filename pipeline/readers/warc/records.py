"""A run of unpacked bytes -> its WARC records (ISO 28500); what is broken is cut out at the next record's beginning."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.documents import Rejection
from pipeline.readers.warc.runs import BEGINNING, Run

MOST_HEAD = 64 << 10  # bytes of a record's header
MOST_BLOCK = 64 << 20  # bytes of a record that are held; a longer one is cut
MOST_RAW = 1 << 20  # bytes of a broken record that its rejection keeps
BLANK = b"\r\n\r\n"
NEXT = re.compile(rb"\nWARC/1\.\d\r\n")
LONGEST_NEXT = 11


class Record(NamedTuple):
    """A record: its id or else its offset, its header as bytes and by lower-case names, its block, and the block's length."""

    place: str
    head: bytes
    header: dict[str, str]
    block: bytes
    length: int


def records(run: Run) -> Iterator[Record | Rejection]:
    """Read a run's records one after the other; what stands between two sound ones is a rejection."""
    told = ""
    while _to_record(run):
        found = _record(run)
        told = found.error if isinstance(found, Rejection) else ""
        yield found
    if run.damage and not told.endswith(run.damage):
        yield Rejection(run.place, run.damage, b"")


def _record(run: Run) -> Record | Rejection:
    place, head = run.place, _head(run)
    header = fields(head)
    length = header.get("content-length", "")
    if not head.startswith(BEGINNING) or not (length.isascii() and length.isdigit()):
        return _broken(run, place, head, "no record with a length begins here")
    size = int(length[:18])
    block = run.take(min(size, MOST_BLOCK))
    passed = len(block) + run.skip(size - len(block))
    behind = run.peek(64)
    at_end = not behind.strip(b"\r\n")
    if passed < size or (at_end and run.damage):
        return _broken(run, place, head + block, "the record is cut" if passed < size else "the record is not sound")
    if not (at_end or behind.startswith(BLANK) or behind.lstrip(b"\r\n").startswith(BEGINNING)):
        return _broken(run, place, head + block, "the record does not end where its header says")
    name = header.get("warc-record-id", "").strip("<>").removeprefix("urn:uuid:")
    return Record(name or place, head, header, block, size)


def fields(head: bytes) -> dict[str, str]:
    r"""Return the fields of a header by their names in lower case; of a repeated one the last.

    >>> fields(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 5\r\n\r\n")
    {'warc-type': 'response', 'content-length': '5'}
    """
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


def _to_record(run: Run) -> bool:
    while run.peek(1) in (b"\r", b"\n"):
        run.take(1)
    return bool(run.peek(1))


def _head(run: Run) -> bytes:
    size = 4096
    while (end := run.peek(size).find(BLANK)) < 0 and size < MOST_HEAD and len(run.peek(size)) == size:
        size *= 2
    return run.take(end + len(BLANK)) if end >= 0 else b""


def _broken(run: Run, place: str, taken: bytes, why: str) -> Rejection:
    """Reject what stands here up to the next record's beginning."""
    run.put_back(taken)
    raw = bytearray()
    while piece := run.peek(MOST_RAW):
        found = NEXT.search(piece)
        rest = len(piece) if len(piece) < MOST_RAW else len(piece) - LONGEST_NEXT + 1
        raw += run.take(found.start() + 1 if found else rest)[: MOST_RAW - len(raw)]
        if found:
            return Rejection(place, why, bytes(raw))
    return Rejection(place, f"{why}: {run.damage}" if run.damage else why, bytes(raw))
