"""Bytes -> the encoding they are in, and how that was told: by a mark, by their form, or by what they look like; and UTF-8."""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.sources import Source

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
WIDER = {  # what people write under a standard's name: the same letters, and more
    "shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "tis-620": "cp874",
}  # fmt: skip
WINDOWS = {"iso8859-2": "cp1250", "iso8859-7": "cp1253", "iso8859-8": "cp1255", "iso8859-9": "cp1254"}
LATIN_2 = ("iso8859-2", "cp1250")
SYMBOL_IN_WORD = re.compile(r"[^\W\d_][\xa1-\xbf\xd7\xf7][^\W\d_]")
SAMPLE = 65536  # bytes of lines with a character beyond ASCII that the detection sees


class Encoding(NamedTuple):
    """A codec's name, and in brackets how it was told; nothing where it is UTF-8 or the user's word."""

    name: str
    how: str = ""

    def __str__(self) -> str:
        """Return how a remark puts it: `UTF-8`, `cp1252 (by its bytes)`."""
        name = self.name.upper() if self.name.startswith("utf") else self.name
        return f"{name} ({self.how})" if self.how else name


def encoding_of(start: bytes) -> Encoding:
    r"""Tell the encoding of bytes, which may be cut in a character.

    >>> str(encoding_of("naïve".encode("utf-16"))), str(encoding_of("Hi".encode("utf-16-be") + b"\0\n"))
    ('UTF-16-LE (by its mark)', 'UTF-16-BE (by its bytes)')
    >>> str(encoding_of("naïve".encode())), str(encoding_of("привет всем".encode("cp1251")))
    ('UTF-8', 'cp1251 (by its bytes)')
    """
    for mark, name in MARKS:
        if start.startswith(mark):
            return Encoding(name, "" if name == "utf-8" else "by its mark")
    if b"\0" in start and (wide := _wide(start[:SAMPLE])):
        return Encoding(wide, "by its bytes")
    text = start.decode("utf-8", "replace").removesuffix("\ufffd")  # the last character may be cut
    broken = text.count("\ufffd")
    sound = sum(not character.isascii() for character in text) - broken if broken else 0
    return Encoding(_narrow(start), "by its bytes") if broken > sound else Encoding("utf-8")


def _with_order(encoding: str, start: bytes) -> str:
    """Return UTF-16 and UTF-32 with the order of bytes that the mark says, little without one; others as they are."""
    if encoding not in ("utf-16", "utf-32"):
        return encoding
    marked = next((name for mark, name in MARKS if start.startswith(mark)), "")
    return marked if marked.startswith(encoding) else f"{encoding}-le"


def chosen(source: Source, given: str, start: bytes) -> Encoding:
    """Return the encoding that the user gave, or that the start is in; raises `SourceError` for one that Python lacks."""
    if not given:
        return encoding_of(start)
    try:
        "".encode(given)
        name = codecs.lookup(given).name.removesuffix("-sig")
    except LookupError:
        raise SourceError(f"{source.path}: unknown encoding {given!r}. Try utf-8, utf-16 or cp1252.") from None
    return Encoding(_with_order(name, start))


def recoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Recode to UTF-8; what cannot be decoded becomes lone surrogates, which are not UTF-8 and can be turned back."""
    if encoding == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_handler(encoding))
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def original(raw: bytes, encoding: str) -> bytes:
    """Return the bytes that stood in the file for some that `recoded` made."""
    if encoding == "utf-8":
        return raw
    return raw.decode("utf-8", "surrogatepass").encode(encoding, _handler(encoding))


def is_utf8(data: bytes) -> bool:
    """Say whether bytes are UTF-8, whole.

    >>> is_utf8("naïve".encode()), is_utf8("naïve".encode()[:3])
    (True, False)
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wide(start: bytes) -> str:
    """Tell UTF-16 or UTF-32 without a mark: read so, bytes with NULs become a text with line ends and without NULs."""
    rare = start.count(b"\0") * 10 < len(start) and _is_utf8(start)
    for name in () if rare else WIDE:
        size = 4 if name.startswith("utf-32") else 2
        text = start[: len(start) // size * size].decode(name, "replace").removesuffix("\ufffd")
        if "\0" not in text and "\ufffd" not in text and re.search("[\r\n]", text):
            return name
    return ""


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _narrow(start: bytes) -> str:
    """Tell a code page by the lines that are not ASCII; cp1252 where these say nothing else."""
    from resiliparse.parse.encoding import detect_encoding

    lines = [line for line in re.split(rb"[\r\n]+", start) if not line.isascii()]
    sample = b"\n".join(lines[:-1] or lines)[:SAMPLE]  # the last line may be cut
    found: str = detect_encoding(sample, html5_compatible=False) or "cp1252"
    found = WIDER.get(found, found)
    if found in WINDOWS and re.search(rb"[\x80-\x9f]", sample):
        found = WINDOWS[found]
    if found in LATIN_2 and not SYMBOL_IN_WORD.search(sample.decode("cp1252", "replace")):
        return "cp1252"  # the same letters of the West, which the detection often takes for Latin-2
    return found if _share_decoded(sample, found) > 0.999 else "cp1252"


def _share_decoded(sample: bytes, encoding: str) -> float:
    text = sample.decode(encoding, "replace")
    return 1 - text.count("\ufffd") / max(1, len(text))


def _handler(encoding: str) -> str:
    return "surrogatepass" if encoding in WIDE else "surrogateescape"
