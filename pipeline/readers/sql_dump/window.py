"""A stream of bytes -> a window that slides over it: what is read and not yet used, in one buffer that kernels look at."""

import codecs
import gzip
import zlib
from typing import Any, BinaryIO

import numpy as np

from pipeline.readers.sql_dump.rows import LONG_ROW, skip_rows
from pipeline.readers.sql_dump.scan import IN_WORD, row_end, skip_blank, statement_end, token_begun, token_rest
from pipeline.readers.sql_dump.signs import LINES

BLOCK = 8 << 20
MOST_HELD = 256 << 20  # bytes of one row or statement, as much as of a packed file that is read whole
ENDS = "the dump ends in the string that begins at byte {}: it is cut, or a quote is not closed"
TOO_LONG = f"a row or statement has more than {MOST_HELD >> 20} MiB"


def _handler(codec: str) -> str:
    return "surrogatepass" if codec.startswith(("utf-16", "utf-32")) else "surrogateescape"


class _Recoded:
    """A stream of another codec, read as UTF-8; what is not in the codec, such as half of a surrogate pair, stays invalid."""

    def __init__(self, read: bytes, file: Any, codec: str) -> None:  # noqa: ANN401  whatever has read1
        self._file, self._waiting = file, read
        self._decoder = codecs.getincrementaldecoder(codec)(_handler(codec))
        self._ready = memoryview(b"")

    def readinto1(self, view: memoryview) -> int:
        """Fill as much of `view` as is at hand; returns the number of bytes, 0 at the end."""
        ended = False
        while not self._ready and not ended:
            block = self._waiting or self._file.read1(1 << 20)
            self._waiting, ended = b"", not block
            try:
                text = self._decoder.decode(block, ended)
            except UnicodeDecodeError as error:
                raise EOFError("it ends in the middle of a character") from error
            self._ready = memoryview(text.encode("utf-8", "surrogatepass"))
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


