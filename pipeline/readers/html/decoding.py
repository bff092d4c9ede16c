"""A page's bytes -> its markup, in the encoding that it has, declares or looks like."""

import re

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
DECLARED = re.compile(rb"""<(?:meta|\?xml)\b[^>]*?\b(?:charset|encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)


def decode(page: bytes, charset: str | None = None) -> str:
    r"""Decode a page as browsers do: by byte order mark, else in the `charset` that its header names, else as it declares.

    One that says nothing is UTF-8 if it can be, else what its bytes look like. A declaration is believed even where it is
    wrong, as it is in browsers: bytes that the encoding does not know become U+FFFD.

    >>> decode(b'<meta charset="latin1">caf\xe9')[-4:], decode("café".encode())
    ('café', 'café')
    """
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    encoding = _declared(page, charset)
    if encoding is None:
        try:
            return page.decode("utf-8")
        except UnicodeDecodeError:
            encoding = detect_encoding(page, html5_compatible=True) or "utf-8"
    text: str = bytes_to_str(page, encoding, errors="replace", fallback_encodings=())
    return text


def _declared(page: bytes, charset: str | None) -> str | None:
    from resiliparse.parse.encoding import map_encoding_to_html5

    for mark, encoding in BOMS:
        if page.startswith(mark):
            return encoding
    if charset and (named := map_encoding_to_html5(charset, False)):
        return str(named)
    found = DECLARED.search(page, 0, 1024)
    name: str | None = found and map_encoding_to_html5(found[1].decode("ascii", "replace"), False)
    return "utf-8" if name and name.startswith("utf-16") else name  # a declaration readable as ASCII is not UTF-16
