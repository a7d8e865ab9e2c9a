"""uvicorn's WebSocket protocol, with a way for the application to drop a client that does not read, and without errors
in the log for what clients do wrong."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.live.client import ABORT_EXTENSION

INVALID_TEXT = 1007


class SocketProtocol(WebSocketsSansIOProtocol):
    async def send(self, message: Any) -> None:
        """A handshake that is answered with a problem is complete too: uvicorn would log an error of the application,
        which anybody without a token could have written."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application's task was only made by now; it runs later.
            self.scope["extensions"][ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment]

    def send_receive_event_to_app(self) -> None:
        """Text that is no UTF-8 ends the socket: uvicorn would do so too, and log an error that is none of ours."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(INVALID_TEXT)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
