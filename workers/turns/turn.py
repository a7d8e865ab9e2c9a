"""What the steps of a turn work with: one attempt's model call, stream, actions and questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.ports import PromptMessage
from workers.acting import Acting
from workers.desk import Desk, Interruption
from workers.prompts.build import Prompt
from workers.prompts.context import Context
from workers.questions import Questions
from workers.token_stream import TokenStream
from workers.understanding.intents import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """`deadline` is of the event loop's clock: by then the answer has to be there."""

    desk: Desk
    context: Context
    prompt: Prompt
    acting: Acting
    questions: Questions
    stream: TokenStream
    interruption: Interruption
    deadline: float

    @property
    def asked(self) -> Asked:
        return self.context.asked

    @property
    def now_ms(self) -> int:
        """The users' now, the same for the whole turn."""
        return self.prompt.request.now_ms

    @property
    def messages(self) -> Sequence[PromptMessage]:
        return self.prompt.request.messages
