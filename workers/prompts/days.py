"""The parts of a prompt that days and the talk before are told in: calendar, trips, plan, agenda, what was done. Pure.

What is chosen goes into the manifest, and is written out from it alone: see build.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from domain.brain import Brain
from domain.events import Fact, MessageReceived, ReplyCompleted, ReplyFailed, ReplyStopped
from domain.values import REDACTED, Manifest, ReplyRef
from workers.llm.tokens import estimate_tokens
from workers.prompts.lines import earlier_line, items, plan_lines, section, topic_line
from workers.understanding.days import (
    Days,
    agenda_lines,
    done_lines,
    done_within,
    event_line,
    events_on,
    name_of,
    trip_lines,
)

EVENTS_TOLD_MAX = 60
DONE_TOLD_MAX = 50
TOPICS_MAX = 12
EARLIER_TURNS_MAX = 12  # of which one line is told
EARLIER_RULE = "Earlier messages of this conversation, one line a turn, cut short."

NOTHING = "Nothing."  # on an agenda: a model that sees none at all makes one up

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a prompt may be made from: the state and, of the stream, messages, notes and actions in any order.

    Of the conversation, `facts` has nothing later than the message that is answered, and no answer to it. `times` has,
    for versions of done tasks, when that was on the users' clock (Unix milliseconds).
    """

    brain: Brain
    reply: ReplyRef
    facts: Sequence[Fact]
    times: Mapping[int, int] = field(default_factory=dict)

    @property
    def question(self) -> MessageReceived | None:
        """The message that is answered, where the facts have it."""
        for fact in self.facts:
            if isinstance(fact.event, MessageReceived) and fact.version == self.reply.message_version:
                return fact.event
        return None

    @property
    def language(self) -> str | None:
        """The language tag that came with that message."""
        question = self.question
        return None if question is None or question.content is REDACTED else question.content.language


def with_days(scene: Scene, manifest: Manifest, tokens_max: int) -> Manifest:
    """What the days that the message is about have, as far as it fits."""
    brain, intent, days = scene.brain, manifest.parameters["intent"], days_in(manifest)
    events = ((name_of(one), event_line(one, brain.timezone)) for one in events_on(brain, days))
    done: list[str] = []
    if intent == "summary":
        ids = done_within(brain, days, scene.times)
        done = fitting(zip(ids, done_lines(brain, ids, scene.times), strict=True), tokens_max, DONE_TOLD_MAX)
    plan = next((ref for ref, state in brain.plans.items() if state.date == days.first), None)
    return replace(
        manifest,
        calendar=tuple(fitting(events, tokens_max, EVENTS_TOLD_MAX)),
        trip_ids=tuple(trip_id for trip_id, _ in trip_lines(brain, manifest.now_ms)),
        plan_refs=() if plan is None or intent == "plan" else (plan,),
        done_ids=tuple(done),
    )


def days_in(manifest: Manifest) -> Days:
    return Days(str(manifest.parameters["first_day"]), int(manifest.parameters["days"]))


def day_sections(scene: Scene, manifest: Manifest) -> list[str]:
    """Calendar, trips and plan; where they are asked for, the agenda and what was done."""
    brain, intent, days = scene.brain, manifest.parameters["intent"], days_in(manifest)
    named = set(manifest.calendar)
    events = [one for one in events_on(brain, days) if name_of(one) in named] if named else []
    sections = section("Calendar", items([event_line(one, brain.timezone) for one in events]))
    trips = [line for trip_id, line in trip_lines(brain, manifest.now_ms) if trip_id in manifest.trip_ids]
    sections += section("Trips", items(trips))
    for ref in manifest.plan_refs:
        sections += section(f"Plan of {brain.plans[ref].date}", plan_lines(brain.plans[ref].plan))
    if intent == "agenda":
        title = f"Agenda of {days.first}" if days.count == 1 else f"Agenda of {days.first} to {days.last}"
        lines = agenda_lines(brain, days, manifest.now_ms, events)
        sections += section(title, items(lines) or [NOTHING])
    if intent == "summary":
        sections += section("Completed", items(done_lines(brain, manifest.done_ids, scene.times)))
        sections += section("Topics", _topics(scene, manifest, days))
    by_version = {fact.version: fact for fact in scene.facts}
    summed_up: dict[int, list[Fact]] = {}
    for fact in (by_version[version] for version in manifest.summarised):
        summed_up.setdefault(turn_of(fact) or 0, []).append(fact)
    earlier = [earlier_line(turn, brain.timezone) for turn in summed_up.values()]
    return sections + section("Earlier", earlier, EARLIER_RULE)


def _topics(scene: Scene, manifest: Manifest, days: Days) -> list[str]:
    """What the user wrote about on these days, newest last."""
    from_ms, _ = days.window_ms(scene.brain.timezone)
    told = {*manifest.versions, *manifest.summarised} - {scene.reply.message_version}
    messages = [
        fact
        for fact in sorted(scene.facts, key=lambda each: each.version)
        if fact.version in told and isinstance(fact.event, MessageReceived) and fact.meta.at_ms >= from_ms
    ]
    return [topic_line(fact) for fact in messages[-TOPICS_MAX:]]


def turn_of(fact: Fact) -> int | None:
    """The version of the message that a fact is or answers; None when it is neither, or its text was deleted."""
    event = fact.event
    match event:
        case MessageReceived() if event.content is not REDACTED:
            return fact.version
        case ReplyCompleted() | ReplyFailed() | ReplyStopped() if event.content is not REDACTED:
            return event.reply.message_version
        case _:
            return None


def fitting(items: Iterable[tuple[K, str]], tokens_max: int, count_max: int) -> list[K]:
    """The keys of the first items that fit."""
    kept: list[K] = []
    for key, text in items:
        tokens_max -= estimate_tokens(text) + 1
        if tokens_max < 0 or len(kept) >= count_max:
            break
        kept.append(key)
    return kept
