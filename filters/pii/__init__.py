"""PII: text -> the e-mail and public IP addresses, phone, card and account numbers and keys in it: where and which.

Reading order: `candidates` (one pass over the bytes finds the few places worth a closer look), then what looks closer at them:
`numbers`, `emails`, `phones`, `keys`. Everything is precise rather than complete: what is told from other numbers by nothing
but its meaning (a name, a street, seven digits alone) is not looked for.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from filters import kernels
from filters.kinds import Spans, Texts, spans
from filters.pii import candidates as signs
from filters.pii.emails import email
from filters.pii.keys import LONGEST, key
from filters.pii.numbers import Found, card, iban, ipv4, ipv6
from filters.pii.phones import CALLS, international, national, worded

PII = Literal["email", "ip", "phone", "card", "iban", "key"]
BEFORE, AFTER = 128, 512  # bytes of a window around a candidate

_LOOK: dict[int, tuple[PII, Callable[[bytes, int], Found]]] = {
    signs.EMAIL: ("email", email),
    signs.IPV4: ("ip", ipv4),
    signs.IPV6: ("ip", ipv6),
    signs.INTERNATIONAL: ("phone", international),
    signs.NATIONAL: ("phone", national),
    signs.CARD: ("card", card),
    signs.IBAN: ("iban", iban),
}
_FIRST = ("card", "iban", "ip", "phone", "email")  # of kinds that overlap the later one stays, a key before all of them
Span = tuple[int, int, int, str]


@spans(version=1)
def pii(texts: Texts, *, kinds: Sequence[PII] = ("email", "ip", "phone", "card", "iban", "key")) -> Spans:
    """Find e-mail addresses, public IP addresses, phone numbers, card numbers, IBANs, and keys and tokens of known services.

    A label is the kind, or for a key what it opens: `github_token`, `aws_access_key`, `private_key` and so on. Cards and
    IBANs have the right length and checksum; an IP address is neither private nor reserved nor a version; a phone number has
    a country code, a national form of its own, or a word for it before it.

    >>> import pyarrow as pa
    >>> found = pii(pa.array(["é: jo@example.com, 163.36.107.25", "v4.132.211.142", "tel. 030/12345678"], pa.large_string()))
    >>> found.text.tolist(), found.start.tolist(), found.end.tolist(), [found.labels[label] for label in found.label]
    ([0, 0, 2], [4, 20, 5], [18, 33, 17], ['email', 'ip', 'phone'])
    """
    data, offsets = kernels.buffers(texts)
    found = list(_apart(sorted(_looked_at(data, offsets, frozenset(kinds)))))
    labels = sorted({label for *_, label in found})
    numbers = np.array([(row, start, end, labels.index(label)) for row, start, end, label in found], dtype=np.int64)
    row, start, end, label = numbers.reshape(-1, 4).T
    return Spans(row, start - offsets[row], end - offsets[row], label, labels)


def _looked_at(data: kernels.Bytes, offsets: kernels.Ints, kinds: frozenset[PII]) -> Iterator[Span]:
    """Yield what stands at the candidates, with bytes counted from the begin of `data`."""
    for row, at, sign in zip(*(column.tolist() for column in signs.candidates(data, offsets)), strict=True):
        first, last = int(offsets[row]), int(offsets[row + 1])
        if sign >= signs.PREFIX:
            found = _at_prefix(data[at : min(at + LONGEST, last)], signs.PREFIXES[sign - signs.PREFIX], kinds)
            begin = at
        else:
            kind, look = _LOOK[sign]
            begin = max(at - BEFORE, first)
            found = look(data[begin : min(at + AFTER, last)].tobytes(), at - begin) if kind in kinds else None
        if found:
            yield row, begin + found[0], begin + found[1], found[2]


def _at_prefix(rest: kernels.Bytes, prefix: bytes, kinds: frozenset[PII]) -> Found:
    if prefix in CALLS:
        return worded(rest[:AFTER].tobytes()) if "phone" in kinds else None
    if "key" not in kinds:
        return None
    return key(rest.tobytes(), prefix)


def _apart(found: Sequence[Span]) -> Iterator[Span]:
    """Yield sorted spans without those that overlap one of a more telling kind, or a longer one of their kind."""
    last: Span | None = None
    for span in found:
        if last is None or span[0] != last[0] or span[1] >= last[2]:
            if last is not None:
                yield last
            last = span
        elif _weight(span) > _weight(last):
            last = span
    if last is not None:
        yield last


def _weight(span: Span) -> tuple[int, int]:
    _, start, end, label = span
    return (_FIRST.index(label) if label in _FIRST else len(_FIRST)), end - start
