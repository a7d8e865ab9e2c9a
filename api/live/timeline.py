"""The order in which a user's facts and tokens reach clients. Pure: no I/O, no clock, no bytes.

Facts go in version order. A reply's entries go in index order, between its start and its end, each only after the
facts that its worker had seen; what is missing at the end is cut from the final text. `step` is the one path from a
fact to frames, for replay and live alike; `Timeline` is a live hub's state on top of it.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field, replace

from api.live.cursor import Cursor, Place
from api.live.frames import progress_of_action, progress_of_chunk, progress_of_fact, reset_frame
from domain.brain import Brain
from domain.events import Fact, ReplyStarted
from domain.frames import Frame, TokenChunk, frame_of, token_frame
from domain.shapes import ReplyEnd
from domain.values import REDACTED, ReplyRef

HELD_CHUNKS_MAX = 20_000  # beyond, chunks are dropped and read again from where they are kept


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame and its id; without a cursor it has none and is not replayed."""

    frame: Frame
    cursor: Cursor | None = None


def step(
    generation: str, place: Place | None, fact: Fact, *, given: str | None = None, ahead: bool = False
) -> tuple[list[Sent], Place | None]:
    """What a client at `place` is sent for the next fact, and its place after it.

    `given` is the text that it has of the running reply, where that is known; `ahead` as its cursor has it.
    """
    event = fact.event
    sent: list[Sent] = []
    if isinstance(event, ReplyStarted):
        if not _is_beside(place, event, fact):
            place = Place(event.reply.reply_id, event.attempt)
    elif isinstance(event, ReplyEnd):
        missing = _missing_text(generation, place, event, fact.version - 1, given)
        if missing is not None and not ahead:
            sent.append(missing)
        if place is not None and place.reply_id == event.reply.reply_id:
            place = None
    frame = frame_of(fact)
    if frame is not None:
        sent.append(Sent(frame, Cursor(generation, fact.version, place)))
    return sent, place


def _is_beside(place: Place | None, event: ReplyStarted, fact: Fact) -> bool:
    """Whether a reply is claimed only to be ended by the same command, while another one runs: a reminder's. What the
    client has of the running one stays its place."""
    is_another = place is not None and place.reply_id != event.reply.reply_id
    return is_another and fact.version < fact.meta.end_version


def _missing_text(
    generation: str, place: Place | None, event: ReplyEnd, version: int, given: str | None
) -> Sent | None:
    """What the client at `place` lacks of a reply that ends, or all of it when what it has does not fit."""
    content = event.content
    if content is REDACTED or content.text is None:
        return None
    text, ref = content.text, event.reply
    had = Place(ref.reply_id, event.attempt)
    if place is not None and place.same_attempt(had):
        had = place
    after = Place(ref.reply_id, event.attempt, had.index + 1, len(text))
    if had.offset > len(text) or (given is not None and not text.startswith(given)):
        frame = reset_frame(
            version,
            text=text,
            reply_id=ref.reply_id,
            conversation_id=content.conversation_id,
            attempt=event.attempt,
            index=after.index,
        )
        return Sent(frame, Cursor(generation, version, after))
    if had.offset == len(text):
        return None
    is_beside = place is not None and place.reply_id != ref.reply_id
    cursor = Cursor(generation, version, place, ahead=True) if is_beside else Cursor(generation, version, after)
    chunk = TokenChunk(
        attempt=event.attempt,
        first_index=after.index,
        last_index=after.index,
        offset=had.offset,
        seen_version=version,
        text=text[had.offset :],
    )
    return Sent(token_frame(ref, content.conversation_id, chunk), cursor)


@dataclass(slots=True)
class Running:
    """A reply that a worker writes now: what was published of it, and where that ends."""

    ref: ReplyRef
    conversation_id: str | None
    place: Place
    actions: list[TokenChunk] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def add(self, text: str) -> None:
        self._parts.append(text)


