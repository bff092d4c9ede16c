"""Numbers with a checksum or a register behind them: bytes at a candidate -> the IP address, card number or IBAN there.

Each function gets a window of bytes and the place in it where something may begin, and returns `(start, end, label)` or None.
"""

import ipaddress

import regex

Found = tuple[int, int, str] | None

_IPV4 = regex.compile(rb"(?:\d{1,3}\.){3}\d{1,3}(?![\w]|[.-]\w|\.?\*)")
_IPV6 = regex.compile(rb"[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{1,35}+(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3}|)(?![\w:]|\.\d)")
_VERSION = regex.compile(
    rb"(?:\b(?:v|ver|vers|version|versions|release|releases|rev|revision|build|firmware|driver|section|chapter|clause|table|"
    rb"figure|fig|appendix|oid|jdk|java|kernel|update|upgrade|since|patch)s?\b"
    rb"[\s.:=#\"'(]{0,4}|[=<>~^!]= ?|[~^]|[\w)][-/+@.:]|[._-]|\xc2\xa7 ?)\Z",
    regex.IGNORECASE,
)
_PLACE_BEFORE = regex.compile(rb"(?:[A-Za-z]{2,}:|//[\w.%:-]*@|[A-Za-z0-9]@|:/?/)\Z")
_ADDRESS_BEFORE = regex.compile(
    rb"\b(?:ip|ipv4|addr|address|host|server|dns|ping|src|dst|gateway)\b[ \t:=\"'(\[]{0,3}\Z", regex.IGNORECASE
)

