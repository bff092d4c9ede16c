"""Phone numbers: bytes at a candidate -> where a number that people would dial begins and ends.

Three ways to be sure enough: a plus sign with an assigned country code and as many digits as the country uses (ITU-T E.164);
a national form that hardly anything else has; a word such as "phone" before it.
"""

import regex

from filters.pii.numbers import Found

CALLS = tuple(  # words that numbers follow, as bytes
    word.encode()
    for line in (
        "tel Tel TEL phone Phone PHONE fax Fax FAX mobile Mobile MOBILE cell Cell call Call dial Dial hotline Hotline",
        "whatsapp Whatsapp WhatsApp Mobil Handy Telefon tél Tél тел Тел 电话 電話 手机 ☎ 📞",
    )
    for word in line.split()
)
_GAP = rb"(?:(?:[ ./-]|\xc2\xa0)?[()](?:[ ./-]|\xc2\xa0)?|\) ?\(|[ ./-]|\xc2\xa0)"
_PLUS = regex.compile(rb"\+\d++(?:" + _GAP + rb"\d++)*+(?!\w)")
_GROUPS = regex.compile(rb"\d+")
_TRUNK = regex.compile(rb"\(0\)")
_WORDED = regex.compile(
    rb"(?:tel(?:e?(?:phone|fon[eo]?))?|t\xc3\xa9l(?:\xc3\xa9phone)?|(?:tele)?fax|(?:mobile|cell)(?: ?phone)?|mobil(?:telefon)?|"
    rb"phone|call(?: us)?|whatsapp|hotline|dial|handy|\xd1\x82\xd0\xb5\xd0\xbb(?:\xd0\xb5\xd1\x84\xd0\xbe\xd0\xbd)?|"
    rb"\xd0\xa2\xd0\xb5\xd0\xbb(?:\xd0\xb5\xd1\x84\xd0\xbe\xd0\xbd)?|[^\x00-\x7f]{3,6})"
    rb"(?: ?/ ?fax)?(?: (?:number|no|nr|at)| ?#)?(?:[.:# \t=]|\xc2\xa0|\xef\xbc\x9a){0,4}(?P<number>\+?\(?\d++(?:"
    + _GAP
    + rb"\d++)*+)(?![\w%]|[.,]\d)",
    regex.IGNORECASE,
)
_DATE = regex.compile(
    rb"\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](?:19|20)\d\d|(?:19|20)\d\d[ /-](?:19|20)\d\d|"
    rb"\d+\.\d+\Z|\d+(?:\.\d+){3}\Z"
)
_NATIONAL = regex.compile(
    rb"(?<![\w.,/+#%$-]|\d:)(?:"
    rb"(?:1[ .-])?\([2-9]\d\d\)[ -]?[2-9]\d\d[-. ]\d{4}"  # North America: (415) 555-1212
    rb"|(?:1(?<a>[.-]))?[2-9]\d\d(?<b>[.-])[2-9]\d\d(?P=b)\d{4}"  # 415-555-1212, 1-800-555-0199
    rb"|\(0[1-9]\d{1,3}\)[ ]?\d{3,4}[- ]?\d{3,5}"  # (020) 7946 0958
    rb"|0[1-9]\d{0,2}-\d{2,4}-\d{4}"  # Japan, Korea: 03-1234-5678, 090-1234-5678
    rb"|0[1-9]\d{1,3}/\d{6,8}"  # Germany: 030/12345678
    rb"|\([1-9]\d\)[ ]?9\d{4}-\d{4}"  # Brazil: (11) 91234-5678
    rb"|(?<![\d)]\s|\b[0-9a-f]{2}>?\s{1,2}[0-9a-f]{2}\s{1,2})(?:"  # with blanks only: no part of a table or a hex dump
    rb"0[1-9](?<c>[ .])\d\d(?:(?P=c)\d\d){3}"  # France: 01 23 45 67 89
    rb"|020[ ]\d{4}[ ]\d{4}|01\d\d\d[ ]\d{6}|01\d1[ ]\d{3}[ ]\d{4}|07\d{3}[ ]\d{6}|07\d{3}[ ]\d{3}[ ]\d{3}"  # United Kingdom
    rb"|04\d\d[ ]\d{3}[ ]\d{3}|0[2378][ ]\d{4}[ ]\d{4}"  # Australia
    rb")(?![ ][0-9a-fA-F]{2}(?!\w)|[ ]\d))(?![\w%]|[-./+:,]\d)"
)
LENGTHS = {  # digits after the country code: the numbering plans in Google's libphonenumber
    code: (int(low), int(high))
    for low, high, *codes in (
        line.split()
        for line in (
            "4 5 290",
            "4 7 683 690",
            "4 11 352",
            "4 13 43",
            "5 5 247 500 682",
            "5 7 676 677 678 688",
            "5 8 686",
            "5 9 27",
            "5 10 358 685",
            "5 12 971",
            "5 14 82",
            "5 15 49",
            "6 6 298 299 672 687",
            "6 7 597",
            "6 8 386",
            "6 9 40 46 252 376 421 508 681",
            "6 10 53 95 98 880",
            "6 11 375",
            "6 12 39 359 381",
            "6 13 63 598",
            "7 7 238 239 246 248 269 291 297 592 673 674 680 691 692",
            "7 8 241 599 670 675 853 961 965 975",
            "7 9 220 231 245 265 354 355 385 423 967 968",
            "7 10 44 48 61 230 243 254 263 267 353 372 960",
            "7 11 31 501 503 507 595 679 974",
            "7 12 86 882 972",
            "7 17 62",
            "8 8 45 47 216 222 223 226 227 228 232 235 236 253 257 266 268 350 356 357 370 371 373 374 389 505 509 800 808",
            "8 8 973 993",
            "8 9 32 36 51 213 224 233 237 250 258 264 377 382 387 591 689 852 962 963",
            "8 10 20 60 64 84 378 506 850 855 856 964 970 976",
            "8 11 57 65 92 502 504 593 886 977",
            "8 12 383 883",
            "8 13 66 91",
            "8 17 81",
            "9 9 33 34 41 93 94 211 212 218 221 240 242 244 249 251 255 256 260 261 262 351 420 590 594 596 979 992 994 995",
            "9 9 998",
            "9 10 380 881 966 996",
            "9 11 55 56",
            "9 12 870",
            "10 10 1 52 58 225 229",
            "10 11 54",
            "10 12 30",
            "10 13 90",
            "10 14 7 234",
            "11 11 888",
            "12 12 878",
        )
    )
    for code in codes
}


