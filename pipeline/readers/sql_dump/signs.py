"""What the bytes of a dump mean: the dialects, the kinds of cells, what a kernel reports, and the signs of SQL."""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

MYSQL, POSTGRES, SQLITE, SQL_SERVER, ORACLE = 0, 1, 2, 3, 4
LINES = SQL_SERVER  # from here on, dialects whose statements may end with a line, without a semicolon

NULL = 0
BARE = 1  # a number or a word
PLAIN = 2  # a string whose bytes are its value
DOUBLED = 3  # a string with doubled quotes
BACKSLASHES = 4  # a string with MySQL's escapes
E_STRING = 5  # a string with PostgreSQL's escapes
COPY_FIELD = 6  # a field of COPY with escapes
HEX = 7
BITS = 8
REPLACE = 9  # sqlite3 before 3.50: replace(replace('..','\r',char(13)),'\n',char(10))
UNISTR = 10  # sqlite3 from 3.50 on: unistr('..\u000a..')
EXPRESSION = 11  # anything else

MORE = 0  # the next row does not end in this buffer
DONE = 1  # the statement is over
FULL = 2  # the arrays, or the batch's bytes, are full
BAD = 3  # this is no row

QUOTE, DOUBLE_QUOTE, BACKTICK, BACKSLASH = ord("'"), ord('"'), ord("`"), ord("\\")
NEWLINE, RETURN, TAB, SPACE, SEMICOLON, COMMA = ord("\n"), ord("\r"), ord("\t"), ord(" "), ord(";"), ord(",")
OPEN, CLOSE, DOLLAR, DASH, SLASH, STAR, HASH, BANG = (
    ord("("),
    ord(")"),
    ord("$"),
    ord("-"),
    ord("/"),
    ord("*"),
    ord("#"),
    ord("!"),
)
BRACKET, BRACKET_END, COLON, UNDERSCORE, DOT, ZERO = ord("["), ord("]"), ord(":"), ord("_"), ord("."), ord("0")

WORD = np.array([chr(b).isalnum() or b in b"_$" or b >= 128 for b in range(256)])
LOOSE = np.array([WORD[b] or b in b"+-." for b in range(256)])
BLANK = np.array([b in b" \t\r\n\f\v" for b in range(256)])
