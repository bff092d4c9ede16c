"""E-mail addresses: bytes around an `@` -> where the address begins and ends.

Stricter than RFC 5322, as a mailbox in running text is: no quoted local part, none of `!#$*/=?^{|}` in it (what stands after
them is still found), a domain that ends in a top-level domain. Local parts and domains may be written in any script (RFC 6531).
"""

import regex

from filters.pii.numbers import Found, is_public

_WORD = r"A-Za-z0-9_\p{Latin}\p{Greek}\p{Cyrillic}\p{M}"  # scripts that put blanks between words: no word sticks to an address
_LOCAL = regex.compile(rf"[{_WORD}][{_WORD}+'&%~-]*+(?:\.[{_WORD}+'&%~-]++)*+\Z(?<!')")
_SCRIPT = regex.compile(r"[\w-]++(?:\.[\w-]++)*+\Z")
_END = r"(?![{0}]|[-.][{0}])"
_DOMAIN = regex.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
    + _END.format("A-Za-z0-9_")
)
_IDN = regex.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?P<top>[\p{L}\p{M}]{2,24})" + _END.format(r"\w"))
_ADDRESS = regex.compile(
    r"\[(?:(?:\d{1,3}\.){3}\d{1,3}|IPv6:[0-9a-fA-F:.]{2,45})\]|(?P<bare>(?:\d{1,3}\.){3}\d{1,3})(?!\w|\.\d)"
)
_IN_URL = regex.compile(rb"\w://[^\s@=?\"'<>]*\Z")  # a user, or a part of a path; what a query gives is an address
ROLES_OF_URLS = (b"git", b"hg", b"svn")  # git@github.com:owner/name is a place to clone from

COUNTRIES = frozenset(  # ISO 3166-1 and ac, eu, su, uk: IANA root zone
    name
    for line in (
        "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf",
        "cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg",
        "gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn",
        "kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na",
        "nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh",
        "si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc",
        "ve vg vi vn vu wf ws ye yt za zm zw",
    )
    for name in line.split()
)
NO_DOMAINS = frozenset(  # file extensions, and what RFC 6761, RFC 6762 and ICANN keep for private use
    name
    for line in (
        "png jpg jpeg gif svg webp ico bmp tiff avif css scss less html htm php asp aspx jsp json yaml yml toml xml txt csv",
        "tsv log pdf doc docx xls xlsx zip tar tgz gz bz2 exe dll jar war whl deb rpm dmg iso bin conf cfg ini bak tmp lock",
        "mjs cjs jsx tsx vue cpp hpp java class scala swift ipynb local localhost localdomain internal invalid intranet lan",
        "corp home test service socket target mount timer device slice scope length size value prototype",
    )
    for name in line.split()
)


def email(window: bytes, at: int) -> Found:
    """Find the e-mail address around the `@` at a place.

    >>> email("Müller <jörg.müller+x@example.com>".encode(), 24)
    (9, 36, 'email')
    >>> email(b"user@localhost", 4), email(b"icon@2x.png", 4), email(b"npm@10.2", 3)
    (None, None, None)
    """
    begin = max(at - 80, window.rfind(b" ", 0, at) + 1, window.rfind(b"@", 0, at) + 1)
    before = window[begin:at].decode("utf-8", "surrogateescape")
    local = _LOCAL.search(before) or _SCRIPT.search(before)
    domain = _domain(window[at + 1 : at + 256].decode("utf-8", "surrogateescape"))
    if local is None or not domain:
        return None
    name = local.group().encode("utf-8", "surrogateescape")
    start = at - len(name)
    if len(name) > 64 or name in ROLES_OF_URLS or _IN_URL.search(window[max(start - 64, 0) : start]):
        return None
    return start, at + 1 + len(domain.encode("utf-8", "surrogateescape")), "email"


def _domain(text: str) -> str:
    """Return the domain that a text begins with, or an empty string."""
    address = _ADDRESS.match(text)
    if address:
        bare = address["bare"]
        return address.group() if bare is None or is_public(bare) else ""
    match = _DOMAIN.match(text) or _IDN.match(text)
    if match is None:
        return ""
    top = match["top"].lower()
    known = top in COUNTRIES if len(top) == 2 and top.isascii() else top not in NO_DOMAINS
    return match.group() if known else ""
