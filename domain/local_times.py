"""Wall time and instants: what a clock in a zone shows at an instant, and the other way about.

Pure. A wall time is text, `YYYY-MM-DDTHH:MM` with seconds where there are any, and a day `YYYY-MM-DD`; zones are IANA
names, instants Unix milliseconds. Must not know what takes place then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_text(moment: datetime) -> str:
    """Its wall time as entries have it: to the minute, with seconds where there are any."""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds" if moment.second else "minutes")


def instant_ms(local: str, timezone: str, *, fold: int = 0) -> int:
    """Unix milliseconds of a wall time or of the beginning of a day. One that comes twice is its first, with `fold` 1
    its second; one that never comes is as far behind the last that did as it says, which is after the gap."""
    return int(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()) * 1000


def local_moment(at_ms: int, timezone: str) -> datetime:
    """An instant on the zone's clock, with its offset."""
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(timezone))


def local_time(at_ms: int, timezone: str) -> str:
    """The wall time of an instant, with seconds where there are any."""
    return local_text(local_moment(at_ms, timezone))


def local_minute(at_ms: int, timezone: str) -> str:
    """The wall time of an instant as people say it, to the minute."""
    return local_moment(at_ms, timezone).replace(tzinfo=None).isoformat(timespec="minutes")


def later(local: str, length: timedelta) -> str:
    """A wall time or a day, so much later by the clock on the wall."""
    moved = _wall(local) + length
    return local_text(moved) if "T" in local else moved.date().isoformat()


def between(start: str, end: str) -> timedelta:
    """From one wall time or day to another, by the clock on the wall."""
    return _wall(end) - _wall(start)


def _wall(local: str) -> datetime:
    return datetime.fromisoformat(local)