@dataclass(frozen=True, slots=True)
class Moment:
    """A timeline at one instant: what a client needs to go on from there with what comes live."""

    generation: str
    version: int
    ref: ReplyRef | None = None
    conversation_id: str | None = None
    place: Place | None = None
    text: str = ""
    actions: tuple[TokenChunk, ...] = ()

    def reset(self) -> Sent:
        """The text so far in one frame, or an empty one when no reply runs."""
        cursor = Cursor(self.generation, self.version, self.place)
        if self.place is None:
            return Sent(reset_frame(self.version), cursor)
        frame = reset_frame(
            self.version,
            text=self.text,
            reply_id=self.place.reply_id,
            conversation_id=self.conversation_id,
            attempt=self.place.attempt,
            index=self.place.index,
        )
        return Sent(frame, cursor)

    def after(self, place: Place | None) -> list[Sent]:
        """The entries of the running reply that a client at `place` lacks; from the first for one that has none."""
        if self.place is None:
            return []
        if place is None or place.reply_id != self.place.reply_id:
            place = Place(self.place.reply_id, self.place.attempt)
        elif not self.place.covers(place):
            return [self.reset()]
        sent: list[Sent] = []
        for action in self.actions:
            if action.last_index > place.index:
                place = self._text_until(place, action.first_index - 1, action.offset, sent)
                place = replace(place, index=action.last_index)
                sent.append(self._sent(action, place))
        self._text_until(place, self.place.index, self.place.offset, sent)
        return sent

    def _text_until(self, place: Place, index: int, offset: int, sent: list[Sent]) -> Place:
        if offset == place.offset:
            return place
        chunk = TokenChunk(
            attempt=place.attempt,
            first_index=place.index + 1,
            last_index=index,
            offset=place.offset,
            seen_version=self.version,
            text=self.text[place.offset : offset],
        )
        place = replace(place, index=index, offset=offset)
        sent.append(self._sent(chunk, place))
        return place

    def _sent(self, chunk: TokenChunk, place: Place) -> Sent:
        assert self.ref is not None
        cursor = Cursor(self.generation, self.version, place)
        return Sent(token_frame(self.ref, self.conversation_id, chunk), cursor)