def international(window: bytes, at: int) -> Found:
    """Find the phone number that begins with the plus sign at a place.

    >>> international(b"+44 (0)20 7946 0958 2024", 0), international(b"+999999999-12-31", 0)
    ((0, 19, 'phone'), None)
    """
    match = _PLUS.match(window, at)
    if match is None or regex.search(rb"[\w+*%^)-]\Z", window[max(at - 1, 0) : at]):
        return None
    end = dialled(match.group())
    return (at, at + end, "phone") if end else None


def dialled(text: bytes) -> int:
    """Return how many bytes of a plus sign, digits and what divides them are a phone number; 0 if none are.

    >>> dialled(b"+4989436655"), dialled(b"+1 (415) 555-2671 2020"), dialled(b"+1 415 555")
    (11, 17, 0)
    """
    trunk = _TRUNK.search(text)
    groups = [group for group in _GROUPS.finditer(text) if trunk is None or group.start() != trunk.start() + 1]
    digits = b"".join(group.group() for group in groups).decode()
    code = next((digits[:length] for length in (1, 2, 3) if digits[:length] in LENGTHS), None)
    if code is None or (code == "1" and digits[1:2] in ("0", "1")) or len(set(digits)) < 3:
        return 0
    low, high = LENGTHS[code]
    low, count, end = max(low, 7), -len(code), 0
    for number, group in enumerate(groups):
        count += len(group.group())
        whole = number + 1 == len(groups)
        if low <= count <= high and (whole or text[group.end() : group.end() + 1] == b" "):
            end = group.end()
    return end


def national(window: bytes, at: int) -> Found:
    """Find a phone number in a national form that begins at a place or, with the `1-` of North America, two bytes before.

    >>> national(b"call 1-800-555-0199.", 7), national(b"2001-02-0304", 0), national(b"(020) 7946 0958", 0)
    ((5, 19, 'phone'), None, (0, 15, 'phone'))
    """
    match = (_NATIONAL.match(window, at - 2) if at >= 2 else None) or _NATIONAL.match(window, at)
    if match is None or not 9 <= len(regex.findall(rb"\d", match.group())) <= 12:
        return None
    return match.start(), match.end(), "phone"


def worded(window: bytes) -> Found:
    """Find the phone number after the word that begins a window.

    >>> worded(b"Phone: 555 0123 44"), worded(b"phone 2020-01-01"), worded(b"call 1234567")
    ((7, 18, 'phone'), None, None)
    """
    match = _WORDED.match(window)
    if match is None or _DATE.match(match["number"]):
        return None
    groups = _GROUPS.findall(match["number"])
    digits = sum(map(len, groups))
    if (
        not 7 <= digits <= 15
        or len(groups[-1]) < 2
        or (len(groups) == 1 and digits < 10 and b":" not in window[: match.start("number")])
    ):
        return None
    return match.start("number"), match.end("number"), "phone"
