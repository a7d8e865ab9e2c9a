"""Phrases of time that our own grammar does not know, read by dateparser: other languages, what we did not think of.

It runs in one thread, is loaded when first needed, and has a deadline. Such a reader guesses, so that what it says is
believed only where it does not depend on anything but the words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from commands.deeds import phrases_of
from commands.due import YEAR_MAX, YEAR_MIN
from commands.phrases.resolve import When, resolve_phrase
from commands.phrases.words import PHRASE_CHARACTERS_MAX, is_vocabulary
from commands.setting import Setting
from domain.ports import ToolCall
from infra.telemetry import get_logger

logger = get_logger("workers.understanding.dates")

DEADLINE_SECONDS = 3.0  # the first call loads the library's languages
LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "nl")  # when the user's own is not among those that it knows
_NUMBER = re.compile(r"\d+")
_LETTER = re.compile(r"[^\W\d_]")
# Repetition is beyond dateparser, which reads the rest of the phrase as if it happened once.
_REPEATS = re.compile(
    r"\b(?:every|each|daily|weekly|monthly|yearly|per|jede\w*|alle|chaque|tous|toutes|cada|todos|ogni)\b"
)
_OTHER_CLOCK = timedelta(hours=3, minutes=17)

# dateparser keeps settings in module-level caches: one thread, so that two calls do not meet there.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dates")


async def with_dates(call: ToolCall, setting: Setting, language: str | None) -> Setting:
    """`setting`, with the call's phrases of time read where the grammar alone could not."""
    whens = {phrase: await resolve(phrase, setting, language) for phrase in phrases_of(call)}
    known = {phrase: when for phrase, when in whens.items() if when is not None}
    return replace(setting, whens=known) if known else setting


async def resolve(phrase: str, setting: Setting, language: str | None = None) -> When | None:
    """The grammar's answer; else dateparser's, or None when it has none in time."""
    zone = setting.brain.timezone
    when = resolve_phrase(phrase, setting.now, zone, is_month_first=setting.is_month_first)
    if when is not None or not _is_worth_reading(phrase):
        return when
    loop = asyncio.get_running_loop()
    reading = loop.run_in_executor(
        _thread, read_elsewhere, phrase, setting.now, zone, setting.is_month_first, _languages(language)
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await reading
    except TimeoutError:
        logger.warning("dates.too_slow", count=len(phrase))
        return None
    except Exception:
        # Whatever a foreign reader stumbles over costs a date, never the answer.
        logger.exception("dates.broken", count=len(phrase))
        return None


def _is_worth_reading(phrase: str) -> bool:
    """Not what is too long, repeats, has no word in it, or has only words that the grammar knows and refuses."""
    return (
        len(phrase) <= PHRASE_CHARACTERS_MAX
        and _LETTER.search(phrase) is not None
        and not _REPEATS.search(phrase.casefold())
        and not is_vocabulary(phrase)
    )


def _languages(language: str | None) -> tuple[str, ...]:
    own = (language or "").replace("_", "-").casefold().split("-")[0]
    return tuple(dict.fromkeys((own, *LANGUAGES))) if re.fullmatch(r"[a-z]{2}", own) else LANGUAGES


def read_elsewhere(
    phrase: str, now: datetime, zone: str, is_month_first: bool, languages: tuple[str, ...]
) -> When | None:
    """What dateparser makes of it, if the words say it. Blocks; `now` is local.

    It fills in what was not said from its base and its settings. So it is asked with two bases and two preferences:
    where the day differs it was not said, and there is no answer; where the time differs there is only a day. A number
    that the answer does not account for was skipped over, and there is no answer either.
    """
    now = now.replace(second=0, microsecond=0, fold=0)
    other_clock = now + _OTHER_CLOCK if (now + _OTHER_CLOCK).date() == now.date() else now - _OTHER_CLOCK
    settings = {
        "PREFER_DATES_FROM": "future",
        "DATE_ORDER": "MDY" if is_month_first else "DMY",
        "PREFER_LOCALE_DATE_ORDER": False,
        "PREFER_DAY_OF_MONTH": "first",
    }
    found = _parse(phrase, languages, settings | {"RELATIVE_BASE": now})
    again = _parse(phrase, languages, settings | {"RELATIVE_BASE": other_clock, "PREFER_DAY_OF_MONTH": "last"})
    if found is None or again is None or not _accounts_for_numbers(phrase, found, now):
        return None
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        return None
    is_elapsed = again - found == other_clock - now and found.date() == now.date()
    if found.date() != again.date() and not is_elapsed:
        return None
    # It gives a bare date the first minute of its day.
    if not is_elapsed and (found != again or found.time() == time(0)):
        return When(found.date().isoformat(), note="past" if found.date() < now.date() else None)
    if found.tzinfo is not None:
        found = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return When(found.strftime("%Y-%m-%dT%H:%M"), note="past" if found < now else None)


def _parse(phrase: str, languages: tuple[str, ...], settings: Mapping[str, Any]) -> datetime | None:
    """Local time, or with the zone that the phrase names."""
    import dateparser  # takes its time, and most phrases never need it
    from dateparser.data.languages_info import language_order

    known = [language for language in languages if language in language_order]
    found: datetime | None = dateparser.parse(phrase, languages=known, settings=dict(settings))
    return found


def _accounts_for_numbers(phrase: str, found: datetime, now: datetime) -> bool:
    ahead = found.replace(tzinfo=None) - now
    days, minutes = round(ahead / timedelta(days=1)), round(ahead / timedelta(minutes=1))
    months = (found.year - now.year) * 12 + found.month - now.month
    said = {found.year, found.year % 100, found.month, found.day, found.hour, found.hour % 12 or 12, found.minute}
    said |= {days, days // 7, minutes, minutes // 60, months, months // 12}
    return all(int(number) in said for number in _NUMBER.findall(phrase))
