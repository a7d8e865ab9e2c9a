"""What must be true in the end, judged from Postgres and from what clients saw. Each gives what is wrong, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from domain.events import (
    ActionCreated,
    Fact,
    MessageReceived,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStarted,
    ReplyStopped,
    TaskCreated,
    TaskUpdated,
)
from domain.frames import frame_of
from domain.shapes import ReplyEnd
from domain.values import REDACTED
from tests.support.chaos_client import Follower, as_sent
from tests.support.history import Op


def created_ids(facts: Iterable[Fact]) -> Counter[str]:
    """How many events brought in each message, reply and task."""
    ids: Counter[str] = Counter()
    for fact in facts:
        match fact.event:
            case MessageReceived(message_id=name) | TaskCreated(task_id=name):
                ids[name] += 1
            case ReplyRequested(reply=reply):
                ids[reply.reply_id] += 1
            case _:
                pass
    return ids


def acknowledged_once(ops: Iterable[Op], facts: Sequence[Fact]) -> list[str]:
    """Each id that somebody was told is in the stream exactly once, at no later version than was said."""
    problems: list[str] = []
    ids = created_ids(facts)
    for op in ops:
        if not op.is_acknowledged or op.what not in ("create_task", "message"):
            continue
        body = op.body
        told = [body["id"]] if op.what == "create_task" else [body["messageId"], body["replyId"]]
        problems += [f"{name} of {op.what} {op.key} stands {ids[name]} times" for name in told if ids[name] != 1]
        if not 1 <= body["version"] <= len(facts):
            problems.append(f"{op.what} {op.key} was told version {body['version']} of {len(facts)}")
    return problems


def texts_once(ops: Iterable[Op], facts: Sequence[Fact]) -> list[str]:
    """What was sent once, under one key, stands once; what may have been lost, at most once."""
    written = Counter(filter(None, map(_text_of, facts)))
    wanted: dict[str, bool] = {}
    for op in ops:
        if op.what in ("create_task", "message"):
            text = op.sent["task"]["title"] if op.what == "create_task" else op.sent["text"]
            wanted[text] = wanted.get(text, False) or op.is_acknowledged
    problems = [
        f"{text!r} was acknowledged and stands {written[text]} times"
        for text, is_told in wanted.items()
        if is_told and written[text] != 1
    ]
    problems += [f"{text!r} stands {count} times" for text, count in written.items() if count > 1]
    return problems + [f"{text!r} was never sent" for text in written if text not in wanted]


def _text_of(fact: Fact) -> str | None:
    match fact.event:
        case MessageReceived(content=content) if content is not REDACTED:
            return content.text
        case TaskCreated(content=content) if content is not REDACTED:
            return content.title
        case _:
            return None


def replies_end_once(facts: Sequence[Fact]) -> list[str]:
    """Each message has one reply and each reply one end, after which nothing about it follows."""
    asked = Counter(fact.event.reply.message_id for fact in facts if isinstance(fact.event, ReplyRequested))
    received = Counter(fact.event.message_id for fact in facts if isinstance(fact.event, MessageReceived))
    problems = [f"message {name} has {asked[name]} replies" for name in received if asked[name] != 1]
    requested = [fact.event.reply.reply_id for fact in facts if isinstance(fact.event, ReplyRequested)]
    ends = Counter(fact.event.reply.reply_id for fact in facts if isinstance(fact.event, ReplyEnd))
    problems += [f"reply {name} has {ends[name]} ends" for name in requested if ends[name] != 1]
    return problems


def attempts_are_fenced(facts: Sequence[Fact]) -> list[str]:
    """Attempts count up by one; whatever a worker writes is of the newest attempt, and nothing follows the end."""
    problems: list[str] = []
    newest: dict[str, int] = defaultdict(int)
    ended: set[str] = set()
    for fact in facts:
        reply_id, attempt = _written_by_worker(fact)
        if reply_id is None:
            continue
        if reply_id in ended:
            problems.append(f"version {fact.version}: {type(fact.event).__name__} after the end of {reply_id}")
        expected = newest[reply_id] + isinstance(fact.event, ReplyStarted)
        if attempt != expected:
            name = type(fact.event).__name__
            problems.append(f"version {fact.version}: {name} of attempt {attempt}, not {expected}, of {reply_id}")
        newest[reply_id] = attempt
        if isinstance(fact.event, ReplyEnd):
            ended.add(reply_id)
    return problems


def _written_by_worker(fact: Fact) -> tuple[str | None, int]:
    match fact.event:
        case ReplyStarted() | ReplyCompleted() | ReplyFailed() | ReplyStopped():
            return fact.event.reply.reply_id, fact.event.attempt
        case ActionCreated(reply_id=reply_id, attempt=attempt):
            return reply_id, attempt
        case _:
            return None, 0


def attempts_of(facts: Sequence[Fact]) -> dict[str, int]:
    """How many attempts at each message's replies were going to call the model, by the message's text."""
    texts = {
        fact.event.message_id: fact.event.content.text
        for fact in facts
        if isinstance(fact.event, MessageReceived) and fact.event.content is not REDACTED
    }
    tries: Counter[str] = Counter(dict.fromkeys(texts.values(), 0))
    for fact in facts:
        if isinstance(fact.event, ReplyStarted) and fact.event.reserved_tokens:
            tries[texts[fact.event.reply.message_id]] += 1
    return dict(tries)


def model_calls_are_counted(facts: Sequence[Fact], calls: Mapping[str, int]) -> list[str]:
    """No more calls of the model than attempts that were recorded before them."""
    return [
        f"{calls.get(text, 0)} calls for {tries} attempts at {text!r}"
        for text, tries in attempts_of(facts).items()
        if calls.get(text, 0) > tries
    ]


def stream_is_exact(follower: Follower, facts: Sequence[Fact]) -> list[str]:
    """A follower that has reached the end was given each fact after its cursor once, in order, exactly as it is.

    That its tokens make up each final text, the reducer has checked at each end.
    """
    due_facts = [fact for fact in facts if fact.version > follower.after_version]
    expected = [frame.data for fact in due_facts if (frame := frame_of(fact)) is not None]
    if follower.facts == as_sent(expected):
        return []
    got = [(data["version"], data["type"]) for data in follower.facts]
    due = [(data["version"], data["type"]) for data in expected]
    if got != due:
        return [
            f"facts that never came: {sorted(set(due) - set(got))}, that nobody wrote: {sorted(set(got) - set(due))}"
        ]
    return [
        f"{told} is not {real}" for told, real in zip(follower.facts, as_sent(expected), strict=True) if told != real
    ]


def usage_of(facts: Sequence[Fact]) -> dict[str, int]:
    """The counters of the usage view, by a fold."""
    totals: Counter[str] = Counter()
    for fact in facts:
        event = fact.event
        totals["messages"] += isinstance(event, MessageReceived)
        totals["calls"] += isinstance(event, ReplyStarted) and event.reserved_tokens > 0
        if isinstance(event, ReplyEnd):
            totals["input_tokens"] += event.usage.input_tokens
            totals["output_tokens"] += event.usage.output_tokens
            is_canned = isinstance(event, ReplyCompleted) and event.canned
            outcome = {ReplyCompleted: "completed", ReplyFailed: "failed", ReplyStopped: "stopped"}[type(event)]
            totals["canned" if is_canned else outcome] += 1
    return dict(totals)


def title_writes(facts: Sequence[Fact], task_id: str) -> dict[str, int]:
    """Each title that a task was given, with the version at the end of the command that gave it."""
    found: dict[str, int] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, TaskCreated | TaskUpdated) and event.task_id == task_id and event.content is not REDACTED:
            assert event.content.title not in found, f"{event.content.title} was written twice"
            found[event.content.title] = fact.meta.end_version
    return found
