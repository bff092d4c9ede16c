"""Dates and times as SQL Server and Oracle scripts write them -> ISO 8601, where what is written says which moment it is."""

import re
from datetime import date, datetime, timedelta
from functools import cache

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_PARTS = {
    "YYYY": r"(?P<year>\d{4})",
    "RRRR": r"(?P<year>\d{4})",
    "RR": r"(?P<short>\d{2})",
    "MONTH": r"(?P<month>[A-Z]+) *",
    "MON": r"(?P<month>[A-Z]{3})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "HH24": r"(?P<hour>\d{1,2})",
    "HH12": r"(?P<half>\d{1,2})",
    "HH": r"(?P<half>\d{1,2})",
    "MI": r"(?P<minute>\d{1,2})",
    "SS": r"(?P<second>\d{1,2})",
    "X": r"[.,]",
    "FF": r"(?P<fraction>\d{1,9})",
    "AM": r"(?P<noon>[AP])\.?M\.?",
    "TZH:TZM": r"(?P<zone>[-+]\d{2}:\d{2})",
}
_PART = re.compile(
    r"S?(YYYY)|(RRRR|RR|MONTH|MON|MM|DD|HH24|HH12|HH|MI|SS|FF)\d?|([AP])\.?M\.?|(TZH:TZM)|(X)|\"([^\"]*)\"|([-/.,:; ])", re.I
)


def as_iso(written: bytes, form: bytes) -> bytes:
    """Return what Oracle's to_date or to_timestamp means by a text and its format, in ISO 8601.

    Two-digit years are read by RR's rule (50 to 99 are 19xx) and left alone under YY. What the format leaves open, or does not
    fit, is returned as it is written.

    >>> as_iso(b"01-JAN-20 08.51.22.710 PM", b"DD-MON-RR HH.MI.SSXFF AM"), as_iso(b"01/02/20", b"DD/MM/YY")
    (b'2020-01-01T20:51:22.710', b'01/02/20')
    """
    pattern = _pattern(form.decode("utf-8", "replace"))
    found = pattern.fullmatch(written.decode("utf-8", "replace").strip()) if pattern else None
    try:
        return _iso(found.groupdict()).encode() if found else written
    except ValueError:
        return written


@cache
def _pattern(form: str) -> re.Pattern[str] | None:
    pattern, at = "", 0
    while at < len(form):
        part = _PART.match(form, at)
        if not part:
            return None
        pattern, at = pattern + _written_as(part), part.end()
    try:
        found = re.compile(pattern, re.I)
    except re.error:  # a part that is there twice
        return None
    given = set(found.groupindex)
    dated = {"month", "day"} <= given and given & {"year", "short"}
    timed = not given & {"half", "minute", "second", "noon"} or "hour" in given or {"half", "noon"} <= given
    return found if dated and timed else None


def _written_as(part: re.Match[str]) -> str:
    word = part[1] or part[2] or part[4] or part[5]
    if word:
        return _PARTS[word.upper()]
    if part[3]:
        return _PARTS["AM"]
    return re.escape(part[6]) if part[6] is not None else r"[-/.,:; ]"


def _iso(found: dict[str, str | None]) -> str:
    year = int(found.get("year") or 0) or _century(int(found.get("short") or 0))
    day = date(year, _month(found["month"] or ""), int(found["day"] or 0)).isoformat()
    hour = found.get("hour") or found.get("half")
    if hour is None:
        return day
    hours = int(hour) if found.get("hour") else int(hour) % 12 + 12 * (found["noon"] in ("P", "p"))
    minute, second = int(found.get("minute") or 0), int(found.get("second") or 0)
    time = datetime(year, 1, 1, hours, minute, second).time().isoformat()
    fraction = found.get("fraction")
    return f"{day}T{time}{'.' + fraction if fraction else ''}{found.get('zone') or ''}"


def _century(short: int) -> int:
    return short + (2000 if short < 50 else 1900)


def _month(written: str) -> int:
    return int(written) if written.isdigit() else _MONTHS.index(written[:3].upper()) + 1


def moment_of_bytes(kind: str, data: bytes) -> bytes:
    """Return the moment that SQL Server's bytes of a type mean, in ISO 8601; raises `ValueError` for other types.

    DateTime counts days since 1900 and 300ths of a second, SmallDateTime days and minutes, big end first. Date counts days
    since the year 1, little end first, and DateTime2 puts its scale and a time of that scale before such a date.

    >>> moment_of_bytes("datetime", bytes.fromhex("0000963400C5C100")), moment_of_bytes("date", bytes.fromhex("963A0B"))
    (b'2005-04-12T12:00:00.000', b'2015-10-24')
    """
    try:
        if kind == "datetime" and len(data) == 8:
            return _datetime(data).isoformat(timespec="milliseconds").encode()
        if kind == "smalldatetime" and len(data) == 4:
            minutes = int.from_bytes(data[2:], "big")
            return (_DAY_0 + timedelta(int.from_bytes(data[:2], "big"), minutes=minutes)).isoformat().encode()
        if kind == "date" and len(data) in (3, 4):
            return _date(data[:3]).isoformat().encode()
        if kind == "datetime2" and 7 <= len(data) <= 9 and data[0] <= 7:
            return f"{_date(data[-3:]).isoformat()}T{_time(data[:-3])}".encode()
    except OverflowError as error:
        raise ValueError(kind) from error
    raise ValueError(kind)


_DAY_0 = datetime(1900, 1, 1)


def _datetime(data: bytes) -> datetime:
    ticks = int.from_bytes(data[4:], "big")
    return _DAY_0 + timedelta(int.from_bytes(data[:4], "big", signed=True), milliseconds=round(ticks * 10 / 3))


def _date(data: bytes) -> date:
    return date.fromordinal(int.from_bytes(data, "little") + 1)


def _time(data: bytes) -> str:
    scale = data[0]
    seconds, fraction = divmod(int.from_bytes(data[1:], "little"), 10**scale)
    time = (datetime.min + timedelta(seconds=seconds)).time().isoformat()
    return f"{time}.{fraction:0{scale}}" if scale else time