class Timeline:
    """What all live clients of a user were sent so far. Takes facts and chunks as they come, gives frames in order."""

    def __init__(self, generation: str, version: int, running: Running | None = None) -> None:
        self.generation = generation
        self.version = version
        self.running = running
        # Chunks that can't be sent yet, by reply and attempt, sorted by their indexes.
        self._held: dict[tuple[str, int], list[TokenChunk]] = {}
        self.held_count = 0

    @classmethod
    def of(cls, generation: str, brain: Brain) -> Timeline:
        """As the log stands, with nothing sent yet of the reply that runs."""
        reply = brain.replies[brain.queue[0]] if brain.queue else None
        if reply is None or reply.attempt == 0:
            return cls(generation, brain.version)
        conversation = brain.conversations[reply.ref.conversation_ref]
        running = Running(reply.ref, conversation.conversation_id, Place(reply.ref.reply_id, reply.attempt))
        return cls(generation, brain.version, running)

    @property
    def place(self) -> Place | None:
        return None if self.running is None else self.running.place

    def moment(self) -> Moment:
        running = self.running
        if running is None:
            return Moment(self.generation, self.version)
        return Moment(
            self.generation,
            self.version,
            running.ref,
            running.conversation_id,
            running.place,
            running.text,
            tuple(running.actions),
        )

    @property
    def lacks_entries(self) -> bool:
        """Whether entries are missing between what was sent and what came."""
        waiting = self._waiting()
        return bool(waiting) and waiting[0].seen_version <= self.version

    @property
    def lacks_facts(self) -> bool:
        """Whether some worker has seen facts that have not come here."""
        return any(chunk.seen_version > self.version for held in self._held.values() for chunk in held)

    def take_fact(self, fact: Fact) -> list[Sent]:
        """`fact` must be the next one."""
        assert fact.version == self.version + 1
        given = self.running.text if self.running is not None and _ends(fact, self.running) else None
        sent, place = step(self.generation, self.place, fact, given=given)
        self.version = fact.version
        event = fact.event
        if isinstance(event, ReplyStarted) and place == Place(event.reply.reply_id, event.attempt):
            conversation_id = None if event.content is REDACTED else event.content.conversation_id
            self.running = Running(event.reply, conversation_id, place)
        elif place is None:
            self.running = None
        progress = progress_of_fact(event, fact)
        if progress is not None:
            sent.append(Sent(progress))
        if self._held:
            self._forget_stale()
            sent += self._send_held()
        return sent

    def take_chunk(self, reply_id: str, chunk: TokenChunk) -> list[Sent]:
        """Any chunk, in any order, any number of times."""
        place = self.place
        current = place is not None and (place.reply_id, place.attempt) == (reply_id, chunk.attempt)
        if current:
            assert place is not None
            is_over = chunk.last_index < place.index if chunk.progress is not None else chunk.last_index <= place.index
            if is_over:
                return []
            if chunk.progress is None and chunk.seen_version <= self.version and _follows(chunk, place):
                sent = self._send(chunk)
                return sent + self._send_held() if self._held else sent
        elif chunk.seen_version <= self.version:
            return []  # of an older attempt, or of a reply that has ended
        self._hold(reply_id, chunk)
        return self._send_held()

    def _waiting(self) -> list[TokenChunk]:
        place = self.place
        return [] if place is None else self._held.get((place.reply_id, place.attempt), [])

    def _hold(self, reply_id: str, chunk: TokenChunk) -> None:
        if self.held_count >= HELD_CHUNKS_MAX:
            return
        held = self._held.setdefault((reply_id, chunk.attempt), [])
        insort(held, chunk, key=lambda each: (each.first_index, each.last_index))
        self.held_count += 1

    def _send_held(self) -> list[Sent]:
        held = self._waiting()
        sent: list[Sent] = []
        taken = 0
        for chunk in held:
            place = self.place
            assert place is not None
            if chunk.progress is not None and chunk.last_index >= place.index:
                if chunk.seen_version > self.version or chunk.last_index > place.index:
                    break
                sent.append(Sent(progress_of_chunk(place.reply_id, chunk)))
            elif chunk.last_index > place.index:
                if chunk.seen_version > self.version or not _follows(chunk, place):
                    break
                sent += self._send(chunk)
            taken += 1
        if taken:
            self._keep(self._current_key(), held[taken:])
        return sent

    def _forget_stale(self) -> None:
        """Whatever is not of the running attempt, and does not come from the future, can never be sent."""
        current = self._current_key()
        for key, held in list(self._held.items()):
            if key != current:
                self._keep(key, [chunk for chunk in held if chunk.seen_version > self.version])

    def _keep(self, key: tuple[str, int], kept: list[TokenChunk]) -> None:
        self.held_count -= len(self._held[key]) - len(kept)
        if kept:
            self._held[key] = kept
        else:
            del self._held[key]

    def _current_key(self) -> tuple[str, int]:
        place = self.place
        return ("", 0) if place is None else (place.reply_id, place.attempt)

    def _send(self, chunk: TokenChunk) -> list[Sent]:
        running = self.running
        assert running is not None
        place = running.place
        if chunk.action is not None:
            running.place = Place(place.reply_id, place.attempt, chunk.last_index, place.offset)
            running.actions.append(chunk)
            progress = progress_of_action(place.reply_id, chunk)
            return [self._token(running, chunk), Sent(progress)]
        text = chunk.text[place.offset - chunk.offset :]
        running.place = Place(place.reply_id, place.attempt, chunk.last_index, place.offset + len(text))
        if not text:
            return []
        running.add(text)
        if chunk.offset != place.offset:
            chunk = replace(chunk, first_index=place.index + 1, offset=place.offset, text=text)
        return [self._token(running, chunk)]

    def _token(self, running: Running, chunk: TokenChunk) -> Sent:
        cursor = Cursor(self.generation, self.version, running.place)
        return Sent(token_frame(running.ref, running.conversation_id, chunk), cursor)


def _follows(chunk: TokenChunk, place: Place) -> bool:
    return chunk.first_index <= place.index + 1 and chunk.offset <= place.offset


def _ends(fact: Fact, running: Running) -> bool:
    """Whether `fact` ends the attempt that `running` is."""
    event = fact.event
    if not isinstance(event, ReplyEnd):
        return False
    return running.place.same_attempt(Place(event.reply.reply_id, event.attempt))