_CARD = regex.compile(
    rb"\d{13,19}(?!\w|[.-]\d)|\d{4}(?<sep>[ -])(?:\d{4}(?P=sep)\d{4}(?P=sep)(?:\d{4}(?:(?P=sep)\d{3})?|\d)|"
    rb"\d{6}(?P=sep)\d{4,5})(?!\w|[ -]\d)"
)
_LONGER_BEFORE = (regex.compile(rb"[\w.,/=&?-]\Z"), regex.compile(rb"(?:[\w.,/=&?-]|\d )\Z"))  # without groups, with groups
_ISSUERS = (  # leading digits from, to; lengths (ISO/IEC 7812 and the networks' own pages)
    ("4", "4", (13, 16, 19)),  # Visa; 13 digits only in groups, as an article number (EAN) has 13 too
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("5018", "5018", (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    ("5020", "5020", (13, 14, 15, 16, 17, 18, 19)),
    ("5038", "5038", (13, 14, 15, 16, 17, 18, 19)),
    ("6304", "6304", (13, 14, 15, 16, 17, 18, 19)),
    ("6759", "6763", (13, 14, 15, 16, 17, 18, 19)),
)

_IBAN = regex.compile(rb"[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}")
IBAN_LENGTHS = {  # SWIFT IBAN registry
    country: int(length)
    for length, countries in (
        line.split(" ", 1)
        for line in (
            "15 NO",
            "16 BE",
            "18 DK FI FK FO GL NL SD",
            "19 MK SI",
            "20 AT BA EE KZ LT LU MN XK",
            "21 CH HR LI LV",
            "22 BG BH CR DE GB GE IE ME RS VA",
            "23 AE GI IL IQ OM SO TL",
            "24 AD CZ ES MD PK RO SA SE SK TN VG",
            "25 LY PT ST",
            "26 IS TR",
            "27 BI DJ FR GR IT MC MR SM",
            "28 AL AZ BY CY DO GT HN HU LB NI PL SV",
            "29 BR EG PS QA UA",
            "30 JO KW MU YE",
            "31 MT SC",
            "32 LC",
            "33 RU",
        )
    )
    for country in countries.split()
}


def ipv4(window: bytes, at: int) -> Found:
    """Find a public IPv4 address; four numbers that are a version, a section or a network are none.

    >>> ipv4(b"from 163.36.107.25:80", 5), ipv4(b"v 163.36.107.25", 2), ipv4(b"3.2.1.4", 0), ipv4(b"10.0.0.1", 0)
    ((5, 18, 'ip'), None, None, None)
    """
    match = _IPV4.match(window, at)
    if match is None or not is_public(match.group().decode()):
        return None
    before, after = window[max(at - 24, 0) : at], window[match.end() : match.end() + 4]
    named = _ADDRESS_BEFORE.search(before) or _PLACE_BEFORE.search(before) or regex.match(rb":\d\d", after)
    if not named and (_VERSION.search(before) or _is_section(match.group())):
        return None
    return None if _is_network(match.group(), after) else (at, match.end(), "ip")


def _is_section(quad: bytes) -> bool:
    """Tell whether four numbers are as small as those of sections and versions are: 38.17.6.2, but not 13.83.69.70."""
    numbers = [int(number) for number in quad.split(b".")]
    return numbers[0] < 100 and sum(number >= 30 for number in numbers) < 2


def _is_network(address: bytes, after: bytes) -> bool:
    """Tell whether the prefix length that follows makes the address a network's: 8.8.8.0/24, but not 8.8.8.8/24 or /32."""
    length = regex.match(rb"/(\d{1,3})(?!\d)", after)
    if length is None or int(length.group(1)) == (128 if b":" in address else 32):
        return False
    try:
        ipaddress.ip_network((address + length.group()).decode())
    except ValueError:
        return False
    return True


def ipv6(window: bytes, at: int) -> Found:
    """Find a public IPv6 address.

    >>> ipv6(b"2a00:1450:4001:81b::200e", 0), ipv6(b"2001:db8::1", 0), ipv6(b"2001:30:45", 0)
    ((0, 24, 'ip'), None, None)
    """
    match = _IPV6.match(window, at)
    if match is None or window[max(at - 1, 0) : at] in (b":", b"."):
        return None
    end = match.end() - (match.group().endswith(b":") and not match.group().endswith(b"::"))
    if not is_public(window[at:end].decode()) or _is_network(window[at:end], window[end : end + 5]):
        return None
    return at, end, "ip"


def is_public(address: str) -> bool:
    """Tell whether an address is one, and neither private, local, multicast, reserved nor for documentation."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_global and not parsed.is_multicast


def card(window: bytes, at: int) -> Found:
    """Find a card number: a network's leading digits and length, groups as printed on cards, Luhn's checksum.

    >>> card(b"4111 1111 1111 1111", 0), card(b"4111-1111-1111-1112", 0), card(b"0.4111111111111111", 2)
    ((0, 19, 'card'), None, None)
    """
    match = _CARD.match(window, at)
    if match is None or _LONGER_BEFORE[match["sep"] is not None].search(window[max(at - 2, 0) : at]):
        return None
    digits = regex.sub(rb"[ -]", b"", match.group()).decode()
    if len(digits) == 13 and match["sep"] is None:
        return None
    known = any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
    return (at, match.end(), "card") if known and luhn(digits) else None


def luhn(digits: str) -> bool:
    """Tell whether the last digit is Luhn's check digit of the others (ISO/IEC 7812-1, annex B).

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def iban(window: bytes, at: int) -> Found:
    """Find an IBAN: the country's length, and the checksum of ISO 13616 (modulo 97).

    >>> iban(b"GB82 WEST 1234 5698 7654 32", 0), iban(b"GB82WEST12345698765431", 0)
    ((0, 27, 'iban'), None)
    """
    match = _IBAN.match(window, at)
    length = IBAN_LENGTHS.get(window[at : at + 2].decode("latin-1"))
    if match is None or length is None:
        return None
    signs = [place for place in range(at, match.end()) if window[place] != ord(" ")]
    if len(signs) < length or window[signs[length - 1] + 1 : signs[length - 1] + 2].isalnum():
        return None
    account = bytes(window[place] for place in signs[:length]).decode()
    number = int("".join(str(int(sign, 36)) for sign in account[4:] + account[:4]))
    return (at, signs[length - 1] + 1, "iban") if number % 97 == 1 else None
