"""Questions to the model for JSON, beside or in place of its stream, within what the claim reserved for the reply.

Counts what was used and hashes what was heard, for the reply's end. Decides nothing about what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from domain.ports import LanguageModel, ModelError, ModelRequest
from domain.values import Json, ModelUsage
from infra.telemetry import counter, get_logger
from workers.desk import Interruption
from workers.llm.tokens import estimate_prompt_tokens
from workers.privacy.redaction import restore_in_json
from workers.prompts.build import Prompt

logger = get_logger("workers.questions")

SECOND_LOOK_SECONDS_MAX = 30.0  # the answer is there already, and somebody waits for its end

QUESTIONS = counter("microcos_worker_second_looks", "Second questions to the model.", ("kind", "outcome"))


class Heard:
    """What came from the model in one attempt. `usage` is as it counted, None while it has not told."""

    def __init__(self) -> None:
        self.usage: ModelUsage | None = None
        self.is_anything = False
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Hex, with the user's real values: of the texts, and of each call its name and arguments."""
        return self._hash.hexdigest()

    def add(self, text: str) -> None:
        self.is_anything = True
        self._hash.update(text.encode("utf-8", "surrogatepass"))


class Questions:
    def __init__(self, model: LanguageModel, prompt: Prompt, heard: Heard, interruption: Interruption) -> None:
        self._model = model
        self._prompt = prompt
        self._heard = heard
        self._interruption = interruption

    @property
    def tokens_left(self) -> int:
        """Of what the claim reserved for the answer: the budget of a day is never overdrawn by a second question."""
        used = 0 if self._heard.usage is None else self._heard.usage.total_tokens
        return self._prompt.tokens + self._prompt.request.max_tokens - used

    def room_for(self, request: ModelRequest) -> int:
        """Tokens that are left for the answer to `request`."""
        return self.tokens_left - estimate_prompt_tokens(request)

    async def ask(
        self,
        kind: str,
        request: ModelRequest | None,
        schema: Mapping[str, Json],
        deadline: float,
        *,
        seconds_max: float = SECOND_LOOK_SECONDS_MAX,
    ) -> str | None:
        """The model's answer, with the user's real values; None where there is none in time, or no room for the
        question. The reply goes on without it. `deadline` is of the event loop's clock. Raises `Stopped` or `Lost`."""
        if request is None:
            QUESTIONS.labels(kind, "no_room").inc()
            return None
        self._interruption.check()  # before anything is counted: who stops now is asked nothing, and pays nothing
        spent = ModelUsage(input_tokens=estimate_prompt_tokens(request), estimated=True)
        seconds = min(seconds_max, deadline - asyncio.get_running_loop().time())
        try:
            async with self._interruption.possible(max(0.0, seconds)):
                answer = await self._model.complete_json(request, schema)
            spent = answer.usage
        except (ModelError, TimeoutError) as error:
            code = error.code if isinstance(error, ModelError) else "timeout"
            logger.warning("answer.second_look_failed", kind=kind, code=code)
            QUESTIONS.labels(kind, code).inc()
            return None
        finally:
            self._heard.usage = spent if self._heard.usage is None else self._heard.usage + spent
        QUESTIONS.labels(kind, "answered").inc()
        self._heard.add(answer.text)
        return restore_in_json(answer.text, self._prompt.placeholders)
