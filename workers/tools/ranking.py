"""Which offer is best, and why: a score that the same offers and wishes always come to, and one sentence for each.

Pure. A model may put known offers in another order and give its reasons; it can't add an offer, lose one, or change a
score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from commands.json_text import readings
from domain.local_times import instant_ms
from domain.text import one_line
from domain.travel import Leg, Offer, RankedOffer, Wishes, stops_in_words

TABLE_ROWS_MAX = 8
REASON_CHARACTERS_MAX = 300
ANSWER_CHARACTERS_MAX = 16_384
ARRIVAL_MARGIN_MS = 3_600_000  # from the plane to where one is expected
RED_EYE_UNTIL = "06:00"
MINUTE_MS = 60_000

# They add up to 1. Price weighs most; each other thing can outweigh a fare that is a third dearer, none twice as dear.
WEIGHTS = {"price": 0.35, "duration": 0.15, "stops": 0.15, "hours": 0.10, "meetings": 0.15, "preferences": 0.10}


@dataclass(frozen=True, slots=True)
class _Best:
    """What each offer is compared with: the cheapest of each currency, and the shortest."""

    prices: Mapping[str, Decimal]
    duration_minutes: int


def rank(offers: Iterable[Offer], wishes: Wishes) -> list[RankedOffer]:
    """All of the offers, the best first; in whatever order they come, the same order comes out.

    A higher price alone never makes an offer rank higher. Prices are compared within a currency only.
    """
    offers = list(offers)
    if not offers:
        return []
    best = _best(offers)
    scored = [(round(_score(offer, wishes, best), 4), offer) for offer in offers]
    scored.sort(key=lambda pair: (-pair[0], pair[1].price.value, pair[1].departure_at_ms, pair[1].offer_id))
    return [
        RankedOffer(rank=n, offer=offer, score=score, reasoning=_reasoning(offer, wishes, best))
        for n, (score, offer) in enumerate(scored, 1)
    ]


def _best(offers: Sequence[Offer]) -> _Best:
    prices: dict[str, Decimal] = {}
    for offer in offers:
        price = offer.price.value
        prices[offer.price.currency] = min(prices.get(offer.price.currency, price), price)
    return _Best(prices, min(offer.total_duration_minutes for offer in offers))


def _score(offer: Offer, wishes: Wishes, best: _Best) -> float:
    parts = {
        "price": float(best.prices[offer.price.currency] / offer.price.value),
        "duration": best.duration_minutes / offer.total_duration_minutes,
        "stops": sum(1 / (1 + leg.stops) for leg in offer.legs) / len(offer.legs),
        "hours": sum(_hours(leg, wishes) for leg in offer.legs) / len(offer.legs),
        "meetings": _meetings(offer, wishes),
        "preferences": _preferences(offer, wishes),
    }
    return sum(WEIGHTS[name] * part for name, part in parts.items())


def _hours(leg: Leg, wishes: Wishes) -> float:
    """1 for a leg outside the hours of work and of sleep, less by the share that it takes of the day's work, half of
    that for one which leaves or lands in the night."""
    kept = 1.0
    if wishes.work_starts and wishes.work_ends:
        work_ms, taken_ms = _work_taken(leg, wishes.work_starts, wishes.work_ends, wishes.work_days)
        kept = 1 - min(1.0, taken_ms / work_ms) if work_ms > 0 else 1.0
    return kept / 2 if _is_red_eye(leg) else kept


def _work_taken(leg: Leg, starts: str, ends: str, days: Sequence[int]) -> tuple[int, int]:
    """How long a day's work is, and how much of any day's work the leg overlaps; the clock is that of its start."""
    zone, first = leg.departure_timezone, date.fromisoformat(leg.departure[:10])
    work_ms, taken_ms = 0, 0
    for day in (first + timedelta(days=n) for n in range(3)):
        start_ms, end_ms = instant_ms(f"{day}T{starts}", zone), instant_ms(f"{day}T{ends}", zone)
        work_ms = max(work_ms, end_ms - start_ms)
        if day.weekday() in days:
            taken_ms += max(0, min(end_ms, leg.arrival_at_ms) - max(start_ms, leg.departure_at_ms))
    return work_ms, taken_ms


def _is_red_eye(leg: Leg) -> bool:
    return leg.departure[11:] < RED_EYE_UNTIL or leg.arrival[11:] < RED_EYE_UNTIL


def _meetings(offer: Offer, wishes: Wishes) -> float:
    """0 for one that lands too late to be where the traveller is expected, half of it for each time that is taken."""
    if wishes.arrive_by_ms is not None and offer.arrival_at_ms + ARRIVAL_MARGIN_MS > wishes.arrive_by_ms:
        return 0.0
    return 0.5 ** len(_overlapped(offer, wishes))


def _overlapped(offer: Offer, wishes: Wishes) -> list[str]:
    return [
        busy.title
        for busy in wishes.busy
        if any(leg.departure_at_ms < busy.ends_at_ms and busy.starts_at_ms < leg.arrival_at_ms for leg in offer.legs)
    ]


def _preferences(offer: Offer, wishes: Wishes) -> float:
    """The share of the stated preferences that it meets; all of them where none was stated."""
    met: list[bool] = []
    if wishes.airlines:
        met.append(_is_one_of(offer.airline, wishes.airlines))
    if wishes.airlines_avoided:
        met.append(not _is_one_of(offer.airline, wishes.airlines_avoided))
    if wishes.airports:
        met.append(bool({offer.origin, offer.destination} & set(wishes.airports)))
    if wishes.stops_max is not None:
        met.append(all(leg.stops <= wishes.stops_max for leg in offer.legs))
    return sum(met) / len(met) if met else 1.0


def _is_one_of(airline: str, names: Iterable[str]) -> bool:
    return airline.casefold() in {name.casefold() for name in names}


# --- reasons --------------------------------------------------------------------------------------------------


def _reasoning(offer: Offer, wishes: Wishes, best: _Best) -> str:
    """What speaks for it and against it, from its own facts, at most four."""
    cheapest = best.prices[offer.price.currency]
    dearer_percent = round((offer.price.value / cheapest - 1) * 100)
    out, *back = (stops_in_words(leg.stops) for leg in offer.legs)
    # Of a way there and back one word says it all only where it is true of both.
    said = [out if all(way == out for way in back) else f"{out} out and {back[0]} back"]
    said.append("the cheapest" if dearer_percent == 0 else f"{dearer_percent} % above the cheapest")
    if offer.total_duration_minutes == best.duration_minutes:
        said.append("the shortest")
    if wishes.arrive_by_ms is not None:
        in_time = offer.arrival_at_ms + ARRIVAL_MARGIN_MS <= wishes.arrive_by_ms
        said.append(f"arrives at {offer.arrival[11:]}, {'in time' if in_time else 'too late'}")
    said += [f"overlaps “{one_line(title)[:60]}”" for title in _overlapped(offer, wishes)[:1]]
    if wishes.airlines and _is_one_of(offer.airline, wishes.airlines):
        said.append("your preferred airline")
    if wishes.airlines_avoided and _is_one_of(offer.airline, wishes.airlines_avoided):
        said.append("an airline that you avoid")
    if any(map(_is_red_eye, offer.legs)):
        said.append("in the night")
    text = ", ".join(said[:4])
    return f"{text[0].upper()}{text[1:]}."


def table(ranked: Sequence[RankedOffer]) -> str:
    """The best TABLE_ROWS_MAX for a prompt, one a line, with the ids that a model may name. Data, not instructions."""
    rows = ["flight_id | airline | route | departs | arrives | duration | stops | price | score"]
    for each in ranked[:TABLE_ROWS_MAX]:
        offer = each.offer
        hours, minutes = divmod(offer.total_duration_minutes, 60)
        fields = (
            offer.offer_id,
            offer.airline.replace("|", "/"),
            f"{offer.origin}-{offer.destination}",
            offer.departure.replace("T", " "),
            offer.arrival.replace("T", " "),
            f"{hours}h{minutes:02}",
            str(offer.total_stops),
            f"{offer.price.amount} {offer.price.currency}",
            f"{each.score:.2f}",
        )
        rows.append(" | ".join(fields))
    return "\n".join(rows)


class _Reason(msgspec.Struct):
    flight_id: str
    reasoning: str = ""


class _Reasons(msgspec.Struct):
    ranking: list[msgspec.Raw]


# What a model is to answer with, where its provider can hold it to a schema.
REASONS_SCHEMA = {
    "type": "object",
    "properties": {
        "ranking": {
            "type": "array",
            "maxItems": TABLE_ROWS_MAX,
            "items": {
                "type": "object",
                "properties": {
                    "flight_id": {"type": "string", "maxLength": 128},
                    "reasoning": {"type": "string", "maxLength": REASON_CHARACTERS_MAX},
                },
                "required": ["flight_id", "reasoning"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["ranking"],
    "additionalProperties": False,
}


def reasons_from(text: str, known_ids: Iterable[str]) -> dict[str, str]:
    """The reasons that a model wrote, by offer id and in its order; empty where it wrote nothing of use.

    `text` is `{"ranking": [{"flight_id", "reasoning"}]}`, perhaps in a code fence or between sentences. Unknown ids
    and repeated ones are dropped.
    """
    known = set(known_ids)
    reasons: dict[str, str] = {}
    for raw in _ranking_in(text[:ANSWER_CHARACTERS_MAX]):
        try:
            item = msgspec.json.decode(raw, type=_Reason)
        except (msgspec.DecodeError, RecursionError):
            continue
        if item.flight_id in known and item.flight_id not in reasons:
            reasons[item.flight_id] = one_line(item.reasoning)[:REASON_CHARACTERS_MAX]
    return reasons


def _ranking_in(text: str) -> list[msgspec.Raw]:
    for reading in readings(text):
        with suppress(msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return msgspec.json.decode(reading, type=_Reasons).ranking
    return []


def reasoned(ranked: Sequence[RankedOffer], reasons: Mapping[str, str]) -> list[RankedOffer]:
    """The same offers: those that the model named in its order and in its words, the others after them as they were.
    Scores stay; ranks are counted anew."""
    by_id = {each.offer.offer_id: each for each in ranked}
    named = [replace(by_id[known], reasoning=text or by_id[known].reasoning) for known, text in reasons.items()]
    others = [each for each in ranked if each.offer.offer_id not in reasons]
    return [replace(each, rank=n) for n, each in enumerate([*named, *others], 1)]
