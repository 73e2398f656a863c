"""How the server speaks HTTP and websocket: uvicorn's way, less what strangers could abuse."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["HttpProtocol", "WebSocketProtocol"]

PATIENCE = 10.0
"""Seconds that who connects gets to ask for something."""


class HttpProtocol(H11Protocol):
    """Uvicorn's, but who connects and asks for nothing is hung up on.

    Otherwise a few hundred of them would use up what this process may hold open.
    """

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and self.transport.get_protocol() is self:
            self.transport.close()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's, without the traceback that it prints for each text that is no UTF-8.

    Anybody could fill a log with these. The connection is closed with 1007 as before.
    """

    def send_receive_event_to_app(self) -> None:
        """Give a message to the application, or close."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007, "text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
