"""The model that needs no network and no key: deterministic, plainly labelled, with the interface of a real one.

It knows these tools, and calls those of them that the request offers, with the arguments that their schema names:

    create_task      title, due_text        complete_task   title
    create_event     title, start_text, end_text            update_event    event, start_text
    delete_event     event                  select_flight   which
    find_flights     destination, origin, departure_text, return_text, passengers, cabin, stops_max, order
    update_task      title, due_text, new_title or priority delete_task   title       reopen_task   title
    pin_memory       type, key, value       forget_memory   key         add_note      text
    delete_note      note                   set_preference  key, value  set_plan      todos

Of a message that asks for tools it makes the calls and says nothing but its label: whether they were done, the caller
knows. It must not claim what it cannot know, and keeps nothing from call to call.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from domain.ports import JsonAnswer, ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall
from domain.values import Json, ModelUsage
from workers.llm.offline.answers import NOT_UNDERSTOOD, REMIND_OF_WHAT, answer_to
from workers.llm.offline.days import plan_json, plan_wish, titled
from workers.llm.offline.followups import wishes_in
from workers.llm.offline.intents import Wish, calls_for
from workers.llm.offline.sections import sections_of
from workers.llm.policy import failure
from workers.llm.tokens import estimate_prompt_tokens, estimate_tokens
from workers.understanding.flight_words import spoken
from workers.understanding.intents import asked

NAME = "offline-1"
LABEL = "(offline model)"
CONTEXT_TOKENS = 24_000
_WORDS_A_TURN = 16  # words between two turns of the event loop, so that a long answer holds up nobody

_WORD = re.compile(r"\s*\S+\s*|\s+")


class OfflineModel:
    """A `LanguageModel`. The same request always gives the same events; usage is estimated (see `tokens`)."""

    def __init__(self, *, context_tokens_max: int = 0) -> None:
        self._context_tokens_max = context_tokens_max or CONTEXT_TOKENS

    @property
    def name(self) -> str:
        return NAME

    @property
    def context_tokens_max(self) -> int:
        return self._context_tokens_max

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        prompt_tokens = self._prompt_tokens(request)
        message = _last_user_text(request)
        wishes = _wishes(request)
        calls = calls_for(wishes, request.tools)
        text = _text_for(wishes, calls, message, request)
        words, whole = _fitting(text, request.max_tokens)
        for call in calls:
            yield call
        for number, word in enumerate(words, start=1):
            yield TextDelta(word)
            if number % _WORDS_A_TURN == 0:
                await asyncio.sleep(0)
        said = "".join([*words, *(call.name + call.arguments for call in calls)])
        usage = ModelUsage(input_tokens=prompt_tokens, output_tokens=estimate_tokens(said), estimated=True)
        yield ModelFinished(("tool_calls" if calls else "stop") if whole else "length", usage)

    async def complete_json(self, request: ModelRequest, schema: Mapping[str, Json]) -> JsonAnswer:
        """It knows four shapes: `{"actions": [{"name", "arguments"}]}` with the names that the schema lists, the
        arguments of one tool, a plan (`priorities`, `todos`, `notes`), and a `ranking`, to which it has nothing to add.
        Raises `bad_answer` for another, and where the message has nothing to fill it with."""
        prompt_tokens = self._prompt_tokens(request)
        answer = _json_for(request, schema.get("properties", {}))
        text = msgspec.json.encode(answer).decode()
        output_tokens = min(estimate_tokens(text), request.max_tokens)
        return JsonAnswer(text, ModelUsage(input_tokens=prompt_tokens, output_tokens=output_tokens, estimated=True))

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        return None

    def _prompt_tokens(self, request: ModelRequest) -> int:
        tokens = estimate_prompt_tokens(request)
        if tokens > self._context_tokens_max:
            raise failure("context_too_long", f"{tokens} tokens, the window has {self._context_tokens_max}")
        return tokens


def _last_user_text(request: ModelRequest) -> str:
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")


def _meant(request: ModelRequest) -> str:
    """The last message, with what was asked for before where it answers a question about flights."""
    talk = [(message.role, message.content) for message in request.messages if message.role in ("user", "assistant")]
    return spoken(talk) if talk else ""


def _wishes(request: ModelRequest) -> list[Wish]:
    said = [message.content for message in request.messages if message.role == "user"]
    sections = sections_of(request.messages)
    plan = plan_wish(" ".join(_last_user_text(request).split()), sections)
    return wishes_in([*said[:-1], _meant(request)], _titles(sections)) if plan is None else [Wish(*plan)]


def _titles(sections: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Of the open tasks, as the prompt has them: `call John (due tomorrow 17:00)`. None where it tells of no state."""
    return [titled(task) for task in sections.get("tasks", ())] if "now" in sections else None


def _json_for(request: ModelRequest, properties: Mapping[str, Json]) -> dict[str, Json]:
    wishes = _wishes(request)
    match properties:
        case {"priorities": _, "todos": _}:
            return plan_json(sections_of(request.messages), LABEL)
        case {"ranking": _}:
            return {"ranking": []}
        case {"actions": {"items": {"properties": {"name": {"enum": names}}}}}:
            return {
                "actions": [{"name": wish.tool, "arguments": wish.arguments} for wish in wishes if wish.tool in names]
            }
        case _:
            for wish in wishes:
                if wish.arguments.keys() <= properties.keys():
                    return dict(wish.arguments)
    raise failure("bad_answer", "the offline model has no answer of this shape")


def _text_for(wishes: Sequence[Wish], calls: Sequence[ToolCall], message: str, request: ModelRequest) -> str:
    wanted = asked(message).wanted
    if not wishes or not (calls or wanted):
        # Who asks for something is told that it was not done, and no list that happens to have a word of theirs.
        said = REMIND_OF_WHAT if wanted == {"create_task"} else NOT_UNDERSTOOD
        said = said if wanted else answer_to(message, request.messages)
        return f"{said.replace(f' {LABEL}', '')} {LABEL}"
    return LABEL if len(calls) == len(wishes) else f"I understood what you want, but may not do all of it here. {LABEL}"


def _fitting(text: str, tokens_max: int) -> tuple[list[str], bool]:
    """The words of `text` that fit into so many tokens, blanks kept, and whether that is all of them."""
    words = _WORD.findall(text)
    if estimate_tokens(text) <= tokens_max:
        return words, True
    fitting: list[str] = []
    ascii_characters = other_tokens = 0
    for word in words:
        tokens = estimate_tokens(word)
        others = 0 if word.isascii() else sum(not character.isascii() for character in word)
        ascii_characters += len(word) - others
        other_tokens += others
        if (ascii_characters + 3) // 4 + other_tokens > tokens_max or tokens > tokens_max:
            break
        fitting.append(word)
    return fitting, False
