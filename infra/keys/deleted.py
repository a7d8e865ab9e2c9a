"""Makes deleted text unreadable in this process at once, and not when the cached keys of its user are loaded again.

A listener of the feed in every process that opens text. Keys are destroyed by a sweep after the commit; what this
process holds of them goes as soon as it hears of the deletion. Whoever shows the past reads the DELETIONS first.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.event_types import EVENT_NAMES
from domain.events import ConversationDeleted, Fact, NoteDeleted, UserErased
from infra.keys.keyring import Keyring

DELETIONS = tuple(EVENT_NAMES[event] for event in (ConversationDeleted, NoteDeleted, UserErased))


class DeletedKeys:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def wants(self, user_id: str) -> bool:
        return self._keyring.holds(user_id)

    def receive(self, user_id: str, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact.event, ConversationDeleted | NoteDeleted):
                self._keyring.bury(user_id, fact.event.key_id)
            elif isinstance(fact.event, UserErased):
                self._keyring.bury_user(user_id)