class Window:
    """The unused bytes `data[start:end]` of a stream; `base + start` is the offset of the first in the stream.

    `error` says what ended the stream too early (a cut `.gz`), or is empty; `codec` is what the stream is in where it is
    recoded. The buffer grows only where one row or one statement other than an INSERT or COPY is longer than it.
    """

    def __init__(self, file: BinaryIO, block: int = BLOCK) -> None:
        raw = getattr(file, "raw", None)
        self._file: Any = (
            raw if isinstance(raw, gzip.GzipFile) else file
        )  # a GzipFile gives what precedes the cut of a cut file
        self._block = block
        self.data = bytearray(2 * block)
        self.bytes = np.frombuffer(self.data, np.uint8)
        self.start = self.end = self.base = 0
        self.ended = False
        self.error = self.codec = ""

    @property
    def full(self) -> bool:
        """Whether as many bytes are unused as one row or statement may have."""
        return self.end - self.start >= MOST_HELD

    @property
    def place(self) -> int:
        """The offset of the first unused byte in the stream."""
        return self.base + self.start

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only where the stream ends."""
        while self.end - self.start < size and self.more():
            pass
        return bytes(self.data[self.start : min(self.end, self.start + size)])

    def more(self) -> bool:
        """Read on, behind the unused bytes, which move to the buffer's start; say whether there was more.

        Where `MOST_HELD` bytes are unused already, the stream ends here, with an error.
        """
        if self.full:
            self.ended, self.error = True, self.error or f"{TOO_LONG}, or has a quote that is not closed"
        if self.ended:
            return False
        held = self.end - self.start
        self._move(held)
        stop = max(held + self._block, len(self.data) // 2)
        with memoryview(self.data) as view:
            while self.end < stop and not self.ended:
                self._read(view[self.end : stop])
        return self.end > held

    def _move(self, held: int) -> None:
        """Move the unused bytes to the start of the buffer, or of one twice as large if a block does not fit behind them."""
        unused = self.bytes[self.start : self.end]
        if held + self._block > len(self.data):
            self.data = bytearray(2 * len(self.data))
            self.bytes = np.frombuffer(self.data, np.uint8)
            self.bytes[:held] = unused
        elif self.start:
            self.bytes[:held] = unused
        self.base += self.start
        self.start, self.end = 0, held

    def _read(self, view: memoryview) -> None:
        try:
            size = self._file.readinto1(view)
        except (EOFError, OSError, zlib.error) as error:
            self.error = str(error) or type(error).__name__
            size = 0
        self.end += size
        self.ended = size == 0

    def recode(self, codec: str) -> None:
        """Read what is unused, and all that follows, as UTF-8 instead of another codec."""
        self._file = _Recoded(bytes(self.data[self.start : self.end]), self._file, codec)
        self.start, self.end, self.ended, self.codec = 0, 0, False, codec

    @property
    def codec_of_rows(self) -> str:
        """The codec of what `original` returns where the stream is recoded, else nothing."""
        return "utf-8" if self.codec and _handler(self.codec) == "surrogatepass" else self.codec

    def original(self, raw: bytes) -> bytes:
        """Return bytes of the buffer as the stream has them; those of UTF-16 and UTF-32 stay in UTF-8."""
        if not self.codec or self.codec_of_rows == "utf-8":
            return raw
        return raw.decode("utf-8", "surrogatepass").encode(self.codec, "surrogateescape")

    def skip_blank(self, dialect: int) -> bool:
        """Pass over what stands between statements; say whether there is a statement."""
        found = False
        while not found:
            self.start, found = skip_blank(self.bytes, self.start, self.end, dialect)
            if not found and not self.more():
                break
        return found or (self.start < self.end and not self.data.startswith((b"--", b"/*", b"#"), self.start))

    def statement(self, dialect: int, strings: int) -> tuple[bytes, bool]:
        """Take the next statement, with whether its `;` was there."""
        scanned = 0
        while True:
            stop, found = statement_end(self.bytes, self.start + scanned, self.end, dialect, strings)
            scanned = stop - self.start
            if found or not self.more():
                break
        rest = b"" if found else self.data[self.start + scanned : self.end].strip().upper()
        stop = stop + 1 if found else self.end
        found = found or (dialect >= LINES and rest in (b"", b"GO", b"/"))
        text = bytes(self.data[self.start : stop])
        self.start = stop
        return text, found

    def skip(self, dialect: int, strings: int, head: bytes) -> bool:
        """Pass over the rest of a statement, and those behind it that begin with `head`; say whether the last was whole."""
        opening = np.frombuffer(head, np.uint8)
        while True:
            self.start, found = skip_rows(self.bytes, self.start, self.end, dialect, strings, opening)
            if found:
                self.start += 1
                return True
            if not self._read_on(dialect, strings):
                return False

    def skip_row(self, dialect: int, strings: int) -> None:
        """Pass over a row of an INSERT, from its `(` on, however long it is."""
        depth = 0
        while True:
            self.start, depth = row_end(self.bytes, self.start, self.end, dialect, strings, depth)
            if depth == 0 or not self._read_on(dialect, strings):
                return

    def _read_on(self, dialect: int, strings: int) -> bool:
        """Read on within a token, which is passed over as it comes if it is long; say whether there was more."""
        at, quote, backslash = token_begun(self.bytes, self.start, self.end, dialect, strings)
        if quote and (self.full or self.end - self.start >= LONG_ROW):
            more = self._pass_token(at, quote, backslash)
        else:
            more = self.more()
        if not more:
            self._tell_string(dialect, strings)
            self.start = self.end
        return more

    def _pass_token(self, at: int, quote: int, backslash: bool) -> bool:
        """Pass over a token that `at` is in; say whether it has an end."""
        place = self.place
        self.start, ended = token_rest(self.bytes, at, self.end, quote, backslash)
        while not ended and self.more():
            self.start, ended = token_rest(self.bytes, self.start, self.end, quote, backslash)
        if not ended and quote != IN_WORD:
            self.error = self.error or ENDS.format(place)
        return bool(ended)

    def _tell_string(self, dialect: int, strings: int) -> None:
        """Say where the string begins in which the stream ends."""
        place, _ = statement_end(self.bytes, self.start, self.end, dialect, strings)
        _, quote, _ = token_begun(self.bytes, place, self.end, dialect, strings)
        if quote not in (0, IN_WORD):
            self.error = self.error or ENDS.format(self.base + place)

    def skip_past(self, mark: bytes) -> bool:
        """Pass over everything up to a mark and the mark itself; say whether it was there."""
        while True:
            at = self.data.find(mark, self.start, self.end)
            if at >= 0:
                self.start = at + len(mark)
                return True
            self.start = max(self.start, self.end - len(mark) + 1)
            if not self.more():
                self.start = self.end
                return False

    def skip_line(self) -> None:
        """Pass over the rest of the line."""
        self.skip_past(b"\n")
