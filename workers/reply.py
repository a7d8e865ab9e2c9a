"""One chat turn: a reply from its claim to its end, over as many attempts as it takes.

Each attempt is one claim and at most one call of the model. A reply always ends: completed, stopped, or failed with
what there was and a sentence of ours. Whether we may still write is never known here: `decide` judges every append.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from commands.replies import REPLY_CHARACTERS_MAX, CompleteReply, Ending, EndReplyByTakeover, FailReply, StartReply
from domain.brain import Brain, Reply
from domain.errors import Conflict, Gone, NotFound, StaleAttempt, Unavailable
from domain.events import (
    BrainEvent,
    ReplyCompleted,
    ReplyFailed,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
)
from domain.ports import ModelError
from domain.values import ModelUsage, Provenance
from infra.codec import CorruptEvent
from infra.ids import jitter
from infra.keys.keyring import UserKeys
from infra.telemetry import counter, get_logger, log_context
from infra.tokens import decode_chunk
from workers.answer import Answer
from workers.confirmations import BUDGET_SPENT, sorry
from workers.desk import Desk, Interruption, Lost, Stopped, commit
from workers.llm.tokens import estimate_tokens
from workers.prompts.build import Prompt, build_prompt, with_shorter_answer
from workers.prompts.context import Context, read_context
from workers.token_stream import TokenStream, joined_text
from workers.understanding.days import days_of

logger = get_logger("workers.reply")

CLAIM_TRIES_MAX = 5
TRIM_MAX = 3  # times that the prompt is halved for a model that finds it too long
RETRY_SECONDS_MIN = 0.25
RETRY_SECONDS_MAX = 8.0
WAIT_SECONDS_MAX = 20.0  # a model that asks for more patience gets no second try: the user hears of it at once
NOTHING_SPENT = ModelUsage()
ANSWER_TOKENS_MIN = 64  # with fewer left of a day's budget, an answer would be cut off before it said anything
UNLIMITED_TOKENS = 1 << 62

REPLIES = counter("microcos_worker_replies", "Replies that this worker ended.", ("outcome",))
FAILURES = counter("microcos_worker_model_failures", "Model calls that failed.", ("code",))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brief:
    """What an attempt is to be made from."""

    context: Context
    prompt: Prompt

    @property
    def tokens(self) -> int:
        """With the longest answer."""
        return self.prompt.tokens + self.prompt.request.max_tokens

    def within(self, tokens_left: int) -> _Brief:
        """With a shorter answer where no more is left; as it is where what is left is enough, or for no answer."""
        answer_tokens = tokens_left - self.prompt.tokens
        if not ANSWER_TOKENS_MIN <= answer_tokens < self.prompt.request.max_tokens:
            return self
        return replace(self, prompt=with_shorter_answer(self.prompt, answer_tokens))


class ReplyTurn:
    """`after_attempt`: the reply's last attempt, which holds no lease any more; 0: there was none."""

    def __init__(self, desk: Desk, user_id: str, reply_id: str, after_attempt: int) -> None:
        self.user_id = user_id
        self.reply_id = reply_id
        self.attempt = after_attempt
        self.is_ours = False  # the attempt, and with it the lease
        self.is_ending = False  # nothing is left but the last append, which `decide` will judge
        self._desk = desk
        self._interruption = Interruption()
        self._trim = 0
        self._spent = NOTHING_SPENT  # by the attempts before the present one
        self._text = ""  # what the attempt published, once it has failed

    async def run(self, brain: Brain) -> Brain | None:
        """The state in which the user's next reply can be looked for; None when this one is not ours to go on with."""
        is_stale = False
        with log_context(user_id=self.user_id, reply_id=self.reply_id):
            while True:
                try:
                    if is_stale:
                        brain = await self._desk.handler.states.refresh(self.user_id)
                        is_stale = self.is_ending = False
                    reply = brain.replies.get(self.reply_id)
                    if reply is None or reply.ended or brain.queue[0] != self.reply_id:
                        return brain
                    if reply.attempt != self.attempt or self._interruption.is_lost:
                        return None
                    brain = await self._go_on(brain, reply)
                except StaleAttempt:
                    logger.info("reply.refused", attempt=self.attempt)
                    is_stale = True
                except (Unavailable, OSError):
                    if not self.is_ours or self._interruption.is_lost:
                        return None
                    is_stale = True
                    await asyncio.sleep(jitter(RETRY_SECONDS_MIN))
                except (Lost, Conflict, Gone, NotFound) as reason:
                    logger.info("reply.dropped", attempt=self.attempt, reason=type(reason).__name__)
                    return None

    def stop(self) -> None:
        self._interruption.stop()

    def lose(self) -> None:
        """Let go of it: the lease is another's, or this process ends."""
        self._interruption.lose()

    def notice(self, event: BrainEvent) -> None:
        """A fact about this reply became known."""
        match event:
            case ReplyStopRequested():
                self.stop()
            case ReplyStarted() if event.attempt > self.attempt and event.owner != self._desk.owner:
                self.lose()
            case ReplyCompleted() | ReplyFailed() | ReplyStopped() if not self.is_ending:
                self.lose()
            case _:
                pass

    async def _go_on(self, brain: Brain, reply: Reply) -> Brain:
        is_out_of_tries = reply.tries >= self._desk.settings.llm_attempts
        if self.is_ours and reply.status == "stopping":
            ending = Ending(text=self._text, usage=self._spent)
            return await self._end(reply, CompleteReply(reply_id=self.reply_id, attempt=self.attempt, ending=ending))
        if self.is_ours and is_out_of_tries:
            # The last claim held, and then the store failed us before a word was said.
            ending = Ending(text=sorry("attempts_exhausted"), usage=self._spent)
            command = FailReply(reply_id=self.reply_id, attempt=self.attempt, ending=ending, code="attempts_exhausted")
            return await self._end(reply, command)
        if not self.is_ours and reply.attempt and (reply.status == "stopping" or is_out_of_tries):
            return await self._take_over(reply)
        return await self._attempt(brain, reply)

    # --- one attempt ------------------------------------------------------------------------------------------

    async def _attempt(self, brain: Brain, reply: Reply) -> Brain:
        if not self.is_ours and reply.attempt:
            self._spent = self._spent_by_dead(reply, await self._published_text(reply))
        left = self._tokens_left(brain, reply)
        brief = await self._prepare(brain, reply, left)
        wanted = brief.tokens if brief else 0
        can_pay = wanted <= left
        claimed = await self._claim(reply, self._spent.total_tokens + (wanted if can_pay else 0))
        if brief is not None and claimed.version != brain.version + 1:
            brief = await self._prepare(claimed, reply, left)  # something was said or done meanwhile
        reply = claimed.replies[self.reply_id]
        keys = await self._desk.keyring.load(self.user_id)
        stream = self._open_stream(claimed, reply, keys)
        answer = Answer(self._desk, keys, reply, claimed, stream, self._interruption)
        try:
            if not can_pay:
                return await self._end_unpaid(reply, stream)
            try:
                await self._write(answer, brief)
            except ModelError as error:
                return await self._failed(reply, answer, brief, stream, error)
            except Stopped:
                logger.info("reply.stops", attempt=self.attempt)
            text = stream.close()
            ending = self._ending(answer, brief, text)
            return await self._end(reply, CompleteReply(reply_id=self.reply_id, attempt=self.attempt, ending=ending))
        finally:
            stream.discard()

    async def _prepare(self, brain: Brain, reply: Reply, tokens_left: int) -> _Brief | None:
        """None when the prompt cannot be made: an attempt has to be claimed all the same, or nothing would end it."""
        desk = self._desk
        try:
            now_ms = desk.clock.user_now_ms()
            context = await read_context(
                desk.log, desk.keyring, self.user_id, brain, reply.ref, offset_ms=now_ms - desk.clock.now_ms()
            )
            asked = context.asked
            prompt = build_prompt(
                context.scene,
                model=desk.model.name,
                context_tokens_max=desk.model.context_tokens_max,
                max_tokens=desk.settings.llm_max_tokens,
                tools=asked.tools,
                now_ms=now_ms,
                intent=asked.intent,
                days=days_of(asked.words, asked.intent, now_ms, brain.timezone),
                notes_kept=context.notes_kept,
                trim=self._trim,
            )
        except (Unavailable, Gone, NotFound):
            raise
        except Exception:
            logger.exception("reply.no_prompt")
            return None
        return _Brief(context=context, prompt=prompt).within(tokens_left)

    def _tokens_left(self, brain: Brain, reply: Reply) -> int:
        """What the day's budget has for the call, beside what this reply has used already."""
        limit = self._desk.settings.limit_tokens_per_day
        others = brain.tokens_spent(self._desk.clock.now_ms()) - reply.reserved_tokens
        return limit - others - self._spent.total_tokens if limit else UNLIMITED_TOKENS

    async def _claim(self, reply: Reply, reserved_tokens: int) -> Brain:
        """Raises `StaleAttempt` or `Conflict` when it cannot be had."""
        desk = self._desk
        command = StartReply(
            reply_id=self.reply_id,
            after_attempt=self.attempt,
            owner=desk.owner,
            lease_seconds=desk.settings.lease_seconds,
            reserved_tokens=reserved_tokens,
        )
        committed = await commit(
            desk,
            self.user_id,
            command,
            key=f"{self.reply_id}:{self.attempt + 1}:claim:{desk.owner}",
            message_id=reply.ref.message_id,
            interruption=self._interruption,
            tries_max=CLAIM_TRIES_MAX,
        )
        claimed = committed.brain.replies.get(self.reply_id)
        if claimed is None or claimed.attempt != self.attempt + 1 or claimed.owner != desk.owner:
            raise StaleAttempt("The claim was taken, and is over again.")
        self.attempt, self._text = claimed.attempt, ""
        self.is_ours = True
        logger.debug("reply.claimed", attempt=self.attempt)
        return committed.brain

    def _open_stream(self, brain: Brain, reply: Reply, keys: UserKeys) -> TokenStream:
        return self._desk.tokens.open(
            self.user_id,
            self.reply_id,
            self.attempt,
            key_id=brain.conversations[reply.ref.conversation_ref].key_id,
            keys=keys,
            seen_version=brain.version,
        )

    async def _write(self, answer: Answer, brief: _Brief | None) -> None:
        """Raises `ModelError` for whatever went wrong, `Stopped` or `Lost`."""
        if brief is None:
            raise ModelError("internal_error", "the prompt cannot be made", retryable=True)
        try:
            await answer.write(brief.context, brief.prompt)
        except (ModelError, Stopped, Lost):
            raise
        except StaleAttempt:
            # An action came too late: the attempt is over, or was asked to stop.
            raise (Stopped if await self._is_stopping() else Lost) from None
        except Exception as error:
            # The message has to end, whatever is broken here.
            logger.exception("reply.broken", attempt=self.attempt)
            raise ModelError("internal_error", type(error).__name__, retryable=True) from error

    async def _is_stopping(self) -> bool:
        """Whether the attempt is ours and is to stop. While the store is away it is waited for: who gave up here would
        end the reply without the text that was published. Raises `Lost`."""
        while True:
            try:
                known = (await self._desk.handler.states.refresh(self.user_id)).replies.get(self.reply_id)
                return known is not None and known.attempt == self.attempt and known.status == "stopping"
            except (Unavailable, OSError):
                if self._interruption.is_lost:
                    raise Lost from None
                await asyncio.sleep(jitter(RETRY_SECONDS_MIN))

    async def _failed(
        self, reply: Reply, answer: Answer, brief: _Brief | None, stream: TokenStream, error: ModelError
    ) -> Brain:
        """Another attempt after a while, or the end with what there was."""
        FAILURES.labels(error.code).inc()
        logger.warning(
            "model.failed", code=error.code, attempt=self.attempt, kind="retryable" if error.retryable else ""
        )
        if not self._may_try_again(reply, error):
            stream.write_paragraph(sorry(error.code))
            ending = self._ending(answer, brief, stream.close())
            return await self._end(
                reply, FailReply(reply_id=self.reply_id, attempt=self.attempt, ending=ending, code=error.code)
            )
        self._text = stream.close()
        ending = self._ending(answer, brief, self._text)
        wait_seconds = jitter(min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** (reply.tries - 1)))
        if error.code == "context_too_long":
            self._trim += 1
            wait_seconds = 0.0
        try:
            async with self._interruption.possible():
                await asyncio.sleep(max(wait_seconds, error.retry_after_seconds or 0.0))
        except Stopped:
            return await self._end(reply, CompleteReply(reply_id=self.reply_id, attempt=self.attempt, ending=ending))
        self._spent = ending.usage
        return answer.brain

    def _may_try_again(self, reply: Reply, error: ModelError) -> bool:
        can_help = error.retryable or (error.code == "context_too_long" and self._trim < TRIM_MAX)
        is_soon = (error.retry_after_seconds or 0.0) <= WAIT_SECONDS_MAX
        return can_help and is_soon and reply.tries < self._desk.settings.llm_attempts

    # --- the end ----------------------------------------------------------------------------------------------

    def _ending(self, answer: Answer, brief: _Brief | None, text: str) -> Ending:
        """With what this attempt and those before it used; a call that nothing came back from cost nothing."""
        if brief is None:
            return Ending(text=text, usage=self._spent)
        heard = answer.heard
        usage = heard.usage or (answer.estimated_usage(brief.prompt, text) if heard.is_anything else NOTHING_SPENT)
        return Ending(
            text=text,
            usage=self._spent + usage,
            manifest=replace(
                brief.prompt.manifest, brain_version=answer.claimed_version, workflow_ids=answer.workflow_ids
            ),
            provenance=Provenance(prompt_hash=brief.prompt.sha256, output_hash=heard.sha256),
        )

    async def _end_unpaid(self, reply: Reply, stream: TokenStream) -> Brain:
        stream.write_paragraph(BUDGET_SPENT)
        ending = Ending(text=stream.close(), usage=self._spent)
        command = CompleteReply(
            reply_id=self.reply_id, attempt=self.attempt, ending=ending, canned=True, code="budget_spent"
        )
        return await self._end(reply, command)

    async def _take_over(self, reply: Reply) -> Brain:
        """End what a dead worker left: with what it published, and a word of ours unless the user wanted it to stop."""
        text = await self._published_text(reply)
        usage = self._spent_by_dead(reply, text)
        failed_code = None
        if reply.status != "stopping":
            failed_code = "attempts_exhausted"
            text = "\n\n".join(part for part in (text, sorry(failed_code)) if part)
        command = EndReplyByTakeover(
            reply_id=self.reply_id,
            after_attempt=self.attempt,
            owner=self._desk.owner,
            ending=Ending(text=text[:REPLY_CHARACTERS_MAX], usage=usage),
            failed_code=failed_code,
        )
        return await self._end(reply, command)

    async def _end(self, reply: Reply, command: CompleteReply | FailReply | EndReplyByTakeover) -> Brain:
        self.is_ending = True
        how = "takeover" if isinstance(command, EndReplyByTakeover) else "end"
        committed = await commit(
            self._desk,
            self.user_id,
            command,
            key=f"{self.reply_id}:{self.attempt}:{how}",
            message_id=reply.ref.message_id,
            origin="system" if how == "takeover" else "assistant",
            interruption=self._interruption,
        )
        ended = committed.brain.replies.get(self.reply_id)
        outcome = ended.status if ended else "deleted"
        REPLIES.labels(outcome).inc()
        logger.info(
            "reply.ended", attempt=self.attempt, outcome=outcome, output_tokens=command.ending.usage.output_tokens
        )
        return committed.brain

    async def _published_text(self, reply: Reply) -> str:
        """What clients may have seen of a dead attempt, as far as the bus and Postgres still have it."""
        desk = self._desk
        segments = await desk.segments.read(self.user_id, self.reply_id, attempt=reply.attempt, after_index=0)
        entries = [segment.sealed for segment in segments]
        entries += await desk.bus.read_tokens(self.user_id, self.reply_id)
        keys = await desk.keyring.load(self.user_id)
        chunks = []
        for entry in entries:
            try:
                chunk = decode_chunk(self.user_id, self.reply_id, entry, keys)
            except CorruptEvent:
                logger.exception("reply.chunk_corrupt", attempt=reply.attempt)
                continue
            if chunk is not None and chunk.attempt == reply.attempt:
                chunks.append(chunk)
        return joined_text(chunks)

    def _spent_by_dead(self, reply: Reply, text: str) -> ModelUsage:
        """Of an attempt whose worker died nobody knows more than its reservation and its text."""
        before_output = max(0, reply.reserved_tokens - self._desk.settings.llm_max_tokens)
        return ModelUsage(input_tokens=before_output, output_tokens=estimate_tokens(text), estimated=True)
