"""One user's commands, one after the other in this process, for as long as some are under way.

When one finds the store away, all that came before it found out hear so with it: tried one after the other, they would
wait the longer the more they are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from domain.errors import Unavailable
from infra.queries import unavailable


@dataclass(slots=True)
class _Mailbox:
    """Each command has a ticket, in order of arrival. `in_vain`: the last that came before the store was found away."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    tickets: int = 0
    in_vain: int = 0


class Mailboxes:
    def __init__(self) -> None:
        self._boxes: dict[str, _Mailbox] = {}

    def turn(self, user_id: str) -> Turn:
        """To be entered, one at a time in the order of asking. Entering raises `Unavailable` when the store is away."""
        box = self._boxes.get(user_id)
        if box is None:
            box = self._boxes[user_id] = _Mailbox()
        return Turn(self, user_id, box)

    def forget(self, user_id: str) -> None:
        del self._boxes[user_id]


class Turn:
    """Written out, as a context manager made of a generator would cost as much as a decision."""

    __slots__ = ("_box", "_mailboxes", "_user_id")

    def __init__(self, mailboxes: Mailboxes, user_id: str, box: _Mailbox) -> None:
        self._mailboxes = mailboxes
        self._user_id = user_id
        self._box = box

    async def __aenter__(self) -> None:
        box = self._box
        box.users += 1
        ticket = box.tickets = box.tickets + 1
        try:
            await box.lock.acquire()
        except asyncio.CancelledError:
            self._leave()
            raise
        if ticket <= box.in_vain:
            box.lock.release()
            self._leave()
            raise unavailable("The store is away and nothing was written. Send the same command again.")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Unavailable) and error.code == Unavailable.code:
            self._box.in_vain = self._box.tickets
        self._box.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._box.users -= 1
        if not self._box.users:
            self._mailboxes.forget(self._user_id)
