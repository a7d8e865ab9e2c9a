"""uvicorn's WebSocket protocol, with a way for the application to drop a client that does not read."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.client import ABORT_EXTENSION


class SocketProtocol(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application's task was only made by now; it runs later.
            self.scope["extensions"][ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment]
